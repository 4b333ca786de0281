"""What each codec may lose, for values of any size: bounds that hold number by number."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import Tensor

from lichen.errors import CheckpointError, InputError
from lichen.features.codecs import CODECS, Codec
from lichen.features.pca import Basis, fit_basis

MANY = settings(max_examples=60, deadline=None)


def arrays(bound: float, width: int | None = None) -> st.SearchStrategy[np.ndarray]:
    """(states, batch, tokens, width) of float32 of any size up to a bound."""
    last = st.integers(1, 7) if width is None else st.just(width)
    shapes = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 4), last)
    return hnp.arrays(np.float32, shapes, elements=st.floats(-bound, bound, width=32))


def basis_of(values: Tensor, rank: int) -> Basis:
    return fit_basis([[state.flatten(0, 1) for state in values]], [values.shape[3]] * len(values), rank)


def round_trip(codec: Codec, values: Tensor) -> Tensor:
    """Encode and decode a whole batch, with the scales that its shard would keep."""
    every = slice(0, len(values))
    codec.observe(values, every)
    cells = codec.encode(values, every)
    assert cells.dtype == codec.dtype and cells.shape == (*values.shape[:3], codec.cells(values.shape[3]))
    out = torch.full(values.shape, 7.0)
    scales = codec.scales()
    if scales is not None:
        scales = scales.unflatten(0, (len(values), 1, -1)).expand(-1, values.shape[1], -1)
    codec.decode(cells, every, out, scales)
    return out


def make(name: str, values: Tensor) -> Codec:
    basis = basis_of(values, 2) if name == "pca" else None
    return CODECS[name]([values.shape[3]] * len(values), basis)


@MANY
@given(arrays(2.0**127))
def test_float32_loses_nothing(array: np.ndarray) -> None:
    values = torch.from_numpy(array)
    assert torch.equal(round_trip(make("float32", values), values), values)


@MANY
@given(arrays(2.0**127))
def test_bfloat16_keeps_eight_bits(array: np.ndarray) -> None:
    values = torch.from_numpy(array)
    error = (round_trip(make("bfloat16", values), values).double() - values.double()).abs()
    assert bool((error <= values.double().abs() * 2.0**-8 + 1e-40).all())


@MANY
@given(arrays(65504.0))
def test_float16_keeps_eleven_bits(array: np.ndarray) -> None:
    values = torch.from_numpy(array)
    error = (round_trip(make("float16", values), values).double() - values.double()).abs()
    assert bool((error <= values.double().abs() * 2.0**-11 + 2.0**-25).all())


@MANY
@given(arrays(2.0**100))
def test_int8_is_at_most_half_a_step_of_its_token_off(array: np.ndarray) -> None:
    values = torch.from_numpy(array)
    step = values.double().abs().amax(-1, keepdim=True) / 127
    error = (round_trip(make("int8", values), values).double() - values.double()).abs()
    assert bool((error <= 0.5001 * step + 1e-40).all())


@MANY
@given(arrays(2.0**100))
def test_int8_channel_is_at_most_half_a_step_of_its_channel_off(array: np.ndarray) -> None:
    values = torch.from_numpy(array)
    step = values.double().abs().amax((1, 2), keepdim=True) / 127
    error = (round_trip(make("int8-channel", values), values).double() - values.double()).abs()
    assert bool((error <= 0.5001 * step + 1e-40).all())


@MANY
@given(arrays(1024.0, width=6))
def test_pca_of_full_rank_loses_only_the_rounding_of_its_coefficients(array: np.ndarray) -> None:
    values = torch.from_numpy(array)
    codec = CODECS["pca"]([6] * len(values), basis_of(values, 6))
    centred = values.double() - torch.stack(codec.basis.means).double()[:, None, None]
    # Each coefficient is at most half a step off, and rotations keep lengths.
    largest = centred.norm(dim=-1, keepdim=True)
    error = (round_trip(codec, values).double() - values.double()).norm(dim=-1, keepdim=True)
    assert bool((error <= 0.5001 * 6**0.5 * largest / 127 + 1e-5 * values.abs().max() + 1e-5).all())


@MANY
@given(st.sampled_from(sorted(CODECS)), arrays(8192.0, width=5), st.integers(0, 2))
def test_a_part_of_the_states_decodes_as_within_all(name: str, array: np.ndarray, start: int) -> None:
    values = torch.from_numpy(array)
    start = min(start, len(values) - 1)
    codec = make(name, values)
    whole = round_trip(codec, values)
    part = slice(start, len(values))
    scales = codec.scales()
    if scales is not None:
        scales = scales.unflatten(0, (len(values), 1, -1))[part].expand(-1, values.shape[1], -1)
    out = torch.empty_like(values[part])
    codec.decode(codec.encode(values, slice(0, len(values)))[part], part, out, scales)
    assert torch.allclose(out, whole[part], rtol=1e-5, atol=1e-3 if name == "pca" else 0)


@pytest.mark.parametrize("name", sorted(CODECS))
def test_zero_cells_are_zeros_where_a_codec_says_so(name: str) -> None:
    values = torch.randn(2, 3, 4, 5)
    codec = make(name, values)
    codec.observe(values, slice(0, 2))
    cells = torch.zeros_like(codec.encode(values, slice(0, 2)))
    out = torch.full(values.shape, 7.0)
    scales = codec.scales()
    codec.decode(cells, slice(0, 2), out, None if scales is None else scales.view(2, 1, 5).expand(-1, 3, -1))
    assert bool((out == 0).all()) is codec.blank


def test_float16_refuses_what_it_cannot_hold() -> None:
    values = torch.full((1, 1, 1, 2), 70000.0)
    with pytest.raises(InputError, match=r"reaches 70000, more than float16 can hold \(65504\). Use codec='bfloat16'"):
        CODECS["float16"]([2]).encode(values, slice(0, 1))


@pytest.mark.parametrize("name", ["int8", "int8-channel"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_int8_refuses_what_is_not_finite(name: str, value: float) -> None:
    values = torch.tensor([[[[1.0, value]]]])
    codec = CODECS[name]([2])
    with pytest.raises(InputError, match=r"NaN or infinity, which int8 cannot\. Use codec='float32'"):
        codec.observe(values, slice(0, 1))
        codec.encode(values, slice(0, 1))


# --- principal components


def test_components_are_those_of_the_singular_values() -> None:
    rows = torch.randn(200, 12, dtype=torch.float64) @ torch.randn(12, 12, dtype=torch.float64) + 3
    basis = fit_basis([[rows[:120].float()], [rows[120:].float()]], [12], 4)
    (mean,), (found,) = basis.means, basis.components
    assert torch.allclose(mean.double(), rows.mean(0), atol=1e-5)
    expected = torch.linalg.svd(rows - rows.mean(0), full_matrices=False).Vh[:4]
    assert torch.allclose((found.double() * expected).sum(1).abs(), torch.ones(4).double(), atol=1e-4)
    assert torch.allclose(found @ found.T, torch.eye(4), atol=1e-5)


def test_one_sample_has_one_basis() -> None:
    rows = torch.randn(50, 6)
    one, other = (fit_basis([[rows]], [6], 3) for _ in range(2))
    assert torch.equal(one.components[0], other.components[0])
    largest = one.components[0].gather(1, one.components[0].abs().argmax(1, keepdim=True))
    assert bool((largest > 0).all())


def test_a_narrow_state_keeps_all_its_components() -> None:
    basis = fit_basis([[torch.randn(30, 3), torch.randn(30, 9)]], [3, 9], 5)
    assert [tuple(part.shape) for part in basis.components] == [(3, 3), (5, 9)] and basis.rank == 5
    again = Basis.from_tensors(basis.to_tensors(), [3, 9])
    assert all(torch.equal(a, b) for a, b in zip(again.components, basis.components, strict=True))
    with pytest.raises(CheckpointError, match="do not fit its states"):
        Basis.from_tensors(basis.to_tensors(), [3, 8])


def test_a_basis_needs_finite_rows() -> None:
    with pytest.raises(InputError, match="no usable sample to fit"):
        fit_basis([], [4], 2)
    with pytest.raises(InputError, match="NaN or infinity, so it has no components"):
        fit_basis([[torch.tensor([[1.0, float("nan")]])]], [2], 1)

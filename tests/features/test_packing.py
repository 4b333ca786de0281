"""Blocks of samples: ragged lengths and maps of any shape come back as they were, without a byte of padding."""

from __future__ import annotations

import itertools

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.backbones.features import Features
from lichen.features.codecs import CODECS
from lichen.features.packing import Packing, cut
from lichen.features.reader import runs_of

MANY = settings(max_examples=60, deadline=None)
MAPS = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=4)


@MANY
@given(st.lists(st.integers(1, 6), min_size=1, max_size=5), st.integers(1, 4), st.integers(1, 5), st.booleans())
def test_token_blocks_hold_the_real_tokens_state_after_state(
    lengths: list[int], states: int, width: int, shared: bool
) -> None:
    longest = max(lengths)
    hidden = tuple(torch.randn(len(lengths), longest, width) for _ in range(states))
    features = Features(hidden, final=hidden[-1] if shared else torch.randn(len(lengths), longest, width))
    kept = [*hidden, *(() if shared else (features.final,))]
    packing = Packing([(width,)] * len(kept), CODECS["float32"]([width] * len(kept)))
    assert packing.row == width and packing.per_unit == width * len(kept)
    blocks = list(cut(packing.encode(packing.split(features, shared)), lengths))
    for sample, (block, length) in enumerate(zip(blocks, lengths, strict=True)):
        assert block.size == length * packing.per_unit
        expected = torch.stack([state[sample, :length] for state in kept])
        assert np.array_equal(block.reshape(len(kept), length, width), expected.numpy())


@MANY
@given(MAPS, st.integers(1, 3), st.sampled_from(["float32", "int8"]))
def test_map_blocks_hold_every_map(shapes: list[tuple[int, int, int]], samples: int, name: str) -> None:
    maps = tuple(torch.randn(samples, *shape) for shape in shapes)
    packing = Packing(shapes, CODECS[name]([shape[0] for shape in shapes]))
    assert len(packing.fields) == len(shapes)
    blocks = list(cut(packing.encode(packing.split(Features(maps, final=maps[-1]), True)), None))
    assert [block.size for block in blocks] == [packing.per_unit] * samples
    for field, state in zip(packing.fields, maps, strict=True):
        stored = np.stack([block[field.offset : field.offset + field.per_unit] for block in blocks])
        cells = torch.from_numpy(stored).view(1, samples, field.rows, field.cells)
        width = field.cells if packing.codec.plain else field.width
        out = torch.empty(1, samples, field.rows, width)
        packing.codec.decode(cells, field.states, out)
        (found,) = packing.join(field, out)
        assert found.shape == state.shape and found.is_contiguous()
        if name == "float32":
            assert torch.equal(found, state)
        else:
            assert torch.allclose(found, state, atol=0.51 * float(state.abs().max()) / 127)


def test_states_of_several_widths_are_several_fields() -> None:
    packing = Packing([(4,), (4,), (6,)], CODECS["int8"]([4, 4, 6]))
    assert [(field.states, field.count, field.cells) for field in packing.fields] == [
        (slice(0, 2), 2, 8),
        (slice(2, 3), 1, 10),
    ]
    assert packing.per_unit == packing.row == 26 and packing.channels == 14
    assert packing.channels_of(slice(1, 3)) == slice(4, 14)


@MANY
@given(st.lists(st.sampled_from([2, 3]), min_size=1, max_size=6), st.data())
def test_runs_cover_the_wanted_states_once(widths: list[int], data: st.DataObject) -> None:
    packing = Packing([(width,) for width in widths], CODECS["float32"](widths))
    wanted = tuple(data.draw(st.lists(st.integers(0, len(widths) - 1), min_size=1)))
    runs = runs_of(packing, wanted)
    covered = [state for _, states in runs for state in range(states.start, states.stop)]
    assert covered == sorted(set(wanted))
    assert all(
        field.states.start <= states.start < states.stop <= field.states.stop and len(set(widths[states])) == 1
        for field, states in runs
    )
    # No two runs could be one.
    touching = [(one, other) for one, other in itertools.pairwise(runs) if one[1].stop == other[1].start]
    assert all(one[0] is not other[0] for one, other in touching)

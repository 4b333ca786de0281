"""Lean linear layers: exact forward, bounded weight gradients, exact bytes kept."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from jaxtyping import TypeCheckError
from torch import nn

from lichen.errors import InputError
from lichen.side.lean import LeanLinear, compress, expand, lean_linear

from .kept import kept_bytes

SHAPES = [(8,), (5, 8), (2, 5, 8), (2, 3, 4, 8)]


def parameters(outputs=6, inputs=8, dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(outputs, inputs, generator=generator, dtype=dtype).requires_grad_()
    bias = torch.randn(outputs, generator=generator, dtype=dtype).requires_grad_()
    return weight, bias


@pytest.mark.parametrize("keep", ["exact", "bfloat16", "int8"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_forward_equals_plain_linear(keep, shape, dtype):
    x = torch.randn(shape, dtype=dtype)
    weight, bias = parameters(dtype=dtype)
    assert torch.equal(lean_linear(x, weight, bias, keep), F.linear(x, weight, bias))
    assert torch.equal(lean_linear(x, weight, None, keep), F.linear(x, weight))


@pytest.mark.parametrize("shape", SHAPES)
def test_exact_passes_gradcheck(shape):
    x = torch.randn(shape, dtype=torch.float64)
    weight, bias = parameters()
    assert torch.autograd.gradcheck(lambda w, b: lean_linear(x, w, b, "exact"), (weight, bias))
    assert torch.autograd.gradcheck(lambda w: lean_linear(x, w, None, "exact"), (weight,))


@pytest.mark.parametrize(("keep", "bound"), [("bfloat16", 2**-8), ("int8", 0.02)])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_rounded_copies_bound_the_weight_gradient(keep, bound, dtype):
    x = torch.randn(4, 50, 32, dtype=dtype, generator=torch.Generator().manual_seed(0))
    weight, bias = parameters(16, 32, dtype)
    up = torch.randn(4, 50, 16, dtype=dtype, generator=torch.Generator().manual_seed(2))
    exact = torch.autograd.grad(F.linear(x, weight, bias), (weight, bias), up)
    lean = torch.autograd.grad(lean_linear(x, weight, bias, keep), (weight, bias), up)
    assert torch.equal(exact[1], lean[1])
    error = ((exact[0] - lean[0]).norm() / exact[0].norm()).item()
    assert 0 < error < bound
    assert lean[0].dtype == dtype


@pytest.mark.parametrize(
    ("keep", "dtype", "size"),
    [
        ("exact", torch.float32, 2 * 7 * 24 * 4),
        ("bfloat16", torch.float32, 2 * 7 * 24 * 2),
        ("int8", torch.float32, 2 * 7 * (24 + 4)),
        ("int8", torch.float64, 2 * 7 * (24 + 4)),
        ("exact", torch.bfloat16, 2 * 7 * 24 * 2),
    ],
)
def test_bytes_kept_are_exact(keep, dtype, size):
    x = torch.randn(2, 7, 24, dtype=dtype)
    layer = LeanLinear(24, 5, keep=keep).to(dtype)
    assert kept_bytes(lambda: layer(x), layer.parameters()) == size


def test_frozen_weight_keeps_nothing_and_gradient_reaches_inputs_that_ask():
    x = torch.randn(2, 7, 24)
    layer = LeanLinear(24, 5, keep="int8")
    layer.weight.requires_grad_(False)
    assert kept_bytes(lambda: layer(x), layer.parameters()) == 0
    x.requires_grad_()
    layer.weight.requires_grad_(True)
    layer(x).sum().backward()
    assert torch.allclose(x.grad, layer.weight.sum(0).expand_as(x))


def test_no_grad_keeps_nothing():
    layer = LeanLinear(24, 5, keep="int8")
    with torch.no_grad():
        assert kept_bytes(lambda: layer(torch.randn(3, 24)), layer.parameters()) == 0


@pytest.mark.parametrize("keep", ["exact", "bfloat16", "int8"])
def test_autocast_computes_in_low_precision_with_full_precision_gradients(keep):
    x = torch.randn(4, 9, 16)
    layer, plain = LeanLinear(16, 3, keep=keep), nn.Linear(16, 3)
    plain.load_state_dict(layer.state_dict())
    with torch.autocast("cpu", torch.bfloat16):
        got, want = layer(x), plain(x)
    assert got.dtype == want.dtype == torch.bfloat16
    assert torch.equal(got, want)
    got.float().square().sum().backward()
    want.float().square().sum().backward()
    assert layer.weight.grad.dtype == torch.float32
    assert ((layer.weight.grad - plain.weight.grad).norm() / plain.weight.grad.norm()).item() < 0.02


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_int8_error_is_half_a_step_of_each_token(dtype):
    x = torch.randn(3, 5, 64, generator=torch.Generator().manual_seed(3)).to(dtype)
    x[0, 0] = 0
    values, scale = compress(x, "int8")
    assert values.dtype == torch.int8 and scale.dtype == torch.float32 and scale.shape == (3, 5)
    back = expand((values, scale), "int8", torch.float64)
    steps = ((back - x.double()).abs().amax(-1) / scale.double().clamp(min=1e-30))[x.abs().amax(-1) > 0]
    # Low-precision inputs round once more when they are divided.
    assert steps.max() <= (0.5001 if dtype in (torch.float32, torch.float64) else 1.0)
    assert torch.equal(back[0, 0], torch.zeros(64, dtype=torch.float64))


def test_overwritten_input_is_noticed():
    x = torch.randn(3, 24)
    y = LeanLinear(24, 5)(x)
    x.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_unknown_keep_names_the_nearest():
    # The run-time type check of the test suite may speak before the library does; both name the choices.
    with pytest.raises((InputError, TypeCheckError), match="bfloat16"):
        LeanLinear(3, 3, keep="bfloat")

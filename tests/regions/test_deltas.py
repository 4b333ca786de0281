"""Box regression equals released code and is its own inverse."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.regions import decode_deltas, encode_deltas

from .naive import GOLDEN, double, random_boxes


def test_released_code() -> None:
    encode, decode = GOLDEN["deltas"]["box_encode"], GOLDEN["deltas"]["box_decode"]
    deltas = encode_deltas(double(encode["source"]), double(encode["target"]))
    torch.testing.assert_close(deltas, double(encode["delta"]), rtol=0, atol=1e-8)
    boxes = decode_deltas(double(decode["boxes"]), double(decode["delta"]))
    torch.testing.assert_close(boxes, double(decode["result"]), rtol=0, atol=1e-8)


def test_checks_of_the_specification() -> None:
    boxes = decode_deltas(double([[10, 10, 50, 90]]), double([[1, -1, 0.5, -0.5]]))
    torch.testing.assert_close(boxes, double([[11.8966, 5.8065, 56.1034, 78.1935]]), rtol=0, atol=1e-4)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), offset=st.sampled_from([0, 1]), weight=st.sampled_from([1.0, 10.0]))
def test_round_trip(seed: int, offset: int, weight: float) -> None:
    source, target = random_boxes(8, seed), random_boxes(8, seed + 1)
    weights = (weight, weight, weight / 2, weight / 2)
    deltas = encode_deltas(source, target, weights, offset)
    torch.testing.assert_close(decode_deltas(source, deltas, weights, offset), target, rtol=0, atol=1e-9)
    torch.testing.assert_close(encode_deltas(source, source, weights, offset), torch.zeros_like(source))


def test_growth_is_limited() -> None:
    boxes = decode_deltas(double([[0, 0, 16, 16]]), double([[0, 0, 1e6, 1e6]]))
    torch.testing.assert_close(boxes[0, 2:] - boxes[0, :2], double([1000, 1000]))
    wide = decode_deltas(double([[0, 0, 1, 1]]), double([[0, 0, 50, 50]]), limit=math.log(2))
    torch.testing.assert_close(wide[0, 2:] - wide[0, :2], double([2, 2]))


@pytest.mark.parametrize("offset", [0, 1])
def test_gradients_reach_deltas_and_boxes(offset: int) -> None:
    boxes, deltas = random_boxes(3).requires_grad_(), torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda b, d: decode_deltas(b, d, offset=offset), (boxes, deltas))
    assert torch.autograd.gradcheck(lambda b: encode_deltas(b, random_boxes(3, 9), offset=offset), (boxes,))

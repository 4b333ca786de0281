"""IoU and its generalised form: by hand, by a slow form, and by their properties."""

from __future__ import annotations

import torch
from hypothesis import given, settings

from lichen.regions import covered, giou, iou, matched_giou, matched_iou

from . import naive
from .naive import GOLDEN, box_lists, double, random_boxes


def test_hand_made_overlaps() -> None:
    first = double([[0, 0, 10, 10], [0, 0, 4, 4]])
    second = double([[5, 0, 15, 10], [0, 0, 10, 10], [10, 0, 20, 10], [20, 20, 30, 30]])
    expected = double([[1 / 3, 1, 0, 0], [0, 16 / 100, 0, 0]])
    torch.testing.assert_close(iou(first, second), expected, rtol=0, atol=1e-15)
    # Hulls: 150, 100, 200 and 900 square pixels.
    general = double([1 / 3, 1, 0, -700 / 900])
    torch.testing.assert_close(giou(first[:1], second)[0], general, rtol=0, atol=1e-15)
    torch.testing.assert_close(covered(second, first)[:, 1], double([0, 0.16, 0, 0]), rtol=0, atol=1e-15)


def test_pixels_counted_inclusively() -> None:
    # Boxes of 10 and 10 columns that share column 9: 1/19 where pixels count, nothing where edges do.
    first, second = double([[0, 0, 9, 9]]), double([[9, 0, 18, 9]])
    torch.testing.assert_close(iou(first, second, 1), double([[1 / 19]]))
    assert float(iou(first, second)) == 0


def test_released_code() -> None:
    for case in GOLDEN["iou"]:
        assert abs(float(matched_iou(double([case["a"]]), double([case["b"]]))) - case["iou"]) < 1e-8


def test_boxes_without_area_overlap_nothing() -> None:
    flat = double([[3, 3, 3, 9], [5, 5, 5, 5]])
    flat.requires_grad_()
    values = iou(flat, flat)
    assert values.tolist() == [[0, 0], [0, 0]]
    values.sum().backward()
    assert flat.grad is not None and flat.grad.isfinite().all()


@settings(max_examples=40, deadline=None)
@given(rows=box_lists(least=1))
def test_properties(rows: list[list[float]]) -> None:
    for boxes in (double(rows), double(rows).float()):
        boxes = boxes[(boxes[:, 2:] > boxes[:, :2]).all(1)]
        plain, general = iou(boxes, boxes), giou(boxes, boxes)
        assert torch.equal(plain, plain.T) and torch.equal(general, general.T)
        assert (plain >= 0).all() and (plain <= 1).all()
        assert (general <= plain).all() and (general >= -1).all()
        assert (plain.diagonal() == 1).all() and (general.diagonal() == 1).all()
        assert torch.equal(matched_iou(boxes, boxes.flip(0)), plain.flip(1).diagonal())
        assert torch.equal(matched_giou(boxes, boxes.flip(0)), general.flip(1).diagonal())


@settings(max_examples=30, deadline=None)
@given(rows=box_lists(least=2, most=5))
def test_slow_form(rows: list[list[float]]) -> None:
    values = iou(double(rows[:2]), double(rows))
    for i, first in enumerate(rows[:2]):
        for j, second in enumerate(rows):
            assert abs(float(values[i, j]) - naive.iou(first, second)) < 1e-12


def test_rounding_of_nested_boxes_lifts_nothing_above_the_iou() -> None:
    outer = random_boxes(2000, 8, dtype=torch.float32)
    margin = (outer[:, 2:] - outer[:, :2]) * torch.rand(2000, 2, generator=torch.Generator().manual_seed(1)) * 0.4
    inner = torch.cat([outer[:, :2] + margin, outer[:, 2:] - margin], 1)
    assert (matched_giou(outer, inner) <= matched_iou(outer, inner)).all()


def test_scale_and_shift_change_nothing() -> None:
    first, second = random_boxes(9, 1), random_boxes(7, 2)
    moved = [box * 3.5 + double([11, -4, 11, -4]) for box in (first, second)]
    torch.testing.assert_close(iou(*moved), iou(first, second), rtol=0, atol=1e-12)
    torch.testing.assert_close(giou(*moved), giou(first, second), rtol=0, atol=1e-12)


def test_batches_and_gradients() -> None:
    first, second = random_boxes(6, 3).view(2, 3, 4), random_boxes(8, 4).view(2, 4, 4)
    both = giou(first, second)
    assert both.shape == (2, 3, 4)
    torch.testing.assert_close(both[1], giou(first[1], second[1]))
    far = double([[0, 0, 1, 1]]).requires_grad_()
    (-giou(far, double([[5, 5, 6, 6]]))).sum().backward()
    assert far.grad is not None and (far.grad[0, 2:] < 0).all(), "a far box is drawn nearer"
    assert torch.autograd.gradcheck(giou, (random_boxes(3, 5).requires_grad_(), random_boxes(3, 6)))

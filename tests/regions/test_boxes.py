"""Forms of boxes, their checks, and what happens to them with their picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.errors import InputError
from lichen.regions import boxes as forms

from .naive import GOLDEN, box_lists, double, random_boxes


def test_forms_on_one_box() -> None:
    corners = double([[10, 20, 40, 80]])
    assert forms.xyxy_to_xywh(corners).tolist() == [[10, 20, 30, 60]]
    assert forms.xyxy_to_cxcywh(corners).tolist() == [[25, 50, 30, 60]]
    assert forms.area(corners).tolist() == [1800] and forms.area(corners, 1).tolist() == [31 * 61]
    assert forms.flip_horizontal(corners, double([100])).tolist() == [[60, 20, 90, 80]]
    assert forms.flip_vertical(corners, double([100])).tolist() == [[10, 20, 40, 80]]
    assert forms.scale(corners, double([2, 0.5])).tolist() == [[20, 10, 80, 40]]
    assert forms.clip(corners, double([30, 50])).tolist() == [[10, 20, 30, 50]]
    assert forms.clip(corners - 30, double([[30, 60]])).tolist() == [[0, 0, 10, 50]]


@settings(max_examples=20, deadline=None)
@given(rows=box_lists(least=1))
def test_forms_come_back(rows: list[list[float]]) -> None:
    boxes = double(rows)
    for there, back in (
        (forms.xyxy_to_xywh, forms.xywh_to_xyxy),
        (forms.xyxy_to_cxcywh, forms.cxcywh_to_xyxy),
        (lambda b: forms.flip_horizontal(b, double([321.0])), lambda b: forms.flip_horizontal(b, double([321.0]))),
        (lambda b: forms.flip_vertical(b, double([77.0])), lambda b: forms.flip_vertical(b, double([77.0]))),
        (lambda b: forms.scale(b, double([3.0, 0.5])), lambda b: forms.scale(b, double([1 / 3, 2.0]))),
        (lambda b: forms.enlarge(b, 4), lambda b: forms.enlarge(b, 0.25)),
    ):
        moved = there(boxes)
        torch.testing.assert_close(back(moved), boxes, rtol=0, atol=1e-9)


@settings(max_examples=50, deadline=None)
@given(rows=box_lists(least=2))
def test_hull_and_intersection_hold_their_boxes(rows: list[list[float]]) -> None:
    first, second = double(rows[:-1]), double(rows[1:])
    around, common = forms.enclosing(first, second), forms.intersection(first, second)
    for box in (first, second):
        assert (around[:, :2] <= box[:, :2]).all() and (around[:, 2:] >= box[:, 2:]).all()
        assert (common[:, :2] >= box[:, :2]).all() and (common[:, 2:] <= box[:, 2:]).all()
    # Every edge is that of one of the two.
    assert ((around == first) | (around == second)).all() and ((common == first) | (common == second)).all()


def test_a_clipped_box_stays_inside() -> None:
    boxes, sizes = random_boxes(50, side=300.0) - 60, double([[100.0, 140.0]]).expand(50, 2)
    inside = forms.clip(boxes, sizes)
    assert (inside >= 0).all() and (inside[:, 2:] <= sizes).all() and (inside[:, :2] <= sizes).all()
    unchanged = (boxes >= 0).all(1) & (boxes[:, 2:] <= sizes).all(1)
    assert unchanged.any() and torch.equal(inside[unchanged], boxes[unchanged])


def test_enlarged_boxes_equal_the_released_code() -> None:
    """The release sets boxes without area to zero; such boxes do not reach this function."""
    golden = GOLDEN["enlarged"]
    boxes = double(golden["boxes"][:2])
    enlarged = forms.clip(forms.enlarge(boxes, golden["factor"]), double([golden["image"], golden["image"]]))
    torch.testing.assert_close(enlarged, double(golden["result"][:2]), rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[0, 0, 5, 5], [3, 3, 1, 9]], r"row 1: \(3, 3, 1, 9\) is inverted: x2 < x1"),
        ([[0, 0, 5, 5], [0, 9, 5, 2]], r"row 1: .* is inverted: y2 < y1"),
        ([[4, 0, 4, 5]], r"row 0: \(4, 0, 4, 5\) has no area: x1 = x2"),
        ([[0, 5, 4, 5]], r"row 0: .* has no area: y1 = y2"),
        ([[0, 0, 5, 5], [0, 0, 5, 5], [0, float("nan"), 5, 5]], r"row 2: .* not finite"),
        ([[0, 0, float("inf"), 5]], r"row 0: .* not finite"),
        ([[0, 0, 5]], r"four numbers a row; got shape \(1, 3\)"),
        ([0.0, 0, 5, 5], r"four numbers a row; got shape \(4,\)"),
        ([[0, 0, 5, 5], [1, 2]], "table of numbers"),
        ([["a", 0, 1, 2]], "table of numbers"),
    ],
)
def test_bad_boxes_are_refused_by_row(values: object, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        forms.as_boxes(values, "drawn boxes")
    assert "drawn boxes" in str(caught.value)


def test_boxes_come_from_anything_like_a_table() -> None:
    for values in ([[1, 2, 3, 4]], np.array([[1, 2, 3, 4]]), torch.tensor([[1, 2, 3, 4]]), ((1.0, 2, 3, 4),)):
        boxes = forms.as_boxes(values)
        assert boxes.dtype == torch.float32 and boxes.tolist() == [[1, 2, 3, 4]]
    assert forms.as_boxes(double([[1, 2, 3, 4]])).dtype == torch.float64
    assert forms.as_boxes(torch.ones(1, 4, dtype=torch.float16).cumsum(1)).dtype == torch.float32
    assert forms.as_boxes([]).shape == (0, 4)


@settings(max_examples=30, deadline=None)
@given(rows=box_lists(least=1, most=6), bad=st.integers(0, 5), kind=st.sampled_from(["swap", "flat", "nan"]))
def test_the_first_bad_row_is_named(rows: list[list[float]], bad: int, kind: str) -> None:
    place = bad % len(rows)
    x1, y1, x2, y2 = rows[place]
    rows[place] = {"swap": [x2, y1, x1, y2], "flat": [x1, y1, x2, y1], "nan": [x1, y1, x2, float("nan")]}[kind]
    with pytest.raises(InputError, match=f"row {place}:"):
        forms.as_boxes(double(rows))

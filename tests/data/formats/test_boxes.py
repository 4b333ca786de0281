"""Every convention of boxes becomes left, top, right, bottom; what is no box is counted under its own name."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.data.formats.boxes import FORMS, around, clean_size, cut, to_box
from lichen.data.formats.problems import Problems
from lichen.errors import InputError

SIZE = (100, 50)


def read(values: Any, form: str = "xyxy", size: tuple[int, int] | None = SIZE) -> tuple[Any, dict[str, int]]:
    problems = Problems()
    return to_box(values, form, size, problems, "here"), dict(problems.counts)


@pytest.mark.parametrize(
    ("form", "values", "box"),
    [
        ("xyxy", [10, 20, 30, 40], (10, 20, 30, 40)),
        ("xywh", [10, 20, 30, 25.5], (10, 20, 40, 45.5)),
        # The pixels 1 to 10 of a row, counted from 1, reach from edge 0 to edge 10.
        ("inclusive", [1, 1, 10, 20], (0, 0, 10, 20)),
        ("from one", [1, 1, 11, 21], (0, 0, 10, 20)),
        ("xywh from one", [1, 1, 10, 20], (0, 0, 10, 20)),
    ],
)
def test_forms(form: str, values: list[float], box: tuple[float, ...]) -> None:
    assert read(values, form) == (box, {})


def test_every_form_is_tested() -> None:
    assert set(FORMS) == {"xyxy", "xywh", "inclusive", "from one", "xywh from one"}


@pytest.mark.parametrize(
    ("values", "box", "kind"),
    [
        ([-5, 10, 30, 40], (0, 10, 30, 40), "box partly outside"),
        ([10, 10, 120, 60], (10, 10, 100, 50), "box partly outside"),
        ([110, 10, 120, 20], None, "box outside"),
        ([10, -20, 20, 0], None, "box outside"),
        ([30, 10, 20, 20], None, "box inverted"),
        ([10, 30, 20, 20], None, "box inverted"),
        ([10, 10, 10, 20], None, "box without area"),
        ([10, 20, 30, 20], None, "box without area"),
        ([1, 2, 3], None, "wrong value"),
        ([1, 2, 3, "4"], None, "wrong value"),
        ([1, 2, 3, True], None, "wrong value"),
        ([1, 2, 3, math.nan], None, "wrong value"),
        ([1, 2, math.inf, 4], None, "wrong value"),
        ([1, 2, 10**400, 4], None, "wrong value"),
        ({"x": 1}, None, "wrong value"),
        ("1234", None, "wrong value"),
        (None, None, "wrong value"),
    ],
)
def test_what_is_wrong_has_a_name(values: Any, box: Any, kind: str) -> None:
    assert read(values) == (box, {kind: 1})


def test_rounding_is_cut_without_a_word() -> None:
    assert read([50, 10, 50.01, 40.01], "xywh") == ((50, 10, 100, 50), {})
    assert read([50, 10, 50.03, 40], "xywh")[1] == {"box partly outside": 1}


def test_without_a_size_only_the_upper_left_edges_cut() -> None:
    assert read([10, 10, 5000, 6000], size=None) == ((10, 10, 5000, 6000), {})
    assert read([-1, 10, 5000, 6000], size=None) == ((0, 10, 5000, 6000), {"box partly outside": 1})
    # The sum of a corner and a size may be more than a float holds.
    assert read([1e308, 0, 1e308, 5], "xywh", None) == (None, {"wrong value": 1})


numbers = st.floats(-200, 200)


@settings(max_examples=100, deadline=None)
@given(box=st.tuples(numbers, numbers, numbers, numbers))
def test_a_box_that_is_left_lies_in_the_picture_and_in_itself(box: tuple[float, float, float, float]) -> None:
    problems = Problems()
    found = cut(box, SIZE, problems, "here")
    if found is None:
        assert problems.counts.total() == 1
        return
    assert 0 <= found[0] < found[2] <= 100 and 0 <= found[1] < found[3] <= 50
    assert found[0] >= box[0] and found[1] >= box[1] and found[2] <= box[2] and found[3] <= box[3]
    assert cut(found, SIZE, problems, "here") == found and problems.counts.total() <= 1


def test_sizes() -> None:
    assert clean_size(3, 4) == (3, 4)
    for width, height in ((0, 4), (3, -1), (None, 4), (10**7, 4)):
        assert clean_size(width, height) is None


def test_around() -> None:
    assert around([(3.0, 9.0), (1.0, 7.0), (2.0, 8.5)]) == (1, 7, 3, 9)


def test_notes_name_box_and_picture() -> None:
    problems = Problems()
    cut((90.0, 10.0, 120.5, 20.0), SIZE, problems, "file: boxes[3]")
    assert problems.lines() == [
        "1 × box partly outside: reaches beyond the picture; cut to it",
        "    file: boxes[3]: box (90, 10, 120.5, 20) reaches beyond the picture of 100×50",
    ]
    with pytest.raises(InputError, match=r"^file: boxes\[4\]: box \(5, 5, 1, 9\) ends before it begins\.$"):
        cut((5.0, 5.0, 1.0, 9.0), SIZE, Problems(strict=True), "file: boxes[4]")

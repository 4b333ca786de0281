"""COCO's average precision: cases worked out by hand, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from lichen.errors import InputError
from lichen.metrics.detection import average_precision
from lichen.regions.regions import Regions

pytest.importorskip("faster_coco_eval", reason="average precision needs lichen[metrics]")

A, B = (10.0, 10.0, 50.0, 50.0), (60.0, 60.0, 90.0, 90.0)
FAR = (0.0, 80.0, 8.0, 88.0)


def regions(
    boxes: Sequence[Sequence[float]],
    labels: Sequence[int],
    scores: Sequence[float] | None = None,
    picture: Sequence[int] | None = None,
    pictures: int = 1,
) -> Regions:
    places = picture if picture is not None else [0] * len(boxes)
    table = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    return Regions.make(table, [(100.0, 100.0)] * pictures, picture=places, labels=labels, scores=scores)


def test_perfect_boxes_score_a_hundred() -> None:
    truths = regions([A, B], [3, 7])
    found = average_precision(regions([A, B], [3, 7], [0.9, 0.4]), truths)
    assert {found[name] for name in ("ap", "ap50", "ap75", "ar100", "ap_small", "ap_medium")} == {100.0}
    assert "ap_large" not in found


def test_a_false_box_before_the_right_one_halves_precision() -> None:
    truths = regions([A], [0])
    assert average_precision(regions([FAR, A], [0, 0], [0.9, 0.5]), truths)["ap50"] == pytest.approx(50.0)
    # After it, precision at full recall is already 1.
    assert average_precision(regions([FAR, A], [0, 0], [0.4, 0.5]), truths)["ap50"] == pytest.approx(100.0)


def test_one_class_of_two_that_is_missed_halves_the_mean() -> None:
    found = average_precision(regions([A, B], [0, 0], [0.9, 0.8]), regions([A, B], [0, 1]))
    assert found["ap50"] == pytest.approx(50.0)


def test_thresholds_of_overlap() -> None:
    # 40 x 40 against 40 x 28 inside it: IoU 0.7, so 0.50 to 0.70 count, five of ten.
    found = average_precision(regions([(10, 10, 50, 38)], [0], [0.9]), regions([A], [0]))
    assert found["ap50"] == pytest.approx(100.0) and found["ap75"] == 0.0
    assert found["ap"] == pytest.approx(50.0)


def test_half_of_two_pictures() -> None:
    truths = regions([A, A], [0, 0], picture=[0, 1], pictures=2)
    found = average_precision(regions([A], [0], [0.9], [1], 2), truths)
    # COCO reads precision at 101 recalls; 51 of them, 0 to 0.50, are reached.
    assert found["ap50"] == pytest.approx(100 * 51 / 101)
    assert found["ar1"] == pytest.approx(50.0)


def test_nothing_found_is_nought() -> None:
    found = average_precision(regions([], [], []), regions([A], [0]))
    assert found["ap"] == found["ap50"] == found["ar100"] == 0.0


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(InputError, match="detections of 2 pictures and annotations of 1"):
        average_precision(regions([A], [0], [0.9], pictures=2), regions([A], [0]))
    with pytest.raises(InputError, match="no annotated box"):
        average_precision(regions([A], [0], [0.9]), regions([], []))

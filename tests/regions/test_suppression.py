"""Suppression equals the slow greedy form, box for box: ties, exact thresholds, groups, many boxes."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.errors import InputError
from lichen.regions import Regions, keep_best, nms, rank_within, suppress, suppression

from . import naive
from .naive import box_lists, random_boxes


def boxes_of(*rows: list[float]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float32)


def test_exactly_at_the_threshold_both_stay() -> None:
    # IoU 1/2: 100 common of 200.
    boxes = boxes_of([0, 0, 10, 10], [0, 0, 10, 20])
    scores = torch.tensor([0.9, 0.8])
    assert nms(boxes, scores, 0.5).tolist() == [0, 1]
    assert nms(boxes, scores, 0.4999).tolist() == [0]


def test_threshold_is_compared_in_double_precision() -> None:
    # IoU 6/10 is 0.60000002 in single precision, which is above the double 0.6: torchvision suppresses it.
    boxes = boxes_of([0, 0, 10, 10], [0, 0, 10, 6])
    assert naive.nms(boxes, torch.tensor([0.9, 0.8]), 0.6) == [0]
    assert nms(boxes, torch.tensor([0.9, 0.8]), 0.6).tolist() == [0]
    # 7/10 is 0.69999999, below.
    boxes = boxes_of([0, 0, 10, 10], [0, 0, 10, 7])
    assert nms(boxes, torch.tensor([0.9, 0.8]), 0.7).tolist() == [0, 1]


def test_a_suppressed_box_suppresses_no_other() -> None:
    # A chain: the first covers half the second, the second half the third; first and third do not meet.
    boxes = boxes_of([0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10], [12, 0, 22, 10], [16, 0, 26, 10])
    scores = torch.tensor([0.9, 0.8, 0.7, 0.6, 0.5])
    assert nms(boxes, scores, 0.3).tolist() == [0, 2, 4]
    assert nms(boxes, scores.flip(0), 0.3).tolist() == [4, 2, 0]


def test_ties_go_to_the_first() -> None:
    boxes = boxes_of([0, 0, 10, 10], [1, 0, 11, 10], [0, 0, 10, 10], [50, 50, 60, 60])
    assert nms(boxes, torch.full((4,), 0.5), 0.5).tolist() == [0, 3]
    assert nms(boxes, torch.tensor([0.5, 0.5, 0.6, 0.6]), 0.5).tolist() == [2, 3]


def test_thresholds_at_the_ends() -> None:
    boxes = boxes_of([0, 0, 10, 10], [0, 0, 10, 10], [10, 0, 20, 10])
    scores = torch.tensor([0.1, 0.2, 0.3])
    assert nms(boxes, scores, 1).tolist() == [2, 1, 0]
    # Boxes that only touch have an overlap of 0, which is not above 0.
    assert nms(boxes, scores, 0).tolist() == [2, 1]


def test_no_boxes() -> None:
    assert nms(torch.zeros(0, 4), torch.zeros(0), 0.5).shape == (0,)
    assert rank_within(torch.zeros(0), torch.zeros(0, dtype=torch.long)).shape == (0,)


@settings(max_examples=80, deadline=None)
@given(
    rows=box_lists(whole=True, most=14),
    grades=st.lists(st.integers(0, 4), min_size=14, max_size=14),
    kinds=st.lists(st.integers(0, 2), min_size=14, max_size=14),
    threshold=st.sampled_from([0.0, 0.2, 0.25, 0.3, 1 / 3, 0.5, 0.6, 0.75, 1.0]),
    exact=st.booleans(),
)
def test_equals_the_slow_form(
    rows: list[list[float]], grades: list[int], kinds: list[int], threshold: float, exact: bool
) -> None:
    boxes = torch.tensor(rows, dtype=torch.float64 if exact else torch.float32).reshape(-1, 4)
    scores = torch.tensor(grades[: len(rows)], dtype=boxes.dtype) / 4
    groups = torch.tensor(kinds[: len(rows)], dtype=torch.long)
    assert nms(boxes, scores, threshold).tolist() == naive.nms(boxes, scores, threshold)
    kept = nms(boxes, scores, threshold, groups)
    assert kept.tolist() == naive.nms(boxes, scores, threshold, groups.tolist())
    # Once more changes nothing.
    again = nms(boxes[kept], scores[kept], threshold, groups[kept])
    assert again.tolist() == list(range(len(kept)))


@pytest.mark.parametrize("block", [12, 1024])
def test_many_boxes_in_blocks_and_groups_of_all_sizes(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(suppression, "_BLOCK", block)
    monkeypatch.setattr(suppression, "_ENTRIES", 64)
    boxes = random_boxes(300, 7, dtype=torch.float32)
    scores = torch.rand(300, generator=torch.Generator().manual_seed(1)).mul(40).round() / 40
    groups = torch.tensor([0] * 150 + [3] * 70 + [9] * 40 + list(range(20, 60)))
    groups = groups[torch.randperm(300, generator=torch.Generator().manual_seed(2))]
    assert nms(boxes, scores, 0.3).tolist() == naive.nms(boxes, scores, 0.3)
    kept = nms(boxes, scores, 0.3, groups)
    assert kept.tolist() == naive.nms(boxes, scores, 0.3, groups.tolist()) and 100 < len(kept) < 290


def test_regions_by_class_and_picture() -> None:
    box = [0.0, 0, 10, 10]
    regions = Regions.make(
        [box] * 7,
        [(20, 20)] * 3,
        picture=[0, 0, 0, 0, 2, 2, 2],
        labels=[1, 1, 0, -1, 0, 0, -1],
        scores=[0.5, 0.6, 0.7, 0.4, 0.1, 0.2, 0.3],
    )
    kept = suppress(regions, 0.5)
    assert kept.validate().picture.tolist() == [0, 0, 0, 2, 2]
    assert kept.labels.tolist() == [0, 1, -1, -1, 0]
    torch.testing.assert_close(kept.scores, torch.tensor([0.7, 0.6, 0.4, 0.3, 0.2]))
    merged = suppress(regions, 0.5, by_class=False)
    torch.testing.assert_close(merged.scores, torch.tensor([0.7, 0.3]))
    assert merged.pictures == 3
    assert len(suppress(regions.select(slice(0)), 0.5)) == 0


def test_bad_input() -> None:
    boxes = random_boxes(3)
    for threshold in (-0.1, 1.1, float("nan")):
        with pytest.raises(InputError, match="from 0 to 1"):
            nms(boxes, torch.rand(3), threshold)
    with pytest.raises(InputError, match="box 1 is not a number"):
        nms(boxes, torch.tensor([0.1, float("nan"), 0.2]), 0.5)
    with pytest.raises(InputError, match="least=3 and most=2"):
        keep_best(torch.rand(3), torch.zeros(3, dtype=torch.long), 2, least=3)


def test_ranks_and_the_best_of_each_group() -> None:
    scores = torch.tensor([0.1, 0.9, 0.5, 0.9, 0.3, 0.2])
    groups = torch.tensor([4, 0, 4, 0, 4, 7])
    assert rank_within(scores, groups).tolist() == [2, 0, 0, 1, 1, 0]
    assert keep_best(scores, groups, 2).tolist() == [False, True, True, True, True, True]
    assert keep_best(scores, groups, 2, threshold=0.4).tolist() == [False, True, True, True, False, False]
    assert keep_best(scores, groups, 2, threshold=0.4, least=1).tolist() == [False, True, True, True, False, True]
    assert keep_best(scores, groups, 3, threshold=0.9, least=3).all()


def test_scores_of_boxes_keep_their_gradient() -> None:
    """Suppression chooses; it does not stand between boxes and their gradient."""
    boxes = random_boxes(5).requires_grad_()
    kept = nms(boxes, torch.rand(5), 0.5)
    boxes[kept].sum().backward()
    assert boxes.grad is not None

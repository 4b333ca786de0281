"""Boxes and masks of expressions: by hand, at the threshold, and what is no box."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lichen.errors import InputError
from lichen.metrics.grounding import (
    box_is_valid,
    phrase_grounding,
    pointing_game,
    proposal_ceiling,
    referring,
    referring_masks,
)

NAN = float("nan")
BOX = (0.0, 0.0, 10.0, 10.0)


def boxes(*rows: tuple[float, float, float, float]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float32)


def test_by_hand() -> None:
    found = boxes(BOX, (0, 0, 10, 5), (0, 0, 10, 8), (NAN,) * 4)
    assert referring(found, boxes(BOX, BOX, BOX, BOX), kinds=["a", "a", "b", None]) == {
        "acc50": 0.75,
        "acc50/a": 1.0,
        "acc50/b": 1.0,
        "acc75": 0.5,
        "acc90": 0.25,
        "mean_iou": pytest.approx((1 + 0.5 + 0.8) / 4),
        "invalid": 1.0,
        "expressions": 4.0,
    }


def test_the_threshold_is_inclusive_and_exact() -> None:
    truth = boxes(BOX)
    assert referring(boxes((0, 0, 10, 5)), truth)["acc50"] == 1.0
    assert referring(boxes((0, 0, 10, 4.999)), truth)["acc50"] == 0.0
    # Half of a box whose sides are no sums of powers of two.
    assert referring(boxes((0.1, 0.1, 0.4, 0.25)), boxes((0.1, 0.1, 0.4, 0.4)))["mean_iou"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    "bad",
    [(NAN, 0, 10, 10), (0, 0, float("inf"), 10), (10, 0, 0, 10), (0, 10, 10, 0), (5, 0, 5, 10), (0, 5, 10, 5)],
)
def test_what_is_no_box_is_wrong_and_counted(bad: tuple[float, float, float, float]) -> None:
    found = referring(boxes(bad, BOX), boxes(BOX, BOX))
    assert (found["acc50"], found["mean_iou"], found["invalid"]) == (0.5, 0.5, 1.0)


def test_boxes_outside_of_their_pictures_are_wrong() -> None:
    size = torch.tensor([[10.0, 10.0]])
    over = boxes((0, 0, 11, 10))
    assert referring(over, boxes(BOX))["acc50"] == 1.0
    assert referring(over, boxes(BOX), size) == {
        "acc50": 0.0,
        "acc75": 0.0,
        "acc90": 0.0,
        "mean_iou": 0.0,
        "invalid": 1.0,
        "expressions": 1.0,
    }
    # Rounding is forgiven.
    assert box_is_valid(boxes((-0.005, 0, 10.005, 10)), size).all()
    assert not box_is_valid(boxes((-0.5, 0, 10, 10)), size).any()


COORDINATE = st.integers(0, 40)
CORNERS = st.tuples(COORDINATE, COORDINATE, COORDINATE, COORDINATE)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(CORNERS, CORNERS), min_size=1, max_size=8), st.floats(0.1, 9), st.floats(0.1, 9))
def test_the_scale_of_either_side_changes_nothing(
    pairs: list[tuple[tuple[int, ...], tuple[int, ...]]], across: float, down: float
) -> None:
    found = torch.tensor([pair[0] for pair in pairs], dtype=torch.float64)
    truths = torch.tensor([pair[1] for pair in pairs], dtype=torch.float64)
    truths = torch.cat([truths[:, :2], truths[:, :2] + truths[:, 2:] + 1], 1)
    factors = torch.tensor([across, down, across, down], dtype=torch.float64)
    plain = referring(found, truths)
    scaled = referring(found * factors, truths * factors)
    assert scaled["mean_iou"] == pytest.approx(plain["mean_iou"])
    assert scaled["invalid"] == plain["invalid"] == float(((found[:, 2:] <= found[:, :2]).any(1)).sum())
    assert {name: scaled[name] for name in ("acc50", "acc75")} == {name: plain[name] for name in ("acc50", "acc75")}
    perfect = referring(truths, truths)
    assert perfect["acc90"] == perfect["mean_iou"] == 1.0 and perfect["invalid"] == 0.0


def test_boxes_that_cannot_be_measured(unchecked: None) -> None:
    with pytest.raises(InputError, match="got 2 for 1"):
        referring(boxes(BOX, BOX), boxes(BOX))
    with pytest.raises(InputError, match="no expression was given"):
        referring(torch.zeros(0, 4), torch.zeros(0, 4))
    with pytest.raises(InputError, match=r"annotated boxes, row 1.*is inverted"):
        referring(boxes(BOX, BOX), boxes(BOX, (5, 5, 1, 9)))


def mask(rows: int, columns: int, height: int = 4, width: int = 5) -> np.ndarray:
    result = np.zeros((height, width), bool)
    result[:rows, :columns] = True
    return result


def test_masks_by_hand() -> None:
    small, large = mask(1, 2), mask(4, 4)
    found = referring_masks([mask(1, 1), mask(4, 3), np.zeros((4, 5), bool)], [small, large, small])
    assert found == {
        "mask_mean_iou": pytest.approx((0.5 + 0.75 + 0) / 3),
        "mask_overall_iou": pytest.approx((1 + 12) / (2 + 16 + 2)),
        "mask_acc50": pytest.approx(2 / 3),
        "expressions": 3.0,
    }


def test_masks_that_cannot_be_measured() -> None:
    with pytest.raises(InputError, match=r"Mask 0 is \(4, 5\), the annotated one \(8, 5\)"):
        referring_masks([mask(1, 1)], [mask(1, 1, height=8)])
    with pytest.raises(InputError, match="annotated mask 0 is empty"):
        referring_masks([mask(1, 1)], [mask(0, 0)])
    with pytest.raises(InputError, match="got 1 for 0"):
        referring_masks([mask(1, 1)], [])


def ranked(*rows: Tensor) -> Tensor:
    return torch.stack(rows)


PHRASES = torch.tensor([0, 1, 1, 2])
TRUTHS = boxes((0, 0, 10, 10), (0, 0, 10, 10), (20, 0, 30, 10), (0, 0, 4, 4))
"""One box, two far apart (around both: 30 by 10), one."""


def test_phrases_by_both_protocols() -> None:
    found = ranked(
        boxes((0, 0, 10, 5), (0, 0, 1, 1)),
        boxes((20, 0, 30, 10), (0, 0, 30, 10)),
        boxes((0, 0, 1, 1), (NAN,) * 4),
    )
    scores = phrase_grounding(found, TRUTHS, PHRASES, kinds=["people", "people", "other"])
    assert scores == {
        "merged_acc50": pytest.approx(1 / 3),
        "merged_acc50/people": 0.5,
        "merged_acc50/other": 0.0,
        "any_acc50": pytest.approx(2 / 3),
        "any_acc50/people": 1.0,
        "any_acc50/other": 0.0,
        "merged_pointing": 1.0,
        "any_pointing": 1.0,
        "invalid": 0.0,
        "phrases": 3.0,
    }
    many = torch.cat([found, torch.full((3, 3, 4), NAN)], 1)
    more = phrase_grounding(many, TRUTHS, PHRASES)
    assert more["merged_acc50"] == pytest.approx(1 / 3) and more["merged_acc50_top5"] == pytest.approx(2 / 3)
    assert "any_acc50_top10" not in more and more["any_acc50_top5"] == pytest.approx(2 / 3)


def test_answers_that_are_no_boxes() -> None:
    found = ranked(boxes((NAN,) * 4), boxes((30, 0, 20, 10)), boxes((0, 0, 4, 4)))
    scores = phrase_grounding(found, TRUTHS, PHRASES)
    assert (scores["any_acc50"], scores["invalid"]) == (pytest.approx(1 / 3), 2.0)
    assert scores["any_pointing"] == scores["merged_pointing"] == pytest.approx(1 / 3)


def test_pointing() -> None:
    points = torch.tensor([[10.0, 10.0], [15.0, 5.0], [NAN, NAN]])
    assert pointing_game(points, TRUTHS, PHRASES, kinds=["a", "b", "b"]) == {
        "any_pointing": pytest.approx(1 / 3),
        "any_pointing/a": 1.0,
        "any_pointing/b": 0.0,
        "merged_pointing": pytest.approx(2 / 3),
        "merged_pointing/a": 1.0,
        "merged_pointing/b": 0.5,
        "phrases": 3.0,
    }


def test_what_given_boxes_allow() -> None:
    proposals = boxes((0, 0, 10, 6), (20, 0, 30, 9), (0, 0, 30, 3), (9, 9, 10, 10))
    owner = torch.tensor([0, 1, 1, 2])
    found = proposal_ceiling(proposals, owner, TRUTHS, PHRASES, 3)
    assert found == {"merged_ceiling": pytest.approx(1 / 3), "any_ceiling": pytest.approx(2 / 3)}
    none = proposal_ceiling(proposals[:0], owner[:0], TRUTHS, PHRASES, 3)
    assert none == {"merged_ceiling": 0.0, "any_ceiling": 0.0}


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_phrases_one_by_one(seed: int) -> None:
    chance = torch.Generator().manual_seed(seed)

    def draw(count: int) -> Tensor:
        low = torch.randint(0, 8, (count, 2), generator=chance).double()
        return torch.cat([low, low + torch.randint(1, 8, (count, 2), generator=chance)], 1)

    counts = torch.randint(1, 4, (5,), generator=chance)
    phrase = torch.arange(5).repeat_interleave(counts)[torch.randperm(int(counts.sum()), generator=chance)]
    truths, found = draw(len(phrase)), draw(5)
    scores = phrase_grounding(found[:, None], truths, phrase)
    any_right = merged_right = 0
    for number in range(5):
        own = truths[phrase == number]
        around = torch.cat([own[:, :2].amin(0), own[:, 2:].amax(0)])[None]
        any_right += referring(found[number : number + 1].expand(len(own), 4), own)["acc50"] > 0
        merged_right += referring(found[number : number + 1], around)["acc50"] > 0
    assert scores["any_acc50"] == any_right / 5 and scores["merged_acc50"] == merged_right / 5
    ceiling = proposal_ceiling(found, torch.arange(5), truths, phrase, 5)
    assert ceiling == {"merged_ceiling": scores["merged_acc50"], "any_ceiling": scores["any_acc50"]}


def test_phrases_that_cannot_be_measured() -> None:
    found = boxes(BOX, BOX, BOX)[:, None]
    with pytest.raises(InputError, match="no phrase was given"):
        phrase_grounding(found[:0], TRUTHS[:0], PHRASES[:0])
    with pytest.raises(InputError, match="Phrase 1 has no annotated box"):
        phrase_grounding(found, TRUTHS[[0, 3]], PHRASES[[0, 3]])
    with pytest.raises(InputError, match="phrases 0 to 2 of 2"):
        phrase_grounding(found[:2], TRUTHS, PHRASES)
    with pytest.raises(InputError, match=r"row 0.*is inverted"):
        pointing_game(torch.zeros(1, 2), boxes((5, 5, 1, 9)), PHRASES[:1])

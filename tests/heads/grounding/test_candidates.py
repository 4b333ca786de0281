"""Flat lists of phrase and box against loops over phrases."""

from __future__ import annotations

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.heads.grounding.candidates import Candidates
from lichen.regions import Regions

COUNTS = st.lists(st.integers(0, 5), min_size=1, max_size=6)


def of_counts(counts: list[int]) -> Candidates:
    phrase = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    return Candidates(phrase, torch.arange(len(phrase)), len(counts))


def random(count: int, seed: int, whole: bool = False) -> torch.Tensor:
    chance = torch.Generator().manual_seed(seed)
    if whole:
        return torch.randint(-2, 3, (count,), generator=chance).double()
    return torch.randn(count, generator=chance, dtype=torch.float64)


def test_every_pairs_phrases_with_all_boxes_of_their_picture() -> None:
    boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0]]).expand(5, 4)
    regions = Regions.make(boxes, [(9, 9)] * 3, picture=[0, 0, 2, 2, 2])
    found = Candidates.every(torch.tensor([2, 0, 1, 0]), regions)
    assert found.phrase.tolist() == [0, 0, 0, 1, 1, 3, 3]
    assert found.region.tolist() == [2, 3, 4, 0, 1, 0, 1]
    assert found.phrases == 4 and len(found) == 7
    assert len(Candidates.every(torch.zeros(0, dtype=torch.long), regions)) == 0


@settings(max_examples=40, deadline=None)
@given(COUNTS, st.integers(0, 99))
def test_softmax_sum_best_and_top(counts: list[int], seed: int) -> None:
    candidates = of_counts(counts)
    scores, mask = random(sum(counts), seed, whole=True), random(sum(counts), seed + 1) > -0.5
    soft, total = candidates.softmax(scores, mask), candidates.sum(torch.stack([scores, scores**2], 1))
    best, top = candidates.best(scores), candidates.top(scores, 2).tolist()
    wanted_top: list[int] = []
    for phrase, count in enumerate(counts):
        rows = torch.arange(sum(counts[:phrase]), sum(counts[: phrase + 1]))
        kept = rows[mask[rows]]
        torch.testing.assert_close(soft[kept], scores[kept].softmax(0))
        assert not soft[rows[~mask[rows]]].any()
        torch.testing.assert_close(total[phrase, 1], (scores[rows] ** 2).sum())
        order = sorted(rows.tolist(), key=lambda row: -float(scores[row]))
        assert int(best[phrase]) == (order[0] if count else -1)
        wanted_top += order[:2]
        assert bool(candidates.any(mask)[phrase]) == bool(mask[rows].any())
    assert top == wanted_top


def test_no_score_is_too_large_and_no_gradient_is_nan() -> None:
    candidates = of_counts([3, 2])
    scores = torch.tensor([1e4, 9.99e3, -1e4, 5.0, 1e300], dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([True, True, True, False, False])
    soft = candidates.softmax(scores, mask)
    torch.testing.assert_close(soft[:2], torch.tensor([1, math.exp(-10)], dtype=torch.float64) / (1 + math.exp(-10)))
    assert soft[3:].tolist() == [0.0, 0.0]
    soft[0].backward()
    assert scores.grad is not None and bool(scores.grad.isfinite().all())


def test_selected_entries_keep_their_phrases() -> None:
    candidates = of_counts([2, 0, 3])
    kept = candidates.select(torch.tensor([1, 4]))
    assert (kept.phrase.tolist(), kept.region.tolist(), kept.phrases) == ([0, 2], [1, 4], 3)
    assert kept.best(torch.tensor([0.0, 1.0])).tolist() == [0, -1, 1]

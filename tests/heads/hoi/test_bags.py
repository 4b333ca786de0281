"""Scores of pictures out of those of their pairs."""

from __future__ import annotations

import pytest
import torch

from lichen.heads.hoi.bags import bag_logits, best_of_bag

LOGITS = torch.tensor([[1.0, -1.0, 0.5], [2.0, 3.0, -0.5], [0.0, 0.2, 0.1]], dtype=torch.float64)
SUITS = torch.tensor([[True, False, True], [True, False, True], [True, True, False]])
PICTURE = torch.tensor([0, 0, 2])


def test_the_best_pair_speaks_for_its_picture() -> None:
    found, filled = bag_logits(LOGITS, SUITS, PICTURE, 3)
    assert filled.tolist() == [[True, False, True], [False] * 3, [True, True, False]]
    assert found.tolist() == [[2.0, 0.0, 0.5], [0.0] * 3, [0.0, 0.2, 0.0]]


def test_noisy_or() -> None:
    found, filled = bag_logits(LOGITS, SUITS, PICTURE, 3, "noisy-or")
    p = LOGITS.sigmoid()
    expected = 1 - (1 - p[0, 0]) * (1 - p[1, 0])
    torch.testing.assert_close(found[0, 0].sigmoid(), expected)
    torch.testing.assert_close(found[2, 1], LOGITS[2, 1])
    assert filled[0].tolist() == [True, False, True]


@pytest.mark.parametrize("rule", ["max", "noisy-or"])
def test_only_what_suits_has_a_gradient(rule: str) -> None:
    logits = LOGITS.clone().requires_grad_()
    found, filled = bag_logits(logits, SUITS, PICTURE, 3, rule)
    found[filled].sum().backward()
    assert logits.grad is not None and bool(logits.grad.isfinite().all())
    assert not logits.grad[~SUITS].any()
    reached = (logits.grad != 0).sum().item()
    assert reached == (4 if rule == "max" else 6)


def test_extreme_scores_stay_finite() -> None:
    logits = torch.tensor([[90.0], [-90.0], [-90.0]], requires_grad=True)
    found, _ = bag_logits(logits, torch.ones(3, 1, dtype=torch.bool), torch.tensor([0, 0, 1]), 2, "noisy-or")
    found.sum().backward()
    assert bool(found.isfinite().all()) and logits.grad is not None and bool(logits.grad.isfinite().all())


def test_the_first_of_equals_is_best() -> None:
    scores = torch.tensor([[0.5, 0.1], [0.5, 0.9], [0.2, 0.3]])
    wanted = torch.tensor([[True, True], [True, False], [True, False]])
    best = best_of_bag(scores, wanted, torch.tensor([0, 0, 1]), 3)
    assert best.tolist() == [[True, True], [False, False], [True, False]]


def test_no_pairs() -> None:
    nothing = torch.zeros(0, 3)
    found, filled = bag_logits(nothing, nothing.bool(), torch.zeros(0, dtype=torch.long), 2)
    assert found.shape == (2, 3) and not filled.any()
    assert best_of_bag(nothing, nothing.bool(), torch.zeros(0, dtype=torch.long), 2).shape == (0, 3)

"""Losses by hand, and that they are finite for anything."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.heads.scene_graph.losses import confidence_loss, entity_loss, relation_loss


def naive_focal(x: float, y: float) -> float:
    b = math.log1p(math.exp(-x)) if y else math.log1p(math.exp(x))
    return 0.2 * (1 - math.exp(-b)) ** 2 * b


@settings(max_examples=20, deadline=None)
@given(labels=st.lists(st.integers(-1, 3), max_size=6), seed=st.integers(0, 99))
def test_confidence_loss_by_a_loop(labels: list[int], seed: int) -> None:
    logits = torch.randn(len(labels), 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 3
    rows = [(label, row.tolist()) for label, row in zip(labels, logits, strict=True) if label >= 0]
    scale = sum(label > 0 for label, _ in rows) + 1
    overall = sum(naive_focal(row[-1], float(label > 0)) for label, row in rows) / scale
    each = [sum(naive_focal(row[c], float(label == c + 1)) for c in range(3)) / scale for label, row in rows]
    expected = 0.8 * overall + 0.2 * (sum(each) / len(each) if each else 0.0)
    assert confidence_loss(logits, torch.tensor(labels, dtype=torch.long)).item() == pytest.approx(expected, abs=1e-12)


def test_relation_loss_ignores_what_is_marked() -> None:
    logits = torch.tensor([[2.0, 0.0], [0.0, 1.0], [9.0, 9.0]], dtype=torch.float64)
    expected = (math.log1p(math.exp(-2)) + math.log1p(math.exp(-1))) / 2
    assert relation_loss(logits, torch.tensor([0, 1, -1])).item() == pytest.approx(expected)
    assert relation_loss(logits[:0], torch.zeros(0, dtype=torch.long)).item() == 0
    assert relation_loss(logits, torch.full((3,), -1)).item() == 0


def test_entity_loss_counts_nothing_as_a_class() -> None:
    logits = torch.tensor([[3.0, 0.0, 0.0]], dtype=torch.float64)
    assert entity_loss(logits, torch.tensor([-1])).item() == pytest.approx(math.log1p(2 * math.exp(-3)))
    assert entity_loss(logits[:0], torch.zeros(0, dtype=torch.long)).item() == 0


@pytest.mark.parametrize("size", [1e4, -1e4])
def test_extreme_logits_stay_finite(size: float) -> None:
    logits = torch.full((2, 3), size, requires_grad=True)
    loss = confidence_loss(logits, torch.tensor([1, 0])) + relation_loss(logits, torch.tensor([1, 0]))
    loss.backward()
    assert bool(loss.isfinite()) and logits.grad is not None and bool(logits.grad.isfinite().all())

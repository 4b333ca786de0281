"""The best predictions are those of a sorted list."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.errors import InputError
from lichen.graphs import FoundGraph


def graph(boxes: int, predicates: int, seed: int) -> FoundGraph:
    draw = torch.Generator().manual_seed(seed)
    pairs = torch.tensor([[i, j] for i in range(boxes) for j in range(boxes) if i != j], dtype=torch.long)
    pairs = pairs.reshape(-1, 2)
    corners = torch.rand(boxes, 2, generator=draw)
    return FoundGraph(
        torch.cat([corners, corners + 1], 1),
        torch.zeros(boxes, dtype=torch.long),
        torch.rand(boxes, generator=draw),
        pairs,
        torch.rand(len(pairs), predicates, generator=draw),
    )


@settings(max_examples=20, deadline=None)
@given(
    boxes=st.integers(0, 4),
    predicates=st.integers(1, 4),
    per_pair=st.sampled_from([None, 1, 2]),
    most=st.integers(1, 12),
    seed=st.integers(0, 99),
)
def test_best_by_a_sorted_list(boxes: int, predicates: int, per_pair: int | None, most: int, seed: int) -> None:
    one = graph(boxes, predicates, seed)
    rows = []
    for pair, chances in zip(one.pairs.tolist(), one.predicates, strict=True):
        ranked = sorted(range(predicates), key=lambda number: -float(chances[number]))[:per_pair]
        rows += [
            (float(one.scores[pair[0]] * one.scores[pair[1]] * chances[number]), [*pair, number]) for number in ranked
        ]
    rows.sort(key=lambda row: -row[0])
    found, scores = one.best(most, per_pair)
    assert found.tolist() == [row for _, row in rows[:most]]
    assert scores.tolist() == pytest.approx([score for score, _ in rows[:most]])


def test_what_is_refused() -> None:
    with pytest.raises(InputError, match="At least one prediction"):
        graph(2, 2, 0).best(0)
    with pytest.raises(InputError, match="At least one prediction"):
        graph(2, 2, 0).best(5, per_pair=0)

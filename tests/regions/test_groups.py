"""Rows of segments, runs, and all pairs out of two flat tensors. Ranking is tested with pairs and suppression."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.regions.groups import cross, first_of_runs, joined, segment_rows, starts_of


def test_rows_of_segments() -> None:
    rows = segment_rows(torch.tensor([5, 0, 5, 2]), torch.tensor([2, 3, 1, 0]))
    assert rows.tolist() == [5, 6, 0, 1, 2, 5]
    assert segment_rows(torch.tensor([], dtype=torch.long), torch.tensor([], dtype=torch.long)).tolist() == []


@settings(max_examples=40, deadline=None)
@given(first=st.lists(st.integers(0, 4), max_size=8), second=st.lists(st.integers(0, 4), max_size=8))
def test_joins(first: list[int], second: list[int]) -> None:
    second = sorted(second)
    left, right = joined(torch.tensor(first, dtype=torch.long), torch.tensor(second, dtype=torch.long), 5)
    expected = [(i, j) for i in range(len(first)) for j in range(len(second)) if first[i] == second[j]]
    assert list(zip(left.tolist(), right.tolist(), strict=True)) == expected


@settings(max_examples=12, deadline=None)
@given(sizes=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=5))
def test_cross_lists_all_pairs(sizes: list[tuple[int, int]]) -> None:
    counts, others = (torch.tensor([pair[side] for pair in sizes], dtype=torch.long) for side in (0, 1))
    found = torch.stack(cross(counts, others), 1).tolist()
    expected = [[n, i, j] for n, (a, b) in enumerate(sizes) for i in range(a) for j in range(b)]
    assert found == expected
    assert starts_of(counts).tolist() == [sum(a for a, _ in sizes[:n]) for n in range(len(sizes))]


def test_first_of_runs() -> None:
    assert first_of_runs(torch.tensor([3, 3, 4, 7, 7, 7])).tolist() == [True, False, True, True, False, False]
    assert first_of_runs(torch.zeros(0, dtype=torch.long)).tolist() == []

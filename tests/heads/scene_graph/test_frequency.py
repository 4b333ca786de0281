"""Counts and logits of the frequency bias equal those of a loop."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.errors import InputError
from lichen.graphs import Relations
from lichen.heads.scene_graph import FrequencyBias, count_triples
from lichen.heads.scene_graph.frequency import log_shares
from lichen.regions import Regions

from .tiny import CLASSES, PREDICATES, make_regions, make_relations


@settings(max_examples=12, deadline=None)
@given(counts=st.lists(st.integers(0, 4), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_counts_by_a_loop(counts: list[int], seed: int) -> None:
    regions = make_regions(counts, seed, known=True)
    relations = make_relations(regions, seed=seed)
    expected = torch.zeros(CLASSES + 1, CLASSES + 1, PREDICATES + 1, dtype=torch.long)
    for (i, j), predicate in zip(relations.pairs.tolist(), relations.predicate.tolist(), strict=True):
        expected[regions.labels[i] + 1, regions.labels[j] + 1, predicate + 1] += 1
    start = 0
    for count in counts:
        rows = range(start, start + count)
        start += count
        pairs = [(i, j) for i in rows for j in rows if i != j]
        meeting = []
        for i, j in pairs:
            a, b = regions.boxes[i].tolist(), regions.boxes[j].tolist()
            if min(a[2], b[2]) > max(a[0], b[0]) and min(a[3], b[3]) > max(a[1], b[1]):
                meeting.append((i, j))
        for i, j in meeting or pairs:
            expected[regions.labels[i] + 1, regions.labels[j] + 1, 0] += 1
    assert torch.equal(count_triples(regions, relations, CLASSES, PREDICATES), expected)


def test_logits_by_hand() -> None:
    counts = torch.zeros(3, 3, 3, dtype=torch.long)
    counts[1, 2] = torch.tensor([3, 5, 1])
    logits = log_shares(counts)
    wanted = [math.log(4 / 10 + 1e-3), math.log(5 / 10 + 1e-3), math.log(1 / 10 + 1e-3)]
    assert logits[1, 2].tolist() == pytest.approx(wanted, abs=1e-6)
    assert logits[2, 1].tolist() == pytest.approx([math.log(1.001), math.log(1e-3), math.log(1e-3)], abs=1e-6)
    bias = FrequencyBias(logits)
    found = bias(torch.tensor([0, 1, -1]), torch.tensor([[0, 1], [2, 0]]))
    torch.testing.assert_close(found, torch.stack([logits[1, 2], logits[0, 1]]))


def test_what_is_refused() -> None:
    regions = Regions.make([[0, 0, 5, 5], [1, 1, 6, 6]], [(10, 10)], labels=[0, 4])
    none = Relations(torch.zeros(0, 2, dtype=torch.long), torch.zeros(0, dtype=torch.long))
    with pytest.raises(InputError, match="4 classes, numbered from 0; the boxes have 0 to 4"):
        count_triples(regions, none, 4, 2)
    with pytest.raises(InputError, match="predicate 2"):
        count_triples(regions, Relations(torch.tensor([[0, 1]]), torch.tensor([2])), 5, 2)
    with pytest.raises(InputError, match="below 0"):
        log_shares(torch.full((2, 2, 2), -1))
    with pytest.raises(InputError, match="classes \\+ 1"):
        FrequencyBias(torch.zeros(2, 3, 2))

"""Pairs are all those of one picture, in order, and no others; tables of them give any pictures in any order."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.regions import Regions, best_pairs, ordered_pairs, union_regions
from lichen.regions.pairs import PairTable

from .naive import random_boxes


def regions_of(counts: list[int], seed: int = 0) -> Regions:
    count = sum(counts)
    return Regions.make(
        random_boxes(count, seed, dtype=torch.float32),
        [(100, 100)] * len(counts),
        picture=[n for n, own in enumerate(counts) for _ in range(own)],
        scores=torch.rand(count, generator=torch.Generator().manual_seed(seed)),
    )


@settings(max_examples=40, deadline=None)
@given(counts=st.lists(st.integers(0, 5), min_size=1, max_size=5), seed=st.integers(0, 99))
def test_all_pairs(counts: list[int], seed: int) -> None:
    regions = regions_of(counts, seed)
    n = len(regions)
    people = torch.rand(n, generator=torch.Generator().manual_seed(seed)) < 0.5
    expected = [(i, j) for i in range(n) for j in range(n) if i != j and regions.picture[i] == regions.picture[j]]
    assert [tuple(pair) for pair in ordered_pairs(regions).tolist()] == expected
    some = [(i, j) for i, j in expected if people[i]]
    assert [tuple(pair) for pair in ordered_pairs(regions, people).tolist()] == some
    other = [(i, j) for i, j in expected if people[i] and not people[j]]
    assert [tuple(pair) for pair in ordered_pairs(regions, people, ~people).tolist()] == other


def test_best_pairs_of_every_picture() -> None:
    regions = regions_of([4, 1, 3])
    pairs = ordered_pairs(regions)
    kept = best_pairs(regions, pairs, 5)
    products = {tuple(pair): float(regions.scores[pair].prod()) for pair in pairs}
    for picture, count in ((0, 5), (2, 5)):
        own = [pair for pair in products if regions.picture[int(pair[0])] == picture]
        chosen = {tuple(pair.tolist()) for pair in kept if regions.picture[pair[0]] == picture}
        assert len(chosen) == count
        ranked = sorted(
            (tuple(int(row) for row in pair) for pair in own), key=lambda p: -float(regions.scores[list(p)].prod())
        )
        # Both ways round a pair has the same product, so the last place may be either.
        assert {frozenset(pair) for pair in chosen} == {frozenset(pair) for pair in ranked[:count]}
    assert torch.equal(best_pairs(regions, pairs, 100), pairs)


def test_unions() -> None:
    regions = Regions.make(
        [[0, 0, 10, 10], [20, 5, 30, 40], [1, 1, 2, 2], [3, 0, 9, 9]],
        [(50, 50), (20, 20)],
        picture=[0, 0, 1, 1],
        scores=[0.5, 0.4, 1, 1],
    )
    unions = union_regions(regions, ordered_pairs(regions)).validate()
    assert unions.boxes.tolist() == [[0, 0, 30, 40]] * 2 + [[1, 0, 9, 9]] * 2
    assert unions.picture.tolist() == [0, 0, 1, 1] and unions.pictures == 2
    torch.testing.assert_close(unions.scores, torch.tensor([0.2, 0.2, 1, 1]))


@settings(max_examples=30, deadline=None)
@given(
    counts=st.lists(st.integers(0, 4), min_size=1, max_size=5),
    chosen=st.lists(st.integers(0, 4), max_size=6),
    seed=st.integers(0, 99),
)
def test_a_table_gives_any_pictures_in_any_order(counts: list[int], chosen: list[int], seed: int) -> None:
    """Repeats, pictures without a pair and none at all included: as each picture would be alone."""
    chosen = [number % len(counts) for number in chosen]
    regions = regions_of(counts, seed)
    people = torch.rand(len(regions), generator=torch.Generator().manual_seed(seed)) < 0.6
    table = PairTable(regions, ordered_pairs(regions, people))
    taken, pairs, rows = table.take(torch.tensor(chosen, dtype=torch.long))
    taken.validate()
    assert taken.pictures == len(chosen)
    expected = [
        (place, *(regions.boxes[row].tolist() for row in pair), number)
        for place, picture in enumerate(chosen)
        for number, pair in enumerate(table.pairs.tolist())
        if regions.picture[pair[0]] == picture
    ]
    got = [
        (int(taken.picture[one]), taken.boxes[one].tolist(), taken.boxes[two].tolist(), int(row))
        for (one, two), row in zip(pairs.tolist(), rows, strict=True)
    ]
    assert got == expected
    assert int(table.counts.sum()) == len(table.pairs)

"""Pairs to learn from: what each teaches, and that the limits hold."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.errors import InputError
from lichen.graphs import Relations
from lichen.heads.scene_graph import PairSampling, sample_annotated, sample_detected
from lichen.regions import Regions, matched_iou, ordered_pairs

from .tiny import CLASSES, make_regions, make_relations


def told(relations: Relations) -> dict[tuple[int, int], set[int]]:
    found: dict[tuple[int, int], set[int]] = {}
    for (i, j), predicate in zip(relations.pairs.tolist(), relations.predicate.tolist(), strict=True):
        found.setdefault((i, j), set()).add(predicate + 1)
    return found


def seeded(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(number)


@settings(max_examples=15, deadline=None)
@given(counts=st.lists(st.integers(0, 5), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_all_annotated_pairs(counts: list[int], seed: int) -> None:
    regions = make_regions(counts, seed, known=True)
    relations = make_relations(regions, seed=seed)
    pairs, targets = sample_annotated(regions, relations, generator=seeded(seed), sampling=PairSampling(foreground=1.0))
    assert torch.equal(pairs, ordered_pairs(regions))
    known = told(relations)
    for pair, label, sure in zip(
        pairs.tolist(),
        targets.labels.tolist(),
        targets.confidence.tolist(),
        strict=True,  # type: ignore[union-attr]
    ):
        assert label == sure and label in known.get(tuple(pair), {0})
    assert torch.equal(targets.entities, regions.labels)  # type: ignore[arg-type]


def test_of_several_predicates_each_is_drawn_at_some_time() -> None:
    regions = make_regions([2], known=True)
    relations = Relations(torch.tensor([[0, 1], [0, 1], [1, 0]]), torch.tensor([0, 2, 1]))
    drawn = {tuple(sample_annotated(regions, relations, generator=seeded(n))[1].labels.tolist()) for n in range(20)}
    assert drawn == {(1, 2), (3, 2)}
    assert torch.equal(*(sample_annotated(regions, relations, generator=seeded(1))[1].labels for _ in range(2)))


def test_limits_of_annotated_pairs() -> None:
    regions = make_regions([7, 2], known=True)
    relations = make_relations(regions, 0.9)
    pairs, targets = sample_annotated(regions, relations, PairSampling(most=12, foreground=0.25), generator=seeded(0))
    picture = regions.picture[pairs[:, 0]]
    assert (picture.diff() >= 0).all()
    assert int((picture == 0).sum()) == 12 and int((targets.labels[picture == 0] > 0).sum()) == 3
    assert int((picture == 1).sum()) == 2
    others = sample_annotated(regions, relations, PairSampling(most=12, foreground=0.25), generator=seeded(1))[0]
    assert pairs.tolist() != others.tolist()


def test_dropped_relations() -> None:
    regions = make_regions([3], known=True)
    relations = Relations(torch.tensor([[0, 1], [2, 0]]), torch.tensor([1, 2]))
    dropped = torch.tensor([True, False])
    for sampling, label, sure in ((PairSampling(), -1, 2), (PairSampling(released=True), 0, 0)):
        pairs, targets = sample_annotated(regions, relations, sampling, dropped=dropped, generator=seeded(0))
        row = pairs.tolist().index([0, 1])
        assert targets.confidence is not None
        assert (int(targets.labels[row]), int(targets.confidence[row])) == (label, sure)
        assert int(targets.labels[pairs.tolist().index([2, 0])]) == 3


def detected(truths: Regions, copies: int, seed: int = 0, noise: float = 2.0) -> Regions:
    """Several noisy boxes of each annotated one, and a stray one a picture."""
    draw = seeded(seed)
    parts = []
    for own in truths.split():
        boxes = own.boxes.repeat_interleave(copies, 0)
        boxes = boxes + (torch.rand(boxes.shape, generator=draw, dtype=torch.float64) - 0.5) * noise
        boxes = torch.cat([boxes, torch.tensor([[90.0, 70.0, 99.0, 79.0]], dtype=torch.float64)])
        labels = torch.cat([own.labels.repeat_interleave(copies), torch.tensor([0])])
        scores = torch.rand(len(boxes), generator=draw, dtype=torch.float64)
        parts.append(Regions(boxes, torch.zeros(len(boxes), dtype=torch.long), own.sizes, labels, scores))
    return Regions.cat(parts)


@settings(max_examples=8, deadline=None)
@given(counts=st.lists(st.integers(0, 4), min_size=1, max_size=3), copies=st.integers(1, 3), seed=st.integers(0, 50))
def test_detected_pairs_by_a_loop(counts: list[int], copies: int, seed: int) -> None:
    truths = make_regions(counts, seed, known=True)
    relations = make_relations(truths, seed=seed)
    found = detected(truths, copies, seed)
    sampling = PairSampling(per_relation=100, foreground=1.0)
    pairs, targets = sample_detected(found, truths, relations, sampling, generator=seeded(seed))

    def fits(row: int, truth: int) -> bool:
        same = found.picture[row] == truths.picture[truth] and found.labels[row] == truths.labels[truth]
        return bool(same) and float(matched_iou(found.boxes[row], truths.boxes[truth])) > 0.5

    seen = 0
    for (i, j), label in zip(pairs.tolist(), targets.labels.tolist(), strict=True):
        possible = {
            predicate + 1
            for (s, o), predicate in zip(relations.pairs.tolist(), relations.predicate.tolist(), strict=True)
            if fits(i, s) and fits(j, o)
        }
        assert label in (possible or {0})
        seen += label > 0
    everyone = [
        (i, j)
        for i, j in ordered_pairs(found).tolist()
        if any(fits(i, s) and fits(j, o) for s, o in relations.pairs.tolist())
    ]
    assert seen == len(everyone)
    assert targets.entities is not None
    # Pairs without a relation are of boxes that stand for something.
    background = pairs[targets.labels == 0]
    assert bool((targets.entities[background] >= 0).all())
    assert all(int(targets.entities[int(row)]) == -1 for row in found.starts + found.counts - 1 if counts)


def test_a_relation_is_taught_by_few_pairs_and_the_better_ones_more_often() -> None:
    truths = Regions.make(
        torch.tensor([[0.0, 0, 40, 40], [60, 0, 100, 40]], dtype=torch.float64), [(100, 80)], labels=[0, 1]
    )
    relations = Relations(torch.tensor([[0, 1]]), torch.tensor([2]))
    shifted = [[0, 0, 40, 40], [0, 0, 40, 24], [60, 0, 100, 40]]
    found = Regions.make(torch.tensor(shifted, dtype=torch.float64), [(100, 80)], labels=[0, 0, 1], scores=[0.5] * 3)
    drawn = []
    for number in range(50):
        sampling = PairSampling(per_relation=1)
        pairs, targets = sample_detected(found, truths, relations, sampling, generator=seeded(number))
        (row,) = pairs[targets.labels > 0].tolist()
        drawn.append(row[0])
        # The other pair also stands for the relation, so it is no example of none.
        assert [1 - row[0], 2] not in pairs.tolist()
    # By 1 to 0.6.
    assert 24 < drawn.count(0) < 42


def test_dropped_relations_of_detected_pairs_still_teach_confidence() -> None:
    truths = make_regions([3], known=True)
    relations = Relations(torch.tensor([[0, 1], [1, 2]]), torch.tensor([0, 1]))
    found = replace(truths, scores=torch.full((3,), 0.7, dtype=torch.float64))
    pairs, targets = sample_detected(found, truths, relations, dropped=torch.tensor([False, True]), generator=seeded(0))
    assert targets.confidence is not None
    row = pairs.tolist().index([1, 2])
    assert (int(targets.labels[row]), int(targets.confidence[row])) == (-1, 2)
    assert int(targets.labels[pairs.tolist().index([0, 1])]) == 1


def test_background_comes_from_the_better_half() -> None:
    truths = make_regions([12], known=True)
    none = Relations(torch.zeros(0, 2, dtype=torch.long), torch.zeros(0, dtype=torch.long))
    scores = torch.linspace(0.1, 1, 12, dtype=torch.float64)
    found = replace(truths, scores=scores)
    pairs, _ = sample_detected(found, truths, none, PairSampling(most=5), generator=seeded(0))
    assert len(pairs) == 5
    ranked = scores[ordered_pairs(found)].prod(1).sort(descending=True).values
    assert bool((scores[pairs].prod(1) >= ranked[9]).all())


def test_nothing_to_pair() -> None:
    truths = make_regions([0, 1], known=True)
    none = Relations(torch.zeros(0, 2, dtype=torch.long), torch.zeros(0, dtype=torch.long))
    for pairs, targets in (sample_annotated(truths, none), sample_detected(truths, truths, none)):
        assert pairs.shape == (0, 2) and targets.labels.shape == (0,)


def test_what_is_refused() -> None:
    with pytest.raises(InputError, match="2 pictures and annotations of 1"):
        none = Relations(torch.zeros(0, 2, dtype=torch.long), torch.zeros(0, dtype=torch.long))
        sample_detected(make_regions([1, 1]), make_regions([1]), none)
    with pytest.raises(InputError, match="foreground"):
        PairSampling(foreground=0.0)
    with pytest.raises(InputError, match="At least one pair"):
        PairSampling(most=0)
    assert CLASSES

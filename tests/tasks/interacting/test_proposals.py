"""Boxes and pairs of a split: any pictures in any order; which pairs are annotated; scores of the teacher by batch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lichen.heads.hoi.teacher import columns_of
from lichen.regions import Regions
from lichen.tasks.interacting.config import InteractConfig
from lichen.tasks.interacting.labels import Annotated
from lichen.tasks.interacting.proposals import Proposals, Taught

# Two classes: a person, whom interaction 2 is with, and a thing of interactions 0 and 1.
OBJECTS = torch.tensor([[False, False, True], [True, True, False]])
PEOPLE = torch.tensor([True, False])
BOXES = torch.tensor(
    [[0.0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10], [0, 20, 10, 30], [20, 20, 30, 30], [5, 5, 9, 9]]
)
PICTURE = [0, 0, 0, 2, 2, 2]
LABELS = [0, 1, 0, 1, 0, 1]


def known(picture: list[int], interaction: list[int], rows: list[tuple[int, int]], off: float = 0.0) -> Annotated:
    """Pairs of the boxes with these rows, moved by so much."""
    ends = torch.tensor(rows, dtype=torch.long).reshape(-1, 2)
    labels = torch.zeros(3, 3, dtype=torch.bool)
    labels[picture, interaction] = True
    return Annotated(
        labels,
        labels.flip(1),
        torch.tensor(picture, dtype=torch.long),
        torch.tensor(interaction, dtype=torch.long),
        BOXES[ends[:, 0]] + off,
        BOXES[ends[:, 1]] + off,
        torch.tensor(LABELS)[ends[:, 1]],
    )


def proposals(annotated: Annotated, scores: list[float] | None = None, **changes: Any) -> Proposals:
    regions = Regions.make(BOXES, [(60.0, 40.0)] * 3, picture=PICTURE, labels=LABELS, scores=scores or [1.0] * 6)
    return Proposals.of(regions, annotated, PEOPLE, columns_of(OBJECTS), InteractConfig(**changes))


ANNOTATED = known([0, 0, 0, 2], [0, 1, 2, 0], [(0, 1), (0, 1), (2, 0), (4, 3)])
# Pairs: 0-1 0-2 2-0 2-1 of picture 0; none of picture 1; 4-3 4-5 of picture 2.


def truths(found: Proposals, pictures: list[int]) -> list[list[int]]:
    told = found.take(torch.tensor(pictures))
    return [each.nonzero().flatten().tolist() for each in told.truths]


def test_pairs_that_are_annotated() -> None:
    found = proposals(ANNOTATED)
    assert found.table.pairs.tolist() == [[0, 1], [0, 2], [2, 0], [2, 1], [4, 3], [4, 5]]
    assert truths(found, [0, 1, 2]) == [[0, 1], [], [2], [], [0], []]
    assert truths(found, [2, 0, 2, 1]) == [[0], [], [0, 1], [], [2], [], [0], []]
    told = found.take(torch.tensor([2, 0]))
    assert torch.equal(told.labels, ANNOTATED.labels[[2, 0]]) and torch.equal(told.unclear, ANNOTATED.unclear[[2, 0]])
    assert told.teacher is None and told.to("cpu").teacher is None


def test_boxes_must_overlap_by_half_and_be_of_the_class() -> None:
    # Moved by 1 of 10 both ways: 81 of 119. Moved by 2: 64 of 136.
    near, far = (known([0], [0], [(0, 1)], off) for off in (1.0, 2.0))
    assert truths(proposals(near), [0])[0] == [0] and truths(proposals(far), [0])[0] == []
    other = Annotated(
        *(getattr(near, name) for name in ("labels", "unclear", "picture", "interaction", "humans", "objects")),
        torch.tensor([0]),
    )
    assert truths(proposals(other), [0])[0] == []


def test_twice_annotated_is_once_true() -> None:
    twice = known([0, 0], [1, 1], [(0, 1), (0, 1)])
    assert proposals(twice).true_pairs.tolist() == [[0, 1]]
    assert proposals(known([], [], [])).true_pairs.shape == (0, 2)


def test_a_picture_may_keep_few_pairs() -> None:
    scores = [0.9, 0.8, 0.3, 0.5, 0.6, 0.9]
    assert proposals(ANNOTATED, scores, pairs=1).table.pairs.tolist() == [[0, 1], [4, 5]]
    assert truths(proposals(ANNOTATED, scores, pairs=1), [0, 2]) == [[0, 1], []]
    weak = proposals(ANNOTATED, scores, threshold=0.55, least=0)
    assert len(weak.table.regions) == 4 and truths(weak, [0, 2]) == [[0, 1], []]


def test_scores_of_the_teacher_go_with_their_pairs() -> None:
    draw = torch.Generator().manual_seed(0)
    image, full = torch.randn(3, 3, generator=draw), torch.randn(6, 3, generator=draw)
    kept: Tensor = torch.stack([full[:, 0], full[:, 1]], 1)
    people = torch.tensor([1, 2])
    kept[people] = torch.stack([full[people, 2], torch.zeros(2)], 1)
    found = proposals(ANNOTATED).with_teacher(Taught(image.half(), kept.half()))
    told = found.take(torch.tensor([2, 0, 2]))
    assert told.teacher is not None
    rows = torch.tensor([4, 5, 0, 1, 2, 3, 4, 5])
    suits = OBJECTS[torch.tensor(LABELS)[found.table.pairs[:, 1]]]
    torch.testing.assert_close(told.teacher.union, (full.half().float() * suits)[rows])
    torch.testing.assert_close(told.teacher.image, image.half().float()[[2, 0, 2]])
    assert told.to("cpu").teacher is not None


def test_nothing_at_all() -> None:
    empty = known([], [], [])
    regions = Regions.make([], [(60.0, 40.0)] * 3, picture=[])
    found = Proposals.of(regions, empty, PEOPLE, columns_of(OBJECTS), InteractConfig())
    told = found.take(torch.tensor([1, 1]))
    assert told.truths.shape == (0, 3) and told.regions.pictures == 2

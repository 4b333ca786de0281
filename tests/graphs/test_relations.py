"""Relations of scenes are those between their boxes, and what is none is refused with its place."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from lichen.errors import InputError
from lichen.graphs import Relations
from lichen.regions import Regions
from lichen.scene import Entity, Relation, Scene

PREDICATES = ("on", "holding", "near")


def scenes() -> list[Scene]:
    first = Scene(
        "a",
        size=(100, 80),
        entities=(
            Entity("person", (0.0, 0.0, 20.0, 40.0)),
            Entity("idea"),
            Entity("hat", (5.0, 0.0, 15.0, 8.0)),
            Entity("dog", (50.0, 40.0, 70.0, 60.0)),
        ),
        relations=(Relation(0, "near", 3), Relation(0, "holding", 1), Relation(2, "on", 0)),
    )
    second = Scene("b", size=(50, 50))
    third = Scene(
        "c",
        size=(60, 60),
        entities=(Entity("dog", (0.0, 0.0, 30.0, 30.0)), Entity("hat", (0.0, 0.0, 10.0, 10.0))),
        relations=(Relation(1, "on", 0),),
    )
    return [first, second, third]


def test_of_scenes() -> None:
    regions = Regions.from_scenes(scenes(), ("person", "hat", "dog", "idea"))
    relations = Relations.from_scenes(scenes(), PREDICATES).validate(regions, 3)
    assert relations.pairs.tolist() == [[0, 2], [1, 0], [4, 3]] and relations.predicate.tolist() == [2, 0, 0]
    graphs = relations.of_pictures(regions)
    assert [graph.triplets.tolist() for graph in graphs] == [[[0, 2, 2], [1, 0, 0]], [], [[1, 0, 0]]]
    assert [graph.labels.tolist() for graph in graphs] == [[0, 1, 2], [], [2, 1]]
    assert len(Relations.from_scenes([], PREDICATES)) == 0


@pytest.mark.parametrize(
    ("relation", "words"),
    [
        (Relation(0, "holdin", 3), r"relations\[0\] says 'holdin'.*Did you mean 'holding'"),
        (Relation(0, "on", 9), r"relations\[0\] names entities \(0, 9\), but there are 4"),
        (Relation(3, "on", 3), "relates entity 3 to itself"),
    ],
)
def test_relations_that_are_refused(relation: Relation, words: str) -> None:
    scene = replace(scenes()[0], relations=(relation,))
    with pytest.raises(InputError, match=f"'a'.*{words}"):
        Relations.from_scenes([scene], PREDICATES)
    if relation.subject == relation.object:
        assert len(Relations.from_scenes([scene], PREDICATES, leave_out_self=True)) == 0


@pytest.mark.parametrize(
    ("pairs", "predicate", "words"),
    [
        ([[0, 1]], [3], "predicate 3; there are 3"),
        ([[0, 5]], [0], "boxes 0 and 5, but there are 5 boxes"),
        ([[2, 2]], [0], "no relation to itself"),
        ([[0, 3]], [0], "pictures 0 and 2"),
        ([[3, 4], [0, 1]], [0, 0], "lie together"),
        ([[0, 1]], [0, 1], "1 pairs but 2 predicates"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_numbers_that_are_refused(pairs: list[list[int]], predicate: list[int], words: str) -> None:
    regions = Regions.from_scenes(scenes())
    with pytest.raises(InputError, match=words):
        Relations(torch.tensor(pairs), torch.tensor(predicate)).validate(regions, 3)


def test_pairs_without_boxes_are_refused() -> None:
    empty = Regions.make([], [(10, 10)])
    with pytest.raises(InputError, match="1 pairs but no boxes"):
        Relations(torch.tensor([[0, 1]]), torch.tensor([0])).validate(empty, 3)

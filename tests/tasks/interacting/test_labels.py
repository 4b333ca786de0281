"""What is known of pictures: labels of their own, relations, captions; pairs that interact."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lichen.data.interactions import Interactions
from lichen.scene import Entity, Label, Relation, Scene
from lichen.tasks.interacting.labels import Annotated, Spoken

PLACES = [(float(10 * n), 0.0, float(10 * n + 8), 9.0) for n in range(6)]
CLASSES = ("person", "horse", "cup", "dining table")
VOCABULARY = Interactions.of(
    [("ride", "horse"), ("hold", "cup"), ("sit_at", "dining table"), ("hug", "person"), ("no_interaction", "horse")]
)
RIDE, HOLD, SIT, HUG, IDLE = range(5)


def scene(*names: str, relations: tuple[Relation, ...] = (), **more: object) -> Scene:
    entities = tuple(Entity(name, place) for name, place in zip(names, PLACES, strict=False))
    return Scene("s", size=(60, 20), entities=entities, relations=relations, **more)  # type: ignore[arg-type]


def annotated(*scenes: Scene, source: str = "auto") -> Annotated:
    return Annotated.of(scenes, VOCABULARY, CLASSES, source)


def rows(found: torch.Tensor) -> list[list[int]]:
    return [each.nonzero().flatten().tolist() for each in found]


def test_relations_of_people_are_labels_and_pairs() -> None:
    told = scene(
        "person", "horse", "person", relations=(Relation(0, "ride", 1), Relation(0, "hug", 2), Relation(1, "ride", 0))
    )
    found = annotated(scene("cup"), told)
    assert rows(found.labels) == [[], [RIDE, HUG]] and not found.unclear.any()
    assert (found.picture.tolist(), found.interaction.tolist()) == ([1, 1], [RIDE, HUG])
    assert found.humans.tolist() == [list(PLACES[0])] * 2 and found.objects.tolist() == [
        list(PLACES[n]) for n in (1, 2)
    ]
    assert found.object_class.tolist() == [1, 0]


def test_own_labels_of_a_picture_decide_and_unclear_ones_do_not_count() -> None:
    """hoi.md 1.11: 1 is there, -1 and NaN are not, 0 counts for nothing."""
    told = scene(
        "person",
        "horse",
        relations=(Relation(0, "ride", 1),),
        labels=(Label("hug person"),),
        metadata={"unclear": ["hold cup"], "absent": ["ride horse"]},
    )
    found = annotated(told)
    assert rows(found.labels) == [[HUG]] and rows(found.unclear) == [[HOLD]]
    assert found.interaction.tolist() == [RIDE], "boxes that interact are those of relations"
    by_relations = annotated(told, source="relations")
    assert rows(by_relations.labels) == [[RIDE]] and not by_relations.unclear.any()


def test_pairs_without_boxes_or_with_other_classes_are_labels_alone() -> None:
    bare = Scene(
        "s", size=(9, 9), entities=(Entity("person", PLACES[0]), Entity("horse")), relations=(Relation(0, "ride", 1),)
    )
    found = annotated(bare)
    assert rows(found.labels) == [[RIDE]] and not len(found.picture)
    few = Annotated.of([scene("person", "horse", relations=(Relation(0, "ride", 1),))], VOCABULARY, ("person",), "auto")
    assert rows(few.labels) == [[RIDE]] and not len(few.picture)
    assert annotated().labels.shape == (0, 5)


def test_some_pictures_in_any_order() -> None:
    one = scene("person", "horse", relations=(Relation(0, "ride", 1),))
    two = scene("person", "cup", "person", relations=(Relation(0, "hold", 1), Relation(2, "hold", 1)))
    whole = annotated(one, scene("cup"), two)
    found = whole.take(torch.tensor([2, 1, 2]))
    alone = annotated(two, scene("cup"), two)
    for name in ("labels", "unclear", "picture", "interaction", "humans", "objects", "object_class"):
        assert torch.equal(getattr(found, name), getattr(alone, name)), name


def test_what_is_hidden_is_neither_there_nor_absent() -> None:
    told = scene("person", "horse", "person", relations=(Relation(0, "ride", 1), Relation(0, "hug", 2)))
    found = annotated(told).hiding(torch.arange(5) == RIDE)
    assert rows(found.labels) == [[HUG]] and rows(found.unclear) == [[RIDE]] and found.interaction.tolist() == [HUG]


@pytest.mark.parametrize(
    ("caption", "numbers"),
    [
        ("a man rides a horse", [RIDE]),
        ("A woman riding a brown horse.", [RIDE]),
        ("two children are riding horses", [RIDE]),
        ("a man holding a cup", [HOLD]),
        ("a person holds a cup and rides a horse", [RIDE, HOLD]),
        ("people sitting at a dining table", [SIT]),
        ("a man hugs a woman", [HUG]),
        ("a dog rides a horse", []),
        ("a man looks at a horse", []),
        ("a horse rides a man", []),
        ("a horse", []),
        ("", []),
        ("  ", []),
    ],
)
def test_captions_say_what_people_do(caption: str, numbers: list[int]) -> None:
    assert sorted(Spoken(VOCABULARY, CLASSES).said(caption)) == numbers


def test_captions_label_pictures() -> None:
    told = scene("person", "horse", captions=("a man rides a horse", "somebody holds a cup", "a man holds a cup"))
    values = Spoken(VOCABULARY, CLASSES).labels_of(told)
    assert np.flatnonzero(values == 1).tolist() == [RIDE, HOLD] and np.isnan(values[[SIT, HUG, IDLE]]).all()
    found = annotated(told, scene("person"), source="captions")
    assert rows(found.labels) == [[RIDE, HOLD], []] and not found.unclear.any()


def test_captions_tell_a_pair_only_where_nothing_else_can_be_meant() -> None:
    said = ("a man rides a horse",)
    spoken = Spoken(VOCABULARY, CLASSES)
    assert spoken.pairs_of(scene("cup", "horse", "person", captions=said)) == [(2, 1, RIDE)]
    assert spoken.pairs_of(scene("person", "horse", "person", captions=said)) == [], "two people"
    assert spoken.pairs_of(scene("person", "horse", "horse", captions=said)) == [], "two horses"
    assert spoken.pairs_of(scene("person", "cup", captions=said)) == [], "no horse"
    assert spoken.pairs_of(scene("horse", captions=said)) == [], "nobody"
    assert spoken.pairs_of(scene("person", captions=("a man hugs a woman",))) == [], "nobody else"
    bare = Scene("s", size=(9, 9), entities=(Entity("person", PLACES[0]), Entity("horse")), captions=said)
    assert spoken.pairs_of(bare) == [], "a horse without a box"
    # Said twice is once, and others of one caption are pairs of their own.
    both = scene("person", "horse", "cup", captions=(*said, "a person riding a horse", "a man holding a cup"))
    assert spoken.pairs_of(both) == [(0, 1, RIDE), (0, 2, HOLD)]


def test_classes_of_the_data_are_people_too() -> None:
    own = Interactions.of([("riding", "horse")], frozenset({"man", "woman"}))
    spoken = Spoken(own, ("man", "woman", "horse"))
    assert list(spoken.said("a man riding a horse")) == [0] and list(spoken.said("a woman rides a horse")) == []
    # A class that has a name of its own is not what people call another one.
    beside = Interactions.of([("hug", "woman")], frozenset({"person", "woman"}))
    assert list(Spoken(beside, ("person", "woman")).said("a man hugs a woman")) == [0]

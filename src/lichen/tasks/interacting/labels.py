"""`Annotated`: what is known of the pictures of a split: which interactions they show, and which boxes do what.

Labels of whole pictures come from where the recipe says: a data set's own, relations of people, or captions. Boxes that
interact are always those of relations; where captions alone are known, they are what captions leave no doubt of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ...data.interactions import Interactions
from ...language.phrases import parse
from ...regions.groups import segment_rows, starts_of
from ...scene import Scene
from ..grounded.nouns import class_named, noun_table

PEOPLE = ("person", "man", "woman", "boy", "girl")
"""Classes of boxes that are people, where nothing else is said."""
PERSON = "person"
"""What an interaction calls people that something is done to."""
Named = tuple[str, str]
"""Verb and object."""


Box = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Annotated:
    """What is known of some pictures."""

    labels: Bool[Tensor, "pictures interactions"]
    """Which interactions each shows."""
    unclear: Bool[Tensor, "pictures interactions"]
    """Which nobody was sure of."""
    picture: Int[Tensor, " known"]
    """Of each annotated pair; in their order."""
    interaction: Int[Tensor, " known"]
    humans: Float[Tensor, "known 4"]
    objects: Float[Tensor, "known 4"]
    object_class: Int[Tensor, " known"]
    """Class of the object's box."""

    @classmethod
    def of(
        cls,
        scenes: Sequence[Scene],
        vocabulary: Interactions,
        classes: Sequence[str],
        people: Sequence[str],
        source: str,
    ) -> Annotated:
        """Read the interactions of scenes; those that the vocabulary lacks are none.

        Args:
            scenes: of the pictures.
            vocabulary: the interactions there are.
            classes: names of the classes of boxes.
            people: which of them are people.
            source: of the labels: labels, relations or captions.
        """
        labels = torch.zeros(len(scenes), len(vocabulary), dtype=torch.bool)
        unclear = torch.zeros_like(labels)
        numbers = {name: number for number, name in enumerate(classes)}
        spoken = _Spoken(vocabulary, classes, people) if source == "captions" else None
        known: list[tuple[int, int, Box, Box, int]] = []
        for place, scene in enumerate(scenes):
            for number in _numbers(labels_of(scene, people, source, spoken), vocabulary):
                labels[place, number] = True
            if source == "labels":
                for name in scene.metadata.get("unclear", ()):
                    found = _split(name, vocabulary)
                    unclear[place, list(_numbers([found] if found else [], vocabulary))] = True
            for verb, human, thing in _certain(scene, people, spoken):
                label = scene.entities[thing].label or ""
                number = vocabulary.number(verb, PERSON if label in people else label)
                boxes = scene.entities[human].box, scene.entities[thing].box
                if number is not None and label in numbers and boxes[0] and boxes[1]:
                    known.append((place, number, boxes[0], boxes[1], numbers[label]))
        columns = list(zip(*known, strict=True)) if known else [()] * 5
        return cls(
            labels,
            unclear,
            torch.tensor(columns[0], dtype=torch.long),
            torch.tensor(columns[1], dtype=torch.long),
            torch.tensor(columns[2], dtype=torch.float32).reshape(-1, 4),
            torch.tensor(columns[3], dtype=torch.float32).reshape(-1, 4),
            torch.tensor(columns[4], dtype=torch.long),
        )

    def take(self, pictures: Int[Tensor, " chosen"]) -> Annotated:
        """What is known of some pictures, numbered anew."""
        counts = torch.bincount(self.picture, minlength=len(self.labels))
        rows = segment_rows(starts_of(counts)[pictures], counts[pictures])
        return Annotated(
            self.labels[pictures],
            self.unclear[pictures],
            torch.arange(len(pictures)).repeat_interleave(counts[pictures]),
            self.interaction[rows],
            self.humans[rows],
            self.objects[rows],
            self.object_class[rows],
        )

    def hiding(self, hidden: Bool[Tensor, " interactions"]) -> Annotated:
        """The same with nothing told of some interactions: neither that they are there, nor that they are not."""
        kept = ~hidden[self.interaction]
        return Annotated(
            self.labels & ~hidden,
            self.unclear | hidden,
            self.picture[kept],
            self.interaction[kept],
            self.humans[kept],
            self.objects[kept],
            self.object_class[kept],
        )


def labels_of(scene: Scene, people: Sequence[str], source: str, spoken: _Spoken | None = None) -> set[Named]:
    """Verbs and objects that the whole picture is labelled with.

    Args:
        scene: of the picture.
        people: classes of boxes that are people.
        source: labels, relations or captions.
        spoken: reads captions, for that source.
    """
    if source == "labels":
        return {(verb, thing) for verb, _, thing in (label.name.partition(" ") for label in scene.labels)}
    if source == "captions":
        assert spoken is not None
        return {(verb, thing) for caption in scene.captions for verb, thing in spoken.said(caption)}
    return {(verb, _called(scene, thing, people)) for verb, _, thing in _related(scene, people)}


def _called(scene: Scene, thing: int, people: Sequence[str]) -> str:
    label = scene.entities[thing].label or ""
    return PERSON if label in people else label


def _related(scene: Scene, people: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """Verb, person and object of what people do."""
    for relation in scene.relations:
        if scene.entities[relation.subject].label in people and relation.subject != relation.object:
            yield relation.predicate, relation.subject, relation.object


def _certain(scene: Scene, people: Sequence[str], spoken: _Spoken | None) -> Iterator[tuple[str, int, int]]:
    """What is known to be done by whom: relations; of captions what one person does to the only thing of its kind."""
    if spoken is None:
        yield from _related(scene, people)
        return
    human = [place for place, each in enumerate(scene.entities) if each.label in people and each.box]
    if len(human) != 1:
        return
    for verb, thing in labels_of(scene, people, "captions", spoken):
        places = [n for n, each in enumerate(scene.entities) if each.label == thing and each.box and n != human[0]]
        if len(places) == 1:
            yield verb, human[0], places[0]


class _Spoken:
    """What captions say that people do, in the words of a vocabulary."""

    def __init__(self, vocabulary: Interactions, classes: Sequence[str], people: Sequence[str]) -> None:
        self.nouns = noun_table([*classes, *people])
        self.people = frozenset(people)
        self.forms: dict[str, str] = {}
        for verb, gerund in zip(vocabulary.verbs, vocabulary.gerunds, strict=True):
            first, _, rest = verb.replace("_", " ").partition(" ")
            ending = "es" if first.endswith(("s", "sh", "ch", "x", "o")) else "s"
            for form in (first, first + ending):
                self.forms.setdefault(f"{form} {rest}".strip(), verb)
            self.forms.setdefault(gerund.replace("_", " "), verb)

    def said(self, caption: str) -> Iterator[Named]:
        """Verbs and objects of a caption."""
        if not caption.strip():
            return
        parsed = parse(caption)
        named = [class_named(phrase, self.nouns) for phrase in parsed.phrases]
        for each in parsed.relations:
            verb, thing = self.forms.get(each.text), named[each.object]
            if verb is not None and thing is not None and named[each.subject] in self.people:
                yield verb, PERSON if thing in self.people else thing


def _numbers(named: Sequence[Named] | set[Named], vocabulary: Interactions) -> Iterator[int]:
    for verb, thing in named:
        number = vocabulary.number(verb, thing)
        if number is not None:
            yield number


def _split(name: str, vocabulary: Interactions) -> Named | None:
    verb, _, thing = name.partition(" ")
    return (verb, thing) if vocabulary.number(verb, thing) is not None else None


def groups_of(vocabulary: Interactions, unseen: Sequence[int] = ()) -> Mapping[str, tuple[int, ...]]:
    """Sets of interactions that are measured by themselves: rare and non_rare, unseen and seen, where there are any."""
    found: dict[str, tuple[int, ...]] = {}
    rare = tuple(number for number, flag in enumerate(vocabulary.rare) if flag)
    for name, own in (("rare", rare), ("unseen", tuple(unseen))):
        if own:
            other = "non_rare" if name == "rare" else "seen"
            found[name] = own
            found[other] = tuple(sorted(set(range(len(vocabulary))) - set(own)))
    return found

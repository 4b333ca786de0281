"""`Annotated`: what is known of the pictures of a split: which interactions they show, and which boxes do what.

Labels of whole pictures are the data's own (HICO-DET's), the relations of people, or what captions say that people do.
Boxes that interact are those of relations; where captions alone are known, those that captions leave no doubt of.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ...data.interactions import Interactions, targets_of
from ...language.phrases import parse
from ...regions.groups import segment_rows, starts_of
from ...scene import Scene
from ..grounded.nouns import class_named, noun_table

Box = tuple[float, float, float, float]
Pair = tuple[int, int, int]
"""Places of person and object in a Scene, number of the interaction."""


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
    def of(cls, scenes: Sequence[Scene], vocabulary: Interactions, classes: Sequence[str], source: str) -> Annotated:
        """Read the interactions of scenes; those that the vocabulary lacks are none.

        Args:
            scenes: of the pictures.
            vocabulary: the interactions there are.
            classes: names of the classes of boxes; pairs of others are left out.
            source: of the labels: auto, relations or captions, see `InteractConfig.labels`.
        """
        numbers = {name: number for number, name in enumerate(classes)}
        labels_of, pairs_of = _readers(vocabulary, classes, source)
        told = [targets_of(labels_of(scene)) for scene in scenes]
        shape = (len(scenes), len(vocabulary))
        positive, counts = (np.array([each[side] for each in told], dtype=bool).reshape(shape) for side in (0, 1))
        known = [
            (place, number, scene.entities[human].box, scene.entities[thing].box, numbers[label])
            for place, scene in enumerate(scenes)
            for human, thing, number in pairs_of(scene)
            if (label := scene.entities[thing].label) in numbers and label is not None
            if scene.entities[human].box and scene.entities[thing].box
        ]
        columns = list(zip(*known, strict=True)) if known else [()] * 5
        return cls(
            torch.from_numpy(positive),
            torch.from_numpy(~counts),
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


def doubtful(scene: Scene, people: Collection[str]) -> bool:
    """Whether captions leave open who of several does what they say, or show nobody: such pictures are not measured."""
    return sum(each.label in people and each.box is not None for each in scene.entities) != 1


def _readers(
    vocabulary: Interactions, classes: Sequence[str], source: str
) -> tuple[Callable[[Scene], Float[np.ndarray, " interactions"]], Callable[[Scene], list[Pair]]]:
    """What gives the labels of a whole picture, as `Interactions.labels_of` does, and the pairs that interact."""
    if source == "captions":
        spoken = Spoken(vocabulary, classes)
        return spoken.labels_of, spoken.pairs_of
    if source == "relations":
        return lambda scene: _marked(vocabulary, (pair[2] for pair in vocabulary.pairs_of(scene))), vocabulary.pairs_of
    return vocabulary.labels_of, vocabulary.pairs_of


def _marked(vocabulary: Interactions, numbers: Iterator[int]) -> Float[np.ndarray, " interactions"]:
    values = np.full(len(vocabulary), np.nan)
    values[list(numbers)] = 1.0
    return values


class Spoken:
    """What captions say that people do, in the words of a vocabulary: "a man rides a horse" is "ride horse".

    Args:
        vocabulary: the interactions there are.
        classes: of boxes.
    """

    def __init__(self, vocabulary: Interactions, classes: Sequence[str]) -> None:
        self.vocabulary = vocabulary
        self.nouns = noun_table(sorted({*classes, *vocabulary.objects, *vocabulary.people}))
        self.forms: dict[str, str] = {}
        for entry in vocabulary.entries:
            first, _, rest = entry.verb.replace("_", " ").partition(" ")
            ending = "es" if first.endswith(("s", "sh", "ch", "x", "o")) else "s"
            for form in (f"{first} {rest}", f"{first}{ending} {rest}", entry.gerund):
                self.forms.setdefault(form.strip(), entry.verb)

    def said(self, caption: str) -> Iterator[int]:
        """Interactions of a caption, by number."""
        if not caption.strip():
            return
        parsed = parse(caption)
        named = [class_named(phrase, self.nouns) for phrase in parsed.phrases]
        for each in parsed.relations:
            number = self.vocabulary.number.get((self.forms.get(each.text, ""), named[each.object] or ""))
            if number is not None and named[each.subject] in self.vocabulary.people:
                yield number

    def labels_of(self, scene: Scene) -> Float[np.ndarray, " interactions"]:
        """1 for what any caption says, NaN for all else."""
        return _marked(self.vocabulary, (number for caption in scene.captions for number in self.said(caption)))

    def pairs_of(self, scene: Scene) -> list[Pair]:
        """What is certain: what the only person of a picture does to the only thing of its kind."""
        boxed = [place for place, each in enumerate(scene.entities) if each.box]
        humans = [place for place in boxed if scene.entities[place].label in self.vocabulary.people]
        found = []
        if len(humans) == 1:
            for number in sorted({number for caption in scene.captions for number in self.said(caption)}):
                name = self.vocabulary.entries[number].object
                things = [place for place in boxed if scene.entities[place].label == name and place != humans[0]]
                found += [(humans[0], things[0], number)] if len(things) == 1 else []
        return found

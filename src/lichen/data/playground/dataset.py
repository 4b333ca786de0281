"""`Playground`: pictures with complete ground truth, made when they are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import UInt8

from ...errors import InputError
from ...scene import Entity, Expression, Label, Phrase, Question, Relation, Scene, TextLine
from .compose import Drawn, draw
from .dice import Dice
from .language.captions import captions
from .language.expressions import expressions
from .language.questions import questions
from .language.view import View
from .order import RANGE
from .samples import Samples
from .world import VERSION

SPLITS = ("train", "val", "test", "unseen")
"""The last shows verb and object pairs that no other split has."""
SIZES: dict[str, dict[str, int]] = {
    "smoke": {"train": 64, "val": 16, "test": 16, "unseen": 16},
    "small": {"train": 4_000, "val": 500, "test": 500, "unseen": 500},
    "medium": {"train": 4_000, "val": 2_000, "test": 2_000, "unseen": 2_000},
    "full": {"train": 40_000, "val": 2_000, "test": 2_000, "unseen": 2_000},
}
"""Pictures by split of each named size. Larger ones begin with the smaller ones' pictures; medium is small with more to
measure on, for metrics of rare things."""
_FIRST = {split: number * RANGE for number, split in enumerate(SPLITS)}
_LEAST, _MOST = 32, 2048
"""Edges of a picture, in pixels."""
Sample = tuple[UInt8[np.ndarray, "height width 3"], Scene]
"""A picture and all that is known of it."""


@dataclass(frozen=True)
class Playground(Samples[Sample]):
    """A data set of `(picture, scene)`: `Playground(split="val")[7]`.

    Every picture depends on the seed, the split and its index alone: not on the size of the set, the process, or what
    was asked for before. Splits are ranges of one world's indices, so they share no picture.

    Raises:
        InputError: an unknown split or size, a negative index or seed, or an edge outside 32 to 2048.
    """

    seed: int = 0
    """Of the world."""
    split: str = "train"
    """train, val, test or unseen."""
    size: str | int = "small"
    """smoke, small, medium, full, or a number of pictures."""
    width: int = 96
    height: int = 96
    """Of a picture, in pixels. The same scene at another resolution, if the ratio stays."""
    language: bool = True
    """Whether captions, expressions and questions are made."""

    sizes: ClassVar = SIZES
    things: ClassVar = "pictures"

    def __post_init__(self) -> None:
        self.check_place()
        for name, edge in (("width", self.width), ("height", self.height)):
            if not _LEAST <= edge <= _MOST:
                raise InputError(
                    f"The {name} of a playground picture lies from {_LEAST} to {_MOST} pixels; got {edge}."
                )

    def sample(self, place: int) -> Sample:
        """Picture and scene."""
        world = _FIRST[self.split] + place
        drawn = draw(self.seed, world, self.split == "unseen", self.width, self.height)
        return drawn.pixels, _scene(self, place, world, drawn)


def _scene(of: Playground, place: int, world: int, drawn: Drawn) -> Scene:
    entities = tuple(Entity(s.member.label, s.box, attributes=s.member.attributes) for s in drawn.shown)
    view = View(
        labels=[entity.label or "" for entity in entities],
        attributes=[entity.attributes for entity in entities],
        boxes=[s.box for s in drawn.shown],
        relations=drawn.relations,
        events=drawn.events,
        background=drawn.background,
        width=float(of.width),
        height=float(of.height),
        words=drawn.words,
        unsure=frozenset(drawn.dropped),
    )
    dice = Dice(of.seed, world, 2)
    said, referred, asked = (
        (captions(view, dice), expressions(view, dice), questions(view, dice)) if of.language else ([], [], [])
    )
    return Scene(
        id=f"playground-{of.split}-{place:06d}",
        size=(of.width, of.height),
        captions=tuple(text for text, _ in said),
        labels=(Label(drawn.background),),
        entities=entities,
        relations=tuple(Relation(*relation) for relation in drawn.relations),
        phrases=tuple(
            Phrase(number, start, end, named) for number, (_, spans) in enumerate(said) for start, end, named in spans
        ),
        expressions=tuple(Expression(text, entity) for text, entity in referred),
        questions=tuple(Question(text, (answer,), kind, named) for kind, (text, answer, named) in asked),
        lines=_lines(drawn),
        metadata={
            "generator": f"playground {VERSION}",
            "seed": of.seed,
            "split": of.split,
            "index": place,
            "background": drawn.background,
            "events": list(drawn.events),
            "hidden": [round(s.hidden, 3) for s in drawn.shown],
            "amodal": [[round(v, 2) for v in s.full] for s in drawn.shown],
            "dropped": list(drawn.dropped),
        },
    )


def _lines(drawn: Drawn) -> tuple[TextLine, ...]:
    result = []
    for _, word, corners in drawn.words:
        (left, top), (right, bottom) = corners[0], corners[2]
        result.append(TextLine(word, (left, top, right, bottom), tuple(corners)))
    return tuple(result)

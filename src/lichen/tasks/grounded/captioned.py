"""`Captioned`: the captions of some scenes, parsed, and what is known of the boxes of their phrases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...language.phrases import Parsed, Span, parse
from ...scene import Phrase, Scene
from .config import GroundConfig
from .nouns import class_named, noun_table

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Captioned:
    """One caption of a scene."""

    picture: int
    """Place of its scene among those that were read."""
    number: int
    """Of the caption in its scene."""
    parsed: Parsed
    truths: tuple[tuple[Box, ...], ...]
    """Annotated boxes of each phrase, in the scene's pixels; none where nothing is known."""
    kinds: tuple[str | None, ...]
    """Class of what each phrase means, for results by class."""


def read_captions(scenes: Sequence[Scene], config: GroundConfig, measured: bool) -> list[Captioned]:
    """The captions that have a phrase.

    Args:
        scenes: with captions.
        config: whose phrases are taken.
        measured: True where they are measured: then phrases are the annotated ones, or, with truths = "labels", those
            that the project's own parser finds.
    """
    truths = _annotated if config.truths == "annotations" else _labelled(scenes)
    found = []
    for place, scene in enumerate(scenes):
        for number, caption in enumerate(scene.captions):
            if not caption.strip():
                continue
            parsed = _parsed(scene, number, config, measured)
            if parsed.spans:
                boxes, kinds = truths(scene, number, parsed)
                found.append(Captioned(place, number, parsed, boxes, kinds))
    return found


def _parsed(scene: Scene, number: int, config: GroundConfig, measured: bool) -> Parsed:
    caption = scene.captions[number]
    annotated = config.phrases == "annotated" or (measured and config.truths == "annotations")
    if annotated and (known := _spans(scene, number)):
        return parse(caption, known)
    if annotated and scene.phrases:
        # Others of its captions have phrases, so this one has none.
        return parse(caption, [])
    return parse(caption, parser="scenegraphparser" if config.phrases == "scenegraphparser" else "rules")


def _spans(scene: Scene, number: int) -> list[Span]:
    """Annotated phrases of a caption, from left to right; of two that overlap the first."""
    found: list[Span] = []
    for start, end in sorted({(each.start, each.end) for each in scene.phrases if each.caption == number}):
        if not found or start >= found[-1][1]:
            found.append((start, end))
    return found


Truths = tuple[tuple[tuple[Box, ...], ...], tuple[str | None, ...]]


def _annotated(scene: Scene, number: int, parsed: Parsed) -> Truths:
    """Boxes of the entities that annotated phrases name."""
    known: dict[Span, Phrase] = {}
    for each in scene.phrases:
        if each.caption == number and (span := _words_of(parsed, each)):
            known.setdefault(span, each)
    boxes, kinds = [], []
    for span in parsed.spans:
        places = known[span].entities if span in known else ()
        things = [scene.entities[place] for place in places]
        boxes.append(tuple(thing.box for thing in things if thing.box is not None))
        kinds.append(next((thing.label for thing in things if thing.label), None))
    return tuple(boxes), tuple(kinds)


def _words_of(parsed: Parsed, phrase: Phrase) -> Span | None:
    """A phrase as its words stand, without blanks and halves of words at its ends; None where it holds none."""
    inside = [word for word in parsed.words if word.end > phrase.start and word.start < phrase.end]
    return (inside[0].start, inside[-1].end) if inside else None


def _labelled(scenes: Sequence[Scene]) -> Callable[[Scene, int, Parsed], Truths]:
    """All boxes of the class that a phrase's noun names."""
    table = noun_table(sorted({thing.label for scene in scenes for thing in scene.entities if thing.label}))

    def truths(scene: Scene, number: int, parsed: Parsed) -> Truths:
        kinds = tuple(class_named(phrase, table) for phrase in parsed.phrases)
        boxes = tuple(
            tuple(thing.box for thing in scene.entities if thing.box is not None and kind and thing.label == kind)
            for kind in kinds
        )
        return boxes, kinds

    return truths


@dataclass(frozen=True, eq=False)
class Answers:
    """Annotated boxes of phrases, flat."""

    boxes: Float[Tensor, "boxes 4"]
    phrase: Int[Tensor, " boxes"]
    """Which phrase each belongs to, among those that are measured."""
    measured: Int[Tensor, " measured"]
    """Numbers of the phrases, among all, that have a box."""
    kinds: tuple[str | None, ...]
    """Of the measured phrases."""

    @classmethod
    def of(cls, captions: Sequence[Captioned]) -> Answers:
        """Of the phrases of some captions, in their order."""
        boxes: list[Box] = []
        owner: list[int] = []
        measured: list[int] = []
        kinds: list[str | None] = []
        every = [(own, kind) for each in captions for own, kind in zip(each.truths, each.kinds, strict=True)]
        for number, (own, kind) in enumerate(every):
            if own:
                boxes += own
                owner += [len(measured)] * len(own)
                measured.append(number)
                kinds.append(kind)
        table = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
        return cls(table, torch.tensor(owner).long(), torch.tensor(measured).long(), tuple(kinds))

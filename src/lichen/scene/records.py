"""What a scene is made of: things, what they do to each other, words about them, solids and moving boxes.

Boxes are left, top, right, bottom in pixels of the picture, x to the right and y down; edges lie between pixels, so a
full picture is (0, 0, width, height). A score is a confidence from 0 to 1 of a prediction, None for an annotation.
One record points to another by its place in the scene: `Relation.subject` 2 is `scene.entities[2]`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from . import check as to
from .check import Box, Checker, Plane, Point, Rotation, Triple
from .record import Record

_SCORE = to.optional(to.number)


@dataclass(frozen=True)
class Label(Record):
    """What a whole sample is, by name."""

    name: str
    score: float | None = None
    """Confidence from 0 to 1 of a prediction, cosine of what a search found; None for an annotation."""

    essence: ClassVar[str] = "a name, as text"
    checks: ClassVar[Mapping[str, Checker]] = {"name": to.text, "score": _SCORE}

    def to_dict(self) -> dict[str, Any]:
        """Name and score; the score also where it is None."""
        return {"name": self.name, "score": self.score}


@dataclass(frozen=True)
class Entity(Record):
    """One thing in the picture, or one that is only spoken of."""

    label: str | None
    """Its class; None where nobody said."""
    box: Box | None = None
    score: float | None = None
    attributes: tuple[str, ...] = ()
    """Such as "red", "striped"."""
    id: str | None = None
    """The source's name for it. Several boxes of one thing share it."""

    essence: ClassVar[str] = "a label or a box, in an object"
    checks: ClassVar[Mapping[str, Checker]] = {
        "label": to.optional(to.text),
        "box": to.optional(to.box),
        "score": _SCORE,
        "attributes": to.texts,
        "id": to.optional(to.text),
    }


@dataclass(frozen=True)
class Relation(Record):
    """One entity does something to another, or stands somewhere to it: person, riding, horse."""

    subject: int
    """Place in `scene.entities`."""
    predicate: str
    object: int
    """Place in `scene.entities`."""
    score: float | None = None

    essence: ClassVar[str] = "a subject, a predicate and an object: number, text, number"
    checks: ClassVar[Mapping[str, Checker]] = {
        "subject": to.whole,
        "predicate": to.text,
        "object": to.whole,
        "score": _SCORE,
    }


@dataclass(frozen=True)
class Phrase(Record):
    """A part of a caption and the entities that it speaks of."""

    caption: int
    """Place in `scene.captions`."""
    start: int
    """Its first character."""
    end: int
    """One past its last character: `scene.captions[caption][start:end]`."""
    entities: tuple[int, ...] = ()
    """Places in `scene.entities`; empty where the phrase has no box."""
    score: float | None = None

    essence: ClassVar[str] = "a caption, a start and an end, as whole numbers"
    checks: ClassVar[Mapping[str, Checker]] = {
        "caption": to.whole,
        "start": to.whole,
        "end": to.whole,
        "entities": to.wholes,
        "score": _SCORE,
    }


@dataclass(frozen=True)
class Expression(Record):
    """A referring expression: words that single out one entity."""

    text: str
    entity: int
    """Place in `scene.entities`."""
    score: float | None = None

    essence: ClassVar[str] = "a text and an entity (a number)"
    checks: ClassVar[Mapping[str, Checker]] = {"text": to.text, "entity": to.whole, "score": _SCORE}


@dataclass(frozen=True)
class Question(Record):
    """A question about the picture with its answers."""

    text: str
    answers: tuple[str, ...] = ()
    """One, or those of several people, repeats included; best first where they are predicted."""
    kind: str | None = None
    """Such as "yes/no", "count"."""
    entities: tuple[int, ...] = ()
    """Places in `scene.entities` that the answer rests on."""

    essence: ClassVar[str] = "a text"
    checks: ClassVar[Mapping[str, Checker]] = {
        "text": to.text,
        "answers": to.texts,
        "kind": to.optional(to.text),
        "entities": to.wholes,
    }


@dataclass(frozen=True)
class TextLine(Record):
    """A line of letters that can be read in the picture."""

    text: str
    box: Box
    polygon: tuple[Point, ...] = ()
    """Its outline where the box is too coarse: points in pixels, from the top left clockwise in reading direction."""
    score: float | None = None

    essence: ClassVar[str] = "a text and a box"
    checks: ClassVar[Mapping[str, Checker]] = {
        "text": to.text,
        "box": to.box,
        "polygon": to.many(to.point, "a list of points"),
        "score": _SCORE,
    }


_IDENTITY: Rotation = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


@dataclass(frozen=True)
class Solid(Record):
    """A cuboid, one part of an object, in the object's coordinates: x to its own right, y to its front, z up."""

    centre: Triple
    size: Triple
    """Full lengths along its own axes."""
    rotation: Rotation = _IDENTITY
    """3×3 by rows; its columns are the own axes in the world, so a corner lies at centre + rotation · (±size / 2)."""
    part: str | None = None
    """Such as "leg", "seat"."""
    mirror: Plane | None = None
    """Plane n·x = offset about which the object is symmetric: the reflection belongs to it too, listed or not."""
    score: float | None = None

    essence: ClassVar[str] = "a centre and a size, three numbers each"
    checks: ClassVar[Mapping[str, Checker]] = {
        "centre": to.triple,
        "size": to.triple,
        "rotation": to.rotation,
        "part": to.optional(to.text),
        "mirror": to.optional(to.plane),
        "score": _SCORE,
    }


@dataclass(frozen=True)
class Track(Record):
    """One thing through the frames of a clip."""

    boxes: tuple[Box | None, ...]
    """One a frame; None where it is out of sight."""
    label: str | None = None
    score: float | None = None
    entity: int | None = None
    """Place in `scene.entities`, where the thing has one."""

    essence: ClassVar[str] = "boxes, one a frame"
    checks: ClassVar[Mapping[str, Checker]] = {
        "boxes": to.many(to.optional(to.box), "a list of boxes"),
        "label": to.optional(to.text),
        "score": _SCORE,
        "entity": to.optional(to.whole),
    }

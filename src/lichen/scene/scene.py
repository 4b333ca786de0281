"""`Scene`: the one record of all that is known of an image, a clip, a text or an object, annotated or predicted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from jaxtyping import Float64

from ..errors import InputError, nearest
from . import check as to
from .check import Checker
from .record import Record, defaults
from .records import Entity, Expression, Label, Phrase, Question, Relation, Solid, TextLine, Track
from .references import check_meaning

if TYPE_CHECKING:
    from PIL import Image


PARTS: Mapping[str, type[Record]] = {
    "labels": Label,
    "entities": Entity,
    "relations": Relation,
    "phrases": Phrase,
    "expressions": Expression,
    "questions": Question,
    "lines": TextLine,
    "solids": Solid,
    "tracks": Track,
}
"""Fields that hold records."""


@dataclass(frozen=True)
class Scene(Record):
    """One sample: what it is made of, and what is known of it."""

    id: str
    """Unique within its data set."""
    image: str | None = None
    """Path of the picture; None where there is none, or where the data set holds the pixels itself."""
    text: str | None = None
    """The text that the sample is; None for pictures."""
    size: tuple[int, int] | None = None
    """Width and height of the picture in pixels, in which all boxes are counted."""
    captions: tuple[str, ...] = ()
    """Sentences that describe the sample."""
    labels: tuple[Label, ...] = ()
    """Classes of the whole sample: one, or several where a task allows it."""
    entities: tuple[Entity, ...] = ()
    """Things. Other records name them by their places here."""
    relations: tuple[Relation, ...] = ()
    phrases: tuple[Phrase, ...] = ()
    """Parts of captions, tied to entities."""
    expressions: tuple[Expression, ...] = ()
    """Words that single out one entity."""
    questions: tuple[Question, ...] = ()
    lines: tuple[TextLine, ...] = ()
    """Text that can be read in the picture."""
    solids: tuple[Solid, ...] = ()
    """Cuboids that an object is made of."""
    tracks: tuple[Track, ...] = ()
    """Boxes that move through a clip."""
    frames: tuple[str, ...] = ()
    """Paths of a clip's frames, in order."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Anything else that can be written as JSON."""

    essence: ClassVar[str] = "an id, as text"
    checks: ClassVar[Mapping[str, Checker]] = {
        "id": to.text,
        "image": to.optional(to.text),
        "text": to.optional(to.text),
        "size": to.optional(to.picture_size),
        "captions": to.texts,
        **{name: to.many(kind.from_dict) for name, kind in PARTS.items()},
        "frames": to.texts,
        "metadata": to.mapping,
    }

    @classmethod
    def from_dict(cls, values: Any, where: str = "") -> Scene:
        """The inverse of `to_dict`. It checks types; whether numbers make sense is what `validate` asks.

        Raises:
            InputError: an unknown field (the nearest is named), no id, or a value of the wrong type.
        """
        if not isinstance(values, Mapping):
            raise InputError(f"A Scene is an object; got {to.shown(values)}.")
        known = defaults(cls)
        for name in values:
            if name not in known:
                raise InputError(f"A Scene has no field {name!r}. {nearest(str(name), known)}")
        id = values.get("id")
        if not isinstance(id, str):
            raise InputError(f"A Scene needs an id, as text; got {to.shown(id)}.")
        found = {}
        for name, check in cls.checks.items():
            value = values.get(name)
            if value is None:
                continue
            try:
                found[name] = check(value, name)
            except InputError as error:
                raise _in_scene(error, id, name) from error
        return cls(**found)

    def check(self, where: str) -> None:
        """Check the type of every value, those of all parts included.

        Raises:
            InputError: a value is of the wrong type; the message begins with its place.
        """
        for name, check in self.checks.items():
            value = getattr(self, name)
            if name not in PARTS:
                check(value, name)
                continue
            for number, record in enumerate(to.sequence(value, name)):
                if not isinstance(record, PARTS[name]):
                    raise InputError(
                        f"{name}[{number}] must be of type {PARTS[name].__name__}; got {to.shown(record)}."
                    )
                record.check(f"{name}[{number}]")

    def validate(self) -> Scene:
        """Check types and meaning: boxes that are boxes, references that lead somewhere, scores from 0 to 1.

        Returns:
            The scene itself.

        Raises:
            InputError: the message names the scene, the field and its value.
        """
        try:
            self.check("")
            check_meaning(self)
        except InputError as error:
            raise InputError(f"Scene {self.id!r}: {error}") from error
        return self

    @property
    def boxes(self) -> Float64[np.ndarray, "entities 4"]:
        """Boxes of all entities (left, top, right, bottom in pixels), NaN where an entity has none."""
        none = (np.nan,) * 4
        rows = [none if entity.box is None else entity.box for entity in self.entities]
        return np.array(rows, np.float64).reshape(-1, 4)

    @property
    def phrases_of_one(self) -> list[tuple[str, int]]:
        """Words of captions that mean one entity alone, with its place; each pair once, in the order of the phrases."""
        found = (
            (self.captions[each.caption][each.start : each.end], each.entities[0])
            for each in self.phrases
            if len(each.entities) == 1
        )
        return list(dict.fromkeys(found))

    def to_json(self) -> str:
        """One JSON object, on one line.

        Raises:
            InputError: a value that JSON cannot hold (NaN, an infinity, an array); the message names its place.
        """
        try:
            to.mapping(self.metadata, "metadata")
            return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False)
        except InputError as error:
            raise InputError(f"Scene {self.id!r}: {error}") from error
        except (TypeError, ValueError, RecursionError) as error:
            self.validate()
            raise InputError(f"Scene {self.id!r} cannot be written as JSON: {error}.") from error

    @classmethod
    def from_json(cls, text: str) -> Scene:
        """The inverse of `to_json`.

        Raises:
            InputError: not a JSON object, or not one of a Scene.
        """
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError(f"A Scene is one JSON object; this is not JSON: {error}.") from error
        if not isinstance(values, dict):
            raise InputError(f"A Scene is one JSON object; got a {type(values).__name__}.")
        return cls.from_dict(values)

    def draw(self, picture: Image.Image | None = None, **options: Any) -> Image.Image:
        """All that is known of the scene as one picture, see `lichen.scene.drawing.draw`.

        Args:
            picture: the picture itself; without it `image` is opened.
            **options: fields of `lichen.scene.drawing.DrawConfig`.

        Raises:
            InputError: the picture cannot be opened, or the scene does not hold together.
        """
        from .drawing import draw

        return draw(self, picture, **options)


def _in_scene(error: InputError, id: str, name: str) -> InputError:
    """The same error, with the scene named: within the sentence for a field, before it for a place below one."""
    message = str(error)
    start = f"{name} "
    if message.startswith(start):
        return InputError(f"The {name} of scene {id!r} {message[len(start) :]}")
    return InputError(f"Scene {id!r}: {message}")

"""`Scene`: the one record of all that is known of an image, a text or an object, annotated or predicted.

Plain dataclasses without torch, so that readers, tasks and drawings can share them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from .errors import InputError, nearest


@dataclass(frozen=True)
class Label:
    """What a whole sample is, by name."""

    name: str
    score: float | None = None
    """Confidence from 0 to 1 of a prediction; None for an annotation."""


@dataclass(frozen=True)
class Scene:
    """One sample: what it is made of, and what is known of it."""

    id: str
    """Unique within its data set."""
    image: str | None = None
    """Path of the picture; None where there is none, or where the data set holds the pixels itself."""
    text: str | None = None
    """The text that the sample is; None for pictures."""
    captions: tuple[str, ...] = ()
    """Sentences that describe the sample."""
    labels: tuple[Label, ...] = ()
    """Classes of the whole sample: one, or several where a task allows it."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Anything else that can be written as JSON."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values under their field names; fields at their defaults are left out."""
        values = asdict(self)
        return {item.name: values[item.name] for item in fields(self) if values[item.name] not in (None, (), {})}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Scene:
        """The inverse of `to_dict`.

        Raises:
            InputError: an unknown field (the nearest is named), or no id.
        """
        names = {item.name for item in fields(cls)}
        for name in values:
            if name not in names:
                raise InputError(f"A Scene has no field {name!r}. {nearest(name, names)}")
        if not isinstance(values.get("id"), str):
            raise InputError(f"A Scene needs an id, as text; got {values.get('id')!r}.")
        labels = tuple(Label(**label) for label in values.get("labels", ()))
        return cls(**{**values, "labels": labels, "captions": tuple(values.get("captions", ()))})

    def to_json(self) -> str:
        """One JSON object, on one line."""
        return json.dumps(self.to_dict(), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Scene:
        """The inverse of `to_json`.

        Raises:
            InputError: not a JSON object, or not one of a Scene.
        """
        try:
            values = json.loads(text)
        except ValueError as error:
            raise InputError(f"A Scene is one JSON object; this is not JSON: {error}.") from error
        if not isinstance(values, dict):
            raise InputError(f"A Scene is one JSON object; got a {type(values).__name__}.")
        return cls.from_dict(values)

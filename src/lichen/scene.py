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

    @classmethod
    def from_dict(cls, values: Any) -> Label:
        """A label from a mapping of its field names to plain values.

        Raises:
            InputError: it has no name, an unknown field, or a score that is no number.
        """
        if not isinstance(values, Mapping) or not isinstance(values.get("name"), str):
            raise InputError(f"A Label needs a name, as text; got {values!r}.")
        for name in values:
            if name not in ("name", "score"):
                raise InputError(f"A Label has no field {name!r}. {nearest(name, ('name', 'score'))}")
        score = values.get("score")
        if score is not None and (isinstance(score, bool) or not isinstance(score, int | float)):
            raise InputError(f"The score of label {values['name']!r} must be a number; got {score!r}.")
        return cls(values["name"], None if score is None else float(score))


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
            InputError: an unknown field (the nearest is named), no id, or a value of the wrong type.
        """
        names = {item.name for item in fields(cls)}
        for name in values:
            if name not in names:
                raise InputError(f"A Scene has no field {name!r}. {nearest(name, names)}")
        if not isinstance(values.get("id"), str):
            raise InputError(f"A Scene needs an id, as text; got {values.get('id')!r}.")
        for name in ("image", "text"):
            if not isinstance(values.get(name), str | None):
                raise InputError(f"The {name} of scene {values['id']!r} must be text; got {values[name]!r}.")
        captions, labels, metadata = (values.get(name) or () for name in ("captions", "labels", "metadata"))
        if not isinstance(captions, list | tuple) or not all(isinstance(caption, str) for caption in captions):
            raise InputError(f"The captions of scene {values['id']!r} must be a list of texts; got {captions!r}.")
        if not isinstance(labels, list | tuple):
            raise InputError(f"The labels of scene {values['id']!r} must be a list; got {labels!r}.")
        if metadata and not isinstance(metadata, Mapping):
            raise InputError(f"The metadata of scene {values['id']!r} must be an object; got {metadata!r}.")
        changed = {
            "captions": tuple(captions),
            "labels": tuple(Label.from_dict(label) for label in labels),
            "metadata": dict(metadata),
        }
        return cls(**{**values, **changed})

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

"""`Pairs`: people, objects and what they do to each other, while a scene of HICO-DET or V-COCO is read."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import PurePosixPath
from typing import Any

from ...scene import Relation, Scene
from .boxes import Size, to_box
from .problems import Problems
from .things import Things

PERSON = "person"


class Pairs(Things):
    """Entities that are told apart by class and box: the same person in two interactions is one entity."""

    def __init__(self, problems: Problems, size: Size | None) -> None:
        super().__init__(problems)
        self.size = size
        self.relations: list[Relation] = []

    def find(self, label: str, values: Any, form: str, where: object) -> int | None:
        """The entity with this box, added if need be; None if the box cannot be used, which is noted."""
        key: Hashable = (label, tuple(values)) if isinstance(values, list | tuple) and _plain(values) else None
        if key is not None and key in self:
            return self.get(key)
        box = to_box(values, form, self.size, self.problems, where)
        if box is None:
            if key is not None:
                self.lose(key)
            return None
        return self.add(key, label, box)

    def pair(self, subject: int | None, predicate: str, object: int | None, where: object) -> None:
        """Add what a person does to an object; one that was left out is noted."""
        if subject is None or object is None:
            self.problems.add("lost with its box", where, f"{predicate!r}: its person or its object was left out")
        else:
            self.relations.append(Relation(subject, predicate, object))


def pair_scene(name: str, path: str, pairs: Pairs, split: str, **metadata: Any) -> Scene:
    """The scene of a picture of this name, which lies at this path."""
    return Scene(
        PurePosixPath(name).stem or name,
        image=path,
        size=pairs.size,
        entities=tuple(pairs.entities),
        relations=tuple(pairs.relations),
        metadata={**metadata, **({"split": split} if split else {})},
    )


def _plain(values: Any) -> bool:
    return all(isinstance(value, int | float) for value in values)

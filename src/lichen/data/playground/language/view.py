"""`View`: a picture as those who talk about it see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from ..drawing.canvas import Point

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class View:
    """What can be seen."""

    labels: Sequence[str]
    attributes: Sequence[tuple[str, ...]]
    boxes: Sequence[Box]
    """In pixels."""
    relations: Sequence[tuple[int, str, int]]
    events: Sequence[int]
    """Places in `relations` of what happens, the main event first."""
    background: str
    width: float
    height: float
    words: Sequence[tuple[int, str, Sequence[Point]]] = ()
    """Signs: entity, word, corners."""
    unsure: frozenset[str] = frozenset()
    """Classes of which there is one that is all but hidden or tiny: whether it counts is a matter of opinion."""

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def does(self) -> list[list[tuple[str, int]]]:
        """By entity: what it does to whom."""
        result: list[list[tuple[str, int]]] = [[] for _ in self.labels]
        for subject, predicate, thing in self.relations:
            result[subject].append((predicate, thing))
        return result

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many there are of each class."""
        result: dict[str, int] = {}
        for label in self.labels:
            result[label] = result.get(label, 0) + 1
        return result

    def middle(self, entity: int) -> tuple[float, float]:
        """Centre of its box."""
        left, top, right, bottom = self.boxes[entity]
        return (left + right) / 2, (top + bottom) / 2

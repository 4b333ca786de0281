"""`Things`: the entities of one scene while it is read, found again by the ids that the file gives them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from ...scene import Box, Entity
from .problems import Problems, shown


class Things:
    """Entities in the order of the file, each once."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.entities: list[Entity] = []
        self._places: dict[Hashable, int] = {}
        self._lost: set[Hashable] = set()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._places or key in self._lost

    def add(
        self,
        key: Hashable,
        label: str | None,
        box: Box | None,
        *,
        id: str | None = None,
        attributes: Iterable[str] = (),
    ) -> int:
        """Add an entity and return its place.

        Args:
            key: what the file calls it.
            label, box, id, attributes: of the entity; attributes that repeat are taken once.
        """
        self._places[key] = len(self.entities)
        self.entities.append(Entity(label, box, attributes=tuple(dict.fromkeys(attributes)), id=id))
        return self._places[key]

    def also(self, key: Hashable, place: int) -> None:
        """Another key for an entity that is there."""
        self._places.setdefault(key, place)

    def lose(self, key: Hashable) -> None:
        """Remember an entity that was left out since its box, or its class, could not be used; that was noted."""
        self._lost.add(key)

    def get(self, key: Hashable) -> int | None:
        """The place of an entity, if it is there."""
        return self._places.get(key)

    def place(self, key: Hashable, where: object, what: str) -> int | None:
        """The place of an entity that something refers to; None if it is not there, which is noted.

        Args:
            key: what the file calls it.
            where: what refers to it, for notes.
            what: what it is there, such as "subject".
        """
        if key in self._places:
            return self._places[key]
        if key in self._lost:
            self.problems.add("lost with its box", where, f"its {what} {shown(key)} was left out")
        else:
            self.problems.add("unknown reference", where, f"its {what} {shown(key)} is not there")
        return None

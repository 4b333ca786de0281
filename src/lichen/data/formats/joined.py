"""`Joined`: several files with one record an image, read side by side.

The files of Visual Genome hold the same images in the same order, gigabytes in all. Each is read once, only as far as
the image that is asked for; where a file has another order, the records that came too early wait in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .fields import Fields
from .json_stream import elements
from .problems import Problems


class Joined:
    """The records of one file, by image id."""

    def __init__(self, path: Path | None, problems: Problems, keys: Sequence[str]) -> None:
        """
        Args:
            path: a JSON list of objects; None for a file that is not there.
            problems: where everything wrong is noted.
            keys: names under which an object may hold its image's id; the first that is there counts.
        """
        self.problems = problems
        self.keys = keys
        self.name = "" if path is None else path.name
        self._rest: Iterator[tuple[int, Any]] = iter(()) if path is None else enumerate(elements(path))
        self._waiting: dict[str, Fields] = {}
        self._taken: set[str] = set()

    def take(self, image: str) -> Fields | None:
        """The record of an image, or None. Each is handed out once."""
        found = self._waiting.pop(image, None)
        while found is None:
            fields = self._next()
            if fields is None:
                return None
            id, record = fields
            if id == image:
                found = record
            else:
                self._waiting[id] = record
        return found

    def rest(self) -> Iterator[tuple[str, Fields]]:
        """The records that nobody asked for, with the ids of their images."""
        yield from self._waiting.items()
        while (fields := self._next()) is not None:
            yield fields

    def _next(self) -> tuple[str, Fields] | None:
        """The next record that has an id which was not there before."""
        for number, value in self._rest:
            fields = Fields(value, self.problems, self.name, "", number)
            key = next((key for key in self.keys if key in fields.values), self.keys[0])
            id = fields.id(key)
            if id is None:
                continue
            if id in self._taken:
                fields.note("duplicate id", f"image {id} is there twice")
                continue
            self._taken.add(id)
            return id, fields
        return None

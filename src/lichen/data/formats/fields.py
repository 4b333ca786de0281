"""`Fields`: one record of an annotation file, whose values are handed out only if they are what they should be.

Annotation files come from strangers. Anything may stand anywhere in them: a reader asks for a text and gets a text or
None, and what was wrong is in the `Problems`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import InputError, nearest
from .boxes import Size, clean_size
from .json_stream import lists
from .problems import Problems, shown

LONGEST_ID = 200
"""Characters of an id."""
_DIGITS = 19
"""Of whole numbers that every reader of JSON understands."""


def to_text(value: Any) -> str | None:
    """A text without blanks around it; None if it is none, or blank, or cannot be written as UTF-8."""
    if not isinstance(value, str):
        return None
    text = value.strip()
    try:
        text.encode()
    except UnicodeEncodeError:
        return None
    return text or None


def to_number(value: Any) -> float | None:
    """A finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def to_whole(value: Any) -> int | None:
    """A whole number, also one that is written with a point; or None."""
    number = to_number(value)
    if number is None or not number.is_integer():
        return None
    return value if isinstance(value, int) else int(number)


def parsed(text: str | None) -> Any:
    """The number that a text is, or the text itself, so that a note can show it."""
    try:
        return float(text or "")
    except ValueError:
        return text


def to_id(value: Any) -> str | None:
    """A whole number or a text as the text that stands for it everywhere: 7, 7.0 and "7" are one id."""
    whole = to_whole(value)
    text = to_text(value) if whole is None else str(whole)
    return None if text is None or len(text) > LONGEST_ID else text


def id_value(id: str) -> int | str:
    """An id as a number, where it is one that files write as a number."""
    return int(id) if id.isascii() and id.isdecimal() and len(id) < _DIGITS else id


class Fields:
    """One object of a JSON file."""

    __slots__ = ("name", "number", "parent", "problems", "values")

    def __init__(
        self, values: Any, problems: Problems, parent: object, name: str = "", number: int | str | None = None
    ) -> None:
        """
        Args:
            values: what should be a mapping. Anything else is noted and taken for an empty one.
            problems: where everything wrong is noted.
            parent: what the record stands in: a file's name, or other fields.
            name: of the list or member that it is.
            number: its place in that list.
        """
        self.problems = problems
        self.parent = parent
        self.name = name
        self.number = number
        self.values: Mapping[str, Any] = values if isinstance(values, Mapping) else {}
        if not isinstance(values, Mapping):
            self.note("wrong value", f"expected an object, got {shown(values)}")

    def __str__(self) -> str:
        number = "" if self.number is None else f"[{self.number}]"
        if not self.name:
            return f"{self.parent}{number}"
        inside = isinstance(self.parent, Fields) and (self.parent.name or self.parent.number is not None)
        glue = "." if inside else ": "
        return f"{self.parent}{glue}{self.name}{number}"

    def note(self, kind: str, what: str) -> None:
        """Note a problem of this record."""
        self.problems.add(kind, self, what)

    def _taken(self, name: str, value: Any, what: str, needed: bool) -> Any:
        """`value`, after a note if it is None although something, or something needed, stood there."""
        if value is None and (needed or self.values.get(name) is not None):
            found = shown(self.values[name]) if name in self.values else "nothing"
            self.note("wrong value", f"no usable {name!r}: expected {what}, got {found}")
        return value

    def text(self, name: str, *, needed: bool = True) -> str | None:
        """A text, without blanks around it."""
        value = self.values.get(name)
        if not needed and value == "":
            return None
        return self._taken(name, to_text(value), "a text", needed)

    def id(self, name: str, *, needed: bool = True) -> str | None:
        """A whole number or text, as text."""
        return self._taken(name, to_id(self.values.get(name)), "a whole number or text", needed)

    def number_of(self, name: str, *, needed: bool = True) -> float | None:
        """A finite number."""
        return self._taken(name, to_number(self.values.get(name)), "a number", needed)

    def whole(self, name: str, *, needed: bool = True) -> int | None:
        """A whole number."""
        return self._taken(name, to_whole(self.values.get(name)), "a whole number", needed)

    def flag(self, name: str) -> bool:
        """True or 1; False where it is absent."""
        value = self.values.get(name)
        found = bool(value) if value is None or (isinstance(value, int | float) and value in (0, 1)) else None
        return bool(self._taken(name, found, "true or false", needed=False))

    def size(self, width: str = "width", height: str = "height", *, needed: bool = False) -> Size | None:
        """Width and height of a picture in pixels."""
        stored = self.values.get(width), self.values.get(height)
        size = clean_size(*(to_whole(value) for value in stored))
        if size is None and (needed or any(value is not None for value in stored)):
            self.note("wrong value", f"no usable {width} and {height}: got {shown(stored)}")
        return size

    def listed_size(self, name: str) -> Size | None:
        """Width and height of a picture in pixels, from a list of the two."""
        value = self.values.get(name)
        size = clean_size(*map(to_whole, value)) if isinstance(value, list | tuple) and len(value) == 2 else None
        return self._taken(name, size, "a list of width and height", needed=True)

    def numbers(self, name: str, count: int, *, needed: bool = True) -> list[float] | None:
        """So many finite numbers, in one list or in lists of rows."""
        value = self.values.get(name)
        rows = value if isinstance(value, list) else []
        flat = [item for row in rows for item in (row if isinstance(row, list) else [row])]
        found = [number for item in flat if (number := to_number(item)) is not None]
        return self._taken(name, found if len(found) == len(flat) == count else None, f"{count} numbers", needed)

    def items(self, name: str, *, needed: bool = True) -> Sequence[Any]:
        """A list; an empty one where it is absent."""
        value = self.values.get(name)
        found = value if isinstance(value, list | tuple) else None
        return self._taken(name, found, "a list", needed) or ()

    def texts(self, name: str, *, needed: bool = True) -> list[str]:
        """The texts of a list."""
        result = []
        for number, value in enumerate(self.items(name, needed=needed)):
            text = to_text(value)
            if text is None:
                self.note("wrong value", f"{name}[{number}] is no text: {shown(value)}")
            else:
                result.append(text)
        return result

    def records(self, name: str, *, needed: bool = True) -> Iterator[Fields]:
        """The objects of a list."""
        for number, value in enumerate(self.items(name, needed=needed)):
            yield Fields(value, self.problems, self, name, number)

    def record(self, name: str, *, needed: bool = True) -> Fields | None:
        """An object."""
        value = self.values.get(name)
        if value is None and not needed:
            return None
        return Fields(value, self.problems, self, name)

    def members(self, name: str, *, needed: bool = True) -> Iterator[tuple[str, Fields]]:
        """The names and objects of an object of objects."""
        value = self.values.get(name)
        found = self._taken(name, value if isinstance(value, Mapping) else None, "an object", needed) or {}
        for key, item in found.items():
            yield str(key), Fields(item, self.problems, self, name, str(key))


def rows(values: Iterator[Any], problems: Problems, source: object, name: str = "") -> Iterator[Fields]:
    """The objects of a stream as `Fields`."""
    for number, value in enumerate(values):
        yield Fields(value, problems, source, name, number)


def listed(path: Path, name: str, problems: Problems) -> Iterator[Fields]:
    """The objects of the list of this name in a file that holds one object; all else in it is passed over.

    Raises:
        InputError: the file cannot be read, or has no such list.
    """
    seen: dict[str, bool] = {}
    for key, number, value in lists(path):
        seen[key] = number is not None or isinstance(value, list)
        if key == name and number is not None:
            yield Fields(value, problems, path.name, name, number)
    if not seen.get(name):
        hint = nearest(name, seen) if seen else "The file is empty."
        raise InputError(f"{str(path)!r} has no list {name!r}. {hint}")

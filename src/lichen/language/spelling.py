"""`Spelling`: the characters of a box that is written as text, `[50, 100, 200, 400]`, one by one."""

from __future__ import annotations

from typing import NamedTuple

from ..errors import InputError
from ..regions import Code

_NUMBER, _BLANK = "number", "blank"
_WHOLE = -1
"""A number that takes no more digits."""


class Place(NamedTuple):
    """How far a text has come."""

    part: int
    """Which part of the box comes next, or is being written."""
    number: int | None = None
    """The digits so far, as a number; `_WHOLE` where no digit may follow; None before the first."""


class Spelling:
    """Which character may come where. Numbers stay in range and have no leading zeros; blanks may be left out."""

    def __init__(self, code: Code) -> None:
        """The spelling of a code with brackets.

        Raises:
            InputError: nothing stands behind the last number, so nobody could say whether it is whole.
        """
        before, between, behind = code.frame
        if not behind.strip() or not between.strip():
            raise InputError(
                f"Boxes as text need something between numbers and behind the last one; the frame is {code.frame}."
            )
        parts = [_BLANK, *before.strip()]
        for number in range(code.length):
            parts += [*([_BLANK, *between.strip(), _BLANK] if number else [_BLANK]), _NUMBER]
        self._parts = (*parts, _BLANK, *behind.strip())
        self._count = code.count
        self._letters = {*"0123456789 ", *before, *between, *behind}
        self.start, self.end = Place(0), Place(len(self._parts))

    def knows(self, text: str) -> bool:
        """Whether a text has no other characters than boxes have."""
        return self._letters.issuperset(text)

    def walk(self, place: Place, text: str) -> Place | None:
        """Where a text leads to; None where it cannot stand there, also because it goes on behind the box."""
        found: Place | None = place
        for letter in text:
            found = None if found is None else self._step(found, letter)
        return found

    def _step(self, place: Place, letter: str) -> Place | None:
        if place == self.end:
            return None
        part, behind = self._parts[place.part], Place(place.part + 1)
        if part == _NUMBER:
            if letter.isdigit():
                return self._digit(place, int(letter))
            return None if place.number is None else self._step(behind, letter)
        if part == _BLANK:
            return behind if letter == " " else self._step(behind, letter)
        return behind if letter == part else None

    def _digit(self, place: Place, digit: int) -> Place | None:
        if place.number == _WHOLE:
            return None
        value = (place.number or 0) * 10 + digit
        if value >= self._count:
            return None
        return Place(place.part, value if 0 < value * 10 < self._count else _WHOLE)

"""Checks of single values: each takes a value and the name of its place, and returns the value in its final form.

A place is written as one would in Python (`entities[2].box`), so that a message leads straight to what is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..errors import InputError

Checker = Callable[[Any, str], Any]

Box = tuple[float, float, float, float]
"""Left, top, right and bottom edge in pixels of the picture; x to the right, y down, edges between pixels."""
Point = tuple[float, float]
"""x and y in pixels, as in a box."""
Triple = tuple[float, float, float]
"""x (to the object's right), y (to its front) and z (up), in the units of the object."""
Rotation = tuple[float, float, float, float, float, float, float, float, float]
"""A 3×3 matrix by rows, whose columns are the solid's own axes seen from the world."""
Plane = tuple[float, float, float, float]
"""Unit normal n and offset of the plane n·x = offset."""

_LONG = 120
"""Characters of a value that a message repeats."""


def shown(value: Any) -> str:
    """A value as a message repeats it: its repr, cut where it grows long."""
    text = repr(value)
    return text if len(text) <= _LONG else f"{text[:_LONG]}…"


def text(value: Any, where: str) -> str:
    """Text that can be written as UTF-8."""
    if not isinstance(value, str):
        raise InputError(f"{where} must be text; got {shown(value)}.")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{where} holds half of a surrogate pair, which is no text; got {shown(value)}.") from error
    return value


def number(value: Any, where: str) -> float:
    """A finite number; whole ones become floats."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        hint = " Take its .item()." if hasattr(value, "item") else ""
        raise InputError(f"{where} must be a number; got {shown(value)}.{hint}")
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    if not math.isfinite(found):
        raise InputError(f"{where} must be a finite number; got {shown(value)}. Leave out what is not known.")
    return found


def whole(value: Any, where: str) -> int:
    """A whole number."""
    if isinstance(value, bool) or not isinstance(value, int):
        hint = " Take its .item()." if hasattr(value, "item") else ""
        raise InputError(f"{where} must be a whole number; got {shown(value)}.{hint}")
    return value


def optional(check: Checker) -> Checker:
    """The same check, for a value that may be None."""
    return lambda value, where: None if value is None else check(value, where)


def sequence(value: Any, where: str, what: str = "a list") -> Sequence[Any]:
    """A list or a tuple."""
    if not isinstance(value, list | tuple):
        raise InputError(f"{where} must be {what}; got {shown(value)}.")
    return value


def many(check: Checker, what: str = "a list") -> Checker:
    """A tuple whose items all pass the check."""

    def checked(value: Any, where: str) -> tuple[Any, ...]:
        return tuple(check(item, f"{where}[{n}]") for n, item in enumerate(sequence(value, where, what)))

    return checked


def texts(value: Any, where: str) -> tuple[str, ...]:
    """A tuple of texts."""
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise InputError(f"{where} must be a list of texts; got {shown(value)}.")
    return tuple(text(item, f"{where}[{n}]") for n, item in enumerate(value))


def numbers(count: int, what: str) -> Checker:
    """A tuple of exactly `count` finite numbers."""

    def checked(value: Any, where: str) -> tuple[float, ...]:
        if not isinstance(value, list | tuple) or len(value) != count:
            raise InputError(f"{where} must be {what}; got {shown(value)}.")
        return tuple(number(item, f"{where}[{n}]") for n, item in enumerate(value))

    return checked


box = numbers(4, "four numbers, left, top, right, bottom")
point = numbers(2, "two numbers, x and y")
triple = numbers(3, "three numbers, x, y, z")
rotation = numbers(9, "nine numbers, a 3×3 matrix by rows")
plane = numbers(4, "four numbers, a normal and an offset")
wholes = many(whole, "a list of whole numbers")


def picture_size(value: Any, where: str) -> tuple[int, int]:
    """Width and height."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise InputError(f"{where} must be two whole numbers, width and height; got {shown(value)}.")
    return whole(value[0], f"{where}[0]"), whole(value[1], f"{where}[1]")


def plain(value: Any, where: str) -> Any:
    """A value that JSON gives back as it was: no NaN, no infinity, no tuple, no key that is not text."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return text(value, where)
    if isinstance(value, float):
        return number(value, where)
    if isinstance(value, list):
        return [plain(item, f"{where}[{n}]") for n, item in enumerate(value)]
    if not isinstance(value, Mapping):
        raise InputError(f"{where} cannot be written as JSON: it is a {type(value).__name__}. Use a list, or text.")
    for key in value:
        if not isinstance(key, str):
            raise InputError(f"{where} has a key that is not text: {shown(key)}. JSON knows no other.")
    return {text(key, f"a key of {where}"): plain(item, f"{where}[{key!r}]") for key, item in value.items()}


def mapping(value: Any, where: str) -> dict[str, Any]:
    """An object that JSON gives back as it was."""
    if not isinstance(value, Mapping):
        raise InputError(f"{where} must be an object; got {shown(value)}.")
    return plain(value, where)

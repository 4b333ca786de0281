"""`Record`: what all parts of a scene share, to become plain values and to come from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from functools import cache
from typing import Any, ClassVar, TypeVar

from ..errors import InputError, nearest
from .check import Checker, shown

R = TypeVar("R", bound="Record")


class Record:
    """A frozen dataclass whose fields each have a check."""

    checks: ClassVar[Mapping[str, Checker]] = {}
    """By field name, in order."""
    essence: ClassVar[str] = ""
    """What none of them can do without, for messages."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values under their field names; fields at their defaults are left out."""
        values = ((name, getattr(self, name), default) for name, default in defaults(type(self)).items())
        return {name: _plain(value) for name, value, default in values if value is not None and value != default}

    @classmethod
    def from_dict(cls: type[R], values: Any, where: str = "") -> R:
        """The inverse of `to_dict`.

        Args:
            values: a mapping of field names to plain values.
            where: the record's place, such as `entities[2]`, for messages.

        Raises:
            InputError: an unknown field (the nearest is named), a missing one, or a value of the wrong type.
        """
        if not isinstance(values, Mapping):
            raise InputError(f"{_at(where)}{cls._needs()}; got {shown(values)}.")
        known = defaults(cls)
        for name in values:
            if name not in known:
                raise InputError(f"{_at(where)}{_article(cls)} has no field {name!r}. {nearest(str(name), known)}")
        found = {}
        for name, check in cls.checks.items():
            default = known[name]
            if name in values and not (values[name] is None and default is not MISSING):
                found[name] = check(values[name], place(where, name, values))
            elif default is MISSING:
                # Only a check that lets None pass does without the field.
                try:
                    found[name] = check(None, name)
                except InputError as error:
                    raise InputError(f"{_at(where)}{cls._needs()}; got {shown(values)}.") from error
        return cls(**found)

    def check(self, where: str) -> None:
        """Check the type of every value.

        Raises:
            InputError: a value is of the wrong type; the message begins with its place.
        """
        for name, check in self.checks.items():
            check(getattr(self, name), place(where, name, vars(self)))

    @classmethod
    def _needs(cls) -> str:
        return f"{_article(cls)} needs {cls.essence}"


def defaults(cls: type[Record]) -> Mapping[str, Any]:
    """Default of every field of a record by name; `MISSING` where there is none."""
    known: Any = cls
    return _defaults(known)


@cache
def _defaults(cls: Any) -> Mapping[str, Any]:
    made = {}
    for item in fields(cls):
        made[item.name] = item.default if item.default_factory is MISSING else item.default_factory()
    return made


def place(where: str, name: str, values: Mapping[str, Any]) -> str:
    """Name of a field for messages: where it stands, and what the record calls itself."""
    called = values.get("name", values.get("label"))
    return f"{where}.{name}".lstrip(".") + (f" of {called!r}" if isinstance(called, str) and where else "")


def _at(where: str) -> str:
    return f"{where}: " if where else ""


def _article(cls: type[Record]) -> str:
    return f"{'An' if cls.__name__[0] in 'AEIO' else 'A'} {cls.__name__}"


def _plain(value: Any) -> Any:
    """Records, tuples and mappings as dicts and lists, all the way down."""
    if isinstance(value, Record):
        return value.to_dict()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value

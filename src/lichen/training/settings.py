"""Turns tables of a TOML file into frozen dataclasses; unknown keys, wrong types and gaps are told in words."""

from __future__ import annotations

import json
import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from ..errors import InputError, nearest

T = TypeVar("T")
_NAMES = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


def build(kind: type[T], values: Any, where: str, homes: Mapping[str, str] | None = None) -> T:
    """An instance of a settings dataclass from plain values.

    Args:
        kind: a frozen dataclass whose fields are text, numbers, truth values, choices, tuples of these, or None.
        values: field names and values, lists for tuples.
        where: what messages call the table, such as "[train]".
        homes: where settings of other tables belong, by name: "lr" to "[train]".

    Raises:
        InputError: an unknown key (the nearest is named), a missing one, or a value of the wrong type.
    """
    if not isinstance(values, Mapping):
        raise InputError(f"{where} must be a table of settings; got {values!r}.")
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    for name in values:
        if name not in known:
            home = (homes or {}).get(name)
            advice = nearest(name, known) if home is None else f"It belongs in {home}."
            raise InputError(f"{where} has no setting {name!r}. {advice}")
    hints = get_type_hints(kind)
    missing = [name for name, field in known.items() if name not in values and _is_needed(field)]
    if missing:
        raise InputError(f"{where} lacks {', '.join(missing)}.")
    converted = {name: convert(value, hints[name], f"{where} {name}") for name, value in values.items()}
    try:
        return kind(**converted)
    except InputError as error:
        # A class speaks of its fields; who wrote the table knows that, and not the class.
        message = str(error)
        for base in kind.__mro__:
            message = message.replace(f"{base.__name__}.", f"{where} ")
        raise InputError(message) from error


def _is_needed(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def convert(value: Any, hint: Any, where: str) -> Any:
    """`value` as the type that `hint` asks for, where that loses nothing.

    Raises:
        InputError: it does not fit.
    """
    origin, choices = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _convert_any(value, choices, where, hint)
    if origin is Literal:
        if value not in choices:
            advice = nearest(value, choices) if isinstance(value, str) else f"Choose one of {list(choices)}."
            raise InputError(f"{where} = {value!r} is not known. {advice}")
        return value
    if origin is tuple:
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise InputError(f"{where} must be a list{_such_as(value)}; got {value!r}.")
        return tuple(convert(item, choices[0], where) for item in value)
    if origin is Mapping:
        if not isinstance(value, Mapping):
            raise InputError(f"{where} must be a table; got {value!r}.")
        return {name: convert(item, choices[1], f"{where}.{name}") for name, item in value.items()}
    if is_dataclass(hint) and isinstance(hint, type):
        table, _, name = where.strip("[").rpartition("] ")
        return build(hint, value, f"[{table}.{name}]")
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint in _NAMES and (not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool)):
        raise InputError(f"{where} must be {_NAMES[hint]}; got {value!r}.")
    return value


def _such_as(value: Any) -> str:
    """How a single value is written as a list; nothing where that is no answer."""
    return f", such as {json.dumps([value])}" if isinstance(value, str | int | float) else ""


def _convert_any(value: Any, choices: Sequence[Any], where: str, hint: Any) -> Any:
    """The first of several types that fits."""
    if value is None and type(None) in choices:
        return None
    kinds = [choice for choice in choices if choice is not type(None)]
    problem: InputError | None = None
    for kind in kinds:
        try:
            return convert(value, kind, where)
        except InputError as error:
            problem = problem or error
    if len(kinds) == 1 and problem is not None:
        raise problem
    raise InputError(f"{where} = {value!r} does not fit: expected {' or '.join(map(_describe, kinds))}.")


def _describe(hint: Any) -> str:
    if get_origin(hint) is tuple:
        return f"a list ({_describe(get_args(hint)[0])} each)"
    return _NAMES.get(hint, str(hint))


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Nested tables with some values replaced; tables are merged, everything else is exchanged."""
    result = dict(base)
    for name, value in changes.items():
        old = result.get(name)
        result[name] = merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result


def nested(path: str, value: Any) -> dict[str, Any]:
    """`{"a": {"b": value}}` for the path "a.b"."""
    for name in reversed(path.split(".")):
        value = {name: value}
    return dict(value)

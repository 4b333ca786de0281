"""Changes of a recipe's tables, by `--set` and by [smoke], before the tables are checked."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

from ..errors import InputError
from ..side.config import CONFIGS
from .settings import merge, nested


def parse_change(text: str) -> dict[str, Any]:
    """One `key=value` of the command line as a nested table; values as in TOML, text may go unquoted.

    Raises:
        InputError: there is no key or no equals sign.
    """
    key, equals, value = text.partition("=")
    if not equals or not all(name.strip() for name in key.split(".")):
        raise InputError(f"--set takes key=value, such as train.lr=0.01; got {text!r}.")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value.strip()
    return nested(key.replace(" ", ""), parsed)


def with_change(values: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Tables of a recipe with some settings replaced.

    A change of [backbone] or [side] reaches the [backbones.<part>] or [sides.<part>] of a recipe that has such. Where a
    change chooses another method, settings that it does not know go; where it sets steps, epochs go.
    """
    change = _for_all_parts(values, change)
    return merge(_without_strangers(_without_rival(values, change), change), change)


def _for_all_parts(values: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """A change of [backbone] or [side] as one of every [backbones.<part>] or [sides.<part>] that the recipe has."""
    result = dict(change)
    for key in ("backbone", "side"):
        parts = values.get(f"{key}s")
        if key in change and isinstance(parts, Mapping) and parts:
            result = merge(result, {f"{key}s": dict.fromkeys(parts, change[key])})
            if key not in values:
                del result[key]
    return result


def _without_strangers(values: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of side networks without those that a newly chosen method does not know: they were another's."""

    def kept(table: Any, new: Any) -> Any:
        method = new.get("method") if isinstance(new, Mapping) else None
        same = not isinstance(table, Mapping) or method == table.get("method")
        # What is no method at all is told of later.
        if same or not isinstance(method, str) or method not in CONFIGS:
            return table
        known = CONFIGS[method].__dataclass_fields__
        return {name: value for name, value in table.items() if name in known}

    result = dict(values)
    if "side" in values:
        result["side"] = kept(values["side"], change.get("side"))
    parts, new = values.get("sides"), change.get("sides")
    if isinstance(parts, Mapping) and isinstance(new, Mapping):
        result["sides"] = {part: kept(table, new.get(part)) for part, table in parts.items()}
    return result


def _without_rival(values: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Settings without epochs where steps are to be set, and the other way round: only one of them counts."""
    given = change.get("train")
    table = values.get("train")
    if not isinstance(given, Mapping) or not isinstance(table, Mapping):
        return dict(values)
    rivals = {"steps": "epochs", "epochs": "steps"}
    dropped = {rivals[name] for name in given if name in rivals}
    return {**values, "train": {name: value for name, value in table.items() if name not in dropped}}

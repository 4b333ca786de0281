"""Files with something wrong in them, anywhere: a seeded mutator of JSON values, texts and bytes."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

from .tiny_files import Files

RUBBISH: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 3.5, -2.5, 1e308, -1e308, float("nan"), float("inf"), 10**400, -(10**30)),
    *("", " ", "x", "7", "\ud800", "a\0b", "é" * 300, "../..", "[/EN#1/x", "1" * 5000),
    *([], {}, [[]], [None], [1, 2, 3, 4], [5, 5, 1, 1], ["x"], [[[[1]]]], {"a": {}}, {"id": 1}, {"": ""}, {"x": [1]}),
)


def spoil(files: Files, chance: random.Random, times: int) -> Files:
    """A copy with `times` random changes, at most one of them to a file's name or presence."""
    result = copy.deepcopy(files)
    names = [name for name in result if not name.endswith((".jpg", ".png"))] or list(result)
    for _ in range(times):
        name = chance.choice(names)
        if name in result:
            result[name] = spoiled(result[name], chance)
    if chance.random() < 0.05:
        result.pop(chance.choice(names), None)
    return result


def spoiled(value: Any, chance: random.Random) -> Any:
    """A value with one change: to bytes, to a text, or to a random node of JSON."""
    if isinstance(value, bytes):
        return _bytes(value, chance)
    if isinstance(value, str):
        if chance.random() < 0.3:
            return _json_lines(value, chance)
        raw = value.encode("utf-8", "surrogatepass")
        return _bytes(raw, chance) if chance.random() < 0.3 else _text(value, chance)
    made = _node(value, chance)
    # A text of its own would be written as it is, without quotes.
    return json.dumps(made) if isinstance(made, str) else made


def _bytes(value: bytes, chance: random.Random) -> bytes:
    data = bytearray(value)
    for _ in range(chance.randint(1, 8)):
        place = chance.randrange(len(data) + 1)
        data[place : place + chance.randint(0, 3)] = bytes(chance.randrange(256) for _ in range(chance.randint(0, 3)))
    return bytes(data[: chance.randrange(len(data) + 1)] if chance.random() < 0.1 else data)


def _text(value: str, chance: random.Random) -> str:
    words = [
        "",
        "nan",
        "-1",
        "1e999",
        "0",
        ",",
        "\t",
        "]",
        "[/EN#9/people ",
        "<x>",
        "\n",
        "99999999999",
        "é",
        "::",
        "\ufeff",
    ]
    place = chance.randrange(len(value) + 1)
    return value[:place] + chance.choice(words) + value[place + chance.randint(0, 4) :]


def _json_lines(value: str, chance: random.Random) -> str:
    """One of the lines spoiled, if they are JSON."""
    lines = value.split("\n")
    place = chance.randrange(len(lines))
    try:
        lines[place] = json.dumps(_node(json.loads(lines[place]), chance))
    except ValueError:
        return _text(value, chance)
    return "\n".join(lines)


def _node(value: Any, chance: random.Random) -> Any:
    """A JSON value with one node replaced, removed or doubled."""
    if not isinstance(value, list | dict) or not value or chance.random() < 0.08:
        return copy.deepcopy(chance.choice(RUBBISH))
    keys = list(range(len(value))) if isinstance(value, list) else list(value)
    key = chance.choice(keys)
    if chance.random() < 0.15:
        if isinstance(value, list) and chance.random() < 0.5:
            value.insert(key, copy.deepcopy(value[key]))
        else:
            del value[key]
        return value
    if isinstance(value, dict) and chance.random() < 0.05:
        value[chance.choice(("x", "", "id", "7"))] = value.pop(key)
        return value
    value[key] = _node(value[key], chance)
    return value

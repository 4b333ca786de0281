"""Plain values out of a pickle, without running it.

RefCOCO's `refs(…).p` are pickles, and loading a pickle runs whatever its author wrote into it. This reads the opcodes
that make numbers, texts, lists, tuples and dicts, and refuses all others: no name is ever looked up, nothing is called.
Protocols 0 to 5; texts of Python 2 are read as Latin-1, which loses nothing.
"""

from __future__ import annotations

import codecs
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ...errors import InputError

_MARK = object()
_REFUSED = {
    "c": "GLOBAL",
    "\x93": "STACK_GLOBAL",
    "R": "REDUCE",
    "b": "BUILD",
    "i": "INST",
    "o": "OBJ",
    "\x81": "NEWOBJ",
    "\x92": "NEWOBJ_EX",
    "P": "PERSID",
    "Q": "BINPERSID",
    "\x82": "EXT1",
    "\x83": "EXT2",
    "\x84": "EXT4",
}
"""Opcodes that would look something up or call it, by their letter."""


def read_pickle(path: Path) -> Any:
    """The value in a pickle that holds nothing but plain values.

    Raises:
        InputError: the file cannot be read, is damaged, or needs more than plain values.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be read: {error.strerror or error}.") from error
    try:
        return _Machine(data).run()
    except _Refused as error:
        raise InputError(
            f"{str(path)!r} holds more than plain values: {error}. A pickle can run any program, so this one is not "
            "loaded. If you trust it, turn it into JSON yourself and give that: "
            "python -c \"import pickle, json; json.dump(pickle.load(open('refs.p', 'rb'), encoding='latin1'), "
            "open('refs.json', 'w'))\""
        ) from error
    # A damaged file may ask for anything that is not there.
    except (IndexError, KeyError, ValueError, TypeError, AttributeError, struct.error, MemoryError) as error:
        raise InputError(f"{str(path)!r} is no pickle, or a damaged one ({type(error).__name__}: {error}).") from error


class _Refused(Exception):
    """An opcode that makes something other than a plain value."""


class _Machine:
    """The stack and the memo of a pickle."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        """Read up to STOP."""
        actions, data = _ACTIONS, self.data
        while True:
            if self.at >= len(data):
                raise ValueError("it ends too early")
            code = data[self.at]
            self.at += 1
            if code == 0x2E:  # STOP
                value = self.stack.pop()
                if value is _MARK:
                    raise ValueError("it ends inside a list")
                return value
            action = actions.get(code)
            if action is None:
                letter = chr(code)
                if letter in _REFUSED:
                    raise _Refused(f"the opcode {_REFUSED[letter]} at byte {self.at - 1:,}")
                raise ValueError(f"no opcode {code:#04x}, at byte {self.at - 1:,}")
            action(self)

    def take(self, count: int) -> bytes:
        """The next bytes."""
        found = self.data[self.at : self.at + count]
        if count < 0 or len(found) < count:
            raise ValueError("it ends too early")
        self.at += count
        return found

    def number(self, form: str) -> int:
        """The next bytes as a number."""
        return int(struct.unpack(form, self.take(struct.calcsize(form)))[0])

    def line(self) -> bytes:
        """The bytes up to the end of the line."""
        end = self.data.index(b"\n", self.at)
        found = self.data[self.at : end]
        self.at = end + 1
        return found

    def since_mark(self) -> list[Any]:
        """What lies on the stack above the last mark; both are taken away."""
        place = len(self.stack) - 1
        while self.stack[place] is not _MARK:
            place -= 1
            if place < 0:
                raise ValueError("a mark is absent")
        found = self.stack[place + 1 :]
        del self.stack[place:]
        return found

    def push(self, value: Any) -> None:
        """Lay a value on the stack."""
        self.stack.append(value)

    def items(self, pairs: list[Any]) -> None:
        """Put names and values into the dict on top of the stack."""
        target = self.stack[-1]
        if not isinstance(target, dict):
            raise ValueError("no dict to put items into")
        for place in range(0, len(pairs) - 1, 2):
            target[pairs[place]] = pairs[place + 1]

    def append(self, values: list[Any]) -> None:
        """Put values behind the list on top of the stack."""
        if not isinstance(self.stack[-1], list):
            raise ValueError("no list to append to")
        self.stack[-1].extend(values)

    def put(self, key: int) -> None:
        """Remember the top of the stack."""
        if self.stack[-1] is _MARK:
            raise ValueError("a mark cannot be remembered")
        self.memo[key] = self.stack[-1]

    def setitem(self) -> None:
        """One name and its value."""
        value, name = self.stack.pop(), self.stack.pop()
        self.items([name, value])


def _old_text(data: bytes) -> str:
    """A text of protocol 0: in quotes, with escapes."""
    data = data.strip()
    if len(data) < 2 or data[:1] not in (b"'", b'"') or data[-1:] != data[:1]:
        raise ValueError("a text without quotes")
    return codecs.escape_decode(data[1:-1])[0].decode("latin-1")


def _old_int(data: bytes) -> int | bool:
    return data == b"01" if data in (b"00", b"01") else int(data)


def _long(data: bytes) -> int:
    return int.from_bytes(data, "little", signed=True)


def _utf8(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


def _new_dict(machine: _Machine) -> None:
    pairs = machine.since_mark()
    machine.push({})
    machine.items(pairs)


_Action = Callable[[_Machine], None]
_ACTIONS: Mapping[int, _Action] = {
    ord(letter): action
    for letter, action in {
        "\x80": lambda m: m.take(1),
        "\x95": lambda m: m.take(8),
        "(": lambda m: m.push(_MARK),
        "0": lambda m: m.stack.pop(),
        "1": lambda m: m.since_mark(),
        "2": lambda m: m.push(m.stack[-1]),
        "N": lambda m: m.push(None),
        "\x88": lambda m: m.push(True),
        "\x89": lambda m: m.push(False),
        "I": lambda m: m.push(_old_int(m.line().strip())),
        "J": lambda m: m.push(m.number("<i")),
        "K": lambda m: m.push(m.number("<B")),
        "M": lambda m: m.push(m.number("<H")),
        "L": lambda m: m.push(int(m.line().strip().rstrip(b"L"))),
        "\x8a": lambda m: m.push(_long(m.take(m.number("<B")))),
        "\x8b": lambda m: m.push(_long(m.take(m.number("<i")))),
        "F": lambda m: m.push(float(m.line())),
        "G": lambda m: m.push(struct.unpack(">d", m.take(8))[0]),
        "S": lambda m: m.push(_old_text(m.line())),
        "T": lambda m: m.push(m.take(m.number("<i")).decode("latin-1")),
        "U": lambda m: m.push(m.take(m.number("<B")).decode("latin-1")),
        "B": lambda m: m.push(m.take(m.number("<I")).decode("latin-1")),
        "C": lambda m: m.push(m.take(m.number("<B")).decode("latin-1")),
        "\x8e": lambda m: m.push(m.take(m.number("<Q")).decode("latin-1")),
        "V": lambda m: m.push(m.line().decode("raw-unicode-escape")),
        "X": lambda m: m.push(_utf8(m.take(m.number("<I")))),
        "\x8c": lambda m: m.push(_utf8(m.take(m.number("<B")))),
        "\x8d": lambda m: m.push(_utf8(m.take(m.number("<Q")))),
        "]": lambda m: m.push([]),
        "}": lambda m: m.push({}),
        ")": lambda m: m.push(()),
        "l": lambda m: m.push(m.since_mark()),
        "t": lambda m: m.push(tuple(m.since_mark())),
        "d": _new_dict,
        "\x85": lambda m: m.push((m.stack.pop(),)),
        "\x86": lambda m: m.push(tuple(reversed([m.stack.pop(), m.stack.pop()]))),
        "\x87": lambda m: m.push(tuple(reversed([m.stack.pop(), m.stack.pop(), m.stack.pop()]))),
        "a": lambda m: m.append([m.stack.pop()]),
        "e": lambda m: m.append(m.since_mark()),
        "s": lambda m: m.setitem(),
        "u": lambda m: m.items(m.since_mark()),
        "p": lambda m: m.put(int(m.line())),
        "q": lambda m: m.put(m.number("<B")),
        "r": lambda m: m.put(m.number("<I")),
        "\x94": lambda m: m.put(len(m.memo)),
        "g": lambda m: m.push(m.memo[int(m.line())]),
        "h": lambda m: m.push(m.memo[m.number("<B")]),
        "j": lambda m: m.push(m.memo[m.number("<I")]),
    }.items()
}
"""What each opcode does, by its byte; see Python's `pickletools` for what they are called."""

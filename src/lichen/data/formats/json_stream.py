"""Large JSON files piece by piece: the elements of a list, the members of an object, without the whole in memory.

Annotation files of the field are one list of a hundred thousand records, or one object with a few such lists. They are
read once, in chunks, and every record is handed out as soon as it is complete.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from ...errors import InputError

CHUNK = 1 << 20
"""Bytes that are read at a time, at first."""
_BLANK = " \t\n\r"
_EXPONENT = len("e-")
_DECODER = json.JSONDecoder()
_KINDS = {"{": "an object", "[": "a list", '"': "a text", "t": "a truth value", "f": "a truth value", "n": "null"}


def read_json(path: Path) -> Any:
    """The whole value of a file, for small ones.

    Raises:
        InputError: it cannot be read, or is not JSON.
    """
    with _opened(path) as text:
        value = text.value()
        text.close()
        return value


def elements(path: Path) -> Iterator[Any]:
    """The elements of a file that holds one list.

    Raises:
        InputError: it cannot be read, is not JSON, or holds something else.
    """
    with _opened(path) as text:
        text.begin("[", "list")
        yield from text.elements()
        text.close()


def members(path: Path) -> Iterator[tuple[str, Any]]:
    """The names and values of a file that holds one object. A name that occurs twice comes twice.

    Raises:
        InputError: as `elements`.
    """
    with _opened(path) as text:
        text.begin("{", "object")
        for name in text.names():
            yield name, text.value()
        text.close()


def lists(path: Path) -> Iterator[tuple[str, int | None, Any]]:
    """Name, number and value of every element of every list in a file that holds one object of lists.

    Members that are no lists come whole, with number None; so does an empty list.

    Raises:
        InputError: as `elements`.
    """
    with _opened(path) as text:
        text.begin("{", "object")
        for name in text.names():
            if text.peek() != "[":
                yield name, None, text.value()
                continue
            text.begin("[", "list")
            number = -1
            for number, value in enumerate(text.elements()):
                yield name, number, value
            if number < 0:
                yield name, None, []
        text.close()


def starts_with(path: Path) -> str:
    """The first character of a file's value: "[" for a list, "{" for an object, "" for an empty file.

    Raises:
        InputError: the file cannot be read.
    """
    with _opened(path) as text:
        return text.peek()


def _opened(path: Path) -> _Text:
    try:
        if not path.is_file():
            raise InputError(f"There is no file {str(path)!r}.")
        return _Text(path, path.open("rb"))
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{str(path)!r} cannot be read: {getattr(error, 'strerror', None) or error}.") from error


class _Text:
    """A file's text, of which only the part that is being read is in memory."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self.file = file
        self.decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self.text = ""
        self.at = 0
        self.passed = 0
        self.chunk = CHUNK
        self.ended = False

    def __enter__(self) -> _Text:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def fail(self, reason: object) -> InputError:
        place = self.passed + self.at
        return InputError(f"{str(self.path)!r} is not readable as JSON, near character {place:,}: {reason}.")

    def fill(self) -> None:
        """Read on; what was handed out already is forgotten."""
        try:
            data = self.file.read(self.chunk)
            self.ended = not data
            more = self.decoder.decode(data, final=self.ended)
        except OSError as error:
            raise InputError(f"{str(self.path)!r} cannot be read: {error.strerror or error}.") from error
        except UnicodeDecodeError as error:
            raise self.fail(f"the byte {error.object[error.start]:#04x} is not UTF-8") from error
        self.passed += self.at
        self.text, self.at = self.text[self.at :] + more, 0

    def peek(self) -> str:
        """The next character that is not blank; "" at the end."""
        while True:
            while self.at < len(self.text) and self.text[self.at] in _BLANK:
                self.at += 1
            if self.at < len(self.text) or self.ended:
                return self.text[self.at : self.at + 1]
            self.fill()

    def begin(self, character: str, what: str) -> None:
        """Step into a list or an object."""
        found = self.peek()
        if found != character:
            if not found:
                raise InputError(f"{str(self.path)!r} is empty; expected a JSON {what}.")
            kind = _KINDS.get(found, "a number")
            raise InputError(f"{str(self.path)!r} holds {kind}; expected a JSON {what}.")
        self.at += 1

    def value(self) -> Any:
        """The next value."""
        self.chunk = CHUNK
        while True:
            self.peek()
            try:
                value, end = _DECODER.raw_decode(self.text, self.at)
            except RecursionError as error:
                raise self.fail("it is nested too deeply") from error
            except ValueError as error:
                if self.ended:
                    raise self.fail(getattr(error, "msg", None) or error) from error
                # The value goes on behind what was read; reading twice as much each time keeps this linear.
                self.chunk = max(self.chunk, len(self.text))
                self.fill()
                continue
            # A number at the end of a chunk may go on in the next one, also behind a cut "1.5e-".
            if self.ended or len(self.text) - end > _EXPONENT:
                self.at = end
                return value
            self.fill()

    def elements(self) -> Iterator[Any]:
        """The values up to the end of the list that was begun."""
        if self.peek() == "]":
            self.at += 1
            return
        while True:
            yield self.value()
            found = self.peek()
            if found not in ",]" or not found:
                raise self.fail("expected ',' or ']'")
            self.at += 1
            if found == "]":
                return

    def names(self) -> Iterator[str]:
        """The names up to the end of the object that was begun; whoever asks takes the value in between."""
        if self.peek() == "}":
            self.at += 1
            return
        while True:
            name = self.value() if self.peek() == '"' else None
            if name is None or self.peek() != ":":
                raise self.fail("expected a name in quotes and ':'")
            self.at += 1
            yield name
            found = self.peek()
            if found not in ",}" or not found:
                raise self.fail("expected ',' or '}'")
            self.at += 1
            if found == "}":
                return

    def close(self) -> None:
        """Make sure that nothing follows."""
        if self.peek():
            raise self.fail("more text after the end")

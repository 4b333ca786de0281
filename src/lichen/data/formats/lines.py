"""Text files line by line, however they were written: UTF-8 with damage repaired and counted, any size."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...errors import InputError
from .problems import Problems

LONGEST = 1 << 24
"""Bytes of one line beyond which a file is no text file."""


def lines_of(path: Path, problems: Problems) -> Iterator[tuple[int, str]]:
    """The lines of a text file that are not blank, without the blanks around them, with their numbers from 1.

    Lines that are not UTF-8 are noted and left out.

    Raises:
        InputError: the file cannot be read, or a line has more than 16 million bytes.
    """
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(LONGEST):
                number += 1
                if len(line) == LONGEST:
                    raise InputError(f"{str(path)!r}, line {number} has {LONGEST:,} bytes or more; this is no text.")
                try:
                    text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
                except UnicodeDecodeError as error:
                    byte = error.object[error.start]
                    problems.add("wrong value", f"{path.name}, line {number}", f"the byte {byte:#04x} is not UTF-8")
                    continue
                if text:
                    yield number, text
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{str(path)!r} cannot be read: {getattr(error, 'strerror', None) or error}.") from error

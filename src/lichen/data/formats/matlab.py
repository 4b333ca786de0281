"""MATLAB files of versions 5 to 7.2 as plain values: structs as dicts, cells and struct arrays as lists.

`scipy.io.loadmat` ends the whole process on damaged files (a segmentation fault in its compiled part, seen with
1.17.1), and annotation files come from strangers. This reads the few classes that data sets use, and every length in
the file is compared with what is there. The layout is that of the "MAT-File Format" manual, level 5.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError

_HEADER = 128
_LARGEST = 1 << 31
"""Bytes of one variable, beyond which a file is refused: compression can hide a thousandfold."""
_MATRIX, _COMPRESSED = 14, 15
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
"""How characters are stored, by the type of their element."""
_CELL, _STRUCT, _CHAR = 1, 2, 4
_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
_COMPLEX = 0x0800


def load_mat(path: Path, names: Collection[str] | None = None) -> dict[str, Any]:
    """The variables of a `.mat` file.

    Numbers are arrays with all of their axes, or a number where there is just one; characters are a text, or a list of
    texts for several rows. Arrays of structs and cells are lists, column by column.

    Args:
        path: the file.
        names: variables to read; None reads all.

    Raises:
        InputError: it cannot be read, is damaged, or was saved by MATLAB 4 or 7.3, in other formats.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be read: {error.strerror or error}.") from error
    if b"MATLAB 7.3" in data[:_HEADER] or data[:8] == b"\x89HDF\r\n\x1a\n":
        raise InputError(
            f"{str(path)!r} was saved by MATLAB 7.3 or later, as HDF5. Save it again: save('file.mat', '-v7')"
        )
    order = {b"IM": "<", b"MI": ">"}.get(data[126:128])
    if order is None:
        raise InputError(f"{str(path)!r} is no MATLAB file of version 5 to 7.2.")
    try:
        return _Reader(data[_HEADER:], order).variables(names)
    # All that a damaged length, type or text leads to.
    except (
        _Damaged,
        struct.error,
        ValueError,
        TypeError,
        LookupError,
        zlib.error,
        RecursionError,
        MemoryError,
    ) as error:
        reason = str(error) or type(error).__name__
        raise InputError(f"{str(path)!r} is not readable as a MATLAB file: {reason}.") from error


class _Damaged(Exception):
    """Something in the file contradicts itself, or belongs to a class that is not read."""


class _Reader:
    """Elements of a buffer, one after the other."""

    def __init__(self, data: bytes | memoryview, order: str) -> None:
        self.data = memoryview(data)
        self.order = order
        self.at = 0

    def variables(self, names: Collection[str] | None) -> dict[str, Any]:
        """All variables, by name."""
        result: dict[str, Any] = {}
        while self.at < len(self.data):
            kind, content = self.element()
            inner = content
            if kind == _COMPRESSED:
                unpacker = zlib.decompressobj()
                packed = _Reader(unpacker.decompress(content, _LARGEST), self.order)
                if unpacker.unconsumed_tail:
                    raise _Damaged(f"a variable has more than {_LARGEST:,} bytes")
                kind, inner = packed.element()
            if kind != _MATRIX:
                raise _Damaged(f"an element of type {kind} where a variable was expected")
            name, value = _Reader(inner, self.order).matrix(names)
            if name and (names is None or name in names):
                result[name] = value
        return result

    def element(self) -> tuple[int, memoryview]:
        """Type and bytes of the next element."""
        (first,) = struct.unpack_from(f"{self.order}I", self.data, self.at)
        if first >> 16:
            kind, count, start, step = first & 0xFFFF, first >> 16, self.at + 4, 8
            if count > 4:
                raise _Damaged("a short element of more than four bytes")
        else:
            kind = first
            (count,) = struct.unpack_from(f"{self.order}I", self.data, self.at + 4)
            start = self.at + 8
            step = 8 + (count if kind == _COMPRESSED else (count + 7) // 8 * 8)
        if start + count > len(self.data):
            raise _Damaged("it ends too early")
        self.at += step
        return kind, self.data[start : start + count]

    def numbers(self) -> np.ndarray:
        """The next element as numbers."""
        kind, content = self.element()
        if kind not in _NUMBERS:
            raise _Damaged(f"an element of type {kind} where numbers were expected")
        form = np.dtype(self.order + _NUMBERS[kind])
        return np.frombuffer(content[: len(content) // form.itemsize * form.itemsize], form)

    def matrix(self, names: Collection[str] | None = None) -> tuple[str, Any]:
        """Name and value of the matrix that this buffer holds; a name that is not wanted has no value."""
        if not len(self.data):
            return "", np.empty((0, 0))
        flags = int(self.numbers()[0])
        shape = tuple(int(side) for side in self.numbers())
        if not shape or min(shape) < 0:
            raise _Damaged(f"a matrix of shape {shape}")
        name = self.element()[1].tobytes().decode("latin-1")
        if names is not None and name not in names:
            return name, None
        kind = flags & 0xFF
        # An element takes at least eight bytes, so that no count can be larger than what is left.
        count = _count(shape)
        if kind == _CELL:
            return name, [self.inner() for _ in range(self.checked(count))]
        if kind == _STRUCT:
            return name, self.structs(count)
        if kind == _CHAR:
            return name, self.characters(shape)
        if kind not in _CLASSES:
            raise _Damaged(f"a variable of MATLAB class {kind} (sparse, an object or a function), which is not read")
        values = self.numbers()
        if flags & _COMPLEX:
            raise _Damaged("complex numbers, which no annotation has")
        if len(values) != count:
            raise _Damaged(f"{len(values)} numbers for a matrix of shape {shape}")
        table = values.astype(_CLASSES[kind]).reshape(shape, order="F")
        return name, table.item() if count == 1 else table

    def checked(self, count: int) -> int:
        """A number of elements that are to follow, if they can."""
        if count > (len(self.data) - self.at) // 8:
            raise _Damaged(f"{count} elements in {len(self.data) - self.at} bytes")
        return count

    def inner(self) -> Any:
        """The value of a matrix inside this one."""
        kind, content = self.element()
        if kind != _MATRIX:
            raise _Damaged(f"an element of type {kind} where a matrix was expected")
        return _Reader(content, self.order).matrix()[1]

    def structs(self, count: int) -> Any:
        """A struct as a dict; none or several of them as a list."""
        length = int(self.numbers()[0])
        joined = self.element()[1].tobytes()
        if length < 1:
            raise _Damaged("names of fields without a length")
        names = [
            joined[start : start + length].split(b"\0")[0].decode("latin-1")
            for start in range(0, len(joined) // length * length, length)
        ]
        self.checked(count * len(names))
        if not names and count > 1:
            raise _Damaged(f"{count} structs without fields")
        found = [{name: self.inner() for name in names} for _ in range(count)]
        return found[0] if count == 1 else found

    def characters(self, shape: tuple[int, ...]) -> Any:
        """A text; several rows as a list of texts."""
        kind, content = self.element()
        if kind not in _TEXTS:
            raise _Damaged(f"an element of type {kind} where characters were expected")
        coding = _TEXTS[kind]
        coding += {"<": "-le", ">": "-be"}[self.order] if coding in ("utf-16", "utf-32") else ""
        text = content.tobytes().decode(coding)
        rows = shape[0]
        # Column by column, as all matrices.
        return text if rows <= 1 else [text[row::rows].rstrip() for row in range(min(rows, len(text)))]


def _count(shape: tuple[int, ...]) -> int:
    count = 1
    for side in shape:
        count *= side
    return count


def to_list(value: Any) -> list[Any]:
    """Structs, or what a cell holds, as a list, also where it is just one or none."""
    if isinstance(value, np.ndarray):
        return [] if value.size == 0 else [value]
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def to_rows(value: Any, width: int) -> np.ndarray | None:
    """Numbers as a table of `width` columns; None if they are no such table."""
    if isinstance(value, int | float):
        value = np.full((1, 1), value)
    if not isinstance(value, np.ndarray):
        return np.empty((0, width)) if isinstance(value, list | tuple) and not value else None
    if value.size == 0:
        return np.empty((0, width))
    return value.astype(np.float64) if value.ndim == 2 and value.shape[1] == width else None


def to_numbers(value: Any) -> list[float]:
    """All numbers of a matrix, column by column."""
    if isinstance(value, int | float):
        return [float(value)]
    return value.ravel(order="F").astype(np.float64).tolist() if isinstance(value, np.ndarray) else []


def described(value: Any) -> str:
    """What a value is, for notes."""
    if isinstance(value, np.ndarray):
        return f"a table of {'×'.join(map(str, value.shape))}"
    return "absent" if value is None else f"a {type(value).__name__}"

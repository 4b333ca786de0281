"""CSV, TSV and JSONL files as records, each with the number of its line; damage is reported by line.

Files are UTF-8, with or without a byte order mark. CSV follows RFC 4180 (quotes, line breaks inside quotes). TSV has
no quoting: a field ends at a tab, as in the files of GLUE, whose texts are full of single quote marks.
"""

from __future__ import annotations

import csv
import json
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from ..errors import InputError, nearest

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson")
_BOMS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
_FIELD_LIMIT = threading.Lock()


@dataclass(frozen=True)
class Record:
    """One sample of a table."""

    line: int
    """Where it begins in its file, from 1."""
    values: dict[str, Any]
    """Value by column: text in CSV and TSV, any JSON value in JSONL."""


@dataclass(frozen=True)
class Table:
    """A whole table."""

    path: Path
    """The file."""
    columns: tuple[str, ...]
    """All columns, in the order of the file."""
    records: tuple[Record, ...]
    """All samples, in the order of the file."""

    def require(self, setting: str, column: str) -> str:
        """Return `column` if the table has it.

        Raises:
            InputError: it has not; the message names the nearest column and the setting to change.
        """
        if column not in self.columns:
            if len(self.columns) == 1 and ";" in self.columns[0]:
                raise InputError(
                    f"{str(self.path)!r} has semicolons between its columns, but CSV is read with commas. Save it with "
                    "commas, or with tabs as .tsv."
                )
            raise InputError(
                f"{str(self.path)!r} has no column {column!r}. {nearest(column, self.columns)} "
                f"Rename it, or set data.{setting} to the right name."
            )
        return column


def read_table(path: Path) -> Table:
    """Read a table; the kind is told by the file's ending.

    Raises:
        InputError: it is absent, of another kind, not UTF-8, holds NUL bytes, a row of another length than the header,
            a line that is not a JSON object, a column twice, or no row at all. The message has the line's number.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"{str(path)!r} is no table: expected a file that ends in {', '.join(SUFFIXES)}.")
    text = _decode(path)
    if suffix in (".jsonl", ".ndjson"):
        columns, records = _read_json_lines(path, text)
    else:
        columns, records = _read_delimited(path, text, tabs=suffix == ".tsv")
    if not records:
        raise InputError(f"{str(path)!r} holds no rows.")
    return Table(path, columns, records)


def _decode(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be read: {error.strerror or error}.") from error
    if found := _BOMS.get(data[:2]):
        raise InputError(f"{str(path)!r} is {found}. Save it as UTF-8 (in Excel: 'CSV UTF-8').")
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise InputError(f"{str(path)!r}, line {line}: a NUL byte, so this is no text file or a damaged one.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{str(path)!r}, line {line}: byte {data[error.start]:#04x} is not UTF-8. Convert the file, for example: "
            f"iconv -f latin1 -t utf-8 {path.name} > utf8-{path.name}"
        ) from error


def _read_delimited(path: Path, text: str, *, tabs: bool) -> tuple[tuple[str, ...], tuple[Record, ...]]:
    rows = _tab_rows(text) if tabs else _csv_rows(path, text)
    header = next(rows, None)
    if header is None:
        raise InputError(f"{str(path)!r} is empty: expected a first line with the names of the columns.")
    columns = tuple(header[1])
    _check_columns(path, columns)
    records = []
    for line, row in rows:
        if len(row) != len(columns):
            hint = (
                "A tab inside a text? TSV has no way to write one; use CSV or JSONL."
                if tabs
                else 'A text with a comma needs quotes around it: "like, this".'
            )
            raise InputError(
                f"{str(path)!r}, line {line}: {len(row)} fields where the header has {len(columns)} "
                f"({', '.join(columns)}). {hint}"
            )
        records.append(Record(line, dict(zip(columns, row, strict=True))))
    return columns, tuple(records)


def _tab_rows(text: str) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if line:
            yield number, line.split("\t")


def _csv_rows(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    # The module's limit of 131,072 characters a field is one for the whole process; long texts need more.
    with _FIELD_LIMIT:
        before = csv.field_size_limit(sys.maxsize)
        try:
            reader = csv.reader(StringIO(text, newline=""), strict=True)
            line, rows = 1, []
            try:
                for row in reader:
                    rows.append((line, row))
                    line = reader.line_num + 1
            except csv.Error as error:
                hint = " A quote that is never closed?" if "end of data" in str(error) else ""
                raise InputError(f"{str(path)!r}, line {line}: {error}.{hint}") from error
        finally:
            csv.field_size_limit(before)
    yield from ((line, row) for line, row in rows if row)


def _read_json_lines(path: Path, text: str) -> tuple[tuple[str, ...], tuple[Record, ...]]:
    records = []
    columns: dict[str, None] = {}
    # Not splitlines(): JSON texts may hold U+2028, which is no line end here.
    for line, content in enumerate(text.split("\n"), 1):
        if not content.strip():
            continue
        try:
            values = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{str(path)!r}, line {line}: not JSON: {error}.") from error
        if not isinstance(values, dict):
            raise InputError(
                f"{str(path)!r}, line {line}: a {type(values).__name__}; expected one JSON object a line, such as "
                '{"text": "...", "label": "..."}.'
            )
        columns.update(dict.fromkeys(values))
        records.append(Record(line, values))
    return tuple(columns), tuple(records)


def _check_columns(path: Path, columns: Sequence[str]) -> None:
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise InputError(f"{str(path)!r} names a column twice: {', '.join(map(repr, twice))}. Rename one of them.")

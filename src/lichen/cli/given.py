"""What people give to `lichen predict`: picture files and folders of them, texts, and files of texts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BadSample, InputError, nearest

if TYPE_CHECKING:
    from PIL import Image

_TEXT_FILES = (".txt", ".md", ".csv", ".tsv", ".jsonl", ".ndjson")
"""What ends like this and has no blank is the name of a file, not a text."""
_THUMBNAIL = 256
"""Edge of a picture in a drawing, in pixels, at least."""


def picture_files(given: Sequence[str]) -> list[str]:
    """Files as they are, folders as the pictures in them, each once.

    Raises:
        InputError: a folder holds no picture or cannot be read, or a name is empty or an address.
    """
    from ..data.folders import EXTENSIONS, find_pictures

    names: list[str] = []
    for name in given:
        if not name.strip():
            raise InputError("An input is empty. Give picture files, or folders of pictures.")
        if "://" in name:
            raise InputError(f"{name!r} is an address. Download the picture and give the file.")
        if not Path(name).is_dir():
            names.append(name)
            continue
        inside = [str(path) for path in find_pictures(Path(name))]
        if not inside:
            raise InputError(f"Folder {name!r} holds no picture ({', '.join(EXTENSIONS)}).")
        names += inside
    return list(dict.fromkeys(names))


def check_name(name: str) -> None:
    """Refuse a file name that no output can hold.

    Raises:
        BadSample: it is not valid UTF-8.
    """
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise BadSample(os.fsencode(name).decode("utf-8", "backslashreplace"), "rename it to valid UTF-8") from error


def read_texts(given: Sequence[str], column: str) -> tuple[list[str], list[str]]:
    """Texts as they are, files as their lines, tables as one column.

    Args:
        given: texts and names of files.
        column: of tables.

    Returns:
        Texts, and a name for each: its place among those given, or file and line.

    Raises:
        InputError: a file is absent, no text, or empty, or a table lacks the column.
    """
    texts, names = [], []
    for number, text in enumerate(given, 1):
        path = Path(text)
        if _exists(path):
            for line, content in _lines(path, column):
                texts.append(content)
                names.append(f"{text}:{line}")
            continue
        if path.suffix.lower() in _TEXT_FILES and not any(letter.isspace() for letter in text):
            raise InputError(f"There is no file {text!r}. If this is the text itself, put it into a file.")
        texts.append(text)
        names.append(str(number))
    return texts, names


def _exists(path: Path) -> bool:
    """Whether a file or folder of this name is there. A long text is no name, nor is one with a NUL."""
    try:
        return bool(path.name) and path.exists()
    except (OSError, ValueError):
        return False


def _lines(path: Path, column: str) -> Iterator[tuple[int, str]]:
    """The texts of a file, each with the number of its line."""
    from ..data.tables import SUFFIXES, read_table

    if path.is_dir():
        raise InputError(f"{str(path)!r} is a folder, but this run reads texts. Give texts, or files of them.")
    if path.suffix.lower() in SUFFIXES:
        table = read_table(path)
        if column not in table.columns:
            raise InputError(
                f"{str(path)!r} has no column {column!r}. {nearest(column, table.columns)} Name the column of the "
                "texts with --column."
            )
        for record in table.records:
            value = record.values.get(column)
            yield record.line, "" if value is None else str(value)
        return
    try:
        data = path.read_bytes()
        content = data.decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{str(path)!r} is no text in UTF-8, but this run reads texts.") from error
    if "\0" in content:
        raise InputError(f"{str(path)!r} holds NUL bytes, so it is no text file.")
    lines = [(number, line) for number, line in enumerate(content.splitlines(), 1) if line.strip()]
    if not lines:
        raise InputError(f"{str(path)!r} holds no text.")
    yield from lines


class Thumbnails(Mapping[str, Any]):
    """Pictures by the name of their file, read when a drawing asks for them."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = dict.fromkeys(names)

    def __getitem__(self, name: str) -> Image.Image:
        from ..data.pictures import open_picture

        if name not in self._names:
            raise KeyError(name)
        return open_picture(name, size=_THUMBNAIL)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def check_target(option: str, path: Path, endings: Sequence[str] = ()) -> None:
    """Make sure that a file can be written, before anything takes long.

    Raises:
        InputError: its folder is absent or not writable, it is a folder, or it ends in none of the endings.
    """
    if endings and path.suffix.lower() not in endings:
        raise InputError(f"{option} takes a file that ends in {', '.join(endings)}; got {str(path)!r}.")
    if path.is_dir():
        raise InputError(f"{option} takes the name of a file; {str(path)!r} is a folder.")
    if not path.parent.is_dir():
        raise InputError(
            f"{option}: there is no folder {str(path.parent)!r} to write {path.name!r} into. Make it first."
        )
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"{option}: the folder {str(path.parent)!r} cannot be written to. Choose another one.")

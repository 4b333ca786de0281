"""Files of scenes, one JSON object on each line: read and written as a stream, so that length costs no memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ..errors import BadSample, InputError
from ..files import staged_file
from .scene import Scene

_BOM = b"\xef\xbb\xbf"


def write_jsonl(path: str | Path, scenes: Iterable[Scene]) -> int:
    """Write scenes as UTF-8, one JSON object a line. The file appears whole, or the old one stays.

    Returns:
        How many were written.

    Raises:
        InputError: the file cannot be written, or a scene does not hold together (see `Scene.validate`).
    """
    count = 0
    with staged_file(Path(path)) as part, part.open("wb") as file:
        for scene in scenes:
            file.write(scene.validate().to_json().encode() + b"\n")
            count += 1
    return count


def read_jsonl(path: str | Path, on_bad: Callable[[BadSample], None] | None = None) -> Iterator[Scene]:
    """Read scenes one by one. Blank lines are skipped.

    Args:
        path: a file in UTF-8.
        on_bad: is told of each line that is no scene or does not hold together, by `file:line`, which is then left
            out; without it the first such line stops the reading.

    Raises:
        InputError: the file cannot be read, or a line is bad and `on_bad` is None.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            # Bytes break at \n alone; text would break at characters that a scene may hold, such as U+2028.
            for number, line in enumerate(file, 1):
                line = line.removeprefix(_BOM) if number == 1 else line
                if not line.strip():
                    continue
                try:
                    scene = _scene(line)
                except InputError as error:
                    bad = BadSample(f"{path.name}:{number}", str(error))
                    if on_bad is None:
                        raise bad from error
                    on_bad(bad)
                    continue
                yield scene
    except OSError as error:
        raise InputError(f"Cannot read {str(path)!r}: {error.strerror or error}.") from error


def _scene(line: bytes) -> Scene:
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"The line is not UTF-8: {error}. Save the file as UTF-8.") from error
    return Scene.from_json(text).validate()

"""`Source`: the files and folders that were given, by what they are to a format, and the pictures beside them."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import BadSample, InputError
from ..pictures import picture_size
from .boxes import Size
from .problems import Problems

_NAMED = 12
"""Files of a folder that a message names."""


@dataclass(frozen=True)
class Part:
    """One kind of file in a format."""

    name: str
    patterns: tuple[str, ...]
    """Names as a shell matches them, below the folder given; `*/` stands for one folder."""
    needed: bool = True
    """Whether the format cannot be read without it."""
    folder: bool = False
    """Whether it is a folder rather than a file."""


@dataclass(frozen=True)
class Picture:
    """Where a picture is and how large."""

    path: str
    """As far as it is known: with its folder if it was found, otherwise as the annotations name it."""
    size: Size | None
    """Its own size if it was found, otherwise the one that the annotations say."""


class Source:
    """What a reader reads from."""

    def __init__(
        self,
        paths: Sequence[Path],
        parts: Sequence[Part],
        problems: Problems,
        *,
        images: Path | None = None,
        folders: Sequence[str] = (),
        look: bool = True,
    ) -> None:
        """
        Args:
            paths: files and folders, as the user gave them.
            parts: the files of the format.
            problems: where everything wrong is noted.
            images: folder of the pictures; None looks in the usual places.
            folders: the usual places, below or beside the annotations.
            look: look for pictures and take their sizes. Otherwise paths and sizes are those of the annotations.

        Raises:
            InputError: a path is absent, or a part that is needed is not found.
        """
        self.problems = problems
        self.images = images
        self.look = look
        self.paths = tuple(existing_path(path) for path in paths)
        if images is not None and not existing_path(images).is_dir():
            raise InputError(f"{str(images)!r} is no folder, but pictures are looked for in one.")
        self.files = _sort_out(self.paths, parts)
        self._roots = list(_roots(self.paths, images, folders))

    def all(self, part: str) -> list[Path]:
        """All files of a part, sorted by name."""
        return self.files[part]

    def one(self, part: str) -> Path | None:
        """The file of a part of which there may be one; None where there is none.

        Raises:
            InputError: there are several; the message names them.
        """
        found = self.files[part]
        if len(found) > 1:
            names = ", ".join(str(path) for path in found[:_NAMED])
            raise InputError(f"There are several files for {part}: {names}. Give the one that is meant.")
        return found[0] if found else None

    def need(self, part: str) -> Path:
        """The file of a part of which there is exactly one.

        Raises:
            InputError: there are several, or none.
        """
        found = self.one(part)
        if found is None:
            raise InputError(f"No file for {part} was found. Give it beside the others.")
        return found

    def by_split(self, part: str, split: Callable[[Path], str]) -> dict[str, Path]:
        """The files of a part, by the split that each is of.

        Raises:
            InputError: there are two files of one split.
        """
        result: dict[str, Path] = {}
        for path in self.files[part]:
            other = result.setdefault(split(path), path)
            if other is not path:
                raise InputError(f"{other} and {path} are both files of one split, for {part}. Give one of them.")
        return result

    def picture(
        self, where: object, *names: str, size: Size | None = None, near: Path | None = None, measure: bool = True
    ) -> Picture:
        """Look for a picture.

        Args:
            where: what it belongs to, for notes.
            names: the name that the annotations give, then others that the format allows.
            size: width and height that the annotations say.
            near: the folder from which the names start, where the format says so; others are tried after it.
            measure: take its own size, and compare; otherwise it is only made sure that the file is there.
        """
        if not self.look:
            start = self.images or near
            return Picture(str(start / names[0]) if start else names[0], size)
        for root in self._roots if near is None or self.images else [near, *self._roots]:
            for name in names:
                path = root / name
                if _is_file(path):
                    self._prefer(root)
                    return Picture(str(path), self._measured(where, path, size) if measure else size)
        self.problems.add("missing picture", where, f"no picture {names[0]!r}{self._looked()}")
        return Picture(names[0], size)

    def _prefer(self, root: Path) -> None:
        """Look here first from now on: the next picture is most likely in the same folder."""
        if root in self._roots and self._roots[0] is not root:
            self._roots.remove(root)
            self._roots.insert(0, root)

    def _looked(self) -> str:
        return f" in {self.images}" if self.images else " in the usual folders"

    def _measured(self, where: object, path: Path, size: Size | None) -> Size | None:
        """The picture's own size."""
        try:
            own = picture_size(path)
        except BadSample as bad:
            self.problems.add("missing picture", where, f"{path.name} {bad.reason}")
            return size
        if size is not None and own != size:
            told = "{}×{} in the annotations, {}×{} in the picture".format(*size, *own)
            self.problems.add("picture size", where, f"{path.name} is {told}")
        return own


def existing_path(path: Path) -> Path:
    """The path, if something is there.

    Raises:
        InputError: nothing is, or it cannot be looked at.
    """
    try:
        if path.exists():
            return path
    except (OSError, ValueError) as error:
        raise InputError(f"{str(path)!r} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    raise InputError(f"There is no file or folder {str(path)!r}.")


def split_name(path: Path, *around: str) -> str:
    """The split in a file's name: what is left of its stem without the words around it.

    `split_name(Path("instances_val2017.json"), "instances")` is "val2017"; `split_name(Path("vcoco_test.json"),
    "vcoco")` is "test". Nothing left is "".
    """
    stem = path.stem
    for word in around:
        stem = stem.replace(word, "", 1)
    return stem.strip("_-. ")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _roots(paths: Iterable[Path], images: Path | None, folders: Sequence[str]) -> Iterable[Path]:
    """The folders where pictures may lie, each once."""
    seen: set[Path] = set()
    starts = [path if path.is_dir() else path.parent for path in paths]
    given = [*starts, *(start.parent for start in starts)] if images is None else [images]
    for start in given:
        for folder in (start, *(start / name for name in folders)):
            if folder not in seen and folder.is_dir():
                seen.add(folder)
                yield folder


def _sort_out(paths: Sequence[Path], parts: Sequence[Part]) -> dict[str, list[Path]]:
    """All files given, by part."""
    files: dict[str, dict[Path, None]] = {part.name: {} for part in parts}
    for path in paths:
        if path.is_dir() and not any(part.folder and _matches(path, part) for part in parts):
            for part in parts:
                files[part.name].update(dict.fromkeys(_below(path, part)))
            continue
        owner = next((part for part in parts if _matches(path, part)), parts[0])
        files[owner.name][path] = None
    if not any(files.values()):
        raise _absent(paths, parts)
    for part in parts:
        if part.needed and not files[part.name]:
            # What belongs to a single file usually lies beside it.
            for path in paths:
                files[part.name].update(dict.fromkeys(_below(path.parent, part) if path.is_file() else ()))
        if part.needed and not files[part.name]:
            raise _absent(paths, [part])
    return {name: list(found) for name, found in files.items()}


def _matches(path: Path, part: Part) -> bool:
    return any(fnmatch.fnmatch(path.name, pattern.rpartition("/")[2]) for pattern in part.patterns)


def _below(folder: Path, part: Part) -> list[Path]:
    try:
        found = {path for pattern in part.patterns for path in folder.glob(pattern)}
        return sorted(path for path in found if (path.is_dir() if part.folder else path.is_file()))
    except OSError as error:
        raise InputError(f"The folder {str(folder)!r} cannot be read: {error.strerror or error}.") from error


def _absent(paths: Sequence[Path], parts: Sequence[Part]) -> InputError:
    there = sorted(item.name for path in paths if path.is_dir() for item in path.iterdir())
    names = ", ".join(there[:_NAMED]) + (", …" if len(there) > _NAMED else "")
    hint = f" There are: {names}." if there else " Give it beside the others."
    expected = "; ".join(f"{' or '.join(part.patterns)} ({part.name})" for part in parts)
    return InputError(f"{', '.join(str(path) for path in paths)} holds no {expected}.{hint}")

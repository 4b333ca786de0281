"""Folders of pictures, one folder a class: `cats/1.jpg`, or `train/cats/1.jpg` beside `val/` and `test/`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..errors import BadSample, InputError
from ..features.skipped import Tally
from ..scene import Label, Scene
from .assemble import Part, assemble
from .config import DataConfig
from .dataset import Dataset
from .pictures import EXTENSIONS
from .splits import ALIASES, existing, given_splits


def read_folder(config: DataConfig) -> Dataset:
    """Pictures whose class is the name of the folder they are in, at any depth below it.

    Ids are paths below the data's own folder, with "/" on every system.

    Raises:
        InputError: no class folders, one without any picture, or the samples do not make a data set.
    """
    parts = {}
    for split, (folder, prefix) in _split_folders(config).items():
        parts[split] = _read_classes(folder, prefix)
    return assemble(config, parts, labelled=True)


def find_pictures(folder: Path) -> Iterator[Path]:
    """All picture files below a folder, sorted; hidden ones are left out and each real folder is entered once.

    Raises:
        InputError: a folder cannot be read.
    """
    yield from _walk(folder, set())


def _walk(folder: Path, entered: set[tuple[int, int]]) -> Iterator[Path]:
    try:
        status = folder.stat()
        # Links may lead back to a folder above.
        if (status.st_dev, status.st_ino) in entered:
            return
        entered.add((status.st_dev, status.st_ino))
        items = [(item, item.is_dir()) for item in _visible(folder)]
    except OSError as error:
        raise InputError(f"The folder {str(folder)!r} cannot be read: {error.strerror or error}.") from error
    for item, is_folder in items:
        if is_folder:
            yield from _walk(item, entered)
        elif item.suffix.lower() in EXTENSIONS:
            yield item


def _visible(folder: Path) -> list[Path]:
    return sorted(item for item in folder.iterdir() if not item.name.startswith("."))


def _folders(folder: Path) -> list[Path]:
    try:
        return [item for item in _visible(folder) if item.is_dir()]
    except OSError as error:
        raise InputError(f"{str(folder)!r} is no folder that can be read: {error.strerror or error}.") from error


def _loose_pictures(folder: Path) -> list[Path]:
    return [item for item in _visible(folder) if item.suffix.lower() in EXTENSIONS and not item.is_dir()]


def _split_folders(config: DataConfig) -> dict[str, tuple[Path, str]]:
    """Folder of each split, and what its ids begin with."""
    given = {split: (folder, f"{split}/") for split, folder in given_splits(config).items()}
    if config.path is None:
        return given
    root = existing("data.path", config.path)
    below = {folder.name: folder for folder in _folders(root)}
    # A class may be called "train" as well; the folder of a split holds folders and no pictures.
    train = next((below[name] for name in ALIASES["train"] if name in below), None)
    if train is None or not _folders(train) or _loose_pictures(train):
        return {"train": (root, ""), **given}
    result: dict[str, tuple[Path, str]] = {}
    for split, aliases in ALIASES.items():
        found = [name for name in aliases if name in below]
        if len(found) > 1:
            raise InputError(f"{str(root)!r} has several folders for {split!r}: {', '.join(found)}. Keep one of them.")
        if found:
            result[split] = (below.pop(found[0]), f"{found[0]}/")
    if below:
        raise InputError(
            f"{str(root)!r} holds {train.name}/ with class folders, but also {', '.join(below)}, which is no split. "
            "Give data.train, data.dev and data.test by name, or move the other folders away."
        )
    return {**result, **given}


def _read_classes(folder: Path, prefix: str) -> Part:
    classes = _folders(folder)
    if not classes:
        raise InputError(
            f"{str(folder)!r} holds no class folders. Put the pictures of each class into a folder of its own, named "
            "after the class."
        )
    pictures: list[tuple[Path, str]] = []
    for place in classes:
        found = list(find_pictures(place))
        if not found:
            raise InputError(
                f"The class folder {str(place)!r} holds no picture ({', '.join(EXTENSIONS)}). Remove it, or put "
                "pictures of this class into it."
            )
        pictures += [(path, place.name) for path in found]
    loose = _loose_pictures(folder)
    tally = Tally(len(pictures) + len(loose))
    for path in loose:
        tally.add(BadSample(prefix + _printable(path.name), "lies outside the class folders, so its class is unknown"))
    scenes = []
    for path, name in pictures:
        id = prefix + path.relative_to(folder).as_posix()
        if id != _printable(id):
            tally.add(BadSample(_printable(id), "its name is not valid UTF-8; rename it"))
            continue
        scenes.append(Scene(id, image=str(path), labels=(Label(name),)))
    return Part(str(folder), scenes, skipped=tally.skipped)


def _printable(name: str) -> str:
    """The name with bytes that are no UTF-8 written as escapes."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")

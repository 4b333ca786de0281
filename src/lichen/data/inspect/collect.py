"""Scenes out of a folder, whoever wrote it."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from ...errors import BadSample, InputError, nearest
from ...scene import Scene
from ...scene.jsonl import read_jsonl


def find_scenes(folder: Path, split: str | None = None) -> list[Path]:
    """The files of Scenes in a folder: train, val and test first, others by name.

    Args:
        folder: a folder with `*.jsonl`, or one such file.
        split: only the file of this name.

    Raises:
        InputError: nothing is there, or no file of this name.
    """
    if folder.is_file():
        if split is not None:
            raise InputError(f"{str(folder)!r} is one file, which has no splits. Leave --split out.")
        return [folder]
    if not folder.is_dir():
        raise InputError(f"There is no folder or file {str(folder)!r}. Make one: lichen data make playground --out DIR")
    files = {path.stem: path for path in sorted(folder.glob("*.jsonl"))}
    if not files:
        raise InputError(f"Folder {str(folder)!r} holds no file of Scenes (*.jsonl).")
    if split is not None:
        if split not in files:
            raise InputError(f"Folder {str(folder)!r} has no {split}.jsonl. {nearest(split, files)}")
        return [files[split]]
    first = [name for name in ("train", "val", "dev", "test") if name in files]
    return [files[name] for name in [*first, *(name for name in files if name not in first)]]


def read_scenes(files: list[Path], limit: int | None = None) -> tuple[list[Scene], dict[str, str]]:
    """Scenes of files, and the lines that are none, with the reason.

    Raises:
        InputError: a file cannot be read, or no line is a Scene.
    """
    skipped: dict[str, str] = {}

    def note(bad: BadSample) -> None:
        skipped[bad.id] = bad.reason

    scenes = list(islice((scene for path in files for scene in read_jsonl(path, note)), limit))
    if not scenes:
        raise InputError(f"{str(files[0])!r} holds no Scene. {next(iter(skipped.values()), 'It is empty.')}")
    return scenes, skipped

"""How the tests read: everything as a list, with the problems by kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lichen.data.formats import Problems, read_scenes
from lichen.scene import Scene

from .tiny import LAYOUTS
from .tiny_files import Files, write

Change = Callable[[Files], Any]


def read(layout: str, folder: Path, change: Change | None = None, **options: Any) -> tuple[list[Scene], dict[str, int]]:
    """Scenes and counted problems of a layout, after a change to its files. Pictures are not looked for."""
    format, make = LAYOUTS[layout]
    files = make()
    if change is not None:
        change(files)
    return read_files(format, write(files, folder), **options)


def read_files(format: str, *paths: Path, look: bool = False, **options: Any) -> tuple[list[Scene], dict[str, int]]:
    """Scenes and counted problems of files."""
    problems = Problems()
    scenes = list(read_scenes(format, paths, problems=problems, look=look, **options))
    return scenes, dict(problems.counts)


def triples(scene: Scene) -> list[tuple[str | None, str, str | None]]:
    """Relations with the labels of their ends."""
    names = [entity.label for entity in scene.entities]
    return [(names[item.subject], item.predicate, names[item.object]) for item in scene.relations]


def boxes(scene: Scene) -> list[Any]:
    """Boxes of the entities."""
    return [entity.box for entity in scene.entities]

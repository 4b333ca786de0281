"""`read_scenes`: annotation files of one of the formats, as a stream of scenes that hold together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ...errors import InputError
from ...scene import Scene
from .format import Format
from .problems import Problems
from .source import Source


def open_source(
    format: Format, paths: Sequence[Path], problems: Problems, *, images: Path | None = None, look: bool = True
) -> Source:
    """Sort files and folders out by what they are to a format; arguments as `read_scenes`."""
    return Source(paths, format.parts, problems, images=images, folders=format.pictures, look=look)


def scenes_of(format: Format, source: Source) -> Iterator[Scene]:
    """The scenes of an open source: each checked, ids apart."""
    taken: set[str] = set()
    for scene in format.read(source):
        try:
            scene.validate()
        except InputError as error:
            source.problems.add("wrong value", f"scene {scene.id!r}", str(error))
            continue
        id = scene.id
        copy = 1
        while id in taken:
            copy += 1
            id = f"{scene.id}#{copy}"
        taken.add(id)
        if copy > 1:
            source.problems.add("duplicate id", f"scene {scene.id!r}", f"is there already; this one becomes {id!r}")
            scene = replace(scene, id=id)
        yield scene

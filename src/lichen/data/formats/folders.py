"""What needs no annotation format: folders of pictures, and scenes that were written before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ...errors import BadSample, InputError
from ...scene import Label, Scene
from ...scene.jsonl import read_jsonl
from .format import Format
from .source import Part, Source

_SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


def read_pictures(source: Source) -> Iterator[Scene]:
    """One scene a picture at any depth; its label is the folder below the one given, or below a folder of a split.

    A picture that cannot be read is left out, and noted.
    """
    # It stands beside readers that need torch.
    from ..folders import find_pictures

    for folder in source.all("folder"):
        found = False
        for path in find_pictures(folder):
            found = True
            relative = path.relative_to(folder)
            picture = source.picture(relative.as_posix(), path.name, near=path.parent)
            if source.look and picture.size is None:
                continue
            parents = list(relative.parts[:-1])
            split = _SPLITS.get(parents[0]) if parents else None
            parents = parents[1:] if split else parents
            yield Scene(
                relative.as_posix(),
                image=picture.path,
                size=picture.size,
                labels=(Label(parents[0]),) if parents else (),
                metadata={"split": split} if split else {},
            )
        if not found:
            raise InputError(f"{str(folder)!r} holds no pictures.")


def read_lines(source: Source) -> Iterator[Scene]:
    """Scenes of JSONL files; paths of pictures and frames start from the file's own folder."""

    def bad(sample: BadSample) -> None:
        source.problems.add("wrong value", sample.id, sample.reason)

    for path in source.all("scenes"):
        for scene in read_jsonl(path, on_bad=bad):
            frames = tuple(
                source.picture(f"scene {scene.id!r}", frame, near=path.parent, measure=False).path
                for frame in scene.frames
            )
            image, size = scene.image, scene.size
            if image is not None:
                picture = source.picture(f"scene {scene.id!r}", image, near=path.parent, size=size)
                image, size = picture.path, picture.size
            yield replace(scene, image=image, size=size, frames=frames)


PICTURES = Format(
    "folders of pictures, by class or not",
    (Part("folder", ("*",), folder=True),),
    "labels",
    read_pictures,
    (),
)
SCENES = Format(
    "scenes, one JSON object a line",
    (Part("scenes", ("*.jsonl", "*.ndjson")),),
    "everything",
    read_lines,
)

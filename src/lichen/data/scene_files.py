"""`kind = "scenes"`: the library's own files of Scenes, which `lichen data convert` writes, as data of a recipe."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ..errors import BadSample, InputError
from ..features.skipped import Tally
from ..scene import Phrase, Scene
from ..scene.jsonl import read_jsonl
from .assemble import Part, assemble
from .config import DataConfig
from .dataset import Dataset
from .splits import split_files

SUFFIXES = (".jsonl", ".ndjson")


def read_scenes(config: DataConfig) -> Dataset:
    """Scenes of pictures with all that is annotated of them; what of it is learnt is the task's business.

    Pictures are looked for in `data.images`, or beside their file. Labels are classes where every training sample has
    exactly one, or with `multi_label`.

    Raises:
        InputError: a file cannot be read, holds no pictures, or more than 5 % of its lines are no scenes.
    """
    parts = {}
    for split, path in split_files(config, SUFFIXES).items():
        bad: list[BadSample] = []
        scenes = [placed(scene, config.images, path) for scene in read_jsonl(path, bad.append)]
        if config.expressions:
            scenes = [spoken(scene) for scene in scenes]
        tally = Tally(len(scenes) + len(bad))
        for each in bad:
            tally.add(each)
        parts[split] = Part(str(path), scenes, skipped=tally.skipped)
    labelled = config.multi_label or all(len(scene.labels) == 1 for scene in _all(parts))
    several = {scene.labels for scene in parts["train"].scenes}
    return assemble(config, parts, labelled=labelled and len(several) > 1, multi_label=config.multi_label)


def _all(parts: dict[str, Part]) -> Iterator[Scene]:
    for part in parts.values():
        yield from part.scenes


def spoken(scene: Scene) -> Scene:
    """A scene whose captions are what people called its boxes, each of them one phrase that means its box.

    So that referring expressions are learnt as phrases of captions are. Captions and phrases that were there go.
    """
    said = scene.expressions
    phrases = tuple(Phrase(number, 0, len(each.text), (each.entity,)) for number, each in enumerate(said))
    return replace(scene, captions=tuple(each.text for each in said), phrases=phrases)


def placed(scene: Scene, images: str | None, path: Path) -> Scene:
    """A scene whose picture has a whole path.

    Args:
        scene: as its file has it.
        images: folder that pictures lie in; None: that of the file.
        path: of the file.

    Raises:
        InputError: it has no picture.
    """
    if scene.image is None:
        raise InputError(f"{str(path)!r}: the scene {scene.id!r} has no picture. Give scenes of pictures.")
    return replace(scene, image=str(Path(images or path.parent) / scene.image))

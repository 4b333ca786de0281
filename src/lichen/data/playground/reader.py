"""The playground as data of a recipe: `kind = "playground"`, from a folder that was made or made in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...errors import InputError, pick
from ...scene import Label, Scene
from ...scene.jsonl import read_jsonl
from ..assemble import Part, assemble
from ..config import DataConfig
from ..dataset import Dataset
from ..splits import existing
from .dataset import SIZES, SPLITS, Playground
from .kept import kept
from .make import GENERATOR, check
from .world import BACKGROUNDS, CLASSES, PREDICATES

LABELS = ("place", "objects", "interactions")
"""What the classes of a picture may be; `place` alone is a single one."""
_NAMES = {"train": "train", "dev": "val", "test": "test"}
_MOST = 20_000
"""Pictures that are made in memory, at most."""


def read_playground(config: DataConfig) -> Dataset:
    """Pictures with captions and with labels: the place, the classes of what is there, or who does what to what.

    Raises:
        InputError: an unknown size, split or kind of label, or a size that is too large to be made in memory.
        CheckpointError: the folder is damaged or of another version.
    """
    kind = "place" if config.label == "label" else pick("label of the playground", config.label, LABELS)
    names = {
        split: pick(f"data.{split} of the playground", getattr(config, split) or name, SPLITS)
        for split, name in _NAMES.items()
    }
    if len(set(names.values())) < len(names):
        raise InputError(f"data.train, data.dev and data.test name one split twice: {', '.join(names.values())}.")
    parts = _made(config, names) if config.path is not None else _fresh(config, names)
    for part in parts.values():
        part.scenes[:] = [replace(scene, labels=labels_of(scene, kind)) for scene in part.scenes]
    return assemble(
        config, parts, labelled=True, declared=_declared(kind, parts["train"].scenes), multi_label=kind != "place"
    )


def labels_of(scene: Scene, kind: str) -> tuple[Label, ...]:
    """Labels of a whole playground picture.

    Args:
        scene: of the playground.
        kind: place, objects (classes of its entities) or interactions (predicate and class of the object).
    """
    if kind == "place":
        return scene.labels
    if kind == "objects":
        found = {entity.label for entity in scene.entities if entity.label is not None}
        return tuple(Label(name) for name in CLASSES if name in found)
    pairs = {f"{relation.predicate} {scene.entities[relation.object].label}" for relation in scene.relations}
    return tuple(Label(name) for name in sorted(pairs))


def _declared(kind: str, scenes: Sequence[Scene]) -> Sequence[str]:
    if kind == "place":
        return BACKGROUNDS
    if kind == "objects":
        return CLASSES
    return [f"{predicate} {label}" for predicate in PREDICATES for label in CLASSES]


def _fresh(config: DataConfig, names: dict[str, str]) -> dict[str, Part]:
    size = config.size or "small"
    pick("size of the playground", size, SIZES)
    count = sum(SIZES[size][name] for name in names.values())
    if count > _MOST:
        raise InputError(
            f"The playground of size {size!r} has {count:,} pictures, too many to be made in memory. Write it once: "
            f"`lichen data make playground --size {size} --out FOLDER`, then data.path = FOLDER."
        )
    parts = {}
    for split, name in names.items():
        playground = Playground(config.seed, name, size, config.pixels, config.pixels)
        found = kept(playground)
        parts[split] = Part(f"the playground ({name})", list(found.scenes), pixels=found.pixels)
    return parts


def _made(config: DataConfig, names: dict[str, str]) -> dict[str, Part]:
    folder = existing("data.path", config.path or "")
    if not folder.is_dir():
        raise InputError(f"data.path: {str(folder)!r} is a file; give the folder that `lichen data make` wrote.")
    check(folder, pictures=False, world=GENERATOR)
    return {split: Part(f"{str(folder)!r} ({name})", _scenes(folder, name)) for split, name in names.items()}


def _scenes(folder: Path, name: str) -> list[Scene]:
    scenes = read_jsonl(folder / f"{name}.jsonl")
    return [replace(scene, image=str(folder / scene.image)) for scene in scenes if scene.image is not None]

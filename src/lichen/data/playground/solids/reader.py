"""The playground's furniture as data of a recipe, `kind = "playground-solids"`: of a made folder or made in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from ....errors import InputError, pick
from ....scene import Scene
from ....scene.jsonl import read_jsonl
from ...assemble import Part, assemble
from ...config import DataConfig
from ...dataset import Dataset
from ...splits import existing
from ..kept import keep
from ..make import check
from ..order import SPLITS
from .config import VERSION, WORLD, SolidConfig
from .dataset import SIZES, PlaygroundSolids
from .designs import KINDS
from .make import read_solid
from .sample import SolidSample

CHANNELS = ("colour", "depth")
"""What a picture shows: colours, or depth and where there is any."""
_NAMES = {"train": "train", "dev": "val", "test": "test"}
_MOST = 40_000
"""Pictures that are made in memory, at most."""
_NEAR, _FAR = 250.0, 60.0
"""Greys of the nearest and of the farthest point of an object in a depth picture."""


def read_playground_solids(config: DataConfig) -> Dataset:
    """Views of furniture with their solids and cameras; no object is in two splits.

    Raises:
        InputError: an unknown size, split or kind of furniture, or a size that is too large to be made in memory.
        CheckpointError: the folder is damaged or of another version.
    """
    pick("data.channels", config.channels, CHANNELS)
    for kind in config.furniture:
        pick("kind of furniture", kind, KINDS)
    names = {
        split: pick(f"data.{split} of the playground", getattr(config, split) or name, SPLITS)
        for split, name in _NAMES.items()
    }
    if len(set(names.values())) < len(names):
        raise InputError(f"data.train, data.dev and data.test name one split twice: {', '.join(names.values())}.")
    make = _made if config.path is not None else _fresh
    parts = {split: make(config, name) for split, name in names.items()}
    return assemble(config, parts, labelled=False)


def _fresh(config: DataConfig, name: str) -> Part:
    size = pick("size of the playground", config.size or "small", SIZES)
    kinds = config.furniture or KINDS
    solid = SolidConfig(size=config.pixels, views=config.views, kinds=kinds, occluded=config.occluded)
    world = PlaygroundSolids(config.seed, name, size, solid)
    if len(world) > _MOST:
        raise InputError(
            f"The {name} side of the solids of size {size!r} has {len(world):,} pictures, too many to be made in "
            f"memory. Write it once: `lichen data make solids --size {size} --out FOLDER`, then data.path = FOLDER."
        )
    told = json.dumps([VERSION, config.channels, config.seed, name, len(world), asdict(solid)])
    shape = (len(world), config.pixels, config.pixels, 3)
    samples = ((picture(each, config.channels), each.scene) for each in world)
    pixels, scenes = keep("solids", told, shape, samples)
    return Part(f"the playground's solids ({name})", list(scenes), pixels=pixels)


def _made(config: DataConfig, name: str) -> Part:
    folder = existing("data.path", config.path or "")
    if not folder.is_dir():
        raise InputError(f"data.path: {str(folder)!r} is a file; give the folder that `lichen data make` wrote.")
    if config.occluded:
        raise InputError("data.occluded is of solids that are made in memory; a made folder is as it was made.")
    check(folder, pictures=False, world=WORLD)
    wanted = config.furniture or KINDS
    scenes = [each for each in read_jsonl(folder / f"{name}.jsonl") if each.labels and each.labels[0].name in wanted]
    source = f"{str(folder)!r} ({name})"
    if config.channels == "depth":
        pictures = [picture(read_solid(folder, scene), "depth") for scene in scenes]
        plain = [replace(scene, image=None) for scene in scenes]
        return Part(source, plain, pixels=np.stack(pictures) if pictures else None)
    return Part(source, list(_placed(folder, scenes)))


def _placed(folder: Path, scenes: list[Scene]) -> Iterator[Scene]:
    for scene in scenes:
        if scene.image is not None:
            yield replace(scene, image=str(folder / scene.image))


def picture(sample: SolidSample, channels: str) -> UInt8[np.ndarray, "rows columns 3"]:
    """What a network is shown of a view.

    Args:
        sample: a view.
        channels: "colour"; or "depth": the object's depth from near (bright) to far (dark) in red and green, where
            there is any depth in blue.
    """
    if channels == "colour":
        return sample.image
    mask = sample.mask
    shown = np.zeros((*mask.shape, 3), np.uint8)
    if mask.any():
        depth = sample.depth[mask].astype(np.float64)
        share = (depth - depth.min()) / max(float(np.ptp(depth)), 1e-9)
        shown[mask, :2] = np.rint(_NEAR + (_FAR - _NEAR) * share).astype(np.uint8)[:, None]
        shown[mask, 2] = 255
    return shown

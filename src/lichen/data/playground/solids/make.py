"""`make_solids`: the playground's solids as a folder of files (see `..writing`), and a sample back from it.

Beside the pictures, `depth/` holds depth in 16 bits (metadata `depth_unit` is one step, 0 is no depth) and `parts/` the
place of the solid that each pixel shows plus one, 0 beside the object. Voxels are not written: `voxelise` makes them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ....errors import BadSample, InputError, pick
from ....scene import Scene
from ..order import SPLITS
from ..writing import Report, SplitWriter, write_world
from .camera import Camera
from .config import VERSION, WORLD, SolidConfig
from .dataset import SIZES, PlaygroundSolids
from .sample import SolidSample
from .voxels import RESOLUTION, voxelise

_UNIT = 1e-4
"""Step of a stored depth, in edges of the unit cube: 65,535 of them reach farther than any camera stands."""


def make_solids(
    target: str | Path,
    size: str = "small",
    seed: int = 0,
    config: SolidConfig = SolidConfig(),
    report: Report | None = None,
) -> dict[str, Any]:
    """Write all splits.

    Args:
        target: a folder that does not exist yet or is empty.
        size: smoke, small or full.
        seed: of the world.
        config: how objects are made and seen.
        report: is told of the progress.

    Returns:
        The manifest.

    Raises:
        InputError: an unknown size, or the folder holds something or cannot be written.
    """
    pick("size of the playground", size, SIZES)
    edges = [config.size, config.size]
    about = {
        "generator": WORLD,
        "version": VERSION,
        "seed": seed,
        "size": size,
        "picture": edges,
        "views": config.views,
    }
    splits = {split: PlaygroundSolids(seed, split, size, config) for split in SPLITS}
    return write_world(Path(target), about, splits, _write, report)


def _write(writer: SplitWriter, sample: SolidSample) -> None:
    name = f"{writer.split}/{sample.scene.id}.png"
    steps = np.where(sample.mask, np.rint(np.where(sample.mask, sample.depth, 0.0) / _UNIT), 0.0)
    files = {
        "depth": writer.picture(f"depth/{name}", steps.astype(np.uint16)),
        "parts": writer.picture(f"parts/{name}", (sample.parts + 1).astype(np.uint8)),
        "depth_unit": _UNIT,
    }
    metadata = {**sample.scene.metadata, **files}
    writer.scene(replace(sample.scene, image=writer.picture(f"images/{name}", sample.image), metadata=metadata))


def read_solid(folder: str | Path, scene: Scene, voxels: int = RESOLUTION) -> SolidSample:
    """A sample back from the files that `make_solids` wrote; depths are rounded to half a step.

    Args:
        folder: the made folder.
        scene: one of its scenes, as `lichen.scene.jsonl.read_jsonl` gives them.
        voxels: voxels along each edge of the occupancy grid.

    Raises:
        InputError: the scene is not one of a made folder.
        BadSample: a file cannot be read.
    """
    known = scene.metadata
    if known.get("world") != WORLD or scene.image is None or scene.size is None or "depth" not in known:
        raise InputError(f"Scene {scene.id!r} was not written by `lichen data make {WORLD}`.")
    try:
        paths = (Path(folder) / name for name in (scene.image, known["depth"], known["parts"]))
        image, steps, parts = (np.array(Image.open(path)) for path in paths)
        camera = Camera.from_dict(known["camera"], scene.size[0])
    except (OSError, SyntaxError, ValueError, KeyError, TypeError) as error:
        raise BadSample(scene.id, f"cannot be read back: {error}") from error
    depth = np.where(steps > 0, steps * known["depth_unit"], np.inf).astype(np.float32)
    return SolidSample(
        scene, image, depth, parts.astype(np.int16) - np.int16(1), voxelise(scene.solids, voxels), camera
    )

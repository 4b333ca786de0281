"""`make_clips`: the playground's clips as a folder of files (see `..writing`), and a sample back from it.

Frames lie in `frames/<split>/<clip>/00.png` and so on. `instances/` has one picture a clip, its frames one below the
other: the place of the track that each pixel shows plus one, 0 for the background.
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
from .config import VERSION, WORLD, ClipConfig
from .dataset import SIZES, PlaygroundClips
from .sample import ClipSample


def make_clips(
    target: str | Path,
    size: str = "small",
    seed: int = 0,
    config: ClipConfig = ClipConfig(),
    report: Report | None = None,
) -> dict[str, Any]:
    """Write all splits.

    Args:
        target: a folder that does not exist yet or is empty.
        size: smoke, small or full.
        seed: of the world.
        config: how clips are made.
        report: is told of the progress.

    Returns:
        The manifest.

    Raises:
        InputError: an unknown size, or the folder holds something or cannot be written.
    """
    pick("size of the playground", size, SIZES)
    edges = [config.size, config.size]
    about = {"generator": WORLD, "version": VERSION, "seed": seed, "size": size, "picture": edges}
    splits = {split: PlaygroundClips(seed, split, size, config) for split in SPLITS}
    return write_world(Path(target), about, splits, _write, report)


def _write(writer: SplitWriter, sample: ClipSample) -> None:
    name = f"{writer.split}/{sample.scene.id}"
    frames = tuple(
        writer.picture(f"frames/{name}/{number:02d}.png", frame) for number, frame in enumerate(sample.frames)
    )
    owners = (sample.instances + 1).astype(np.uint8).reshape(-1, sample.instances.shape[2])
    metadata = {**sample.scene.metadata, "instances": writer.picture(f"instances/{name}.png", owners)}
    # The first frame stands for the clip where one picture is wanted.
    writer.scene(replace(sample.scene, image=frames[0], frames=frames, metadata=metadata))


def read_clip(folder: str | Path, scene: Scene) -> ClipSample:
    """A sample back from the files that `make_clips` wrote.

    Args:
        folder: the made folder.
        scene: one of its scenes, as `lichen.scene.jsonl.read_jsonl` gives them.

    Raises:
        InputError: the scene is not one of a made folder.
        BadSample: a file cannot be read.
    """
    known = scene.metadata
    if known.get("world") != WORLD or not scene.frames or "instances" not in known:
        raise InputError(f"Scene {scene.id!r} was not written by `lichen data make {WORLD}`.")
    try:
        frames = np.stack([np.array(Image.open(Path(folder) / name)) for name in scene.frames])
        owners = np.array(Image.open(Path(folder) / known["instances"])).reshape(frames.shape[:3])
        visible = np.array(known["visible"], np.float64).reshape(len(scene.tracks), len(frames))
    except (OSError, SyntaxError, ValueError, KeyError, TypeError) as error:
        raise BadSample(scene.id, f"cannot be read back: {error}") from error
    return ClipSample(scene, frames, owners.astype(np.int16) - np.int16(1), visible)

"""`make`: the playground as a folder of files (see `writing`), and `check`, for all worlds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import CheckpointError, pick
from ...files import MANIFEST, read_json, sha256
from ...scene import Scene
from .clips.config import VERSION as CLIPS_VERSION
from .clips.config import WORLD as CLIPS
from .dataset import SIZES, SPLITS, Playground
from .solids.config import VERSION as SOLIDS_VERSION
from .solids.config import WORLD as SOLIDS
from .world import VERSION
from .writing import Report, SplitWriter, write_world

GENERATOR = "playground"
VERSIONS = {GENERATOR: VERSION, SOLIDS: SOLIDS_VERSION, CLIPS: CLIPS_VERSION}
"""Of all worlds that `lichen data make` writes, by name."""


def make(
    target: Path, size: str = "small", seed: int = 0, width: int = 96, height: int = 96, report: Report | None = None
) -> dict[str, Any]:
    """Write all splits of the playground.

    The folder is built beside `target` and renamed when it is complete: after an interruption nothing is there.

    Args:
        target: a folder that does not exist yet or is empty.
        size: smoke, small or full.
        seed: of the world.
        width, height: of the pictures, in pixels.
        report: is told of the progress.

    Returns:
        The manifest.

    Raises:
        InputError: an unknown size, a bad edge, or the folder holds something or cannot be written.
    """
    pick("size of the playground", size, SIZES)
    splits = {split: Playground(seed, split, size, width, height) for split in SPLITS}
    about = {"generator": GENERATOR, "version": VERSION, "seed": seed, "size": size, "picture": [width, height]}
    return write_world(target, about, splits, _write, report)


def _write(writer: SplitWriter, sample: tuple[np.ndarray, Scene]) -> None:
    pixels, scene = sample
    writer.scene(replace(scene, image=writer.picture(f"images/{writer.split}/{writer.done:06d}.png", pixels)))


def check(folder: Path, pictures: bool = True, world: str | None = None) -> dict[str, Any]:
    """Check a made folder against its digests.

    Args:
        folder: what `lichen data make` wrote.
        pictures: also read every picture.
        world: the only name in `VERSIONS` that is accepted; all if None.

    Returns:
        The manifest.

    Raises:
        CheckpointError: it is no such folder, of another version, or a file is missing or altered.
    """
    manifest = read_json(folder / MANIFEST)
    made = str(manifest.get("generator"))
    version = VERSIONS.get(made)
    if version is None or world not in (None, made) or not isinstance(manifest.get("sha256"), dict):
        raise CheckpointError(f"{str(folder)!r} is not a folder that `lichen data make {world or GENERATOR}` wrote.")
    if manifest.get("version") != version:
        raise CheckpointError(
            f"{str(folder)!r} was made by version {manifest.get('version')} of the playground; this is version "
            f"{version}, whose pictures differ. Make it again."
        )
    for name, expected in manifest["sha256"].items():
        _check_file(folder, name, expected)
        if pictures and name.endswith(".sha256"):
            for line in (folder / name).read_text("utf-8").splitlines():
                digest, _, path = line.partition("  ")
                _check_file(folder, path, digest)
    return manifest


def _check_file(folder: Path, name: str, expected: str) -> None:
    path = folder / name
    if ".." in Path(name).parts or Path(name).is_absolute() or not path.is_file():
        raise CheckpointError(f"{name!r} is listed in {str(folder)!r} but is not there. Make or copy the folder again.")
    if sha256(path) != expected:
        raise CheckpointError(f"{str(path)!r} was altered or truncated. Make or copy the folder again.")

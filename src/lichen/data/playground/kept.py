"""The playground's pictures as tables: drawn once, kept in the cache folder, read from there by every later run."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from ...backbones.embedded.loading import cache_root
from ...errors import InputError
from ...scene import Scene
from .dataset import Playground
from .world import VERSION

Progress = Callable[[int, int], None]
_PIXELS, _SCENES = "pixels.npy", "scenes.jsonl"


@dataclass(frozen=True)
class Kept:
    """Pictures of one split with what is known of them."""

    pixels: UInt8[np.ndarray, "pictures height width 3"]
    """A mapped file."""
    scenes: tuple[Scene, ...]

    def __len__(self) -> int:
        return len(self.scenes)


def kept(playground: Playground, progress: Progress | None = None) -> Kept:
    """All pictures of a playground; those that were drawn before come from the cache.

    Args:
        playground: which, with its language.
        progress: told how many of how many pictures are there.

    Raises:
        InputError: the cache folder cannot be written.
    """
    of = playground
    told = json.dumps([VERSION, of.seed, of.split, len(of), of.width, of.height])
    return Kept(*keep("playground", told, (len(of), of.height, of.width, 3), iter(playground), progress))


def keep(
    shelf: str,
    told: str,
    shape: tuple[int, ...],
    samples: Iterable[tuple[Any, Scene]],
    progress: Progress | None = None,
) -> tuple[np.ndarray, tuple[Scene, ...]]:
    """Pixels and scenes of samples, from the cache folder where they were drawn before.

    Args:
        shelf: folder of the cache.
        told: all that decides the samples.
        shape: of all pixels together.
        samples: read only where they are not there yet.
        progress: told how many of how many are there.

    Raises:
        InputError: the cache folder cannot be written.
    """
    folder = cache_root() / shelf / hashlib.sha256(told.encode()).hexdigest()[:16]
    if not (folder / _SCENES).is_file():
        try:
            _draw(shape, samples, folder, progress)
        except OSError as error:
            raise InputError(
                f"The playground's pictures cannot be kept in {str(folder)!r}: {error.strerror or error}. Free some "
                "space, or let LICHEN_CACHE name another folder."
            ) from error
    lines = (folder / _SCENES).read_text("utf-8").splitlines()
    pixels = np.load(folder / _PIXELS, mmap_mode="r", allow_pickle=False)
    return pixels, tuple(map(Scene.from_json, lines))


def _draw(
    shape: tuple[int, ...], samples: Iterable[tuple[Any, Scene]], folder: Path, progress: Progress | None
) -> None:
    """Into a folder of its own, which gets its name when it is whole: other processes may draw the same."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    stage = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f"{folder.name}."))
    try:
        file = np.lib.format.open_memmap(stage / _PIXELS, mode="w+", dtype=np.uint8, shape=shape)
        lines = []
        for row, (picture, scene) in enumerate(samples):
            file[row] = picture
            lines.append(scene.to_json())
            if progress is not None:
                progress(row + 1, shape[0])
        file.flush()
        (stage / _SCENES).write_text("\n".join(lines), "utf-8")
        if folder.exists() and not (folder / _SCENES).is_file():
            shutil.rmtree(folder)
        try:
            os.rename(stage, folder)
        except OSError:
            # Another process was faster; what it drew is the same.
            if not (folder / _SCENES).is_file():
                raise
    finally:
        shutil.rmtree(stage, ignore_errors=True)

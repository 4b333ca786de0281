"""Clips of a recipe, as pixels and scenes: the playground's, or a user's own folders of frames with boxes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from ...data.formats import read_scenes
from ...data.playground.clips.dataset import PlaygroundClips
from ...data.playground.clips.kept import kept_clips
from ...errors import InputError
from ...scene import Box, Scene, Track
from ...scene.clips import open_frames
from .recipe import ClipsConfig

Report = Callable[[str, int, int], Any]


@dataclass(frozen=True, eq=False)
class Clips:
    """Clips of one length and size."""

    pixels: UInt8[np.ndarray, "clips frames height width 3"]
    scenes: tuple[Scene, ...]

    def __len__(self) -> int:
        return len(self.scenes)


def training_clips(config: ClipsConfig, size: tuple[int, int], report: Report | None = None) -> Clips:
    """What is learnt from.

    Args:
        config: of the recipe.
        size: height and width of the frames.
        report: told "clips", how many are there, how many there will be.
    """
    return _clips(config, size, "train", report)


def test_clips(config: ClipsConfig, size: tuple[int, int], report: Report | None = None) -> Clips:
    """What is measured on; never trained on."""
    return _clips(config, size, "test", report)


def _clips(config: ClipsConfig, size: tuple[int, int], split: str, report: Report | None) -> Clips:
    count = config.train if split == "train" else config.test
    if config.kind == "playground":
        if size[0] != size[1]:
            raise InputError(f"The playground's clips are square, and this base model makes {size[1]} × {size[0]}.")
        told = None if report is None else (lambda done, total: report(f"{split} clips", done, total))
        found = kept_clips(PlaygroundClips(0, split, count, config.world(size[0])), told)
        return Clips(found.pixels, found.scenes)
    return _own_clips(config, size, split)


def _own_clips(config: ClipsConfig, size: tuple[int, int], split: str) -> Clips:
    assert config.path is not None
    whole = sorted(read_scenes("clips", [Path(config.path)]), key=lambda scene: scene.id)
    cut = [piece for scene in whole for piece in pieces(scene, config.frames, config.every)]
    if not cut:
        raise InputError(
            f"{config.path!r} holds no clip of {config.frames} frames (every {config.every}). Take fewer frames."
        )
    # A test clip must not share its film with a training clip, unless there is one film alone.
    held = min(config.test, max(1, len(cut) // 5))
    chosen = cut[-held:] if split == "test" else cut[:-held][: config.train]
    if not chosen:
        raise InputError(f"{config.path!r} holds {len(cut)} clips, too few to train on some and measure on others.")
    frames = [np.stack([_frame(picture, size) for picture in open_frames(scene)]) for scene in chosen]
    return Clips(np.stack(frames), tuple(_scaled(scene, size) for scene in chosen))


def pieces(scene: Scene, frames: int, every: int) -> list[Scene]:
    """A film cut into clips that follow each other; what is left at its end is left out."""
    places = [range(start, start + frames * every, every) for start in range(0, len(scene.frames), frames * every)]
    return [
        replace(
            scene,
            id=f"{scene.id}@{where.start}",
            frames=tuple(scene.frames[place] for place in where),
            tracks=tuple(replace(track, boxes=tuple(track.boxes[place] for place in where)) for track in scene.tracks),
        )
        for where in places
        if where[-1] < len(scene.frames)
    ]


def _frame(picture: Image.Image, size: tuple[int, int]) -> UInt8[np.ndarray, "height width 3"]:
    return np.array(picture.resize((size[1], size[0]), Image.Resampling.BOX))


def _scaled(scene: Scene, size: tuple[int, int]) -> Scene:
    """A scene whose boxes lie in frames of another size; a caption is made of its things where it has none."""
    if scene.size is None:
        raise InputError(f"Scene {scene.id!r} has no size.")
    x, y = size[1] / scene.size[0], size[0] / scene.size[1]

    def moved(box: Box | None) -> Box | None:
        return None if box is None else (box[0] * x, box[1] * y, box[2] * x, box[3] * y)

    tracks = tuple(Track(tuple(map(moved, track.boxes)), track.label) for track in scene.tracks)
    words = " and ".join(dict.fromkeys(f"a {track.label}" for track in tracks if track.label))
    captions = scene.captions or ((f"{words[0].upper()}{words[1:]}.",) if words else ())
    return Scene(scene.id, size=(size[1], size[0]), captions=captions, tracks=tracks, frames=scene.frames)

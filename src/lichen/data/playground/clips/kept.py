"""The playground's clips as tables: drawn once, kept in the cache folder, read from there by every later run."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import UInt8

from ....errors import InputError
from ....scene import Scene
from ..kept import Progress, keep
from .config import VERSION
from .dataset import PlaygroundClips


@dataclass(frozen=True)
class KeptClips:
    """Clips of one split with what is known of them."""

    pixels: UInt8[np.ndarray, "clips frames height width 3"]
    """A mapped file."""
    scenes: tuple[Scene, ...]

    def __len__(self) -> int:
        return len(self.scenes)


def kept_clips(clips: PlaygroundClips, progress: Progress | None = None) -> KeptClips:
    """All clips of a data set; those that were drawn before come from the cache.

    Args:
        clips: which; all of one length.
        progress: told how many of how many clips are there.

    Raises:
        InputError: the clips differ in length, or the cache folder cannot be written.
    """
    of = clips.config
    least, most = of.frames
    if least != most:
        raise InputError(f"Clips in one table have one length; frames = {of.frames} lets them differ.")
    told = json.dumps([VERSION, clips.seed, clips.split, len(clips), asdict(of)])
    samples = ((sample.frames, sample.scene) for sample in clips)
    return KeptClips(*keep("playground-clips", told, (len(clips), most, of.size, of.size, 3), samples, progress))

"""Clips of things that move and hide each other, with a track of each, from (seed, index).

`playground_clip` makes one clip, `PlaygroundClips` is a data set of them.
"""

from __future__ import annotations

from .config import ClipConfig
from .dataset import PlaygroundClips
from .make import make_clips, read_clip
from .sample import ClipSample, playground_clip
from .show import show_clips

__all__ = ["ClipConfig", "ClipSample", "PlaygroundClips", "make_clips", "playground_clip", "read_clip", "show_clips"]

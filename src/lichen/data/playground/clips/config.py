"""`ClipConfig`: how the playground's clips are made."""

from __future__ import annotations

from dataclasses import dataclass

from ....errors import InputError, pick
from .repertoire import MOVERS

WORLD = "clips"
"""Name for `lichen data make`, also in manifests and scenes."""
VERSION = 1
"""Of the generator: another number whenever a frame or a track of any (seed, index) changes."""

_EDGES = (32, 512)
_MOST_FRAMES = 64


@dataclass(frozen=True)
class ClipConfig:
    """Settings of `playground_clip`.

    Raises:
        InputError: a value makes no sense; the message names it.
    """

    frames: tuple[int, int] = (8, 16)
    """Least and most frames of a clip; equal numbers fix it. The motion a frame is the same."""
    size: int = 64
    """Edge of the frames, in pixels."""
    panning: float = 0.5
    """Share of clips in which the camera pans; in the others it stands still."""
    detail: int = 3
    """Drawn pixels to an edge of a finished one: 1, 3, 5 or 7. Odd, so that one lies in the middle."""
    movers: int = 3
    """Most things of a clip that move, 1 to 3."""
    props: int = 2
    """Most things of a clip that stand, 0 to 2."""
    classes: tuple[str, ...] = ()
    """Of the movers: names such as "ball", or doings such as "riding bicycle"; empty: all."""
    plain: bool = False
    """Whether the background is one colour, which captions do not tell, in place of a drawn one."""
    grown: tuple[float, float] = (0.48, 0.74)
    """Height of a grown-up at the near end of the ground, least and most, in heights of a frame."""
    speed: float = 1.0
    """Of all that moves, times its own."""

    def __post_init__(self) -> None:
        least, most = self.frames
        if not 2 <= least <= most <= _MOST_FRAMES:
            raise InputError(f"frames must be two numbers in order, from 2 to {_MOST_FRAMES}; got {self.frames}.")
        if not _EDGES[0] <= self.size <= _EDGES[1]:
            raise InputError(f"size must lie between {_EDGES[0]} and {_EDGES[1]} pixels; got {self.size}.")
        if not 0.0 <= self.panning <= 1.0:
            raise InputError(f"panning must be a share from 0 to 1; got {self.panning}.")
        if self.detail not in (1, 3, 5, 7):
            raise InputError(f"detail must be 1, 3, 5 or 7; got {self.detail}.")
        if not (1 <= self.movers <= 3 and 0 <= self.props <= 2):
            raise InputError(f"movers must be 1 to 3 and props 0 to 2; got {self.movers} and {self.props}.")
        for name in self.classes:
            pick("mover", name, {key for movers in MOVERS.values() for key in movers})
        if not 0.1 <= self.grown[0] <= self.grown[1] <= 2.0:
            raise InputError(f"grown must be two heights in order, from 0.1 to 2; got {self.grown}.")
        if not 0.0 < self.speed <= 4.0:
            raise InputError(f"speed must lie above 0 and at most at 4; got {self.speed}.")

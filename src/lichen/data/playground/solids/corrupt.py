"""What goes wrong in real depth pictures, on purpose: something in front, errors of the sensor, pixels without depth.

Source: the robustness experiments that the primitive graph network (arXiv 2109.04153) is measured on here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int16, UInt8

from ..dice import Dice
from .config import SolidConfig

Box = tuple[float, float, float, float]

_HIDDEN = (0.35, 0.65)
"""Share of the object's width and height that an occluder covers."""


@dataclass(eq=False)
class Channels:
    """The pictures of one view. They are changed together."""

    image: UInt8[np.ndarray, "rows columns 3"]
    depth: Float32[np.ndarray, "rows columns"]
    parts: Int16[np.ndarray, "rows columns"]

    @property
    def mask(self) -> Bool[np.ndarray, "rows columns"]:
        """Where there is a depth."""
        return np.isfinite(self.depth)

    def forget(self, where: Bool[np.ndarray, "rows columns"]) -> None:
        """Take depth and part away."""
        self.depth[where] = np.inf
        self.parts[where] = -1


def corrupt(channels: Channels, dice: Dice, config: SolidConfig) -> Box | None:
    """Apply whatever the settings ask for, in place.

    Args:
        channels: of a clean view.
        dice: of the view's errors.
        config: with `occluded`, `depth_noise` and `missing`.

    Returns:
        The occluder (left, top, right, bottom in whole pixels), or None.
    """
    occluder = _occlude(channels, dice) if dice.chance(config.occluded) else None
    mask = channels.mask
    if config.depth_noise:
        # The sum of twelve numbers from 0 to 1 is close to a normal one, of variance 1, with the same bits everywhere.
        error = dice.units(12 * mask.size).reshape(12, *mask.shape).sum(axis=0) - 6.0
        channels.depth[mask] += (error * config.depth_noise).astype(np.float32)[mask]
    if config.missing:
        channels.forget(mask & (dice.units(mask.size).reshape(mask.shape) < config.missing))
    return occluder


def _occlude(channels: Channels, dice: Dice) -> Box:
    """Put a flat rectangle before a part of the object, at the place of its middle in the most."""
    rows, columns = np.nonzero(channels.mask.any(axis=1))[0], np.nonzero(channels.mask.any(axis=0))[0]
    edges = []
    for places in (columns, rows):
        first, extent = int(places[0]), int(places[-1]) + 1 - int(places[0])
        length = max(1, round(extent * dice.between(*_HIDDEN)))
        start = first + dice.whole(extent - length + 1)
        edges.append((start, start + length))
    (left, right), (top, bottom) = edges
    hidden = np.zeros(channels.depth.shape, np.bool_)
    hidden[top:bottom, left:right] = True
    channels.forget(hidden)
    channels.image[hidden] = [40 + dice.whole(180) for _ in range(3)]
    return float(left), float(top), float(right), float(bottom)

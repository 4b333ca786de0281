"""What surfaces look like: woods, paints, cloths and metals by name, and their grain and weave.

Patterns are looked up in one fixed table of noise, so that they are the same on every machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float32, Int

from ..dice import Dice
from .blocks import CLOTH, LINEN, METAL, PILLOW, WOOD

Colour = tuple[float, float, float]

_TABLE = 1024


@dataclass(frozen=True)
class Material:
    """One surface."""

    name: str
    """For captions."""
    colour: Colour
    """Red, green, blue, 0 to 1."""
    pattern: str = "plain"
    """"plain", "grain" (along the longest edge) or "weave"."""
    contrast: float = 0.0
    """How strongly the pattern changes the colour."""


def _wood(name: str, colour: Colour, contrast: float = 0.16) -> Material:
    return Material(name, colour, "grain", contrast)


_WOODS = (
    _wood("oak", (0.74, 0.57, 0.38)),
    _wood("pine", (0.87, 0.72, 0.50)),
    _wood("walnut", (0.43, 0.29, 0.20)),
    _wood("cherry", (0.62, 0.33, 0.21)),
    _wood("ash", (0.84, 0.77, 0.65), 0.12),
    _wood("ebony", (0.20, 0.17, 0.16), 0.25),
    Material("white", (0.93, 0.92, 0.89)),
    Material("black", (0.15, 0.15, 0.16)),
    Material("mint green", (0.62, 0.80, 0.70)),
    Material("sky blue", (0.52, 0.68, 0.82)),
    Material("red", (0.74, 0.22, 0.19)),
    Material("yellow", (0.92, 0.76, 0.30)),
)
_CLOTHS = tuple(
    Material(name, colour, "weave", contrast)
    for name, colour, contrast in (
        ("light grey", (0.74, 0.74, 0.74), 0.07),
        ("charcoal", (0.28, 0.29, 0.31), 0.11),
        ("beige", (0.84, 0.77, 0.66), 0.07),
        ("navy", (0.20, 0.26, 0.42), 0.10),
        ("teal", (0.16, 0.45, 0.46), 0.11),
        ("mustard", (0.80, 0.60, 0.10), 0.10),
        ("brick red", (0.66, 0.27, 0.11), 0.10),
        ("olive", (0.45, 0.47, 0.27), 0.11),
        ("pink", (0.86, 0.62, 0.62), 0.07),
        ("brown", (0.45, 0.30, 0.21), 0.06),
    )
)
_METALS = (
    Material("black steel", (0.17, 0.17, 0.18)),
    Material("chrome", (0.76, 0.78, 0.80)),
    Material("brass", (0.78, 0.62, 0.32)),
    Material("white steel", (0.90, 0.90, 0.90)),
)
_LINENS = (
    Material("white", (0.94, 0.93, 0.91), "weave", 0.03),
    Material("cream", (0.92, 0.87, 0.77), "weave", 0.03),
    Material("pale blue", (0.74, 0.81, 0.89), "weave", 0.03),
    Material("grey", (0.70, 0.71, 0.73), "weave", 0.04),
    Material("sage", (0.70, 0.76, 0.66), "weave", 0.04),
)
_CHOICES: Mapping[str, tuple[Material, ...]] = {
    WOOD: _WOODS,
    CLOTH: _CLOTHS,
    METAL: _METALS,
    LINEN: _LINENS,
    PILLOW: _LINENS,
}


def random_finish(dice: Dice) -> dict[str, Material]:
    """A material for everything that blocks are made of."""
    return {made_of: dice.pick(choices) for made_of, choices in _CHOICES.items()}


@cache
def _noise() -> Float32[np.ndarray, " entries"]:
    """-1 to 1, smooth over neighbours, closed to a ring with one entry more for interpolation."""
    dice = Dice(0, 0, _STREAM)
    rough = np.array([dice.between(-1.0, 1.0) for _ in range(_TABLE)], np.float32)
    return np.append(rough, rough[:1])


_STREAM = 0x7AB1E


def smooth(place: Float32[np.ndarray, " points"]) -> Float32[np.ndarray, " points"]:
    """Noise that runs smoothly along a line; one unit is one random value."""
    whole = np.floor(place)
    part = place - whole
    entry = whole.astype(np.int32) & (_TABLE - 1)
    table = _noise()
    return table[entry] * (1 - part) + table[entry + 1] * part


def speckle(*cells: Int[np.ndarray, " points"]) -> Float32[np.ndarray, " points"]:
    """Noise by cell: equal whole coordinates, equal value from -1 to 1."""
    mixed = cells[0] * 73
    for factor, cell in zip((151, 283), cells[1:], strict=False):
        mixed = mixed + cell * factor
    return _noise()[(mixed ^ (mixed >> 5)) & (_TABLE - 1)]


def texture(
    pattern: str,
    along: Float32[np.ndarray, " points"],
    one: Float32[np.ndarray, " points"],
    two: Float32[np.ndarray, " points"],
) -> Float32[np.ndarray, " points"]:
    """A pattern on the surface of one part, -1 to 1.

    Args:
        pattern: "grain" or "weave".
        along: coordinate along the part's longest edge, in edges of the unit cube.
        one, two: the other two coordinates.
    """
    if pattern == "grain":
        bend = smooth(along * 4 + 40) * np.float32(0.35)
        return smooth((one + two) * 70 + bend * 6) * np.float32(0.7) + smooth((one - two) * 23 + bend) * np.float32(0.4)
    cells = [np.floor(way * 110).astype(np.int32) for way in (along, one, two)]
    return speckle(*cells)

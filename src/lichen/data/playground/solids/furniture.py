"""`Furniture`: an object as the primitive graph network sees it, made from a seed and a number alone.

The pose is normalised. The object fits into the unit cube, its middle at (0.5, 0.5, 0.5), its longest edge 15/16 of the
cube's, so that one voxel of a 32³ grid stays free on every side. x runs from the object's left to its right, y from its
back to its front, z up; x = 0.5 is the mirror plane. In voxel units (times 32) these are the coordinates of Pix3D's
published primitives.

Solids come in two halves. First the half model, in descending height of the centre (equal heights: front first, then
left first): parts on the left and parts that the mirror plane cuts. Then the reflections of those on the left, in the
same order. All numbers but the sines of turned parts are multiples of 2**-17, so reflections are exact.

Source: arXiv 2109.04153 (order, half model, one axis of rotation a part), in the layout of its released data.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ....scene import Solid
from ....scene.check import Rotation
from ....scene.geometry import reflected
from ..dice import Dice
from .beds import bed
from .blocks import Block, Triple
from .chairs import chair
from .designs import Design
from .desks import desk
from .shelves import shelf
from .sofas import sofa
from .tables import table

BUILDERS: dict[str, Callable[[Dice], Design]] = {
    "chair": chair,
    "table": table,
    "sofa": sofa,
    "bed": bed,
    "desk": desk,
    "shelf": shelf,
}
MIRROR = (1.0, 0.0, 0.0, 0.5)
"""Plane about which every object is symmetric: normal and offset."""
EDGE = 15 / 16
"""Longest edge of an object in the unit cube."""
_GRID = 2.0**16
_STREAM, _ORDER = 0x5011D, 0x5011C
"""Streams of the throws that make an object, and of the order of kinds."""
_TRIES = 64


@dataclass(frozen=True)
class Furniture:
    """One object."""

    kind: str
    """Such as "chair"."""
    style: str
    """Such as "ladder-back"."""
    words: tuple[str, ...]
    """What a caption may add."""
    solids: tuple[Solid, ...]
    """The half model, then the reflections of its parts on the left."""
    half: int
    """Parts of the half model: `solids[:half]`."""
    partners: tuple[int, ...]
    """For every solid, the place of its reflection; its own place where it is its own reflection."""
    made_of: tuple[str, ...]
    """Material of every solid, as in `blocks`."""
    metres: float
    """Length of the unit cube's edge in the real object."""


def make_furniture(seed: int, number: int, kinds: tuple[str, ...], most_parts: int) -> Furniture:
    """The object of a number. The same four arguments always give the same object.

    Args:
        seed: of the world.
        number: of the object.
        kinds: that it may be of. Of as many objects in a row as there are kinds, each is of another kind.
        most_parts: largest half model; designs with more parts are drawn again.
    """
    row, place = divmod(number, len(kinds))
    kind = Dice(seed, row, _ORDER).order(kinds)[place]
    dice = Dice(seed, number, _STREAM)
    smallest = None
    for _ in range(_TRIES):
        design = BUILDERS[kind](dice)
        if len(design.blocks) <= most_parts:
            return normalised(design)
        if smallest is None or len(design.blocks) < len(smallest.blocks):
            smallest = design
    return normalised(smallest or design)


def normalised(design: Design) -> Furniture:
    """A design in the unit cube, with its reflections, in the order of the module's docstring."""
    corners = [corner for block in design.blocks for corner in _extent(block)]
    low, high = ([pick(corner[k] for corner in corners) for k in range(3)] for pick in (min, max))
    reach = max(-low[0], high[0])
    scale = EDGE / max(2 * reach, high[1] - low[1], high[2] - low[2])
    middle = (0.0, (low[1] + high[1]) / 2, (low[2] + high[2]) / 2)
    half = [_solid(block, scale, middle) for block in design.blocks]
    order = sorted(range(len(half)), key=lambda n: (-half[n].centre[2], -half[n].centre[1], half[n].centre[0]))
    blocks, solids = [design.blocks[n] for n in order], [half[n] for n in order]
    on_left = [n for n, block in enumerate(blocks) if not block.straddles]
    partners = list(range(len(solids))) + on_left
    for place, n in enumerate(on_left):
        partners[n] = len(solids) + place
    return Furniture(
        kind=design.kind,
        style=design.style,
        words=design.words,
        solids=(*solids, *(mirrored(solids[n]) for n in on_left)),
        half=len(solids),
        partners=tuple(partners),
        made_of=(*(block.made_of for block in blocks), *(blocks[n].made_of for n in on_left)),
        metres=1.0 / scale,
    )


def mirrored(solid: Solid) -> Solid:
    """The reflection of a solid in the mirror plane, named for its side: "left arm" becomes "right arm"."""
    other = reflected(solid)
    names = {"left": "right", "right": "left"}
    part = None if solid.part is None else " ".join(names.get(word, word) for word in solid.part.split(" "))
    # Adding 0.0 turns -0.0 into 0.0.
    return replace(other, rotation=_nine([value + 0.0 for value in other.rotation]), part=part)


def _solid(block: Block, scale: float, middle: Triple) -> Solid:
    """A block of the half model as a solid of the unit cube."""
    edges = []
    for k in range(3):
        low, high = (0.5 + (corner[k] - middle[k]) * scale for corner in (block.low, block.high))
        edges.append((round(low * _GRID) / _GRID, round(high * _GRID) / _GRID))
    (left, right), (rear, front), (bottom, top) = edges
    return Solid(
        centre=((left + right) / 2, (rear + front) / 2, (bottom + top) / 2),
        size=(right - left, front - rear, top - bottom),
        rotation=rotation_about(block.axis, block.angle),
        part=block.part if block.straddles else f"left {block.part}",
        mirror=MIRROR,
    )


def rotation_about(axis: int | None, angle: float) -> Rotation:
    """A turn about a principal axis (0, 1, 2; None: no turn) by the right-hand rule, 3×3 by rows."""
    matrix = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    if axis is not None:
        sine, cosine = math.sin(angle), math.cos(angle)
        one, two = (axis + 1) % 3, (axis + 2) % 3
        matrix[4 * one] = matrix[4 * two] = cosine
        matrix[3 * one + two], matrix[3 * two + one] = -sine, sine
    return _nine(matrix)


def _nine(values: Sequence[float]) -> Rotation:
    a, b, c, d, e, f, g, h, i = values
    return a, b, c, d, e, f, g, h, i


def _extent(block: Block) -> list[Triple]:
    """Two corners of the axis-aligned box around a block after it is turned."""
    m = rotation_about(block.axis, block.angle)
    half = [(high - low) / 2 for low, high in zip(block.low, block.high, strict=True)]
    x, y, z = (sum(abs(m[3 * row + k]) * half[k] for k in range(3)) for row in range(3))
    cx, cy, cz = block.centre
    return [(cx - x, cy - y, cz - z), (cx + x, cy + y, cz + z)]

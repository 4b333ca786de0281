"""`Block`: one cuboid of a piece of furniture while it is being built, in metres.

A builder makes the *half model*: blocks on the object's left, and blocks that straddle the mirror plane x = 0 and are
their own reflection. x runs from the object's left to its right, y from its back to its front, z up from the floor.
The object faces +y, so its own left is x < 0.

Every block is turned about at most one principal axis, as in 3D-PRNN and the primitive graph network
(arXiv 2109.04153), by at most 45°: beyond that, another order of its edges describes the same box with a smaller angle.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

Triple = tuple[float, float, float]

WOOD, CLOTH, METAL, LINEN, PILLOW = "wood", "cloth", "metal", "linen", "pillow"
"""What a block is made of: the structure, upholstery, thin metal parts, bedding, pillows."""


@dataclass(frozen=True)
class Block:
    """A cuboid between two corners, then turned about its centre."""

    part: str
    """Such as "seat"; a block on the left has no "left" in its name yet."""
    low: Triple
    """Smallest x, y, z before it is turned."""
    high: Triple
    made_of: str = WOOD
    axis: int | None = None
    """Axis that it is turned about: 0, 1, 2, or None."""
    angle: float = 0.0
    """Radians, by the right-hand rule, within ±π/4."""

    @property
    def centre(self) -> Triple:
        """Its centre, which turning leaves in place."""
        x, y, z = ((low + high) / 2 for low, high in zip(self.low, self.high, strict=True))
        return x, y, z

    @property
    def straddles(self) -> bool:
        """Whether the mirror plane cuts it, so that it is its own reflection."""
        return self.low[0] < 0.0 < self.high[0]

    def moved(self, dx: float = 0.0, dy: float = 0.0, dz: float = 0.0) -> Block:
        """The same block elsewhere."""
        shift = (dx, dy, dz)
        return replace(self, low=_added(self.low, shift), high=_added(self.high, shift))


def span(part: str, width: float, y: tuple[float, float], z: tuple[float, float], made_of: str = WOOD) -> Block:
    """A block across the mirror plane: its full width, and where it begins and ends along y and z."""
    return Block(part, (-width / 2, y[0], z[0]), (width / 2, y[1], z[1]), made_of)


def side(
    part: str,
    x: tuple[float, float],
    y: tuple[float, float],
    z: tuple[float, float],
    made_of: str = WOOD,
) -> Block:
    """A block on the left, where it begins and ends along x, y and z; x up to 0."""
    return Block(part, (x[0], y[0], z[0]), (x[1], y[1], z[1]), made_of)


def lean(blocks: Sequence[Block], angle: float, y: float, z: float) -> list[Block]:
    """Turn blocks together backwards by `angle` about the line (y, z) along x, as the back of a chair leans."""
    sine, cosine = math.sin(angle), math.cos(angle)
    leaned = []
    for block in blocks:
        _, cy, cz = block.centre
        dy, dz = cy - y, cz - z
        moved = block.moved(dy=dy * cosine - dz * sine - dy, dz=dy * sine + dz * cosine - dz)
        leaned.append(replace(moved, axis=0, angle=angle) if angle else moved)
    return leaned


def leg(
    part: str,
    top: Triple,
    thick: tuple[float, float],
    made_of: str = WOOD,
    axis: int | None = None,
    angle: float = 0.0,
    floor: float = 0.0,
) -> Block:
    """A post that stands on the floor under the point `top`.

    Args:
        part: its name.
        top: centre of its upper end.
        thick: its width along x and its depth along y.
        made_of: as in `Block`.
        axis: 0 to splay it along y, 1 along x, None to keep it upright.
        angle: about that axis: positive about x brings the foot to the front, positive about y to the left.
        floor: height that its lowest corner rests on.
    """
    width, depth = thick
    x, y, z = top
    sine, cosine = math.sin(angle), math.cos(angle)
    across = depth if axis == 0 else width
    # The lowest point is a corner of the tilted foot.
    length = (z - floor - across / 2 * abs(sine)) / cosine
    reach = -length / 2
    if axis == 0:
        centre = (x, y - reach * sine, z + reach * cosine)
    elif axis == 1:
        centre = (x + reach * sine, y, z + reach * cosine)
    else:
        centre = (x, y, z + reach)
    half = (width / 2, depth / 2, length / 2)
    return Block(part, _added(centre, half, -1.0), _added(centre, half), made_of, axis if angle else None, angle)


def _added(one: Triple, two: Triple, times: float = 1.0) -> Triple:
    """One point and a multiple of another."""
    return one[0] + times * two[0], one[1] + times * two[1], one[2] + times * two[2]


def turned(part: str, centre: Triple, size: Triple, degrees: float, made_of: str = WOOD) -> Block:
    """A block turned about z by any angle, described with the angle within ±45° that gives the same box."""
    quarters = round(degrees / 90.0)
    width, depth, height = size
    if quarters % 2:
        width, depth = depth, width
    half = (width / 2, depth / 2, height / 2)
    angle = math.radians(degrees - 90.0 * quarters)
    return Block(part, _added(centre, half, -1.0), _added(centre, half), made_of, 2 if angle else None, angle)

"""`Primitives`: an object's half model as the numbers that a primitive graph network learns, and the way back.

Units are voxels of a grid over the unit cube. A turn is the vector axis times angle, of which at most one entry is not
zero. The published files turn points as rows, so that its sign is the opposite of the right-hand rule's.

Source: arXiv 2109.04153 and its released data (size, least corner of the box before it is turned, axis, angle; order
from the highest centre to the lowest; reflections are added by rule).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Int64

from ....errors import InputError
from ....scene import Scene, Solid
from .designs import PARTS, part_class
from .furniture import MIRROR, mirrored, rotation_about
from .voxels import RESOLUTION

_LEVEL = 1e-9
"""Entries of a rotation below this are rounding."""


@dataclass(frozen=True, eq=False)
class Primitives:
    """A half model, in the order in which it is to be predicted."""

    size: Float64[np.ndarray, "parts 3"]
    """Full edges along the own axes, in voxels."""
    corner: Float64[np.ndarray, "parts 3"]
    """Least corner of the box before it is turned about its centre, in voxels."""
    turn: Float64[np.ndarray, "parts 3"]
    """Axis times angle in radians, with the sign of the published files."""
    classes: Int64[np.ndarray, " parts"]
    """Numbers of the parts' classes among those of the object's kind."""
    grid: int
    """Voxels along an edge of the unit cube."""

    def __len__(self) -> int:
        return len(self.size)


def to_primitives(scene: Scene, grid: int = RESOLUTION) -> Primitives:
    """The half model of an object.

    Args:
        scene: of a `SolidSample`.
        grid: voxels along an edge of the unit cube.

    Raises:
        InputError: the scene is none of the playground's solids, or a part is turned about two axes.
    """
    half = scene.metadata.get("half")
    if not isinstance(half, int) or not scene.labels or not 0 < half <= len(scene.solids):
        raise InputError(f"Scene {scene.id!r} is none of the playground's solids: its metadata has no 'half'.")
    solids, kind = scene.solids[:half], scene.labels[0].name
    size = np.array([solid.size for solid in solids], np.float64) * grid
    centre = np.array([solid.centre for solid in solids], np.float64) * grid
    turn = -np.array([_turn(solid, scene.id) for solid in solids], np.float64)
    classes = np.array([part_class(kind, solid.part or "") for solid in solids], np.int64)
    return Primitives(size, centre - size / 2, turn, classes, grid)


def to_solids(primitives: Primitives, kind: str) -> tuple[Solid, ...]:
    """All solids of an object from its half model: a part that ends before the mirror plane is reflected.

    Args:
        primitives: a half model, annotated or predicted. Where a prediction turns a part about several axes, the
            largest angle counts, as published.
        kind: of the object, which names the classes.

    Raises:
        InputError: no such kind, or a class that it does not have.
    """
    names = tuple(PARTS.get(kind, ()))
    if not names:
        part_class(kind, "")
    worst = int(primitives.classes.max(initial=-1))
    if worst >= len(names) or int(primitives.classes.min(initial=0)) < 0:
        raise InputError(f"A {kind} has the part classes 0 to {len(names) - 1}; got {primitives.classes.tolist()}.")
    half = []
    for size, corner, turn, number in zip(
        primitives.size, primitives.corner, primitives.turn, primitives.classes.tolist(), strict=True
    ):
        axis = int(np.abs(turn).argmax())
        angle = -float(turn[axis])
        x, y, z = ((corner + size / 2) / primitives.grid).tolist()
        w, d, h = (size / primitives.grid).tolist()
        rotation = rotation_about(axis if angle else None, angle)
        half.append(Solid((x, y, z), (w, d, h), rotation, names[number], MIRROR))
    images = []
    for place, solid in enumerate(half):
        if solid.centre[0] + solid.size[0] / 2 < MIRROR[3] + _EDGE:
            half[place] = replace(solid, part=f"left {solid.part}")
            images.append(mirrored(half[place]))
    return (*half, *images)


_EDGE = 2.0**-18
"""A part that touches the mirror plane is not cut by it; less than the step of the coordinates."""


def _turn(solid: Solid, id: str) -> Sequence[float]:
    """Axis times angle by the right-hand rule."""
    m = solid.rotation
    turn = [0.0, 0.0, 0.0]
    for axis in range(3):
        one, two = (axis + 1) % 3, (axis + 2) % 3
        turn[axis] = math.atan2(m[3 * two + one], m[3 * one + one])
    turned = [axis for axis in range(3) if abs(turn[axis]) > _LEVEL]
    if len(turned) > 1:
        raise InputError(f"Scene {id!r}: {solid.part!r} is turned about more than one axis.")
    return [angle if axis in turned else 0.0 for axis, angle in enumerate(turn)]

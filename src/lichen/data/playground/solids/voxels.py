"""Occupancy grids of solids, exact at the middle of every voxel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool

from ....scene import Solid
from .boxes import Boxes

RESOLUTION = 32
"""Voxels along each edge of the unit cube, as in the metrics of Pix3D's primitives."""


def voxelise(solids: Sequence[Solid], resolution: int = RESOLUTION) -> Bool[np.ndarray, "x y z"]:
    """Which voxels of the unit cube are occupied.

    A voxel is occupied where its middle lies in a solid, faces included; a solid thinner than a voxel counts as one
    voxel thick, so that no board vanishes. Voxel (i, j, k) has its middle at ((i, j, k) + 0.5) / resolution.

    Args:
        solids: of an object in its normalised pose.
        resolution: voxels along each edge.

    Returns:
        Occupancy, indexed by x (the object's left to its right), y (back to front), z (up).
    """
    boxes = Boxes.of(solids)
    least = 1.0 / resolution
    half = np.maximum(boxes.half, least / 2)
    reach = np.abs(boxes.rotation * half[:, None]).sum(axis=2)
    grid = np.zeros((resolution,) * 3, np.bool_)
    middles = (np.arange(resolution) + 0.5) / resolution
    # One voxel more on each side than the extent, since rounding may put a middle exactly on its edge.
    first = np.clip(np.floor((boxes.centre - reach) * resolution).astype(int) - 1, 0, resolution)
    last = np.clip(np.ceil((boxes.centre + reach) * resolution).astype(int) + 1, 0, resolution)
    for box in range(len(boxes)):
        window = tuple(slice(first[box, k], last[box, k]) for k in range(3))
        x, y, z = (middles[window[k]] - boxes.centre[box, k] for k in range(3))
        m = boxes.rotation[box]
        held = np.ones((len(x), len(y), len(z)), np.bool_)
        for j in range(3):
            along = (x * m[0, j])[:, None, None] + (y * m[1, j])[:, None] + z * m[2, j]
            held &= np.abs(along) <= half[box, j]
        grid[window] |= held
    return grid

"""Occupancy grids of cuboids by the analytic rule, and of closed meshes; all voxels at once.

Voxel (i, j, k) of a grid of V along every edge has its middle at (i, j, k) + 1/2 in voxel units.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from ..errors import InputError
from .cuboids import Cuboids

Rule = Literal["middle", "released"]
RESOLUTION = 32
"""Voxels along each edge, as in the metrics of Pix3D's primitives."""
_LEAST, _MOST = -0.5, -0.1
"""Slack of the released rule: middles lie in -0.5 <= q <= size - 0.1, q counted from the least corner."""


def middles(grid: int, dtype: torch.dtype = torch.float64) -> Float[Tensor, "voxels 3"]:
    """Middles of all voxels in voxel units; z changes fastest, then y, then x."""
    steps = torch.arange(grid, dtype=dtype) + 0.5
    return torch.cartesian_prod(steps, steps, steps)


def occupied(cuboids: Cuboids, grid: int = RESOLUTION, rule: Rule = "middle") -> Bool[Tensor, "cuboids x y z"]:
    """Which voxels each cuboid occupies.

    Args:
        cuboids: in voxels; flat.
        grid: voxels along each edge.
        rule: "middle": a voxel's middle lies in the cuboid, and one thinner than a voxel counts as one voxel thick, as
            in the playground. "released": the rule of the published metric, whose slack is not the same on both sides.
    """
    points = middles(grid, cuboids.centre.dtype).to(cuboids.centre.device)
    own = cuboids.own(points)
    size = cuboids.size[:, None]
    if rule == "middle":
        held = (own.abs() <= size.clamp(min=1.0) / 2).all(-1)
    else:
        place = own + size / 2
        held = ((place >= _LEAST) & (place <= size + _MOST)).all(-1)
    return held.unflatten(-1, (grid,) * 3)


def voxelise(cuboids: Cuboids, grid: int = RESOLUTION, rule: Rule = "middle") -> Bool[Tensor, "x y z"]:
    """The union of all cuboids, in voxels, on a grid."""
    return occupied(cuboids, grid, rule).any(0)


def iou(first: Bool[Tensor, "*batch x y z"], second: Bool[Tensor, "*batch x y z"]) -> Float[Tensor, "*batch"]:
    """Intersection over union of occupancies; 0 where both are empty, as released (NaN counts as 0)."""
    both = (first & second).sum((-1, -2, -3)).double()
    either = (first | second).sum((-1, -2, -3)).double()
    return both / either.clamp(min=1.0)


def fill_mesh(
    vertices: Float[np.ndarray, "vertices 3"], faces: Int64[np.ndarray, "faces 3"], grid: int = RESOLUTION
) -> Bool[Tensor, "x y z"]:
    """Voxels whose middles lie inside a closed mesh: where the surface above them winds around more often than not.

    Bodies that overlap count once, since turns of the same sense add up.

    Args:
        vertices: in voxels of the grid.
        faces: triangles, counter-clockwise seen from outside.
        grid: voxels along each edge.

    Raises:
        InputError: an edge is not shared by two faces that run along it in opposite directions.
    """
    _check_closed(faces)
    # Columns beside the middles, so that no ray meets an edge exactly; far less than what a voxel can tell.
    steps = np.arange(grid) + 0.5
    across, along = steps + 1.2345e-7, steps + 2.3456e-7
    winding = np.zeros((grid,) * 3, np.int64)
    for a, b, c in vertices[faces]:
        normal = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        low, high = np.minimum(np.minimum(a, b), c), np.maximum(np.maximum(a, b), c)
        rows, columns = np.searchsorted(across, (low[0], high[0])), np.searchsorted(along, (low[1], high[1]))
        if normal == 0 or rows[0] == rows[1] or columns[0] == columns[1]:
            continue
        x, y = across[rows[0] : rows[1], None] - a[0], along[None, columns[0] : columns[1]] - a[1]
        second = (x * (c[1] - a[1]) - y * (c[0] - a[0])) / normal
        third = (y * (b[0] - a[0]) - x * (b[1] - a[1])) / normal
        inside = (second >= 0) & (third >= 0) & (second + third <= 1)
        height = a[2] + second * (b[2] - a[2]) + third * (c[2] - a[2])
        below = inside[..., None] & (steps < height[..., None])
        winding[rows[0] : rows[1], columns[0] : columns[1]] += np.where(below, int(np.sign(normal)), 0)
    return torch.from_numpy(winding > 0)


def _check_closed(faces: Int64[np.ndarray, "faces 3"]) -> None:
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    found, counts = np.unique(edges, axis=0, return_counts=True)
    there = {(int(a), int(b)): int(n) for (a, b), n in zip(found, counts, strict=True)}
    open_edges = sum(1 for (a, b), n in there.items() if there.get((b, a), 0) != n)
    if open_edges or not len(faces):
        raise InputError(
            f"The mesh is not watertight: {open_edges} of its {len(found)} edges have a face on one side only, or "
            "faces that are turned differently. Close its holes and unify its normals in a mesh editor, or give voxels "
            "(.npy)."
        )

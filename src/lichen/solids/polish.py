"""All cuboids of an object moved together, and those that add nothing dropped. Both are our own additions."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..scene.check import Plane
from .cuboids import Cuboids
from .energy import soft_occupancy
from .refine import descend
from .turns import about_axes
from .voxels import iou, middles, voxelise

_PACE, _TURN = 0.05, 0.005
"""Adam's steps: voxels, radians."""
_MARGIN = 2
"""Voxels around the occupied ones that count."""


def polished(half: Cuboids, occupancy: Bool[Tensor, "x y z"], plane: Plane | None, steps: int) -> Cuboids:
    """Cuboids of a greater IoU with an occupancy, or the same ones where the descent finds none.

    The union is soft: one minus the product of what each leaves free. A cuboid turns about the axes of the world, by a
    small vector. One that is its own reflection stays so.

    Args:
        half: in voxels; the half model where there is a plane.
        occupancy: the grid.
        plane: mirror plane in voxels.
        steps: of the descent.
    """
    grid = occupancy.shape[0]
    points, truth = _near(occupancy)
    alone = half.unpaired(plane) if plane else torch.zeros(len(half), dtype=torch.bool)
    # Of a turned cuboid only the angle about its own axis moves, so that it stays what the files can hold.
    axis = half.rotation.diagonal(dim1=-2, dim2=-1).argmax(-1)
    turned = half.rotation.gather(1, axis[:, None, None].expand(-1, 1, 3)).squeeze(1)
    turned = (turned.gather(1, axis[:, None]) < 1 - 1e-9).squeeze(1) | (
        (half.rotation - torch.eye(3).to(half.rotation)).abs().amax((-1, -2)) > 1e-9
    )
    hinge = torch.nn.functional.one_hot(axis, 3).to(half.centre) * turned[:, None]
    centre, size = half.centre.clone().requires_grad_(), half.size.clone().requires_grad_()
    angle = torch.zeros(len(half), dtype=half.centre.dtype, requires_grad=True)
    free = torch.ones_like(half.centre)
    if plane:
        free[:, 0] = alone.to(free)

    def now() -> Cuboids:
        place = half.centre + (centre - half.centre) * free
        return Cuboids(place, size, about_axes(angle[:, None] * hinge) @ half.rotation)

    def energy(sharpness: float) -> Tensor:
        there = now()
        whole = Cuboids.cat([there, there.reflected(plane)[alone]]) if plane else there
        filled = soft_occupancy(whole, points, sharpness)
        union = 1 - (1 - filled.clamp(max=1 - 1e-6)).log().sum(0).exp()
        return 1 - (union * truth).sum() / (union + truth - union * truth).sum()

    groups = [{"params": [centre, size], "lr": _PACE}, {"params": [angle], "lr": _TURN}]
    descend(groups, energy, steps)
    with torch.no_grad():
        moved = now()
        moved = Cuboids(moved.centre, moved.size.clamp(min=1.0), moved.rotation)
    better = score(moved, occupancy, plane) > score(half, occupancy, plane)
    return moved if better and bool((moved.size <= grid * 1.75).all()) else half


def pruned(half: Cuboids, occupancy: Bool[Tensor, "x y z"], plane: Plane | None, least: float) -> Cuboids:
    """The cuboids without those whose absence costs next to no IoU, the least useful first; at least one stays.

    Args:
        half: in voxels; the half model where there is a plane.
        occupancy: the grid.
        plane: mirror plane in voxels.
        least: fall of the IoU from which a cuboid is kept.
    """
    while len(half) > 1:
        here = score(half, occupancy, plane)
        places = torch.arange(len(half))
        without = [score(half[places != place], occupancy, plane) for place in places.tolist()]
        worst = int(torch.tensor(without).argmax())
        if here - without[worst] >= least:
            break
        half = half[places != worst]
    return half


def score(half: Cuboids, occupancy: Bool[Tensor, "x y z"], plane: Plane | None) -> float:
    """IoU of cuboids and their reflections with an occupancy, by the analytic rule."""
    whole = half.completed(plane) if plane else half
    return float(iou(voxelise(whole, occupancy.shape[0]), occupancy))


def _near(occupancy: Bool[Tensor, "x y z"]) -> tuple[Float[Tensor, "voxels 3"], Float[Tensor, " voxels"]]:
    """Middles of voxels in the box around the occupied ones, grown a little, and whether each is occupied."""
    places = occupancy.nonzero()
    low, high = places.amin(0) - _MARGIN, places.amax(0) + _MARGIN
    points = middles(occupancy.shape[0], torch.float32)
    chosen = ((points >= low) & (points <= high + 1)).all(-1)
    return points[chosen], occupancy.flatten()[chosen].float()

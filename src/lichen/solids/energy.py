"""How well a box fits an occupancy: the published Gaussian field, and the library's own soft overlap.

Both take a batch of boxes, each with one angle about one principal axis, in voxels, and are differentiable in centre,
size and angle.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from .cuboids import Cuboids
from .turns import about_axes

SIGMA = 2.0
CAP = 0.9
POINTS = 7
"""Of the published energy: width of the field in voxels, its cap, points along each edge of a box."""


@dataclass(frozen=True, eq=False)
class Turned:
    """Boxes that are each turned by one angle about one principal axis."""

    centre: Float[Tensor, "boxes 3"]
    size: Float[Tensor, "boxes 3"]
    angle: Float[Tensor, " boxes"]
    """Radians by the right-hand rule."""
    axis: Int64[Tensor, " boxes"]

    def cuboids(self) -> Cuboids:
        """The same boxes with matrices."""
        turn = torch.nn.functional.one_hot(self.axis, 3).to(self.angle) * self.angle[:, None]
        return Cuboids(self.centre, self.size, about_axes(turn))


def field_energy(
    boxes: Turned,
    weight: Float[Tensor, "x y z"],
    sigma: float = SIGMA,
    cap: float = CAP,
    points: int = POINTS,
) -> Float[Tensor, " boxes"]:
    """The published energy, exactly: -dV Σ_i Σ_v weight_v min(cap, exp(-|p_i - v|²/σ²)), dV the box's volume a point.

    The Gaussian is a product over the axes, so its sum over all voxels is taken an axis at a time; the cap acts only
    within 0.65 voxels of a middle, so it is put right at the eight voxels around each point. The points lie at the
    middles of points³ equal cells of the box; the release speaks of a regular grid (solids_and_video.md A2).

    Args:
        boxes: in voxels.
        weight: of each voxel: 1 where it is to be covered, -rho where it is not.
        sigma: width of the field in voxels.
        cap: largest value of the field of one voxel.
        points: along each edge of a box.
    """
    steps = (torch.arange(points, dtype=weight.dtype) + 0.5) / points - 0.5
    own = torch.cartesian_prod(steps, steps, steps) * boxes.size[:, None]
    placed = boxes.centre[:, None] + own @ boxes.cuboids().rotation.mT
    voxels = torch.arange(weight.shape[0], dtype=weight.dtype) + 0.5
    x, y, z = (torch.exp(-((placed[..., k, None] - voxels) ** 2) / sigma**2) for k in range(3))
    # Contracting z first leaves one plane of sums a point.
    summed = torch.einsum("bpx,bpy,xyz,bpz->bp", x, y, weight, z)
    summed = summed - _over_the_cap(placed, weight, sigma, cap)
    return -boxes.size.prod(-1) / points**3 * summed.sum(-1)


def _over_the_cap(
    placed: Float[Tensor, "boxes points 3"], weight: Float[Tensor, "x y z"], sigma: float, cap: float
) -> Float[Tensor, "boxes points"]:
    """What the cap takes from the sum at each point."""
    grid = weight.shape[0]
    around = torch.cartesian_prod(*[torch.tensor([0, 1])] * 3)
    near = torch.floor(placed.detach() - 0.5).long()[..., None, :] + around
    inside = ((near >= 0) & (near < grid)).all(-1)
    near = near.clamp(0, grid - 1)
    value = torch.exp(-((placed[..., None, :] - near - 0.5) ** 2).sum(-1) / sigma**2)
    held = weight[near[..., 0], near[..., 1], near[..., 2]] * inside
    return ((value - cap).clamp(min=0.0) * held).sum(-1)


def soft_occupancy(
    boxes: Cuboids, points: Float[Tensor, "voxels 3"], sharpness: float
) -> Float[Tensor, "boxes voxels"]:
    """How far inside each box each point is, from 0 to 1: a product of slabs with sloping faces. Own addition.

    Args:
        boxes: in voxels; thinner ones count as one voxel thick, as in the analytic rule.
        points: middles of voxels.
        sharpness: of the faces, per voxel.
    """
    gap = boxes.size[:, None].clamp(min=1.0) / 2 - boxes.own(points).abs()
    return torch.nn.functional.logsigmoid(sharpness * gap).sum(-1).exp()

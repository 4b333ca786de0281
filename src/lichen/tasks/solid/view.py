"""From where an object was seen: a camera that lays its cuboids where the network saw them in the picture.

Our own: the release draws no cuboid over a picture. A pinhole looks at the middle of the object's cube; what is found
are its angles, distance, focal length and where in the picture the middle lies.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

_AZIMUTHS, _ELEVATIONS = (-75.0, -45.0, -15.0, 15.0, 45.0, 75.0), (10.0, 35.0)
"""Degrees where the descents begin."""
_DISTANCE = 2.6
_STEPS, _PACE = 160, 0.06


def fit_camera(
    corners: Float[Tensor, "parts 8 3"],
    boxes: Float[Tensor, "parts 4"],
    size: tuple[int, int],
    enlarged: float,
    weights: Float[Tensor, " parts"] | None = None,
) -> dict[str, Any]:
    """A camera under which the corners of each part span its 2D box, nearly.

    Args:
        corners: of the parts, in the unit cube.
        boxes: of the same parts, in shares of the picture.
        size: width and height of the picture in pixels.
        enlarged: factor by which the boxes are larger than what the corners span.
        weights: how much each part counts.

    Returns:
        `intrinsics` and `extrinsics` in pixels of the picture, `azimuth` and `elevation` in degrees, as the metadata of
        the playground's scenes have them, and `gap`, the mean distance of the boxes' edges in shares of the picture.
    """
    points, wanted = corners.double(), boxes.double()
    share = torch.ones(len(points), dtype=torch.float64) if weights is None else weights.double()
    share = share / share.sum().clamp(min=1e-9)
    starts = [(a, e) for a in _AZIMUTHS for e in _ELEVATIONS]
    angles = torch.tensor(starts, dtype=torch.float64).deg2rad().requires_grad_()
    away = torch.full((len(starts),), math.log(_DISTANCE), dtype=torch.float64, requires_grad=True)
    search = torch.optim.Adam([angles, away], _PACE)
    for step in range(_STEPS):
        for group in search.param_groups:
            group["lr"] = _PACE * (1 - 0.95 * step / _STEPS)
        search.zero_grad()
        gap = _gaps(points, wanted, share, angles, away, enlarged)[0]
        gap.sum().backward()
        search.step()
    with torch.no_grad():
        gap, focal, middle = _gaps(points, wanted, share, angles, away, enlarged)
        best = int(gap.argmin())
        turn, position = _pose(angles, away)
    matrix = torch.eye(4, dtype=torch.float64)
    matrix[:3, :3], matrix[:3, 3] = turn[best], -turn[best] @ position[best]
    width, height = size
    along = [float(focal[best]) * edge for edge in size]
    x, y = (float(value) for value in middle[best])
    return {
        "intrinsics": [[along[0], 0.0, x * width], [0.0, along[1], y * height], [0.0, 0.0, 1.0]],
        "extrinsics": matrix.tolist(),
        "azimuth": float(angles[best, 0].detach().rad2deg()),
        "elevation": float(angles[best, 1].detach().rad2deg()),
        "gap": float(gap[best]),
    }


def _pose(angles: Float[Tensor, "starts 2"], away: Float[Tensor, " starts"]) -> tuple[Tensor, Tensor]:
    """Rows right, down and forwards of each camera, and its place; as `playground.solids.camera.look_at`."""
    turn, rise = angles[:, 0], angles[:, 1].clamp(-0.2, 1.4)
    zero = torch.zeros_like(turn)
    way = torch.stack([turn.sin() * rise.cos(), turn.cos() * rise.cos(), rise.sin()], -1)
    right = torch.stack([-turn.cos(), turn.sin(), zero], -1)
    down = torch.stack([turn.sin() * rise.sin(), turn.cos() * rise.sin(), -rise.cos()], -1)
    return torch.stack([right, down, -way], 1), 0.5 + way * away.exp().clamp(1.2, 12.0)[:, None]


def _gaps(
    points: Tensor, wanted: Tensor, share: Tensor, angles: Tensor, away: Tensor, enlarged: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Distance of the boxes' edges for each camera, with the focal length and the middle that suit it best."""
    turn, position = _pose(angles, away)
    seen = torch.einsum("sij,spcj->spci", turn, points[None] - position[:, None, None])
    plane = seen[..., :2] / seen[..., 2:].clamp(min=0.1)
    low, high = plane.amin(2), plane.amax(2)
    centre, half = (low + high) / 2, (high - low) / 2 * enlarged
    edges = torch.stack([centre - half, centre + half], 2)
    goal = wanted.unflatten(-1, (2, 2))
    weight = share[None, :, None, None] / 2
    # Pixels are focal length times slope plus middle: least squares in closed form.
    mean_edge, mean_goal = (weight * edges).sum((1, 2)), (weight * goal[None]).sum((1, 2))
    spread = edges - mean_edge[:, None, None]
    focal = (weight * spread * (goal - mean_goal[:, None, None])).sum((1, 2, 3))
    focal = (focal / (weight * spread.square()).sum((1, 2, 3)).clamp(min=1e-9)).clamp(min=0.05)
    middle = mean_goal - focal[:, None] * mean_edge
    found = focal[:, None, None, None] * edges + middle[:, None, None]
    # Boxes of the network are cut at the picture's edge.
    gap = (weight * (found.clamp(0.0, 1.0) - goal).abs()).sum((1, 2, 3)) / 2
    return gap, focal, middle

"""Where fits begin: random boxes as published, or the best box of a weighted grid, found exactly, which is our own.

The best box has the largest sum of weights. Of one orientation there is no need to guess it: sums over all boxes come
from running sums, an axis after the other. Orientations are tried one by one on the grid turned the other way.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from .energy import Turned
from .turns import about_axes

ANGLES: tuple[tuple[float, ...], ...] = (
    tuple(round(0.06 * step, 2) for step in range(-9, 10)),
    tuple(round(0.18 * step, 2) for step in range(-3, 4)),
    tuple(round(0.18 * step, 2) for step in range(-3, 4)),
)
"""Angles about x, y and z that the published search tries (solids_and_video.md A2.4)."""
_CHUNK = 1 << 21
"""Sums that are looked at together."""


def random_boxes(covered: Float[Tensor, "x y z"], count: int, generator: torch.Generator) -> Turned:
    """Published starts: the least corner in a random voxel that is to be covered, edges of 3 to V/3 + 3 voxels.

    Args:
        covered: positive where a voxel is to be covered.
        count: boxes.
        generator: of chance.
    """
    grid = covered.shape[0]
    places = (covered > 0).nonzero()
    corner = places[torch.randint(len(places), (count,), generator=generator)].to(covered)
    size = torch.rand(count, 3, generator=generator, dtype=covered.dtype) * grid / 3 + 3
    corner = torch.minimum(corner, grid - 5 - size).clamp(min=0.0)
    angle = torch.zeros(count, dtype=covered.dtype)
    return Turned(corner + size / 2, size, angle, torch.zeros(count, dtype=torch.int64))


def best_boxes(weight: Float[Tensor, "x y z"], count: int, beside: float) -> Turned:
    """The best box of every orientation of the published search; of these the best, by their sums.

    Args:
        weight: of each voxel, positive where it is to be covered.
        count: boxes at most.
        beside: weight of all that lies outside the grid.
    """
    found: list[tuple[float, Turned]] = []
    for axis, angles in enumerate(ANGLES):
        for angle in angles:
            if axis and not angle:
                continue
            turned, middle = _turned(weight, axis, angle, beside)
            if not bool((turned > 0).any()):
                # Of a few voxels none may hold the middle of a turned cell.
                continue
            score, low, high = best_box(turned)
            turn = torch.zeros(3, dtype=weight.dtype)
            turn[axis] = angle
            centre = middle + about_axes(turn) @ ((low + high) / 2)
            box = Turned(centre[None], (high - low)[None], weight.new_tensor([angle]), torch.tensor([axis]))
            # A box that is not turned is the simpler answer where sums are all but equal.
            found.append((score * (1.0 if angle else 1.02), box))
    found.sort(key=lambda each: -each[0])
    return joined([box for _, box in found[:count]])


def joined(boxes: list[Turned]) -> Turned:
    """Several sets as one."""
    names = ("centre", "size", "angle", "axis")
    return Turned(*(torch.cat([getattr(each, name) for each in boxes]) for name in names))


def best_box(weight: Float[Tensor, "x y z"]) -> tuple[float, Tensor, Tensor]:
    """The box with the largest sum of weights, exactly.

    Args:
        weight: of each voxel; at least one is positive.

    Returns:
        The sum; least and greatest corner in voxels (3,).
    """
    first = torch.stack([(places := (weight > 0).nonzero()).amin(0), places.amax(0) + 1])
    cut = weight[tuple(slice(int(a), int(b)) for a, b in first.T)]
    rows, columns, _ = cut.shape
    x0, x1 = torch.triu_indices(rows + 1, rows + 1, 1)
    y0, y1 = torch.triu_indices(columns + 1, columns + 1, 1)
    sums = torch.nn.functional.pad(cut, (1, 0, 1, 0, 1, 0)).cumsum(0).cumsum(1).cumsum(2)
    best, place = -math.inf, (0, 0, 0, 0)
    step = max(1, _CHUNK // (len(y0) * sums.shape[2]))
    for start in range(0, len(x0), step):
        slab = sums[x1[start : start + step]] - sums[x0[start : start + step]]
        columns_of = slab[:, y1] - slab[:, y0]
        # Along z: the best that ends here is what is summed up to here less the least sum before.
        before = columns_of.cummin(-1)
        gain = columns_of[..., 1:] - before.values[..., :-1]
        top = int(gain.argmax())
        value = float(gain.flatten()[top])
        if value > best:
            pair, column, end = (int(each) for each in torch.unravel_index(torch.tensor(top), gain.shape))
            best, place = value, (start + pair, column, int(before.indices[pair, column, end]), end + 1)
    i, j, bottom, up = place
    low = torch.tensor([int(x0[i]), int(y0[j]), bottom]) + first[0]
    high = torch.tensor([int(x1[i]), int(y1[j]), up]) + first[0]
    return best, low.to(weight), high.to(weight)


def _turned(
    weight: Float[Tensor, "x y z"], axis: int, angle: float, beside: float
) -> tuple[Float[Tensor, "a b c"], Float[Tensor, " 3"]]:
    """The weights in a frame turned by an angle, each cell with the voxel its middle lies in; and the frame's origin.

    A point q of the frame is origin + R q in voxels of the grid.
    """
    if not angle:
        return weight, weight.new_zeros(3)
    grid = weight.shape[0]
    turn = torch.zeros(3, dtype=weight.dtype)
    turn[axis] = angle
    matrix = about_axes(turn)
    places = (weight > 0).nonzero().to(weight) + 0.5
    own = places @ matrix
    low, high = own.amin(0).floor() - 1, own.amax(0).ceil() + 1
    axes = [torch.arange(int(b - a), dtype=weight.dtype) + 0.5 + a for a, b in zip(low, high, strict=True)]
    cells = torch.cartesian_prod(*axes) @ matrix.T
    voxel = cells.floor().long()
    inside = ((voxel >= 0) & (voxel < grid)).all(-1)
    voxel = voxel.clamp(0, grid - 1)
    values = torch.where(inside, weight[voxel[:, 0], voxel[:, 1], voxel[:, 2]], beside)
    return values.reshape([len(each) for each in axes]), matrix @ low

"""A box moved to where its energy is least: as published, or all restarts together by the library's own overlap."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from .cuboids import Cuboids
from .energy import Turned, field_energy, soft_occupancy
from .search import ANGLES
from .voxels import middles

_STEPS, _STILL, _ROUNDS = 100, 0.1, 5
"""Of the published fit: L-BFGS iterations, voxels that end the alternation, rounds at most."""
_WALL, _STEEP = 1.0, 1e4
"""Voxels beyond the sizes that are refused where a wall begins, and its slope."""
_SOFT, _FIRM = 2.0, 8.0
"""Slope of the faces of the own energy at its first step and at its last, per voxel."""
_PACE, _TURN = 0.15, 0.02
"""Adam's steps: voxels, radians."""
_REACH = 3
"""Voxels around a box that its faces can feel."""


def published_refine(box: Turned, weight: Float[Tensor, "x y z"]) -> Turned:
    """L-BFGS over size and place, then a search over angles, in turns until both rest; at last over all together.

    Args:
        box: one start.
        weight: 1 where a voxel is to be covered, -rho elsewhere; in double precision, which the search needs.

    Source: arXiv 2109.04153's box generation (solids_and_video.md A2, step 4), with gradients by autograd.
    """
    for _ in range(_ROUNDS):
        before = torch.cat([box.centre, box.size])
        box = _lbfgs(box, weight, with_angle=False)
        box = _best_angle(box, weight)
        if float((torch.cat([box.centre, box.size]) - before).abs().max()) < _STILL or _is_broken(box, weight):
            break
    return _lbfgs(box, weight, with_angle=True)


def usable(box: Turned, grid: int) -> Bool[Tensor, " boxes"]:
    """Which boxes have numbers, and sizes above zero and at most the grid's edge."""
    return (box.size > 0).all(-1) & (box.size <= grid).all(-1) & box.centre.isfinite().all(-1) & box.angle.isfinite()


def _is_broken(box: Turned, weight: Tensor) -> bool:
    return not bool(usable(box, weight.shape[0]).all())


def _lbfgs(box: Turned, weight: Float[Tensor, "x y z"], with_angle: bool) -> Turned:
    moved = [box.centre.clone().requires_grad_(), box.size.clone().requires_grad_()]
    angle = box.angle.clone().requires_grad_(with_angle)
    search = torch.optim.LBFGS([*moved, angle] if with_angle else moved, max_iter=_STEPS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        search.zero_grad()
        energy = field_energy(Turned(moved[0], moved[1], angle, box.axis), weight).sum()
        # A box of negative size may gain without end. It is refused in any case; the wall keeps its numbers finite.
        outside = torch.relu(-_WALL - moved[1]) + torch.relu(moved[1] - weight.shape[0] - _WALL)
        energy = energy + (_STEEP * outside.square()).sum()
        energy.backward()
        return energy

    search.step(closure)
    return Turned(moved[0].detach(), moved[1].detach(), angle.detach(), box.axis)


@torch.no_grad()
def _best_angle(box: Turned, weight: Float[Tensor, "x y z"]) -> Turned:
    """The best of the published angles; those about the current axis are counted from the current angle."""
    trials = []
    for axis, angles in enumerate(ANGLES):
        start = float(box.angle) if int(box.axis) == axis else 0.0
        trials += [(axis, start + angle) for angle in angles]
    count = len(trials)
    many = Turned(
        box.centre.expand(count, 3),
        box.size.expand(count, 3),
        weight.new_tensor([angle for _, angle in trials]),
        torch.tensor([axis for axis, _ in trials]),
    )
    best = field_energy(many, weight).argmin()
    return Turned(box.centre, box.size, many.angle[best][None], many.axis[best][None])


def overlap_refine(boxes: Turned, weight: Float[Tensor, "x y z"], steps: int) -> tuple[Turned, Float[Tensor, " boxes"]]:
    """Adam on the own energy, all boxes at once: minus the weights inside a box whose faces grow steeper.

    A box that is not turned stays so. Lengths below a voxel cannot be told apart, and become one voxel.

    Args:
        boxes: starts.
        weight: of each voxel.
        steps: of Adam.

    Returns:
        The boxes where they gained, otherwise their starts; the sum of weights inside each by the analytic rule.
    """
    points, values = _near(boxes, weight)
    centre, size = boxes.centre.clone().requires_grad_(), boxes.size.clone().requires_grad_()
    angle = boxes.angle.clone().requires_grad_()
    turned = (boxes.angle != 0).to(boxes.angle)

    def energy(sharpness: float) -> Tensor:
        moved = Turned(centre, size, angle * turned, boxes.axis)
        return -(soft_occupancy(moved.cuboids(), points, sharpness) @ values).sum()

    descend([{"params": [centre, size], "lr": _PACE}, {"params": [angle], "lr": _TURN}], energy, steps)
    done = Turned(centre.detach(), size.detach().clamp(min=1.0), angle.detach() * turned, boxes.axis)
    before, after = (sum_inside(each.cuboids(), points, values) for each in (boxes, done))
    better = after > before
    chosen = [
        torch.where(better.reshape(-1, *[1] * (new.ndim - 1)), new, old)
        for new, old in ((done.centre, boxes.centre), (done.size, boxes.size), (done.angle, boxes.angle))
    ]
    return Turned(chosen[0], chosen[1], chosen[2], boxes.axis), torch.maximum(before, after)


def sum_inside(
    boxes: Cuboids, points: Float[Tensor, "voxels 3"], values: Float[Tensor, " voxels"]
) -> Float[Tensor, " boxes"]:
    """Weights of the voxels in each box by the analytic rule, thin ones as thick as a voxel."""
    thick = Cuboids(boxes.centre, boxes.size.clamp(min=1.0), boxes.rotation)
    return thick.contains(points).to(values) @ values


def descend(groups: list[dict], energy: Callable[[float], Tensor], steps: int) -> None:
    """Adam with falling steps while faces grow steeper.

    Args:
        groups: parameters with the pace of each.
        energy: of a slope of the faces.
        steps: how many.
    """
    search = torch.optim.Adam(groups)
    paces = [group["lr"] for group in search.param_groups]
    for step in range(steps):
        share = step / max(steps - 1, 1)
        for group, pace in zip(search.param_groups, paces, strict=True):
            group["lr"] = pace * (1 - 0.9 * share)
        search.zero_grad()
        energy(_SOFT * (_FIRM / _SOFT) ** share).backward()
        search.step()


def _near(boxes: Turned, weight: Float[Tensor, "x y z"]) -> tuple[Tensor, Tensor]:
    """Middles and weights of voxels that any of the boxes can feel."""
    reach = boxes.cuboids()
    grown = Cuboids(reach.centre, reach.size + 2 * _REACH, reach.rotation)
    points = middles(weight.shape[0], weight.dtype)
    chosen = grown.contains(points).any(0)
    return points[chosen], weight.flatten()[chosen]

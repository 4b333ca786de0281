"""`fit_cuboids`: an occupancy grid abstracted into cuboids, one after the other, without any network.

The published procedure is a greedy one: a box of least energy, its voxels (and those of its reflection) taken away, and
again until little is left. `FitConfig.published()` does exactly that. The default settings keep the loop and its stop
rules, but begin where the best box of a turned grid lies, refine all restarts together by the overlap itself, and move
all boxes once more together at the end.

Source: box generation of arXiv 2109.04153, from 3D-PRNN (solids_and_video.md A2); the rest is our own.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..errors import InputError, pick
from ..scene.check import Plane
from .cuboids import Cuboids
from .energy import Turned, field_energy
from .polish import polished, pruned
from .refine import overlap_refine, published_refine, usable
from .search import best_boxes, joined, random_boxes
from .voxels import iou, middles, voxelise

_SYMMETRIC = 0.95
"""IoU of an occupancy with its reflection from which it counts as symmetric."""
_TOLERANCE = 0.3
"""Voxels beside a box that count as covered by it (A2, step 6)."""
_OUTSIDE = -2.0
"""Weight of an empty voxel in the own energy; a covered one has none."""
_SIMPLE = 1.02
"""Factor of what a box that is not turned gains."""
_SMALLEST = 3.0
"""Sum of weights that a box must gain, in voxels."""


@dataclass(frozen=True)
class FitConfig:
    """Settings of `fit_cuboids`.

    Raises:
        InputError: a value makes no sense; the message names it.
    """

    energy: Literal["overlap", "field"] = "overlap"
    """overlap: voxels covered less voxels covered wrongly, our own; field: the published Gaussian field."""
    start: Literal["search", "random"] = "search"
    """search: the best boxes of all orientations, our own; random: as published."""
    restarts: int = 6
    """Boxes that are refined for each part, the best of which stays; 2 as published."""
    most: int = 12
    """Parts of the half model at most, as published."""
    left: float = 0.01
    """Share of the occupied voxels that may stay uncovered; 0.03 as published."""
    failures: int = 20
    """Restarts without a usable box that end the fit, as published."""
    mirror: Literal["auto", "on", "off"] = "auto"
    """Whether the object is its own reflection in the middle of x; auto: where its voxels are, nearly."""
    steps: int = 60
    """Of the overlap's descent, for each part."""
    polish: int = 120
    """Steps in which all parts move together at the end, our own; 0 for none."""
    prune: float = 0.003
    """Parts without which the IoU falls by less than this are dropped; 0 drops none."""
    seed: int = 0
    """Of random starts."""

    def __post_init__(self) -> None:
        pick("energy", self.energy, ("overlap", "field"))
        pick("start", self.start, ("search", "random"))
        pick("mirror", self.mirror, ("auto", "on", "off"))
        for name in ("restarts", "most", "failures", "steps"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1; got {getattr(self, name)}.")
        if not 0 <= self.left < 1:
            raise InputError(f"left must be from 0 to below 1; got {self.left}.")
        if self.polish < 0 or self.prune < 0:
            raise InputError(f"polish and prune must not be negative; got {self.polish} and {self.prune}.")

    @classmethod
    def published(cls, mirror: Literal["auto", "on", "off"] = "auto", seed: int = 0) -> FitConfig:
        """The published procedure, without anything of our own."""
        return cls(energy="field", start="random", restarts=2, left=0.03, mirror=mirror, polish=0, prune=0.0, seed=seed)


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a fit found."""

    half: Cuboids
    """In voxels: all parts, or those of the half model where the object is symmetric; the largest first."""
    plane: Plane | None
    """Mirror plane in voxels; None where the object has none."""
    iou: float
    """Of the voxelised cuboids, reflections included, with the occupancy."""
    left: float
    """Share of the occupied voxels that no cuboid holds."""
    stopped: Literal["covered", "most", "failures", "nothing more"]
    """What ended the fit: little is left, as many parts as may be, no usable restart, or no box gains anything."""
    seconds: float

    @property
    def cuboids(self) -> Cuboids:
        """All of them, reflections included, in voxels."""
        return self.half if self.plane is None else self.half.completed(self.plane)


def fit_cuboids(occupancy: Bool[Tensor, "x y z"], config: FitConfig = FitConfig()) -> Fitted:
    """Cuboids whose union is nearly an occupancy.

    Args:
        occupancy: a cubic grid; x from left to right, z up. At least one voxel is occupied.
        config: how.

    Returns:
        Cuboids in voxels: voxel (i, j, k) has its middle at (i, j, k) + 1/2.

    Raises:
        InputError: the grid is not cubic or smaller than 4, no voxel is occupied, or all are.
    """
    started = time.perf_counter()
    grid = _checked(occupancy)
    plane = _plane(occupancy, config.mirror)
    generator = torch.Generator().manual_seed(config.seed)
    todo, failures = occupancy.clone(), 0
    found: list[Cuboids] = []
    total = int(occupancy.sum())
    stopped: Literal["covered", "most", "failures", "nothing more"] = "covered"
    while int(todo.sum()) > config.left * total:
        if len(found) >= config.most:
            stopped = "most"
            break
        box, failed = _next(occupancy, todo, plane, config, generator)
        failures += failed
        if box is None or failures >= config.failures:
            stopped = "nothing more" if config.start == "search" else "failures"
            break
        found.append(box)
        todo &= ~_held(Cuboids.cat([box, box.reflected(plane)]) if plane else box, grid, config.energy)
    if not found:
        raise InputError("No cuboid fits this occupancy. Try more restarts, or a coarser grid.")
    half = Cuboids.cat(found)
    if config.polish:
        half = polished(half, occupancy, plane, config.polish)
    if config.prune:
        half = pruned(half, occupancy, plane, config.prune)
    half = half[half.volume().argsort(descending=True, stable=True)].to(torch.float64)
    whole = voxelise(half.completed(plane) if plane else half, grid)
    left = 1.0 - int((whole & occupancy).sum()) / total
    return Fitted(half, plane, float(iou(whole, occupancy)), left, stopped, time.perf_counter() - started)


def _checked(occupancy: Bool[Tensor, "x y z"]) -> int:
    """Edge of the grid."""
    x, y, z = occupancy.shape
    if not x == y == z or x < 4:
        raise InputError(f"An occupancy is a cubic grid of at least 4 voxels an edge; got {x} × {y} × {z}.")
    filled = int(occupancy.sum())
    if filled in (0, x**3):
        what = "is empty: none" if not filled else "has no empty voxel: each"
        raise InputError(f"The occupancy {what} of its {x**3:,} voxels is occupied, so there is nothing to fit.")
    return x


def _plane(occupancy: Bool[Tensor, "x y z"], mirror: str) -> Plane | None:
    alike = float(iou(occupancy, occupancy.flip(0)))
    symmetric = mirror == "on" or (mirror == "auto" and alike >= _SYMMETRIC)
    return (1.0, 0.0, 0.0, occupancy.shape[0] / 2) if symmetric else None


def _next(
    occupancy: Bool[Tensor, "x y z"],
    todo: Bool[Tensor, "x y z"],
    plane: Plane | None,
    config: FitConfig,
    generator: torch.Generator,
) -> tuple[Cuboids | None, int]:
    """The next box, or None where none is usable or gains anything; and how many restarts failed."""
    weight = _weights(occupancy, todo, config.energy)
    grid, failed = occupancy.shape[0], 0
    if config.start == "search":
        starts = best_boxes(weight, config.restarts, float(weight.min()))
    else:
        starts = random_boxes(weight, config.restarts, generator)
    if config.energy == "overlap":
        boxes, gains = overlap_refine(starts, weight, config.steps)
    else:
        boxes, failed = _published(starts, weight, config, generator)
        with torch.no_grad():
            gains = -field_energy(boxes, weight)
    fit = usable(boxes, grid)
    if not bool(fit.any()):
        return None, failed + len(fit)
    # A box that is not turned is the simpler answer where two gain all but the same.
    simple = torch.where(boxes.angle == 0, _SIMPLE, 1.0) if config.energy == "overlap" else torch.ones_like(gains)
    best = int(torch.where(fit, gains * simple, -torch.inf).argmax())
    if config.energy == "overlap" and float(gains[best]) < _SMALLEST:
        return None, failed
    box = boxes.cuboids()[best : best + 1]
    if plane is not None and config.energy == "overlap":
        box = _centred(box, weight, plane)
    return _clipped(box, grid), failed


def _published(
    starts: Turned, weight: Float[Tensor, "x y z"], config: FitConfig, generator: torch.Generator
) -> tuple[Turned, int]:
    """Starts refined one by one, and how many restarts failed: of random ones each failure is replaced by another."""
    each, failed = [], 0
    for number in range(len(starts.angle)):
        box = published_refine(_at(starts, number), weight)
        while config.start == "random" and not bool(usable(box, weight.shape[0]).all()):
            failed += 1
            if failed >= config.failures:
                break
            box = published_refine(random_boxes(weight, 1, generator), weight)
        each.append(box)
    return joined(each), failed


def _weights(occupancy: Tensor, todo: Tensor, energy: str) -> Float[Tensor, "x y z"]:
    """Weights of voxels: 1 for those to be covered."""
    if energy == "overlap":
        covered = torch.where(occupancy, 0.0, _OUTSIDE)
        return torch.where(todo, 1.0, covered)
    count = float(todo.sum())
    rho = min(max(5 * count / (todo.numel() - count), 0.1), 1.0)
    return torch.where(todo, 1.0, -rho).double()


def _held(boxes: Cuboids, grid: int, energy: str) -> Bool[Tensor, "x y z"]:
    """Voxels that count as covered: as published those beside a box too; of our own those that the rule gives it."""
    if energy == "overlap":
        return voxelise(boxes, grid)
    return boxes.contains(middles(grid).to(boxes.centre), _TOLERANCE).any(0).unflatten(0, (grid,) * 3)


def _at(boxes: Turned, place: int) -> Turned:
    chosen = slice(place, place + 1)
    return Turned(boxes.centre[chosen], boxes.size[chosen], boxes.angle[chosen], boxes.axis[chosen])


def _centred(box: Cuboids, weight: Float[Tensor, "x y z"], plane: Plane) -> Cuboids:
    """A box that the mirror plane cuts becomes its own reflection, if that gains as much."""
    middle = plane[3]
    reach = float((box.corners()[..., 0] - middle).abs().max())
    about_x = abs(float(box.rotation[0, 0, 0])) > 1 - 1e-6
    if not about_x or not float(box.corners()[..., 0].amin()) < middle - 0.5 < middle + 0.5 < float(
        box.corners()[..., 0].amax()
    ):
        return box
    centre, size = box.centre.clone(), box.size.clone()
    centre[0, 0], size[0, 0] = middle, 2 * reach
    whole = Cuboids(centre, size, box.rotation)
    points = middles(weight.shape[0], weight.dtype)

    def gain(some: Cuboids) -> float:
        return float(some.contains(points).any(0).to(weight) @ weight.flatten())

    return whole if gain(whole) >= gain(Cuboids.cat([box, box.reflected(plane)])) - 1e-6 else box


def _clipped(box: Cuboids, grid: int) -> Cuboids:
    """What is not turned ends at the edge of the grid (A2, step 5); a turned box stays as it is."""
    if not torch.equal(box.rotation[0], torch.eye(3, dtype=box.rotation.dtype)):
        return box
    low, high = ((box.centre + sign * box.size / 2).clamp(0.0, float(grid)) for sign in (-1, 1))
    return Cuboids((low + high) / 2, high - low, box.rotation)

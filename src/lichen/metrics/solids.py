"""How well predicted cuboids match annotated ones: by volume, by corners, by surface, by parts.

Sets are whole objects, reflections included. Lengths are in shares of the grid's edge, so that the unit cube is 1.
Source: evaluation code of arXiv 2109.04153 (solids_and_video.md A8); Chamfer distance and F-score are not in the
release, and are computed from points of the union's surface.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..errors import InputError
from ..solids.cuboids import Cuboids
from ..solids.surface import sample_surface
from ..solids.voxels import RESOLUTION, Rule, iou, voxelise

THRESHOLDS = (0.05, 0.1, 0.2, 0.3)
"""Of the Hausdorff accuracy: 0.1 to 0.3 as published, of which 0.2 is the headline, and a stricter one."""
POINTS = 2048
"""On each surface."""
NEAR = 0.03
"""Distance below which a point counts for the F-score."""


def corner_distances(first: Float[Tensor, "n 8 3"], second: Float[Tensor, "m 8 3"]) -> Float[Tensor, "n m"]:
    """Directed Hausdorff distance from each cuboid's corners to each other one's corners."""
    gaps = torch.cdist(first.reshape(-1, 3), second.reshape(-1, 3), compute_mode="donot_use_mm_for_euclid_dist")
    return gaps.reshape(len(first), 8, len(second), 8).amin(3).amax(1)


def hausdorff_error(found: Float[Tensor, "n 8 3"], truth: Float[Tensor, "m 8 3"]) -> float:
    """Mean of both directions, of the mean over cuboids of the distance to the nearest one; infinite if one is empty.

    Args:
        found, truth: corners in shares of the grid (`solids.published.corners`, or `Cuboids.corners` over the grid).
    """
    if not len(found) or not len(truth):
        return float("inf")
    there, back = corner_distances(found, truth), corner_distances(truth, found)
    return float((there.amin(1).mean() + back.amin(1).mean()) / 2)


def hausdorff_accuracy(found: Float[Tensor, "n 8 3"], truth: Float[Tensor, "m 8 3"], threshold: float) -> float:
    """Share of predicted cuboids whose distance to the nearest annotated one is below a share of that one's diagonal.

    Several predictions may count for one annotation, as released. Without predictions it is 0.
    """
    if not len(found) or not len(truth):
        return 0.0
    nearest = corner_distances(found, truth).min(1)
    return float((nearest.values / _diagonals(truth)[nearest.indices] < threshold).double().mean())


def hausdorff_recall(found: Float[Tensor, "n 8 3"], truth: Float[Tensor, "m 8 3"], threshold: float) -> float:
    """Share of annotated cuboids that a prediction is near, each prediction used once, in the order of annotations."""
    if not len(truth):
        return 0.0
    gaps = corner_distances(truth, found) / _diagonals(truth)[:, None]
    hits = 0
    for row in gaps:
        if not len(row):
            break
        place = int(row.argmin())
        if float(row[place]) < threshold:
            hits += 1
            gaps[:, place] = torch.inf
    return hits / len(truth)


def _diagonals(corners: Float[Tensor, "n 8 3"]) -> Float[Tensor, " n"]:
    """From corner 0 to the opposite corner 6."""
    return (corners[:, 6] - corners[:, 0]).norm(dim=-1)


def surface_distances(found: Float[Tensor, "n 3"], truth: Float[Tensor, "m 3"], near: float = NEAR) -> dict[str, float]:
    """Chamfer distance and F-score of points on two surfaces.

    Returns:
        `chamfer`: mean Euclidean distance (L1 form, not squared) to the nearest point, mean of both directions;
        `f_score`: harmonic mean of the shares of points that have one of the other set closer than `near`.
    """
    gaps = torch.cdist(found, truth, compute_mode="donot_use_mm_for_euclid_dist")
    there, back = gaps.amin(1), gaps.amin(0)
    precision, recall = float((there < near).double().mean()), float((back < near).double().mean())
    both = precision + recall
    return {
        "chamfer": float((there.mean() + back.mean()) / 2),
        "f_score": 2 * precision * recall / both if both else 0.0,
    }


def part_precision(found: Cuboids, labels: Int[Tensor, " n"], truth: Cuboids, true_labels: Int[Tensor, " m"]) -> float:
    """Share of predicted cuboids that have the class of the annotated one that is nearest by corners."""
    if not len(found) or not len(truth):
        return 0.0
    nearest = corner_distances(found.corners(), truth.corners()).argmin(1)
    return float((labels == true_labels[nearest]).double().mean())


def measure_solids(
    found: Sequence[Cuboids],
    truth: Sequence[Cuboids],
    labels: tuple[Sequence[Tensor], Sequence[Tensor]] | None = None,
    meshes: Sequence[Tensor] | None = None,
    grid: int = RESOLUTION,
    rule: Rule = "middle",
) -> dict[str, float]:
    """All metrics, means over objects.

    Args:
        found: predicted cuboids of each object in the unit cube, reflections included; none is allowed.
        truth: annotated cuboids.
        labels: class numbers of the found and of the true cuboids.
        meshes: occupancy of each object's own mesh, where there is one, for the IoU that abstraction lowers too.
        grid: voxels along each edge.
        rule: of voxels; see `solids.voxels.occupied`.

    Returns:
        `iou` (to voxelised annotations), `mesh_iou` (if there are meshes), `hausdorff`, `accuracy@tau`, `recall@0.2`,
        `chamfer`, `f_score` (at 0.03 of the cube), `count_error` (mean difference, absolute), `count_exact`,
        `part_precision` (if there are labels). An object without predictions counts 0 in shares, and with the distance
        of the cube's diagonal in distances.

    Raises:
        InputError: there is no object, or not as many predictions as annotations.
    """
    if not truth or len(found) != len(truth):
        raise InputError(f"There are {len(found)} predicted and {len(truth)} annotated objects; expected equal, not 0.")
    rows = []
    for number, (one, other) in enumerate(zip(found, truth, strict=True)):
        row = _one(one, other, grid, rule)
        if meshes is not None:
            row["mesh_iou"] = float(iou(voxelise(one.moved(grid), grid, rule), meshes[number]))
        if labels is not None:
            row["part_precision"] = part_precision(one, labels[0][number], other, labels[1][number])
        rows.append(row)
    return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}


def _one(found: Cuboids, truth: Cuboids, grid: int, rule: Rule) -> dict[str, float]:
    one, other = found.corners().clamp(max=1.0), truth.corners().clamp(max=1.0)
    row = {"iou": float(iou(voxelise(found.moved(grid), grid, rule), voxelise(truth.moved(grid), grid, rule)))}
    row["hausdorff"] = min(hausdorff_error(one, other), 3**0.5)
    row |= {f"accuracy@{tau:g}": hausdorff_accuracy(one, other, tau) for tau in THRESHOLDS}
    row["recall@0.2"] = hausdorff_recall(one, other, 0.2)
    row |= _surfaces(found, truth)
    row["count_error"] = float(abs(len(found) - len(truth)))
    row["count_exact"] = float(len(found) == len(truth))
    return row


def _surfaces(found: Cuboids, truth: Cuboids) -> Mapping[str, float]:
    """The same points of the same set in every run, so that numbers can be compared."""
    try:
        one, other = (
            sample_surface(each.to("cpu"), POINTS, torch.Generator().manual_seed(0)) for each in (found, truth)
        )
    except InputError:
        return {"chamfer": 3**0.5, "f_score": 0.0}
    return surface_distances(one, other)

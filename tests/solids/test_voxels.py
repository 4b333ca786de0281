"""Voxels against the playground's rule, the golden counts, known shares; meshes against cuboids; surfaces."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lichen.data.playground.solids import playground_solid
from lichen.data.playground.solids.config import SolidConfig
from lichen.errors import InputError
from lichen.scene.geometry import FACES, corners
from lichen.solids import Cuboids, fill_mesh, iou, occupied, sample_surface, voxelise
from lichen.solids.published import from_rows
from lichen.solids.turns import about_axes

from .golden import CASES, rows

METRICS = CASES["cuboid.metrics"]
TRIANGLES = np.concatenate([FACES[:, [0, 1, 2]], FACES[:, [0, 2, 3]]])


def box(centre: list[float], size: list[float], turn: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Cuboids:
    return Cuboids(
        *(torch.tensor([each]).double() for each in (centre, size)), about_axes(torch.tensor([turn]).double())
    )


def test_golden_counts_and_iou() -> None:
    found, truth = from_rows(rows(METRICS["P"])), from_rows(rows(METRICS["Q"]))
    both = Cuboids.cat([found, truth])
    told = METRICS["voxels_per_cuboid [count, sum of x index, sum of y index, sum of z index] of P then Q"]
    for grid, wanted in zip(occupied(both, 32, "released"), told, strict=True):
        assert [int(grid.sum()), *grid.nonzero().sum(0).tolist()] == wanted
    one, other = voxelise(found, 32, "released"), voxelise(truth, 32, "released")
    assert int(one.sum()) == METRICS["voxels_P"] and int(other.sum()) == METRICS["voxels_Q"]
    assert float(iou(one, other)) == pytest.approx(METRICS["voxel_iou"], abs=1e-12)


def test_the_playground_has_the_same_rule() -> None:
    for index in range(0, 40, 4):
        sample = playground_solid(1, index, SolidConfig(size=16))
        mine = voxelise(Cuboids.of(sample.scene.solids).moved(32), 32)
        assert (mine.numpy() != sample.voxels).sum() == 0


def test_iou_of_known_shares() -> None:
    one, other = voxelise(box([8, 8, 8], [8, 8, 8]), 16), voxelise(box([12, 8, 8], [8, 8, 8]), 16)
    assert float(iou(one, one)) == 1.0
    assert float(iou(one, other)) == pytest.approx(1 / 3)
    nothing = torch.zeros(16, 16, 16, dtype=torch.bool)
    assert float(iou(nothing, nothing)) == 0.0


def test_a_closed_mesh_is_filled_like_its_cuboids() -> None:
    two = Cuboids.cat(
        [box([9, 8, 7], [9.3, 4.1, 6.2], (0.3, 0.0, 0.0)), box([9, 8, 10], [3.2, 6.4, 9.1], (0.0, 0.2, 0.4))]
    )
    points = corners(two.to_solids()).reshape(-1, 3)
    faces = np.concatenate([TRIANGLES, TRIANGLES + 8])
    filled = fill_mesh(points, faces, 20)
    assert torch.equal(filled, voxelise(two, 20))


def test_holes_and_inverted_faces_are_refused() -> None:
    points = corners(box([8, 8, 8], [8, 8, 8]).to_solids())[0]
    with pytest.raises(InputError, match="not watertight: 3 of its"):
        fill_mesh(points, TRIANGLES[1:], 16)
    wrong = TRIANGLES.copy()
    wrong[0] = wrong[0][::-1]
    with pytest.raises(InputError, match="not watertight"):
        fill_mesh(points, wrong, 16)
    with pytest.raises(InputError, match="not watertight"):
        fill_mesh(points, np.zeros((0, 3), np.int64), 16)


def test_points_lie_on_the_surface_of_the_union() -> None:
    two = Cuboids.cat([box([0, 0, 0], [2, 2, 2]), box([1, 0, 0], [2, 2, 2])])
    points = sample_surface(two, 4000, torch.Generator().manual_seed(1))
    # The union is 3 x 2 x 2: nothing lies inside it, and a face has its share of points.
    low, high = torch.tensor([-1.0, -1, -1]), torch.tensor([2.0, 1, 1])
    gap = torch.minimum((points - low).abs(), (points - high).abs()).amin(1)
    assert float(gap.max()) < 1e-5
    ends = ((points[:, 0] + 1).abs() < 1e-9).double().mean()
    assert 0.08 < float(ends) < 0.15  # 4 of the 32 of its surface, less where two lie in one plane
    with pytest.raises(InputError, match="no cuboid"):
        sample_surface(two[:0], 5)

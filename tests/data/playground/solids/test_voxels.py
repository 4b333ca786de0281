"""Occupancy against the analytic answer, voxel by voxel."""

from __future__ import annotations

import numpy as np
import pytest

from lichen.data.playground.solids.designs import KINDS
from lichen.data.playground.solids.furniture import make_furniture, rotation_about
from lichen.data.playground.solids.voxels import voxelise
from lichen.scene import Solid

from .geometry import axes_of


def inside(solids: tuple[Solid, ...], resolution: int) -> np.ndarray:
    """Which voxels' middles lie in a solid that is at least a voxel thick."""
    places = (np.arange(resolution) + 0.5) / resolution
    points = np.stack(np.meshgrid(places, places, places, indexing="ij"), -1)
    found = np.zeros(points.shape[:-1], bool)
    for solid in solids:
        half = np.maximum(np.array(solid.size), 1 / resolution) / 2
        along = np.einsum("abck,kj->abcj", points - np.array(solid.centre), axes_of(solid))
        found |= (np.abs(along) <= half).all(-1)
    return found


@pytest.mark.parametrize("resolution", [32, 20])
def test_voxels_are_those_whose_middle_lies_inside(resolution: int) -> None:
    for number in range(8):
        solids = make_furniture(0, number, KINDS, 12).solids
        assert (voxelise(solids, resolution) == inside(solids, resolution)).all()


def test_grids_are_symmetric() -> None:
    for number in range(60):
        grid = voxelise(make_furniture(1, number, KINDS, 12).solids)
        assert (grid == grid[::-1]).all() and grid.any()


def test_parts_thinner_than_a_voxel_stay() -> None:
    board = Solid((0.5, 0.5, 0.505), (0.5, 0.5, 0.001))
    grid = voxelise([board], 32)
    assert grid.sum() == 16 * 16 and grid[:, :, 16].sum() == 16 * 16


def test_volume_converges_to_that_of_the_box() -> None:
    box = Solid((0.48, 0.52, 0.5), (0.41, 0.33, 0.27), rotation_about(2, 0.5))
    volume = 0.41 * 0.33 * 0.27
    assert voxelise([box], 96).mean() == pytest.approx(volume, rel=0.02)


def test_a_free_voxel_is_left_on_every_side() -> None:
    for number in range(60):
        grid = voxelise(make_furniture(1, number, KINDS, 12).solids)
        for axis in range(3):
            edges = np.take(grid, [0, -1], axis=axis)
            assert not edges.any()

"""The sheet of views shows what the arrays hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lichen.data.playground.solids import SolidConfig, playground_solid, show_solids, voxelise
from lichen.errors import InputError


def test_a_column_a_view_with_picture_depth_parts_and_voxels() -> None:
    samples = [playground_solid(0, index, SolidConfig(size=48)) for index in (0, 4)]
    sheet = np.asarray(show_solids(samples, scale=1, gap=2))
    assert sheet.shape == (4 * 50 - 2, 2 * 50 - 2, 3)
    for column, sample in enumerate(samples):
        picture, depth, parts, voxels = (sheet[row * 50 :, column * 50 :][:48, :48] for row in range(4))
        assert (picture == sample.image).all()
        assert ((depth < 255).all(-1) == sample.mask).all()
        nearest = np.unravel_index(sample.depth.argmin(), sample.depth.shape)
        assert depth[nearest][0] == depth.min()
        assert (parts[~sample.mask] == 255).all() and len(np.unique(parts.reshape(-1, 3), axis=0)) > 2
        # Voxels are the object, but for half a voxel all around.
        drawn = (voxels < 255).any(-1)
        assert (drawn & sample.mask).sum() > 0.9 * sample.mask.sum()
        assert drawn.sum() < 1.5 * sample.mask.sum()


def test_a_view_of_which_nothing_is_left_can_be_shown() -> None:
    sample = playground_solid(0, 0, SolidConfig(size=32, missing=1.0))
    assert not sample.mask.any()
    empty = replace(sample, voxels=np.zeros_like(voxelise(sample.scene.solids)))
    assert (np.asarray(show_solids([empty], 1))[36:] == 255).all()


def test_sizes_must_be_one() -> None:
    with pytest.raises(InputError, match="all of one size"):
        show_solids([])
    with pytest.raises(InputError, match="all of one size"):
        show_solids([playground_solid(0, 0, SolidConfig(size=size)) for size in (32, 48)])

"""Projection and back-projection, and what a random view looks like."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lichen.data.playground.dice import Dice
from lichen.data.playground.solids.camera import Camera, look_at, random_camera
from lichen.data.playground.solids.designs import KINDS
from lichen.data.playground.solids.furniture import make_furniture
from lichen.scene.geometry import corners


def view(number: int, size: int = 96) -> Camera:
    solids = make_furniture(0, number, KINDS, 12).solids
    return random_camera(Dice(0, number, 3), solids, size, (-70.0, 70.0), (10.0, 40.0))


@pytest.mark.parametrize(("azimuth", "elevation"), [(0.0, 0.0), (33.0, 20.0), (-70.0, 40.0), (170.0, 75.0)])
def test_cameras_are_upright_and_right_handed(azimuth: float, elevation: float) -> None:
    position, axes = look_at((0.5, 0.5, 0.5), azimuth, elevation, 2.0)
    right, down, forwards = np.array(axes)
    assert np.allclose(np.array(axes) @ np.array(axes).T, np.eye(3))
    assert np.allclose(np.cross(right, down), forwards)
    assert right[2] == 0.0 and down[2] < 0.0
    assert np.allclose(np.array(position) + 2.0 * forwards, 0.5)


def test_azimuth_runs_from_the_front_to_the_objects_right() -> None:
    front, _ = look_at((0.5, 0.5, 0.5), 0.0, 0.0, 1.0)
    right, _ = look_at((0.5, 0.5, 0.5), 90.0, 0.0, 1.0)
    assert np.allclose(front, (0.5, 1.5, 0.5)) and np.allclose(right, (1.5, 0.5, 0.5))


def test_projection_is_that_of_the_matrices() -> None:
    camera = view(0)
    points = np.random.default_rng(0).uniform(size=(20, 3))
    seen = np.concatenate([points, np.ones((20, 1))], 1) @ camera.extrinsics.T
    pixels = seen[:, :3] @ camera.intrinsics.T
    found = camera.project(points)
    assert np.allclose(found[:, :2], pixels[:, :2] / pixels[:, 2:])
    assert np.allclose(found[:, 2], seen[:, 2])


def test_back_projection_undoes_projection() -> None:
    camera = view(1, 24)
    depth = np.random.default_rng(1).uniform(1.0, 3.0, size=(24, 24))
    again = camera.project(camera.back_project(depth))
    columns, rows = np.meshgrid(np.arange(24) + 0.5, np.arange(24) + 0.5)
    assert np.allclose(again, np.stack([columns, rows, depth], -1))


def test_a_camera_comes_back_from_its_plain_values() -> None:
    camera = view(2)
    other = Camera.from_dict(json.loads(json.dumps(camera.to_dict())), camera.size)
    assert np.allclose(other.extrinsics, camera.extrinsics) and np.allclose(other.position, camera.position)
    assert other.focal == camera.focal and other.middle == camera.middle and other.azimuth == camera.azimuth


def test_objects_fill_most_of_the_picture_and_stay_inside() -> None:
    for number in range(60):
        camera = view(number)
        solids = make_furniture(0, number, KINDS, 12).solids
        seen = camera.project(corners(solids))
        low, high = seen[..., :2].min((0, 1)), seen[..., :2].max((0, 1))
        assert 0.6 * 96 < (high - low).max() < 0.86 * 96
        assert low.min() > 0.0 and high.max() < 96.0
        assert seen[..., 2].min() > 0.5
        assert -70.0 <= camera.azimuth <= 70.0 and 10.0 <= camera.elevation <= 40.0

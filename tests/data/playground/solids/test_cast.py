"""Depth, faces and shadows against plain geometry, ray by ray."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lichen.data.playground.dice import Dice
from lichen.data.playground.solids.boxes import Boxes
from lichen.data.playground.solids.camera import Camera, look_at, random_camera
from lichen.data.playground.solids.cast import Rays
from lichen.data.playground.solids.designs import KINDS
from lichen.data.playground.solids.furniture import make_furniture
from lichen.scene import Solid

from .geometry import axes_of, own

SIZE = 40
OBJECTS = [make_furniture(2, number, KINDS, 12) for number in range(6)]


def camera_of(number: int) -> Camera:
    return random_camera(Dice(2, number, 9), OBJECTS[number].solids, SIZE, (-180.0, 180.0), (5.0, 60.0))


def through(camera: Camera, row: int, column: int) -> np.ndarray:
    """Direction of a pixel's ray, one unit forwards."""
    across, down = column + 0.5 - camera.middle[0], row + 0.5 - camera.middle[1]
    return np.array([across / camera.focal, down / camera.focal, 1.0]) @ np.array(camera.rotation)


def first_hit(solids: tuple[Solid, ...], start: np.ndarray, way: np.ndarray) -> tuple[float, int]:
    """Multiple of `way` at which a ray enters a box first, and the box's place."""
    best, place = math.inf, -1
    for number, solid in enumerate(solids):
        a, b = own(solid, start), way @ axes_of(solid) / (np.array(solid.size) / 2)
        with np.errstate(divide="ignore"):
            ends = np.sort(np.stack([(-1 - a) / b, (1 - a) / b]), axis=0)
        enter, leave = ends[0].max(), ends[1].min()
        if enter <= leave and 0 < enter < best:
            best, place = float(enter), number
    return best, place


def test_one_box_in_front_is_as_deep_as_its_face_is_far() -> None:
    box = Solid((0.5, 0.5, 0.5), (0.4, 0.2, 0.6))
    position, rotation = look_at((0.5, 0.5, 0.5), 0.0, 0.0, 2.0)
    camera = Camera(50, 80.0, (25.0, 25.0), position, rotation)
    hits = Rays(camera, Boxes.of([box])).cast()
    depth = 2.0 - 0.1
    seen = np.isfinite(hits.depth)
    assert np.allclose(hits.depth[seen], depth, atol=1e-12)
    # 0.4 wide and 0.6 high, 80 pixels for one at depth 1; middles of pixels lie half a pixel beside the axis.
    assert seen.any(0).sum() == 2 * int(0.2 * 80 / depth + 0.5) and seen.any(1).sum() == 2 * int(0.3 * 80 / depth + 0.5)
    assert (hits.axis[seen] == 1).all() and (hits.part[seen] == 0).all() and (hits.part[~seen] == -1).all()


@pytest.mark.parametrize("number", range(len(OBJECTS)))
def test_depth_and_part_equal_those_of_single_rays(number: int) -> None:
    solids, camera = OBJECTS[number].solids, camera_of(number)
    hits = Rays(camera, Boxes.of(solids)).cast()
    start = np.array(camera.position)
    for row in range(0, SIZE, 3):
        for column in range(0, SIZE, 3):
            depth, part = first_hit(solids, start, through(camera, row, column))
            assert hits.depth[row, column] == pytest.approx(depth, abs=1e-10)
            if hits.part[row, column] != part:
                # Faces that lie in one plane.
                assert part >= 0 and hits.part[row, column] >= 0


@pytest.mark.parametrize("number", range(len(OBJECTS)))
def test_points_at_their_depth_lie_on_the_face_that_is_named(number: int) -> None:
    solids, camera = OBJECTS[number].solids, camera_of(number)
    hits = Rays(camera, Boxes.of(solids)).cast()
    points = camera.back_project(hits.depth)
    rows, columns = np.nonzero(hits.part >= 0)
    assert len(rows) > 60
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        place = own(solids[hits.part[row, column]], points[row, column])
        assert abs(place[hits.axis[row, column]]) == pytest.approx(1.0, abs=1e-9)
        assert np.abs(place).max() <= 1.0 + 1e-9


def test_finer_rays_are_those_of_a_larger_picture() -> None:
    camera = camera_of(0)
    boxes = Boxes.of(OBJECTS[0].solids)
    middle = (camera.middle[0] * 2, camera.middle[1] * 2)
    larger = Camera(SIZE * 2, camera.focal * 2, middle, camera.position, camera.rotation)
    fine, large = Rays(camera, boxes, 2).cast(), Rays(larger, boxes).cast()
    assert np.allclose(fine.depth, large.depth) and (fine.part == large.part).all()


@pytest.mark.parametrize("number", range(3))
def test_shadows_equal_those_of_single_rays(number: int) -> None:
    solids, camera = OBJECTS[number].solids, camera_of(number)
    boxes = Boxes.of(solids)
    rays = Rays(camera, boxes)
    hits = rays.cast()
    light = (0.4, 0.3, math.sqrt(1 - 0.25))
    floor = float(boxes.corners[..., 2].min())
    down = np.array([[through(camera, row, column)[2] for column in range(SIZE)] for row in range(SIZE)])
    ground = np.where(down < -1e-3, (floor - camera.position[2]) / np.where(down < -1e-3, down, -1.0), np.inf)
    depth = np.minimum(hits.depth, ground)
    dark = rays.shaded(depth, light, floor)
    different = compared = 0
    for row in range(0, SIZE, 2):
        for column in range(0, SIZE, 2):
            if not np.isfinite(depth[row, column]):
                continue
            point = np.array(camera.position) + depth[row, column] * through(camera, row, column)
            # A skin's breadth off the surface, towards the light.
            expected = first_hit(solids, point + 2e-3 * np.array(light), np.array(light))[1] >= 0
            inside = any(np.abs(own(solid, point + 2e-3 * np.array(light))).max() < 1 for solid in solids)
            compared += 1
            different += bool(dark[row, column] != (expected or inside))
    assert compared > 200 and dark.any() and not dark.all()
    # Rays that graze an edge may fall on either side.
    assert different <= 0.01 * compared

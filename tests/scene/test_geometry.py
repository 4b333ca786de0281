"""Boxes in other conventions, corners of cuboids, reflections."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.scene import Scene, Solid
from lichen.scene.geometry import FACES, areas, as_box, clip, complete, corners, from_xywh, reflected, to_xywh

from .strategies import boxes, solids


@settings(max_examples=50, deadline=None)
@given(st.lists(boxes(), min_size=1, max_size=4))
def test_width_and_height_and_back(found: list[tuple[float, float, float, float]]) -> None:
    array = np.array(found)
    sides = to_xywh(array)
    np.testing.assert_array_equal(sides[:, 2], array[:, 2] - array[:, 0])
    np.testing.assert_allclose(from_xywh(sides), array, atol=1e-10)
    np.testing.assert_allclose(areas(array), sides[:, 2] * sides[:, 3])


def test_boxes_are_cut_at_the_edges_of_the_picture() -> None:
    array = np.array([[-5.0, 2.0, 7.0, 20.0], [30.0, 30.0, 40.0, 40.0]])
    cut = clip(array, (10, 8))
    np.testing.assert_array_equal(cut, [[0, 2, 7, 8], [10, 8, 10, 8]])
    np.testing.assert_array_equal(areas(cut), [42, 0])
    assert as_box(np.array([1, 2, 3, 4])) == (1.0, 2.0, 3.0, 4.0)


def test_corners_of_a_turned_cuboid() -> None:
    # A quarter turn about z takes the own x axis to the world's y axis.
    quarter = (0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0)
    (points,) = corners([Solid((10.0, 20.0, 30.0), (2.0, 4.0, 6.0), quarter)])
    np.testing.assert_allclose(points[0], [12, 19, 27])
    # From corner 0 to corner 1 along the own x axis, to 2 along y, to 4 along z.
    np.testing.assert_allclose(points[[1, 2, 4]] - points[0], [[0, 2, 0], [-4, 0, 0], [0, 0, 6]])


@settings(max_examples=30, deadline=None)
@given(solids())
def test_faces_look_outwards(solid: Solid) -> None:
    (points,) = corners([solid])
    quads = points[FACES]
    normals = np.cross(quads[:, 1] - quads[:, 0], quads[:, 3] - quads[:, 0])
    outward = quads.mean(1) - np.array(solid.centre)
    assert ((normals * outward).sum(1) > 0).all()


@settings(max_examples=50, deadline=None)
@given(solids(), st.tuples(*[st.floats(-1, 1)] * 3), st.floats(-10, 10))
def test_a_reflection_is_a_cuboid_of_the_same_size_at_the_mirrored_corners(
    solid: Solid, way: tuple[float, float, float], offset: float
) -> None:
    normal = np.array(way)
    length = np.linalg.norm(normal)
    normal = normal / length if length > 1e-3 else np.array([1.0, 0.0, 0.0])
    solid = Solid(solid.centre, solid.size, solid.rotation, mirror=(*normal.tolist(), offset))
    image = reflected(solid)
    Scene("a", solids=(image,)).validate()
    points = corners([solid])[0]
    mirrored = points - 2 * ((points @ normal) - offset)[:, None] * normal
    gaps = np.linalg.norm(mirrored[:, None] - corners([image])[0][None], axis=-1)
    assert gaps.min(1).max() < 1e-9 * 1e3
    np.testing.assert_allclose(np.sort(corners([reflected(image)])[0], 0), np.sort(points, 0), atol=1e-6)


def test_an_object_is_completed_by_the_reflections_that_are_not_listed() -> None:
    plane = (1.0, 0.0, 0.0, 0.0)
    left, right = (Solid((x, 0.0, 0.0), (1.0, 2.0, 3.0), part="leg", mirror=plane) for x in (-4.0, 4.0))
    seat = Solid((0.0, 0.0, 2.0), (9.0, 2.0, 1.0), part="seat", mirror=plane)
    free = Solid((0.0, 5.0, 2.0), (1.0, 1.0, 1.0))
    # The seat lies across the plane and is its own reflection; of two legs each is the other's.
    assert complete((seat, left, right, free)) == (seat, left, right, free)
    whole = complete((seat, left, free))
    assert whole[:3] == (seat, left, free)
    assert len(whole) == 4 and whole[3].centre == (4.0, 0.0, 0.0) and whole[3].part == "leg"
    assert complete(()) == ()

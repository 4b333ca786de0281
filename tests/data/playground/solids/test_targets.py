"""Half models as numbers, in the conventions of the published files."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from lichen.data.formats.primitives import rotation
from lichen.data.playground.solids import PlaygroundSolids, SolidConfig, to_primitives, to_solids
from lichen.data.playground.solids.furniture import rotation_about
from lichen.data.playground.solids.targets import Primitives
from lichen.errors import InputError
from lichen.scene import Scene


@cache
def scenes() -> list[Scene]:
    return [sample.scene for sample in PlaygroundSolids(size=60, config=SolidConfig(size=16, views=1, voxels=4))]


@pytest.mark.parametrize("grid", [32, 30])
def test_half_models_come_back_as_whole_objects(grid: int) -> None:
    for scene in scenes():
        primitives = to_primitives(scene, grid)
        again = to_solids(primitives, scene.labels[0].name)
        assert len(again) == len(scene.solids) > len(primitives) - 1
        for found, known in zip(again, scene.solids, strict=True):
            assert np.allclose(found.centre, known.centre) and np.allclose(found.size, known.size)
            assert np.allclose(found.rotation, known.rotation) and found.mirror == known.mirror
            # Names become those of classes; the side stays.
            assert (found.part or "").split(" ")[0] in {"left", "right"} or "left" not in (known.part or "")


def test_numbers_are_those_of_the_published_files() -> None:
    for scene in scenes():
        primitives = to_primitives(scene)
        assert ((primitives.turn != 0).sum(1) <= 1).all()
        for row, solid in enumerate(scene.solids[: len(primitives)]):
            assert np.allclose(primitives.corner[row] + primitives.size[row] / 2, np.array(solid.centre) * 32)
            assert np.allclose(rotation(primitives.turn[row]).ravel(), solid.rotation)
        tops = primitives.corner[:, 2] + primitives.size[:, 2] / 2
        assert (np.diff(tops) <= 1e-9).all()
        # What is stored reaches from the left to the plane, or over it.
        assert (primitives.corner[:, 0] < 16).all()


def test_parts_up_to_the_plane_are_reflected_and_parts_across_it_are_not() -> None:
    rows = Primitives(
        size=np.array([[8.0, 4.0, 2.0], [4.0, 4.0, 4.0]]),
        corner=np.array([[12.0, 10.0, 20.0], [12.0, 10.0, 2.0]]),
        turn=np.array([[0.3, 0.0, 0.0], [0.1, 0.0, 0.25]]),
        classes=np.array([0, 2]),
        grid=32,
    )
    seat, left, right = to_solids(rows, "chair")
    assert (seat.part, left.part, right.part) == ("seat", "left leg", "right leg")
    assert seat.centre == (0.5, 0.375, 0.65625) and right.centre == (0.5625, 0.375, 0.125)
    # Of several angles the largest counts; the reflection turns the other way, but about x it would not.
    assert np.allclose(left.rotation, rotation_about(2, -0.25)) and np.allclose(right.rotation, rotation_about(2, 0.25))
    assert np.allclose(seat.rotation, rotation_about(0, -0.3))


def test_what_cannot_be_encoded_is_refused() -> None:
    with pytest.raises(InputError, match="none of the playground's solids"):
        to_primitives(Scene("x"))
    scene = next(scene for scene in scenes())
    twisted = np.array(rotation_about(0, 0.3)).reshape(3, 3) @ np.array(rotation_about(2, 0.3)).reshape(3, 3)
    solids = (replace(scene.solids[0], rotation=tuple(twisted.ravel().tolist())), *scene.solids[1:])
    with pytest.raises(InputError, match="more than one axis"):
        to_primitives(replace(scene, solids=solids))
    rows = to_primitives(scene)
    with pytest.raises(InputError, match="part classes 0 to"):
        to_solids(replace(rows, classes=rows.classes + 9), scene.labels[0].name)
    with pytest.raises(InputError, match="kind of furniture"):
        to_solids(rows, "boat")

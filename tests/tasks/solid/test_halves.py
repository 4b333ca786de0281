"""Half models of Scenes, of the playground and of other sources; cameras that are fitted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from lichen.data.playground.solids import SolidConfig, part_boxes, playground_solid, to_primitives
from lichen.errors import BadSample, InputError
from lichen.scene import Label, Scene, Solid
from lichen.solids import Cuboids, Normalisation, iou, voxelise
from lichen.solids.published import ANGLE, AXIS, completed, from_rows
from lichen.tasks.solid.answers import built
from lichen.tasks.solid.config import BuildConfig
from lichen.tasks.solid.halves import fold_of, half_of, object_of
from lichen.tasks.solid.truths import Truths
from lichen.tasks.solid.view import fit_camera

CONFIG = SolidConfig(size=48, views=2)


@pytest.mark.parametrize("index", range(0, 24, 3))
def test_halves_are_the_playgrounds_own(index: int) -> None:
    sample = playground_solid(2, index, CONFIG)
    half = half_of(sample.scene, 32, 1.1)
    wanted = to_primitives(sample.scene)
    assert len(half.rows) == len(wanted) == len(half.names)
    # Equal heights may stand in another order.
    both = torch.cat([half.rows[:, 10:16], half.rows[:, AXIS] * half.rows[:, ANGLE, None]], 1)
    other = torch.from_numpy(np.concatenate([wanted.size, wanted.corner, wanted.turn], 1))
    gaps = (both[:, None] - other[None]).abs().amax(-1)
    assert float(gaps.amin(1).max()) < 1e-9 and sorted(gaps.argmin(1).tolist()) == list(range(len(wanted)))
    boxes = torch.from_numpy(part_boxes(sample)[: len(wanted)] / 48)
    assert float((half.boxes - boxes[gaps.argmin(1)]).abs().max()) < 1e-9
    # The mirror rule gives the whole back.
    whole = voxelise(from_rows(completed(half.rows, 32)), 32)
    assert torch.equal(whole, voxelise(half.whole.moved(32), 32)) and len(half.whole) == len(sample.scene.solids)


def other(**changes: Any) -> Scene:
    """An object in voxels of 30, as the published files have it, with a camera and only half its parts listed."""
    plane = (1.0, 0.0, 0.0, 15.0)
    solids = (
        Solid((15.0, 15.0, 20.0), (20.0, 18.0, 2.0), part="1", mirror=plane),
        Solid((7.0, 8.0, 10.0), (2.0, 2.0, 18.0), part="2", mirror=plane),
    )
    camera = {
        "intrinsics": [[60.0, 0.0, 32.0], [0.0, 60.0, 32.0], [0.0, 0.0, 1.0]],
        # Looks along -y from the front: x to the left of the picture.
        "extrinsics": [[-1.0, 0, 0, 15], [0, 0, -1.0, 15], [0, -1.0, 0, 100], [0, 0, 0, 1]],
    }
    return replace(Scene("a", size=(64, 64), solids=solids, metadata={"camera": camera}), **changes)


def test_other_objects() -> None:
    half = half_of(other(), 32, 1.0)
    assert half.names == ("1", "2") and half.whole_names == ("1", "2", "2") and len(half.whole) == 3
    assert half.rows[0, 10:16].tolist() == pytest.approx([x * 32 / 30 for x in (20, 18, 2, 5, 6, 19)])
    assert bool((half.boxes[:, :2] < half.boxes[:, 2:]).all())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"solids": ()}, "no solids"),
        ({"metadata": {}}, "no camera"),
        ({"metadata": {"camera": {"intrinsics": 3, "extrinsics": 4}}}, "camera cannot be read"),
        ({"solids": (Solid((50.0, 0.0, 0.0), (1.0, 1.0, 1.0)),)}, "far outside"),
        (
            {"solids": (Solid((0.5, 0.5, 0.5), (0.2, 0.3, 0.1), (0.36, 0.48, -0.8, -0.8, 0.6, 0.0, 0.48, 0.64, 0.6)),)},
            "more than one principal axis",
        ),
    ],
)
def test_scenes_that_teach_nothing(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(BadSample, match=words):
        half_of(other(**changes), 32, 1.1)


def test_all_pictures_of_an_object_are_in_one_half_of_the_training_set() -> None:
    first, second = (playground_solid(2, index, CONFIG).scene for index in (6, 7))
    assert object_of(first) == object_of(second) and fold_of(first) == fold_of(second)
    folds = [fold_of(playground_solid(2, index, CONFIG).scene) for index in range(0, 40, 2)]
    assert 4 < sum(folds) < 16
    assert object_of(other(metadata={"model": "model/chair/1.obj"})).endswith("model/chair/1.obj")


def test_what_was_taught_is_answered() -> None:
    """Targets, and the way back: the same voxels."""
    scenes = [playground_solid(2, index, CONFIG).scene for index in (0, 5, 9)]
    halves = [half_of(scene, 32, 1.1) for scene in scenes]
    classes = sorted({name for half in halves for name in half.whole_names})
    norm = Normalisation.of(torch.cat([half.rows for half in halves]))
    truths = Truths.of(scenes, halves, classes, norm, most=12)
    parts = truths.take(torch.tensor([2, 0])).parts
    outputs = {
        "lengths": parts.lengths,
        "turns": parts.turns,
        "probabilities": torch.nn.functional.one_hot(parts.classes, len(classes) + 1).float(),
        "kept": parts.there.float(),
        "boxes": parts.boxes,
    }
    for answer, place in zip(built(outputs, norm, BuildConfig()), (2, 0), strict=True):
        assert torch.equal(answer.whole_labels.sort().values, truths.labels[place].sort().values)
        one, two = (voxelise(each.moved(32), 32) for each in (answer.whole, truths.wholes[place]))
        assert float(iou(one, two)) > 0.999
    few = Truths.of(scenes, halves, classes, norm, most=2)
    assert few.told.parts.lengths.shape[1] == 2 and few.told.parts.count.tolist() == [2, 2, 2]
    with pytest.raises(InputError, match="not known here"):
        Truths.of(scenes, halves, ["nothing"], norm, most=12)


def test_a_camera_is_found_again() -> None:
    for index in (1, 8, 14):
        sample = playground_solid(5, index, CONFIG)
        boxes = torch.from_numpy(part_boxes(sample)) / 48
        found = fit_camera(Cuboids.of(sample.scene.solids).corners(), boxes, (48, 48), 1.1)
        assert found["gap"] < 0.01
        assert abs(found["azimuth"] - sample.camera.azimuth) < 8
        assert abs(found["elevation"] - sample.camera.elevation) < 8


def test_labels_of_other_sources_are_their_names() -> None:
    scene = other(labels=(Label("chair"),))
    assert half_of(scene, 32, 1.1).names == ("1", "2")


def test_a_part_that_ends_at_the_plane_is_reflected_and_one_across_it_is_not() -> None:
    norm = Normalisation(0.0, 1.0, 0.0, 1.0)
    # Sizes, then least corners, in voxels of 32: a seat that is a little off the middle, a drawer that ends at it.
    lengths = torch.tensor([[[20.0, 18.0, 2.0, 6.4, 6.0, 14.0], [10.0, 8.0, 4.0, 6.1, 6.0, 4.0]]])
    turns = torch.tensor([[[0.0, 0.3, 0.0], [0.0, 0.0, 0.02]]])
    outputs = {
        "lengths": lengths,
        "turns": turns,
        "probabilities": torch.tensor([[[0.9, 0.1, 0.0], [0.2, 0.7, 0.1]]]),
        "kept": torch.ones(1, 2),
        "boxes": torch.zeros(1, 2, 4),
    }
    (found,) = built(outputs, norm, BuildConfig())
    assert found.straddling.tolist() == [True, False] and len(found.whole) == 3
    assert found.half.centre[0, 0] == 0.5 and found.whole_labels.tolist() == [0, 1, 1]
    # Neither a reflection of itself that is turned about y nor a turn of almost nothing is meant.
    assert torch.equal(found.half.rotation, torch.eye(3).double().expand(2, 3, 3))
    (released,) = built(outputs, norm, BuildConfig(beyond=0.0, still=0.0, centre=False))
    assert released.straddling.tolist() == [True, True] and len(released.whole) == 2
    assert float(released.half.centre[0, 0]) == pytest.approx(16.4 / 32)

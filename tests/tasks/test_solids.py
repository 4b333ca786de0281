"""`solids`: a handful of objects is learnt by heart, measured, saved, asked; its bad data are told."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lichen.backbones.features import Features
from lichen.backbones.outline import Outline
from lichen.data.config import DataConfig
from lichen.data.dataset import Dataset
from lichen.data.playground.solids import SolidConfig, playground_solid
from lichen.errors import InputError
from lichen.heads.given import Given
from lichen.scene.geometry import complete
from lichen.side.config import ProbeConfig
from lichen.side.fit import fit_side
from lichen.solids import Cuboids, iou, voxelise
from lichen.tasks.model import SideModel
from lichen.tasks.solid.config import BuildConfig
from lichen.tasks.solids import Solids
from lichen.tasks.task import HeadConfig

CONFIG = SolidConfig(size=32, views=1, kinds=("chair", "table"))
SAMPLES = [playground_solid(4, index, CONFIG) for index in range(8)]
WIDTH = 8
GIVEN = Given("maps", WIDTH, modality="image")
OUTLINE = Outline("resnet", "maps", "image", (WIDTH,))
DATA = DataConfig("playground-solids", size="smoke")
SMALL: dict[str, Any] = {
    "hidden": 24,
    "heads": 32,
    "code": 16,
    "local_code": 8,
    "channels": 8,
    "node": 40,
    "graph_width": 32,
    "cells": 2,
    "most": 12,
}


def dataset(**changes: Any) -> Dataset:
    scenes = tuple(sample.scene for sample in SAMPLES)
    pixels = np.stack([sample.image for sample in SAMPLES])
    made = Dataset(scenes, {"train": tuple(range(6)), "dev": (6,), "test": (7,)}, pixels=pixels)
    return replace(made, **changes)


def made(**settings: Any) -> Solids:
    return Solids.of(dataset(), DATA, HeadConfig(solids=BuildConfig(**(SMALL | settings))))


def fetch(part: str, rows: Tensor) -> Features:
    """Pictures in small, with noise of their own, stand for features."""
    shrunk = [torch.from_numpy(SAMPLES[row].image[::5, ::5].copy()).permute(2, 0, 1) / 255 for row in rows.tolist()]
    random = [torch.randn(WIDTH - 3, 7, 7, generator=torch.Generator().manual_seed(row)) for row in rows.tolist()]
    maps = torch.cat([torch.stack(shrunk), torch.stack(random)], 1)
    return Features((maps,), maps, grid=(7, 7), indices=(0,))


def modelled(task: Solids) -> SideModel:
    torch.manual_seed(0)
    return SideModel({"image": fit_side(ProbeConfig(), OUTLINE)[0]}, task.make_head({"image": GIVEN}))


def trained(task: Solids, steps: int, peak: float = 3e-3) -> SideModel:
    """All training objects in every step; the rate falls from its peak in each stage."""
    model = modelled(task).train()
    examples = task.examples(dataset(), "train")
    features = {"image": fetch("image", examples.rows["image"])}
    search = torch.optim.Adam(model.parameters(), peak)
    stage = task.config.graph_from or steps
    for step in range(steps):
        search.param_groups[0]["lr"] = peak * (0.5 + 0.5 * math.cos(math.pi * (step % stage) / stage))
        search.zero_grad()
        model(features, task.told(examples))["loss"].backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        search.step()
    return model


def test_of_and_settings() -> None:
    task = made()
    assert set(task.classes) <= {"seat", "back", "leg", "arm", "rail", "base", "top", "shelf"} and "leg" in task.classes
    again = Solids.from_settings(task.settings(), task.head)
    assert again == task
    assert task.headline == "iou" and task.normalisation.deviation > 1
    with pytest.raises(InputError, match="kinds playground-solids, scenes"):
        Solids.parts(DataConfig("digits"))


def test_a_few_steps_learn_measure_and_answer() -> None:
    task = made(graph_from=25)
    model = trained(task, 40)
    found = task.score(model, fetch, task.examples(dataset(), "test"))
    assert {"iou", "accuracy@0.2", "chamfer", "f_score", "count_exact", "part_precision"} <= set(found)
    assert all(np.isfinite(value) for value in found.values())
    state = {name: value.clone() for name, value in model.state_dict().items()}
    other = modelled(Solids.from_settings(task.settings(), task.head))
    other.load_state_dict(state)
    scenes = [replace(sample.scene, solids=()) for sample in SAMPLES[:2]]
    features = {"image": fetch("image", torch.arange(2))}
    with torch.inference_mode():
        answers = task.respond(other.eval(), features, scenes)
    for scene in answers:
        assert scene.validate().solids and scene.metadata["camera_from"] == "given"
        assert all(solid.part and solid.score is not None for solid in scene.solids)
        # What is listed and its reflections are symmetric about the middle of the cube.
        whole = voxelise(Cuboids.of(complete(scene.solids)).moved(32), 32)
        assert float(iou(whole, whole.flip(0))) > 0.9
    bare = [replace(scene, metadata={}, size=(64, 48)) for scene in scenes]
    with torch.inference_mode():
        (first, _) = task.respond(other, features, bare)
    assert first.metadata["camera_from"] == "fitted" and first.metadata["camera"]["intrinsics"][0][2] > 0
    assert first.draw().width > 600


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{"graph": False}, {"graph_from": 600}, {"graph_from": 600, "residual": True}])
def test_six_objects_are_learnt_by_heart(settings: dict[str, Any]) -> None:
    # Of so few objects no half tells how many parts those of the other half have.
    task = made(folds=False, **settings)
    model = trained(task, 1200)
    found = task.score(model, fetch, task.examples(dataset(), "train"))
    assert found["iou"] > 0.75 and found["accuracy@0.1"] > 0.9 and found["part_precision"] > 0.95, found


def test_scenes_that_teach_nothing_are_left_out_if_they_are_few() -> None:
    task = made()
    bad = [replace(SAMPLES[0].scene, id=f"bad-{n}", solids=()) for n in range(2)]
    scenes = (*(sample.scene for sample in SAMPLES), *bad)
    # One of twenty-one may be bad, two of eight may not.
    many = Dataset(scenes, {"train": (0, 1, 2, 3, 4, 5, 8, 9), "dev": (6,), "test": (7,)})
    with pytest.raises(InputError, match=r"2 of 8 scenes of the 'train' split cannot be used. bad-0: it has no solids"):
        task.examples(many, "train")
    nothing = Dataset(tuple(bad), {"train": (0, 1)})
    with pytest.raises(InputError, match="No scene can be learnt from"):
        Solids.of(nothing, DATA, HeadConfig())


@pytest.mark.parametrize(
    ("settings", "words"), [({"grid": 2}, "grid must lie"), ({"enlarge": 0.0}, "enlarge"), ({"rule": "mid"}, "middle")]
)
def test_settings_that_make_no_sense(settings: dict[str, Any], words: str, unchecked: None) -> None:
    with pytest.raises(InputError, match=words):
        BuildConfig(**settings)

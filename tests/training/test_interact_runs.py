"""Whole trainings of `interact` on a tiny random CLIP and given boxes: stored and live, resumed, opened again."""

from __future__ import annotations

import gc
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import TrainerCallback

from lichen.errors import CheckpointError, InputError
from lichen.scene import Scene
from lichen.tasks.interact import Interact
from lichen.training import pipeline
from lichen.training.asking import ask
from lichen.training.pipeline import evaluate, train
from lichen.training.recipe import Recipe, from_dict, load_recipe
from lichen.training.run import RECIPE, SETTINGS, Run

from ..cli.recipes_data import save_vit
from ..data.tiny import make_clip_processor
from ..families import make_trunk

pytest.importorskip("matplotlib", reason="matplotlib, which draws, is not installed")
WORDS = ("a", "photo", "of", "person", "riding", "holding", "wearing", "sitting", "on", "horse", "hat", "chair", "an")


@pytest.fixture(autouse=True)
def without_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes longer than these trainings, and so does a look through all that is loaded before each."""
    gc.freeze()
    monkeypatch.setattr(pipeline, "DrawCurves", lambda *args: TrainerCallback())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("interact")
    make_trunk("clip").save_pretrained(folder / "clip")
    make_clip_processor(WORDS).save_pretrained(folder / "clip")
    return folder


def recipe(place: Path, side: str = "probe", **settings: Any) -> Recipe:
    return from_dict(
        {
            "task": "interact",
            "data": {"kind": "playground", "size": "smoke", "pixels": 32, "eval_limit": 8, "limit": 12},
            "backbone": {"name": str(place / "clip")},
            "side": {"method": side},
            "head": {"interactions": {"text": str(place / "clip"), "width": 16, "least": 0, **settings}},
            "store": {"folder": str(place / "store")},
            "train": {"steps": 4, "batch": 6, "lr": 0.01, "eval_every": 2, "save_every": 2},
        },
        "interact",
        place,
    )


def same(one: Run, other: Run) -> None:
    for name, value in one.model.state_dict().items():
        assert torch.equal(value, other.model.state_dict()[name]), name
    assert one.facts["metrics"] == other.facts["metrics"]


@pytest.fixture(scope="module")
def runs(place: Path) -> dict[str, Run]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "DrawCurves", lambda *args: TrainerCallback())
        return {
            method: train(recipe(place, method=method), place / method, quiet=True)
            for method in ("weak", "supervised", "zero-shot")
        }


@pytest.mark.parametrize("method", ["weak", "supervised", "zero-shot"])
def test_a_run_is_opened_and_measured_as_it_was(method: str, place: Path, runs: dict[str, Run]) -> None:
    """hoi.md 5.4 (h)."""
    run, made = Run.open(place / method), runs[method]
    assert isinstance(run.task, Interact) and run.head == made.head
    assert run.task.vocabulary == made.task.vocabulary and run.task.teacher is None  # type: ignore[attr-defined]
    again = load_recipe(str(place / method / RECIPE))
    assert evaluate(run, again) == made.facts["metrics"]
    found = made.facts["metrics"]["test"]
    assert 0 <= found["mAP"] <= 1 and {"mRec", "mAP_known", "classes"} <= set(found)
    assert ("relatedness_AP" in found) == (method != "zero-shot")
    # The same answers, with the texts that were learnt.
    bank, kept = (each.model.head.network.bank for each in (made, run))
    assert torch.equal(bank.rows, kept.rows) and torch.equal(bank.memory, kept.memory)


def test_boxes_given_are_found_by_the_oracle(runs: dict[str, Run]) -> None:
    """hoi.md 5.4 (i): with the annotated boxes as proposals every pair is among the answers."""
    for run in runs.values():
        assert run.facts["metrics"]["test"]["mRec"] == 1.0


def test_the_order_of_interactions_is_kept_by_digest(place: Path, runs: dict[str, Run], tmp_path: Path) -> None:
    """hoi.md 5.4 (b): neither a file that was changed nor rows that were mixed up are read."""
    shutil.copytree(place / "weak", tmp_path / "run")
    settings = json.loads((tmp_path / "run" / SETTINGS).read_text("utf-8"))
    told = settings["settings"]["vocabulary"]
    assert told["digest"] == runs["weak"].task.vocabulary.digest  # type: ignore[attr-defined]
    told["entries"].reverse()
    (tmp_path / "run" / SETTINGS).write_text(json.dumps(settings), "utf-8")
    with pytest.raises((CheckpointError, InputError)):
        Run.open(tmp_path / "run")
    with pytest.raises(InputError, match="not in the order in which they were learnt"):
        Interact.from_settings(settings["settings"], runs["weak"].head)


@pytest.mark.parametrize("method", ["weak", "zero-shot"])
def test_stored_and_live_features_give_the_same_run(
    method: str, place: Path, runs: dict[str, Run], tmp_path: Path
) -> None:
    stored = recipe(place, method=method)
    live = train(replace(stored, store=replace(stored.store, live=True)), tmp_path / "live", quiet=True)
    same(runs[method], live)


@pytest.mark.parametrize("method", ["weak", "zero-shot"])
def test_resumed_equals_straight(method: str, place: Path, runs: dict[str, Run], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(place / method, folder)
    made = recipe(place, method=method)
    assert (folder / "checkpoint-2").is_dir(), sorted(each.name for each in folder.iterdir())
    for each in folder.iterdir():
        if each.name == "checkpoint-4":
            shutil.rmtree(each)
        elif each.name in (SETTINGS, "model.safetensors", "manifest.json"):
            each.unlink()
    same(runs[method], train(made, folder, resume=True, quiet=True))


@pytest.mark.parametrize("side", ["unipt", pytest.param("sherl", marks=pytest.mark.slow)])
def test_a_side_network_is_trained_through_boxes(side: str, place: Path, tmp_path: Path) -> None:
    save_vit(tmp_path / "vit")
    made = recipe(place, side)
    made = replace(
        made,
        backbones={"image": replace(made.backbones["image"], name=str(tmp_path / "vit"))},
        store=replace(made.store, folder=str(tmp_path / "store")),
    )
    run = train(made, tmp_path / "run", quiet=True)
    fresh, _ = pipeline.fit(pipeline.prepare(made), 0)
    moved = [
        name
        for name, value in run.model.sides.named_parameters()
        if value.requires_grad and not torch.equal(value, fresh.sides.get_parameter(name))
    ]
    assert run.model.head.network.bank.width == 12 != run.model.head.network.pairs.parts["human"].in_features
    assert moved, "gradients reach the side network through what lies under the boxes"


def test_pictures_are_asked_before_and_after_it_is_saved(place: Path, runs: dict[str, Run], tmp_path: Path) -> None:
    dataset = pipeline.prepare(recipe(place)).dataset
    scenes = []
    for row in dataset.rows("test"):
        dataset.picture(row).save(tmp_path / f"{row}.png")
        known = dataset.scenes[row]
        things = tuple(each for each in known.entities if each.label in runs["weak"].task.classes)  # type: ignore[attr-defined]
        scenes.append(Scene(f"{row}", image=str(tmp_path / f"{row}.png"), entities=things))
    for method, made in runs.items():
        one, other = (ask(run, scenes)[0] for run in (made, Run.open(place / method)))
        assert [each.relations for each in one] == [each.relations for each in other]
        assert any(each.relations for each in one)
        assert all(each.validate().entities == scene.entities for each, scene in zip(one, scenes, strict=True))


@pytest.mark.parametrize("family", ["siglip", "dinov2"])
def test_other_encoders_beside_the_texts_of_a_clip(place: Path, tmp_path: Path, family: str) -> None:
    """SigLIP has no summary token, DINOv2 no texts of its own."""
    folder = tmp_path / family
    make_trunk(family).save_pretrained(folder)
    make_clip_processor(WORDS).image_processor.save_pretrained(folder)
    base = recipe(place)
    part = replace(base.backbones["image"], name=str(folder))
    store = replace(base.store, folder=str(tmp_path / "store"))
    run = train(replace(base, backbones={"image": part}, store=store), tmp_path / "run", quiet=True)
    found = run.facts["metrics"]["test"]
    assert 0 < found["mAP"] <= 1 and found["mRec"] == 1

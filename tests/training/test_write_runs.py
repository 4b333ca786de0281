"""Whole trainings of decoders: beside side networks, stored and live, mixed by rules, measured and opened again."""

from __future__ import annotations

import gc
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import TrainerCallback

from lichen.errors import InputError
from lichen.tasks.write import Write
from lichen.training import pipeline
from lichen.training.pipeline import evaluate, fit, prepare, train
from lichen.training.recipe import Recipe, from_dict, load_recipe
from lichen.training.run import RECIPE, Run

from ..cli.recipes_data import save_vit

pytest.importorskip("matplotlib", reason="matplotlib, which draws, is not installed")


@pytest.fixture(autouse=True)
def without_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes longer than these trainings, and so does a look through all that is loaded before each."""
    gc.freeze()
    monkeypatch.setattr(pipeline, "DrawCurves", lambda *args: TrainerCallback())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("write")
    save_vit(folder / "vit")
    return folder


def recipe(place: Path, side: dict[str, Any] | None = None, **decoder: Any) -> Recipe:
    sizes = {"layers": 1, "width": 16, "heads": 2, "vocabulary": 320, "bins": 8}
    return from_dict(
        {
            "task": "write",
            "data": {"kind": "playground", "size": "smoke", "pixels": 32, "eval_limit": 4, "limit": 8},
            "backbone": {"name": str(place / "vit")},
            "side": side or {"method": "probe"},
            "head": {"decoder": {"tasks": ["caption", "vqa"], **sizes, **decoder}},
            "store": {"folder": str(place / "store")},
            "train": {"steps": 3, "batch": 8, "eval_every": 2},
        },
        "write",
        place,
    )


@pytest.mark.parametrize(
    "side",
    [
        {"method": "unipt"},
        *(pytest.param({"method": name}, marks=pytest.mark.slow) for name in ("sherl", "lst", "pooled")),
    ],
)
def test_adapted_tokens_are_looked_at_and_their_network_is_trained(
    side: dict[str, Any], place: Path, tmp_path: Path
) -> None:
    run = train(recipe(place, side), tmp_path / "run", quiet=True)
    fresh, _ = fit(prepare(recipe(place, side)), 0)
    moved = [
        name
        for name, value in run.model.sides.named_parameters()
        if value.requires_grad and not torch.equal(value, fresh.sides.get_parameter(name))
    ]
    assert moved, "gradients reach the side network through the decoder"


def test_stored_and_live_features_give_the_same_run(place: Path, tmp_path: Path) -> None:
    stored = recipe(place)
    live = replace(stored, store=replace(stored.store, live=True))
    first, second = (train(each, tmp_path / name, quiet=True) for each, name in ((stored, "s"), (live, "l")))
    for one, other in zip(first.model.parameters(), second.model.parameters(), strict=True):
        assert torch.equal(one, other)
    assert first.facts["metrics"] == second.facts["metrics"]


def test_a_run_is_opened_and_measured_as_it_was(place: Path, tmp_path: Path) -> None:
    made = train(recipe(place, mixing="uniform"), tmp_path / "run", quiet=True)
    run = Run.open(tmp_path / "run")
    assert isinstance(run.task, Write) and run.head == made.head
    again = load_recipe(str(tmp_path / "run" / RECIPE))
    assert again.head.decoder.mixing == "uniform"
    assert evaluate(run, again) == made.facts["metrics"]
    assert set(made.facts["metrics"]["test"]) >= {"mean", "caption/cider", "vqa/accuracy", "log_perplexity"}


def test_views_are_refused_and_what_is_cut_is_counted(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = recipe(place, context=16)
    with pytest.raises(InputError, match="views are cut out of pictures"):
        train(replace(made, store=replace(made.store, views=2)), tmp_path / "views", quiet=True)
    train(made, tmp_path / "short", quiet=True)
    assert "texts lose words or objects to the context of 16 tokens" in capsys.readouterr().err


def test_settings_of_the_decoder_are_checked_where_they_stand(place: Path) -> None:
    with pytest.raises(InputError, match=r"\[head\.decoder\] has no setting 'layer'. Did you mean 'layers'"):
        recipe(place, layer=3)
    with pytest.raises(InputError, match=r"\[head\.decoder\] tasks"):
        recipe(place, tasks=[])
    with pytest.raises(InputError, match=r"weights"):
        train(recipe(place, mixing="weights", weights={"caption": 1.0}), place / "never", quiet=True)

"""The folder of a finished run: opened whole or refused, asked, and saved again."""

from __future__ import annotations

import gc
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import TrainerCallback

from lichen.errors import CheckpointError
from lichen.files import MANIFEST, sha256
from lichen.scene import Scene
from lichen.side.config import SHERLConfig
from lichen.side.storage import CARD, SETTINGS, WEIGHTS
from lichen.training import pipeline
from lichen.training.pipeline import prepare, train
from lichen.training.recipe import Recipe
from lichen.training.run import RECIPE, PartRecord, Run, resume_command

from . import tiny_recipes

# Every training begins with a full garbage collection; what is loaded by now need not be looked through each time.
gc.freeze()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Recipe, Path]:
    """A SHERL beside a tiny BERT, trained."""
    root = tmp_path_factory.mktemp("finished")
    recipe = tiny_recipes.classify(root, "bert", "sherl", store={"folder": str(root / "stores")})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "DrawCurves", lambda *args: TrainerCallback())
        train(recipe, root / "run", quiet=True)
    return recipe, root / "run"


@pytest.fixture
def copy(finished: tuple[Recipe, Path], tmp_path: Path) -> Path:
    """Its folder, to be damaged."""
    return Path(shutil.copytree(finished[1], tmp_path / "run"))


def edit(folder: Path, **changes: Any) -> None:
    """Change the settings of a run, and the digest with them."""
    settings = json.loads((folder / SETTINGS).read_text())
    for name, value in changes.items():
        settings[name] = value
    (folder / SETTINGS).write_text(json.dumps(settings))
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["sha256"][SETTINGS] = sha256(folder / SETTINGS)
    (folder / MANIFEST).write_text(json.dumps(manifest))


def test_outputs_for_prepared_inputs_are_those_of_the_measured_ones(finished: tuple[Recipe, Path]) -> None:
    recipe, folder = finished
    run = Run.open(folder)
    prepared = prepare(recipe)
    inputs = prepared.sources["input"].inputs
    told: list[int] = []
    samples = [inputs[row] for row in prepared.dataset.rows("dev")]
    outputs = run.outputs({"input": samples}, batch=2, progress=told.append)
    assert told[-1] == len(samples) and outputs["logits"].shape == (len(samples), 2)
    assert torch.allclose(outputs["logits"], run.outputs({"input": samples})["logits"], atol=1e-5)
    targets = prepared.examples("dev").targets
    assert run.task.measure(outputs, targets) == pytest.approx(run.facts["metrics"]["dev"])
    scenes = run.task.answer(outputs, [Scene(str(number)) for number in range(len(samples))])
    assert [scene.labels[0].name for scene in scenes] == [
        ("down", "up")[number] for number in outputs["logits"].argmax(-1).tolist()
    ]


def test_late_layers_come_with_the_backbone_when_first_needed(finished: tuple[Recipe, Path]) -> None:
    run = Run.open(finished[1])
    assert isinstance(run.parts["input"].side, SHERLConfig) and not run._backbones
    assert run.parts["input"].layers == (0, 1, 2)
    run.score(prepare(finished[0]).sources, prepare(finished[0]).examples("dev"))
    assert list(run._backbones) == ["input"]


def test_a_part_survives_json(finished: tuple[Recipe, Path]) -> None:
    part = Run.open(finished[1]).parts["input"]
    assert PartRecord.from_dict(json.loads(json.dumps(part.to_dict()))) == part


@pytest.mark.parametrize("name", [WEIGHTS, SETTINGS])
@pytest.mark.parametrize("damage", ["bit", "truncated", "missing"])
def test_damaged_files_are_refused(name: str, damage: str, copy: Path) -> None:
    data = bytearray((copy / name).read_bytes())
    data[len(data) // 2] ^= 1
    if damage == "missing":
        (copy / name).unlink()
    else:
        (copy / name).write_bytes(bytes(data) if damage == "bit" else bytes(data[: len(data) // 2]))
    if damage == "missing" and name == SETTINGS:
        with pytest.raises(CheckpointError, match=r"has not finished\. Go on with: lichen train --resume"):
            Run.open(copy)
        return
    with pytest.raises(CheckpointError, match=rf"{name}.*(was altered or truncated|not in the folder)"):
        Run.open(copy)


def test_a_card_may_be_edited(copy: Path) -> None:
    (copy / CARD).write_text("in my own words")
    Run.open(copy)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 1}, "not the folder of a training run that this version reads"),
        ({"kind": "attached"}, "not the folder of a training run that this version reads"),
        ({"task": "dance"}, "does not describe a run: 'dance'"),
        ({"settings": {}}, "does not describe a run"),
        ({"head": {"poling": "mean"}}, "does not describe a run: head has no setting 'poling'"),
        ({"parts": {"input": {}}}, "does not describe a run"),
        ({"parts": 3}, "does not describe a run"),
        ({"settings": {"classes": ["a", "b", "c"], "several": False}}, "expected shape"),
    ],
)
def test_settings_of_something_else_are_refused(changes: dict[str, Any], message: str, copy: Path) -> None:
    edit(copy, **changes)
    with pytest.raises(CheckpointError, match=message):
        Run.open(copy)


def test_folders_that_hold_no_finished_run(copy: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"is not the folder of a run\. Give one that `lichen train` left"):
        Run.open(tmp_path)
    (copy / SETTINGS).unlink()
    assert (copy / RECIPE).is_file()
    with pytest.raises(CheckpointError, match="has not finished"):
        Run.open(copy)
    (copy / MANIFEST).unlink()
    (copy / SETTINGS).write_text("{}")
    with pytest.raises(CheckpointError, match=f"holds no {MANIFEST}"):
        Run.open(copy)


def test_a_run_is_saved_again_elsewhere(finished: tuple[Recipe, Path], tmp_path: Path) -> None:
    run = Run.open(finished[1])
    run.save(tmp_path / "copy")
    assert run.folder == tmp_path / "copy"
    again = Run.open(tmp_path / "copy")
    mine, theirs = run.model.state_dict(), again.model.state_dict()
    assert mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)
    assert (again.facts, again.parts, again.task, again.head) == (run.facts, run.parts, run.task, run.head)
    for name in (WEIGHTS, SETTINGS, CARD):
        assert (tmp_path / "copy" / name).read_bytes() == (finished[1] / name).read_bytes()


def test_what_to_type_can_be_pasted() -> None:
    assert resume_command(Path("runs/a")) == "lichen train --resume runs/a"
    assert resume_command(Path("my runs/a")) == "lichen train --resume 'my runs/a'"

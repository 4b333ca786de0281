"""transformers.Trainer, unchanged, over attached models: train, evaluate, save, resume, load the best."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import Seq2SeqTrainer, Seq2SeqTrainingArguments, Trainer, TrainingArguments, default_data_collator

import lichen
from lichen.errors import GradientLeakError

from ...families import make_batch, make_model
from .common import SIDES, Rows, frozen_state

pytestmark = [
    # 2026-11: transformers 5.23 renames it for version 6; older ones know the old name only.
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.* is deprecated:FutureWarning"),
    # 2026-11: torch warns that a data loader without an accelerator pins nothing.
    pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning"),
]
TASKS = [
    ("sequence", "bert", "unipt"),
    ("token", "roberta", "lst"),
    ("question", "deberta-v2", "sherl"),
    ("image", "vit", "pooled"),
    ("image", "resnet", "unipt"),
    ("causal", "gpt2", "unipt"),
    ("seq2seq", "t5", "unipt"),
    ("towers", "clip", "unipt"),
]


def arguments(folder: Path, **more: Any) -> TrainingArguments:
    """Four steps over sixteen rows, a checkpoint every second step."""
    settings: dict[str, Any] = {
        "per_device_train_batch_size": 8,
        "num_train_epochs": 2,
        "logging_strategy": "no",
        "save_steps": 2,
        "learning_rate": 1e-2,
        "report_to": [],
        "use_cpu": True,
        "disable_tqdm": True,
        "seed": 0,
    }
    return TrainingArguments(str(folder), **{**settings, **more})


def prepared(task: str, family: str, side: str) -> tuple[Any, Rows]:
    """A freshly attached model, always with the same weights, and its data."""
    model = make_model(task, family)
    rows = 3 if task == "question" else 16
    batch = make_batch(task, model, rows=rows)
    batch.pop("return_loss", None)
    if task == "question":
        batch = {key: value.repeat(6, *[1] * (value.ndim - 1))[:16] for key, value in batch.items()}
    torch.manual_seed(7)
    return lichen.attach(model, SIDES[side]), Rows(batch)


def contrast(rows: list[dict[str, torch.Tensor]]) -> dict[str, Any]:
    """CLIP returns its loss only when the batch asks for it."""
    return {**default_data_collator(rows), "return_loss": True}


def trainer(task: str, model: Any, folder: Path, data: Rows, **more: Any) -> Trainer:
    collator = contrast if task == "towers" else default_data_collator
    return Trainer(model, arguments(folder, **more), collator, train_dataset=data, eval_dataset=data)


def trained(model: Any) -> dict[str, torch.Tensor]:
    return {name: value for name, value in model.state_dict().items() if name.startswith("lichen.slots.")}


@pytest.mark.parametrize(("task", "family", "side"), TASKS)
def test_resuming_equals_the_uninterrupted_run(task: str, family: str, side: str, tmp_path: Path) -> None:
    model, data = prepared(task, family, side)
    start = {name: value.clone() for name, value in trained(model).items()}
    before = frozen_state(model)
    straight = trainer(task, model, tmp_path, data)
    result = straight.train()
    assert result.global_step == 4
    assert any(not torch.equal(value, start[name]) for name, value in trained(model).items())
    assert all(torch.equal(value, before[name]) for name, value in frozen_state(model).items())

    checkpoint = tmp_path / "checkpoint-2"
    held = load_file(checkpoint / "model.safetensors")
    assert set(held) == set(trained(model))
    again, data = prepared(task, family, side)
    resumed = trainer(task, again, tmp_path / "again", data)
    resumed.train(resume_from_checkpoint=str(checkpoint))
    for name, value in trained(model).items():
        assert torch.equal(value, trained(again)[name]), name

    losses = [trainer.evaluate()["eval_loss"] for trainer in (straight, resumed)]
    assert losses[0] == losses[1] and losses[0] == losses[0]
    loaded = lichen.load(make_model(task, family), tmp_path / "checkpoint-4")
    assert trainer(task, loaded, tmp_path / "loaded", data).evaluate()["eval_loss"] == losses[0]


def test_the_best_model_is_loaded_at_the_end(tmp_path: Path) -> None:
    model, data = prepared("sequence", "bert", "unipt")
    options = {"load_best_model_at_end": True, "eval_strategy": "steps", "eval_steps": 1, "save_steps": 1}
    run = trainer("sequence", model, tmp_path, data, **options, learning_rate=3.0, lr_scheduler_type="constant")
    run.train()
    losses = [entry["eval_loss"] for entry in run.state.log_history if "eval_loss" in entry]
    best = losses.index(min(losses)) + 1
    assert run.state.best_model_checkpoint.endswith(f"checkpoint-{best}") and best < len(losses)
    held = load_file(tmp_path / f"checkpoint-{best}" / "model.safetensors")
    assert all(torch.equal(value, held[name]) for name, value in trained(model).items())
    assert run.evaluate()["eval_loss"] == min(losses)


def test_checkpoints_stay_small_and_whole(tmp_path: Path) -> None:
    model, data = prepared("sequence", "bert", "unipt")
    run = trainer("sequence", model, tmp_path, data)
    run.train()
    run.save_model(tmp_path / "final")
    names = {path.name for path in (tmp_path / "final").iterdir()}
    assert {"model.safetensors", "lichen.json", "README.md", "manifest.json"} <= names
    assert not [name for name in names if name.startswith(".")]
    backbone = sum(value.numel() for value in model.bert.parameters())
    held = load_file(tmp_path / "final" / "model.safetensors")
    assert sum(value.numel() for value in held.values()) < backbone / 10
    # A second save into the same folder replaces the first and leaves the Trainer's own files.
    others = names - {"model.safetensors", "lichen.json", "README.md", "manifest.json"}
    run.train()
    run.save_model(tmp_path / "final")
    assert others <= {path.name for path in (tmp_path / "final").iterdir()}
    loaded = lichen.load(make_model("sequence", "bert"), tmp_path / "final")
    assert all(torch.equal(value, trained(model)[name]) for name, value in trained(loaded).items())


@pytest.mark.parametrize("side", ["unipt", "sherl"])
def test_gradient_checkpointing_does_not_reopen_the_backbone(side: str, tmp_path: Path) -> None:
    kept = []
    for switch in (False, True):
        model, data = prepared("sequence", "bert", side)
        run = trainer("sequence", model, tmp_path, data, gradient_checkpointing=switch, max_steps=1, save_strategy="no")
        run.train()
        kept.append((model.lichen.kept["bytes"], trained(model)))
    assert kept[0][0] == kept[1][0] > 0
    assert all(torch.equal(value, kept[1][1][name]) for name, value in kept[0][1].items())


def test_a_thawed_backbone_fails_at_step_1(tmp_path: Path) -> None:
    model, data = prepared("sequence", "bert", "unipt")
    model.bert.encoder.layer[0].requires_grad_(True)
    run = trainer("sequence", model, tmp_path, data)
    with pytest.raises(GradientLeakError, match=r"bert.encoder.layer.0.*undo requires_grad_\(True\)"):
        run.train()
    assert run.state.global_step == 0


def test_accumulating_equals_one_large_batch(tmp_path: Path) -> None:
    weights = []
    for size, parts in ((16, 1), (4, 4)):
        model, data = prepared("image", "vit", "unipt")
        options = {"per_device_train_batch_size": size, "gradient_accumulation_steps": parts, "save_strategy": "no"}
        run = trainer("image", model, tmp_path, data, **options, optim="sgd", max_steps=2)
        run.train()
        weights.append(trained(model))
    for name, value in weights[0].items():
        torch.testing.assert_close(value, weights[1][name], rtol=1e-4, atol=1e-6)


def test_seq2seq_trainer_generates(tmp_path: Path) -> None:
    model, data = prepared("seq2seq", "t5", "unipt")
    options = {"per_device_eval_batch_size": 8, "predict_with_generate": True, "generation_max_length": 5}
    args = Seq2SeqTrainingArguments(str(tmp_path), report_to=[], use_cpu=True, disable_tqdm=True, **options)
    found = Seq2SeqTrainer(model, args, eval_dataset=data).predict(data)
    batch = {key: value for key, value in data.batch.items() if key != "labels"}
    wanted = model.generate(**batch, max_length=5)
    assert found.predictions[:, : wanted.shape[1]].tolist() == wanted.tolist()


def test_mixed_precision_leaves_nothing_behind(tmp_path: Path) -> None:
    model = make_model("sequence", "bert")
    batch = make_batch("sequence", model)
    before = model.eval()(**batch).logits
    lichen.attach(model, SIDES["unipt"])
    Trainer(model, arguments(tmp_path, bf16=True, save_strategy="no"), train_dataset=Rows(batch)).train()
    lichen.detach(model).eval()
    assert "forward" not in vars(model)
    assert torch.equal(model(**batch).logits, before)

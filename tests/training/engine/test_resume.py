"""Resumed equals straight, bit for bit, and differs where something is not restored."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lichen.backbones.features import Features
from lichen.errors import CheckpointError, InputError
from lichen.training.engine import persistence
from lichen.training.engine.metrics_log import read_metrics
from lichen.training.engine.order import Updates
from lichen.training.engine.resume import (
    load_optimiser,
    optimiser_state,
    random_state,
    random_state_kept,
    set_random_state,
)
from lichen.training.engine.trainer import LichenTrainer

from .tiny import Net, dataset, equal, history, net, trainer, weights

SAVING = {"save_strategy": "steps", "save_steps": 1}
SHORT = {**SAVING, "max_steps": 4}
EVALUATING = {"dev": dataset(8), "eval_strategy": "steps", "eval_steps": 2}


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> LichenTrainer:
    """Nine steps in three epochs, a checkpoint of each."""
    run = trainer(tmp_path_factory.mktemp("straight"), **SAVING, **EVALUATING)
    run.train()
    return run


def state_of(run: LichenTrainer) -> list[Any]:
    """All values of the optimiser, in order."""
    return [value for state in run.optimizer.state_dict()["state"].values() for value in state.values()]


def same(one: Any, other: Any) -> bool:
    return torch.equal(one, other) if isinstance(one, Tensor) else one == other


def check_same(one: LichenTrainer, other: LichenTrainer) -> None:
    assert equal(weights(one), weights(other))
    assert all(same(*pair) for pair in zip(state_of(one), state_of(other), strict=True))
    assert history(one) == history(other)


@pytest.mark.parametrize("step", [1, 5, 6, 9], ids=["first-step", "mid-epoch", "epoch-end", "last-step"])
def test_resumed_equals_straight(straight: LichenTrainer, step: int, tmp_path: Path) -> None:
    resumed = trainer(tmp_path, **EVALUATING)
    with torch.no_grad():
        resumed.model.head.weight.zero_()
    random.seed(0), np.random.seed(0), torch.manual_seed(0)
    resumed.train(straight.run / f"checkpoint-{step}")
    assert resumed.state.global_step == 9
    assert equal(weights(straight), weights(resumed)) and history(straight) == history(resumed)
    if step < 9:
        check_same(straight, resumed)
    losses = [
        [(line["step"], line.get("loss"), line.get("eval_loss")) for line in read_metrics(run.run / "metrics.jsonl")]
        for run in (straight, resumed)
    ]
    assert losses[0] == losses[1] and len(losses[0]) == 9 + 5


def test_resuming_with_accumulation_workers_and_means_over_steps(tmp_path: Path) -> None:
    more = {
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 4,
        "logging_steps": 4,
        "train": dataset(21),
    }
    workers = {"dataloader_num_workers": 1, "save_strategy": "steps", "save_steps": 2}
    straight = trainer(tmp_path / "straight", **workers, **more)
    straight.train()
    resumed = trainer(tmp_path / "resumed", **workers, **more)
    result = resumed.train(tmp_path / "straight" / "checkpoint-6")
    # The line of step 8 is the mean of steps 5 to 8, of which the first two came before the checkpoint; the last step
    # has a line of its own.
    assert [line[0] for line in history(resumed)] == [4, 8, 9]
    check_same(straight, resumed)
    assert 0.3 < result.training_loss < 1.5, "the summary is of the steps since resuming"


@pytest.mark.parametrize("optim", ["sgd", "adafactor", "adamw_torch", "momentum"])
def test_resuming_with_other_optimisers(optim: str, tmp_path: Path) -> None:
    more = {"optim": "sgd", "optim_args": "momentum=0.9"} if optim == "momentum" else {"optim": optim}
    straight = trainer(tmp_path / "straight", **SHORT, **more)
    straight.train()
    resumed = trainer(tmp_path / "resumed", max_steps=4, **more)
    resumed.train(tmp_path / "straight" / "checkpoint-2")
    check_same(straight, resumed)


@pytest.mark.parametrize("kind", ["cosine", "constant_with_warmup", "reduce_lr_on_plateau"])
def test_resuming_with_other_schedules(kind: str, tmp_path: Path) -> None:
    more = {"lr_scheduler_type": kind, "warmup_steps": 4, "dev": dataset(8), "eval_strategy": "steps", "eval_steps": 1}
    more |= {"metric_for_best_model": "loss", "lr_scheduler_kwargs": {"patience": 0} if "plateau" in kind else {}}
    straight = trainer(tmp_path / "straight", **SHORT, **more)
    straight.train()
    resumed = trainer(tmp_path / "resumed", max_steps=4, **more)
    resumed.train(tmp_path / "straight" / "checkpoint-2")
    check_same(straight, resumed)


class LateStarter(Net):
    """A parameter that gets its first gradient in step 6, and one that never gets any."""

    def __init__(self) -> None:
        super().__init__()
        self.late = nn.Parameter(torch.ones(3))
        self.never = nn.Parameter(torch.ones(3))

    def forward(self, features: Mapping[str, Features], targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
        out = super().forward(features, targets)
        if int(self.calls) > 5:
            out["loss"] = out["loss"] + (self.late * torch.tensor([0.1, -0.2, 0.3])).sum()
        return out


def test_parameters_without_optimiser_state_get_none(tmp_path: Path) -> None:
    def model() -> LateStarter:
        torch.manual_seed(1)
        return LateStarter()

    straight = trainer(tmp_path / "straight", model(), **SAVING)
    straight.train()
    resumed = trainer(tmp_path / "resumed", model())
    resumed.train(tmp_path / "straight" / "checkpoint-4")
    check_same(straight, resumed)
    assert resumed.model.never not in resumed.optimizer.state and resumed.model.late in resumed.optimizer.state


# Negative controls: what is left out shows.


@pytest.mark.parametrize("step", [5, 6], ids=["mid-epoch", "epoch-end"])
def test_without_random_state_the_result_differs(
    straight: LichenTrainer, step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(persistence, "set_random_state", lambda state: None)
    resumed = trainer(tmp_path)
    resumed.train(straight.run / f"checkpoint-{step}")
    assert not equal(weights(straight), weights(resumed))


@pytest.mark.parametrize("name", ["load_optimiser", "load_weights"])
def test_without_optimiser_or_weights_the_result_differs(
    straight: LichenTrainer, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(persistence, name, lambda *args: None)
    resumed = trainer(tmp_path)
    resumed.train(straight.run / "checkpoint-7")
    assert not equal(weights(straight), weights(resumed))


def test_with_another_order_the_result_differs(
    straight: LichenTrainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Updates, "set_epoch", lambda self, epoch: None)
    resumed = trainer(tmp_path)
    resumed.train(straight.run / "checkpoint-4")
    assert not equal(weights(straight), weights(resumed))


# What is refused.


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"per_device_train_batch_size": 4}, r"samples in one update .* changed .*: 8 then, 4 now"),
        ({"seed": 4}, "the seed changed"),
        ({"train": dataset(23)}, "number of training samples changed"),
        ({"buckets": False}, "use of length buckets changed"),
    ],
    ids=["batch", "seed", "samples", "buckets"],
)
def test_another_order_is_refused(straight: LichenTrainer, change: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        trainer(tmp_path, **change).train(straight.run / "checkpoint-2")


def test_other_samples_are_refused(straight: LichenTrainer, tmp_path: Path) -> None:
    data = dataset()
    data.ids = (*data.ids[1:], data.ids[0])
    with pytest.raises(InputError, match="training samples, their order or their lengths changed"):
        trainer(tmp_path, train=data).train(straight.run / "checkpoint-2")


def test_another_model_is_refused(straight: LichenTrainer, tmp_path: Path) -> None:
    larger, other = net(), net()
    larger.extra = nn.Linear(2, 2)
    other.head = nn.Linear(8, 4)
    with pytest.raises(CheckpointError, match=r"lacks weight 'extra.*' \(2 in all\)"):
        trainer(tmp_path, larger).train(straight.run / "checkpoint-2")
    with pytest.raises(CheckpointError, match="does not fit this model"):
        trainer(tmp_path, other).train(straight.run / "checkpoint-2")


def test_a_new_training_does_not_mix_with_an_old_one(straight: LichenTrainer, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no checkpoint to resume from"):
        trainer(tmp_path).train(True)
    with pytest.raises(InputError, match="holds checkpoint-9 of an earlier training"):
        trainer(straight.run).train()


def test_a_damaged_checkpoint_is_passed_over_aloud(
    straight: LichenTrainer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for step in (8, 9):
        shutil.copytree(straight.run / f"checkpoint-{step}", tmp_path / f"checkpoint-{step}")
    (tmp_path / "checkpoint-9" / "model.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"checkpoint-9.*altered or truncated"):
        trainer(tmp_path).train(tmp_path / "checkpoint-9")
    resumed = trainer(tmp_path, **SAVING, **EVALUATING)
    capsys.readouterr()
    resumed.train(True)
    assert "checkpoint-9 is damaged" in (told := capsys.readouterr().err) and "going on from checkpoint-8" in told
    check_same(straight, resumed)


def test_the_best_model_survives_a_resume_in_a_moved_folder(tmp_path: Path) -> None:
    more = {"dev": dataset(8), "eval_strategy": "steps", "eval_steps": 1, "load_best_model_at_end": True}
    more |= {"metric_for_best_model": "loss", "save_total_limit": 2, "learning_rate": 0.5, **SAVING}
    straight = trainer(tmp_path / "a", **more)
    straight.train()
    best = straight.state.best_global_step
    assert 0 < best < 9 and sorted(path.name for path in straight.run.glob("checkpoint-*")) == [
        f"checkpoint-{best}",
        "checkpoint-9",
    ]
    assert straight.evaluate()["eval_loss"] == straight.state.best_metric
    (tmp_path / "a").rename(tmp_path / "b")
    resumed = trainer(tmp_path / "b", **more)
    resumed.train(True)
    assert equal(weights(straight), weights(resumed)) and resumed.state.best_global_step == best


# The pieces.


def test_random_state_round_trip() -> None:
    def draw() -> tuple[Any, ...]:
        return random.random(), random.gauss(0, 1), np.random.rand(), np.random.randn(), torch.rand(3).tolist()

    draw()
    state = random_state()
    first = draw()
    with random_state_kept():
        draw()
    second = draw()
    set_random_state(state)
    assert draw() == first and draw() == second != first


def test_an_optimiser_of_other_parameters_is_refused() -> None:
    first, second = nn.Linear(2, 2), nn.Linear(2, 2, bias=False)
    state = optimiser_state(first, torch.optim.AdamW(first.parameters()))
    with pytest.raises(CheckpointError, match=r"groups of \[2\] parameters, this one of \[1\]"):
        load_optimiser(second, torch.optim.AdamW(second.parameters()), state)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ddp", "fsdp"])
def test_state_is_gathered_whole(kind: str, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    words += [str(Path(__file__).with_name("sharded.py")), kind, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr

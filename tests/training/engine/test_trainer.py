"""The trainer: same samples by every road, guards, progress, metrics, evaluation, memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import TrainingArguments

from lichen.backbones.features import Features
from lichen.errors import CheckpointError, GradientLeakError, InputError, LichenError
from lichen.memory import KeptBytes
from lichen.training.engine.curves import DrawCurves, draw_curves
from lichen.training.engine.metrics_log import read_metrics
from lichen.training.engine.order import RowDataset, Updates
from lichen.training.engine.out_of_memory import OutOfMemoryError
from lichen.training.engine.progress import clock
from lichen.training.engine.trainer import Collate, LichenTrainer

from .tiny import ROWS, Collator, Net, arguments, dataset, equal, features_of, history, net, trainer, weights

SCRIPT = Path(__file__).with_name("two_processes.py")
# Sums over a batch are taken in another order; the largest difference seen is 3e-8.
ROADS = {"rtol": 0.0, "atol": 1e-6}


def close(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> None:
    for name in first:
        if name != "calls":
            torch.testing.assert_close(first[name], second[name], **ROADS)


# The order of the samples.


def epoch_of(order: Updates, epoch: int) -> list[int]:
    order.set_epoch(epoch)
    return list(order)


def test_the_order_follows_from_seed_and_epoch() -> None:
    order = Updates(dataset(), 8, seed=1)
    assert epoch_of(order, 0) == epoch_of(Updates(dataset(), 8, seed=1), 0)
    assert epoch_of(order, 0) != epoch_of(order, 1)
    assert epoch_of(order, 0) != epoch_of(Updates(dataset(), 8, seed=2), 0)
    assert sorted(epoch_of(order, 0)) == list(range(ROWS))


def test_every_update_is_full_and_every_sample_is_seen() -> None:
    order = Updates(dataset(21), 8)
    for epoch in range(5):
        positions = epoch_of(order, epoch)
        assert len(positions) == len(order) == 24 and set(positions) == set(range(21))
        assert all(len(set(positions[start : start + 8])) == 8 for start in (0, 8, 16))


def test_buckets_hold_samples_of_like_length() -> None:
    lengths = [(7 * row) % 50 for row in range(400)]
    data = RowDataset(range(400), [str(row) for row in range(400)], lengths)

    def spread(buckets: bool) -> float:
        order = list(Updates(data, 8, buckets=buckets))
        updates = [[lengths[position] for position in order[start : start + 8]] for start in range(0, 400, 8)]
        return sum(max(update) - min(update) for update in updates) / len(updates)

    assert spread(True) < 2 < 30 < spread(False)
    assert sorted(Updates(data, 8)) == list(range(400))
    longest = [max(lengths[position] for position in list(Updates(data, 8))[s : s + 8]) for s in range(0, 400, 8)]
    assert longest != sorted(longest), "short texts must not all come first"


def test_too_few_samples() -> None:
    assert list(Updates(dataset(3), 8)) and len(Updates(dataset(3), 8)) == 3
    with pytest.raises(InputError, match=r"only 3 to train on. Lower train.batch"):
        Updates(dataset(3), 8, parts=2)
    with pytest.raises(InputError, match="no training samples"):
        Updates(dataset(0), 8)
    with pytest.raises(InputError, match="2 rows but 1 ids"):
        RowDataset([1, 2], ["a"])


class Notes:
    """A collator that remembers what it was asked for."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    def __call__(self, rows: Sequence[int]) -> dict[str, Any]:
        self.batches.append(list(rows))
        return Collator()(rows)


def test_accumulating_equals_one_large_batch(tmp_path: Path) -> None:
    assert isinstance(Notes(), Collate)
    runs, notes = [], []
    for size, parts in ((8, 1), (4, 2), (2, 4)):
        note = Notes()
        more = {"per_device_train_batch_size": size, "gradient_accumulation_steps": parts, "train": dataset(21)}
        run = trainer(tmp_path / str(size), net(dropout=0.0), collate=note, **more)
        assert run.train().global_step == 9
        runs.append(run)
        notes.append([row for batch in note.batches for row in batch])
    assert notes[0] == notes[1] == notes[2]
    for run in runs[1:]:
        close(weights(runs[0]), weights(run))
        for one, other in zip(history(runs[0]), history(run), strict=True):
            assert one == pytest.approx(other, abs=1e-6)
    other = trainer(tmp_path / "other", net(dropout=0.0), seed=4, train=dataset(21))
    other.train()
    assert not torch.allclose(weights(other)["head.weight"], weights(runs[0])["head.weight"], **ROADS)


def launched(words: Sequence[str], folder: Path) -> dict[str, Tensor]:
    """Weights after a training by a launcher's processes."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    words = [*words, str(SCRIPT), str(folder)]
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    return load_file(folder / "model.safetensors")


def check_launched(words: Sequence[str], tmp_path: Path) -> None:
    """Two processes with batches of 4, stopped at step 4 and resumed, against one process with batches of 8."""
    found = launched(words, tmp_path / "two")
    one = trainer(tmp_path / "one", net(dropout=0.0), train=dataset(21))
    one.train()
    close(weights(one), found)
    lines = read_metrics(tmp_path / "two" / "metrics.jsonl")
    assert [line["step"] for line in lines] == list(range(1, 10))
    for line, (_, loss, *_rest) in zip(lines, history(one), strict=True):
        assert line["loss"] == pytest.approx(loss, abs=1e-6)
    # One process goes on from what two have saved.
    resumed = trainer(tmp_path / "two-to-one", net(dropout=0.0), train=dataset(21))
    resumed.train(tmp_path / "two" / "checkpoint-4")
    close(weights(one), weights(resumed))


def test_two_processes_under_accelerate_launch_equal_one(tmp_path: Path) -> None:
    # Without a GPU, `--multi_gpu` is what makes accelerate start more than one process; they talk through gloo.
    options = ("--multi_gpu", "--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no")
    port = ("--main_process_port", "0", "--dynamo_backend", "no")
    check_launched([sys.executable, "-m", "accelerate.commands.launch", *options, *port], tmp_path)


@pytest.mark.slow
def test_two_processes_under_torchrun_equal_one(tmp_path: Path) -> None:
    check_launched([sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"], tmp_path)


# Features: stored, live, leaking.


class LiveCollator:
    """Batches of model inputs."""

    def __call__(self, rows: Sequence[int]) -> dict[str, Any]:
        batch = Collator()(rows)
        return {"rows": batch["rows"], "samples": {"text": [{"row": torch.tensor(row)} for row in rows]}} | {
            "targets": batch["targets"]
        }


def read_live(samples: Mapping[str, Any]) -> dict[str, Features]:
    assert not torch.is_grad_enabled()
    return {"text": features_of([int(sample["row"]) for sample in samples["text"]])}


def test_live_equals_stored(tmp_path: Path) -> None:
    runs = [trainer(tmp_path / "stored"), trainer(tmp_path / "live", collate=LiveCollator(), read=read_live)]
    for run in runs:
        run.train()
    assert equal(weights(runs[0]), weights(runs[1])) and history(runs[0]) == history(runs[1])
    with pytest.raises(InputError, match="no read="):
        trainer(tmp_path / "neither", collate=LiveCollator()).train()


def test_what_is_drawn_before_training_does_not_change_it(tmp_path: Path) -> None:
    runs = [trainer(tmp_path / "plain", net(dropout=0.5)), trainer(tmp_path / "drawn", net(dropout=0.5))]
    runs[0].train()
    torch.rand(7)
    runs[1].train()
    assert equal(weights(runs[0]), weights(runs[1]))


def test_features_with_a_gradient_fail_at_step_1(tmp_path: Path) -> None:
    class Leaking(Collator):
        def __call__(self, rows: Sequence[int]) -> dict[str, Any]:
            batch = super().__call__(rows)
            batch["features"]["text"].states[0].requires_grad_()
            return batch

    run = trainer(tmp_path, collate=Leaking())
    before = weights(run)
    with pytest.raises(GradientLeakError, match="state 0 of the text features needs a gradient"):
        run.train()
    assert run.state.global_step == 0 and equal(before, weights(run))


def test_a_trainable_tensor_outside_the_model_fails_at_step_1(tmp_path: Path) -> None:
    backbone = nn.Linear(3, 3)

    class Reaching(Net):
        def forward(self, features: Mapping[str, Features], targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
            out = super().forward(features, targets)
            return {**out, "loss": out["loss"] + outside[0].weight.sum()}

    outside = [backbone]
    run = trainer(tmp_path, Reaching())
    with pytest.raises(GradientLeakError, match=r"1 trainable tensors outside .*\(3, 3\)"):
        run.train()
    assert run.state.global_step == 0
    backbone.requires_grad_(False)
    trainer(tmp_path, Reaching()).train()


def test_kept_bytes_are_those_of_the_first_batch(tmp_path: Path) -> None:
    run = trainer(tmp_path, max_steps=1)
    run.train()
    model = net()
    batch = Collator()([run.train_dataset[index] for index in list(Updates(dataset(), 8, seed=3))[:8]])
    with KeptBytes([*model.parameters(), *model.buffers()]) as kept:
        model(batch["features"], batch["targets"])
    assert run.kept_bytes == kept.bytes > 0


# What a run shows and leaves.


def test_metrics_are_one_line_a_log_or_evaluation(tmp_path: Path) -> None:
    def accuracy(found: Any) -> dict[str, float]:
        assert found.label_ids["rows"].tolist() == list(range(ROWS))
        return {"accuracy": float((found.predictions["logits"].argmax(-1) == found.label_ids["label"]).mean())}

    more = {"dev": dataset(), "eval_strategy": "epoch", "compute_metrics": accuracy}
    run = trainer(tmp_path, callbacks=[DrawCurves(tmp_path / "metrics.jsonl", tmp_path / "curves.png")], **more)
    run.train()
    lines = read_metrics(tmp_path / "metrics.jsonl")
    losses = [line for line in lines if "loss" in line]
    assert [line["step"] for line in losses] == list(range(1, 10)) and len(lines) == 12
    assert list(losses[0]) == ["step", "epoch", "loss", "lr", "grad_norm", "samples_per_second"]
    evaluations = [line for line in lines if "loss" not in line]
    assert [list(line) for line in evaluations] == [["step", "epoch", "eval_loss", "eval_accuracy"]] * 3
    assert run.evaluate()["eval_accuracy"] == evaluations[-1]["eval_accuracy"]
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_evaluating_leaves_no_trace_on_training(tmp_path: Path) -> None:
    plain, often = (
        trainer(tmp_path / "plain"),
        trainer(tmp_path / "often", dev=dataset(), eval_strategy="steps", eval_steps=1),
    )
    plain.train()
    often.train()
    assert equal(weights(plain), weights(often))


def test_curves_of_little_data_and_of_damaged_files(tmp_path: Path) -> None:
    metrics, picture = tmp_path / "metrics.jsonl", tmp_path / "curves.png"
    metrics.write_text("")
    draw_curves(metrics, picture)
    assert not picture.exists()
    metrics.write_text(json.dumps({"step": 1, "loss": None}) + "\n" + json.dumps({"step": 2, "loss": 0.5}) + '\n{"step')
    draw_curves(metrics, picture)
    assert picture.stat().st_size > 1000
    metrics.write_text("no json\n")
    with pytest.raises(CheckpointError, match=r"metrics.jsonl.*cannot be read as JSON lines"):
        draw_curves(metrics, picture)


def test_progress_is_plain_lines_without_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trainer(tmp_path / "shown", quiet=False, logging_steps=3, dev=dataset(), eval_strategy="epoch").train()
    shown = capsys.readouterr()
    assert shown.out == ""
    lines = shown.err.splitlines()
    assert [line.split()[1] for line in lines] == ["3/9", "3/9", "6/9", "6/9", "9/9", "9/9"]
    assert all(word in lines[2] for word in ("loss ", "samples/s", "kept 1.6 KiB", "left", "dev loss"))
    trainer(tmp_path / "quiet").train()
    quiet = capsys.readouterr()
    assert quiet.out == quiet.err == ""


def test_progress_is_a_bar_on_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    trainer(tmp_path, quiet=False).train()
    shown = capsys.readouterr().err
    assert "9/9" in shown and "samples/s" in shown and "━" in shown
    assert shown.count("\n") < 6, "a bar is drawn over itself"


@pytest.mark.parametrize(("seconds", "text"), [(0.2, "0:00"), (61.0, "1:01"), (3671.0, "1:01:11")])
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_saving_the_model_leaves_no_pickle(tmp_path: Path) -> None:
    run = trainer(tmp_path, save_strategy="epoch")
    run.train()
    run.save_model(str(tmp_path / "final"))
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} <= {".json", ".jsonl", ".safetensors", ""}
    assert equal(load_file(tmp_path / "final" / "model.safetensors"), weights(run))


@pytest.mark.parametrize("name", ["push_to_hub", "save_only_model", "auto_find_batch_size", "dataloader_drop_last"])
def test_arguments_that_do_not_go_together(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"TrainingArguments.{name} does not go"):
        trainer(tmp_path, **{name: True})


def test_processes_that_do_not_find_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    args = arguments(tmp_path)
    assert args.world_size == 1
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(InputError, match=r"started 2 processes, but 1 train together. .*use_cpu=True"):
        LichenTrainer(net(), args, Collator(), dataset())


def test_trackers_and_schedules_stay_the_trainers(tmp_path: Path) -> None:
    args: TrainingArguments = arguments(tmp_path)
    assert args.report_to == []
    run = trainer(tmp_path, lr_scheduler_type="cosine", warmup_steps=3, max_grad_norm=1e-3, optim="sgd")
    before = weights(run)
    run.train()
    rates = [entry["learning_rate"] for entry in run.state.log_history if "loss" in entry]
    assert rates[:3] == pytest.approx([0.0, 2e-2 / 3, 4e-2 / 3]) and max(rates) == 2e-2
    moved = torch.cat([(weights(run)[name] - before[name]).flatten() for name in before if name != "calls"])
    assert 0 < moved.norm() <= 1e-3 * sum(rates) * 1.001, "clipping bounds the way"


# Out of memory.


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory: you tried"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."),
        MemoryError(),
    ],
    ids=["gpu", "cpu", "windows", "python"],
)
def test_out_of_memory_names_three_settings(error: Exception, tmp_path: Path) -> None:
    class Hungry(Net):
        def forward(self, features: Mapping[str, Features], targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
            if int(self.calls) == 4:
                raise error
            return super().forward(features, targets)

    run = trainer(tmp_path, Hungry(), save_strategy="steps", save_steps=2)
    with pytest.raises(OutOfMemoryError) as caught:
        run.train()
    words = str(caught.value)
    assert "train.batch = 4 with train.accumulate = 2" in words
    assert 'side.keep = "int8"' in words and "store.tokens" in words and "side.reduction" in words
    assert isinstance(caught.value, LichenError) and not isinstance(caught.value, InputError)
    trainer(tmp_path, net()).train(True)


def test_other_errors_stay_what_they_are(tmp_path: Path) -> None:
    class Broken(Net):
        def forward(self, features: Mapping[str, Features], targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
            raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes do not match"):
        trainer(tmp_path, Broken()).train()

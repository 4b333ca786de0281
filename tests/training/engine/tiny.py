"""A training that takes a fraction of a second: a small network on made-up features of texts."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import TrainingArguments

from lichen.backbones.features import Features
from lichen.training.engine.order import RowDataset
from lichen.training.engine.trainer import LichenTrainer

# Every training begins with a full garbage collection; what is loaded by now need not be looked through each time.
gc.freeze()
WIDTH, CLASSES, ROWS = 6, 3, 24


def features_of(rows: Sequence[int]) -> Features:
    """Features of texts of 2 to 5 tokens; what a row holds depends on its number alone."""
    lengths = [2 + row % 4 for row in rows]
    longest = max(lengths)
    state = torch.zeros(len(rows), longest, WIDTH)
    for index, (row, length) in enumerate(zip(rows, lengths, strict=True)):
        state[index, :length] = torch.randn(length, WIDTH, generator=torch.Generator().manual_seed(row))
    mask = torch.arange(longest) < torch.tensor(lengths)[:, None]
    return Features(states=(state,), final=state * 0.5, mask=mask, indices=(1,))


class Net(nn.Module):
    """Mean over real tokens, dropout, a linear layer."""

    def __init__(self, dropout: float = 0.2) -> None:
        super().__init__()
        self.body = nn.Linear(2 * WIDTH, 8)
        self.norm = nn.LayerNorm(8)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(8, CLASSES)
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def forward(self, features: Mapping[str, Features], targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
        batch = features["text"]
        real = torch.ones(batch.final.shape[:2]) if batch.mask is None else batch.mask.float()
        if self.training:
            self.calls += 1
        pooled = (torch.cat([batch.states[0], batch.final], -1) * real[..., None]).sum(1) / real.sum(1, keepdim=True)
        logits = self.head(self.dropout(torch.relu(self.norm(self.body(pooled)))))
        return {"loss": nn.functional.cross_entropy(logits, targets["label"]), "logits": logits}


class Collator:
    """Batches of stored features."""

    def __call__(self, rows: Sequence[int]) -> dict[str, Any]:
        targets = {"label": torch.tensor([row % CLASSES for row in rows])}
        return {"rows": torch.tensor(rows), "features": {"text": features_of(rows)}, "targets": targets}


def dataset(rows: int = ROWS) -> RowDataset:
    return RowDataset(range(rows), [f"text-{row}" for row in range(rows)], [2 + row % 4 for row in range(rows)])


def net(dropout: float = 0.2) -> Net:
    """Always with the same weights."""
    torch.manual_seed(5)
    return Net(dropout)


def arguments(folder: Path, **more: Any) -> TrainingArguments:
    """Nine steps over three epochs, a line for every step, no checkpoints unless asked for."""
    settings: dict[str, Any] = {
        "per_device_train_batch_size": 8,
        "num_train_epochs": 3,
        "logging_steps": 1,
        "save_strategy": "no",
        "learning_rate": 2e-2,
        "report_to": [],
        "use_cpu": True,
        "dataloader_pin_memory": False,
        "seed": 3,
    }
    return TrainingArguments(str(folder), **{**settings, **more})


def trainer(folder: Path, model: nn.Module | None = None, **more: Any) -> LichenTrainer:
    """A quiet trainer; keywords go to `LichenTrainer` where it has them, else to the arguments."""
    own = {"collate": Collator(), "train": dataset(), "quiet": True}
    for name in (
        "collate",
        "train",
        "dev",
        "read",
        "compute_metrics",
        "callbacks",
        "resume_command",
        "buckets",
        "quiet",
    ):
        if name in more:
            own[name] = more.pop(name)
    return LichenTrainer(net() if model is None else model, arguments(folder, **more), **own)


def weights(run: LichenTrainer) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in run.model.state_dict().items()}


def equal(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> bool:
    """Bit for bit."""
    return first.keys() == second.keys() and all(torch.equal(value, second[name]) for name, value in first.items())


def wait_for(path: Path, child: int) -> None:
    """Until a file is there that a child process makes; fails when the child ends before."""
    while not path.exists():
        if os.waitpid(child, os.WNOHANG)[0]:
            raise AssertionError("the child ended early")
        time.sleep(0.01)


def history(run: LichenTrainer) -> list[tuple[Any, ...]]:
    """Step, loss, learning rate and gradient norm of each log, and the losses of evaluations."""
    names = ("step", "loss", "learning_rate", "grad_norm", "eval_loss")
    lines = [tuple(entry.get(name) for name in names) for entry in run.state.log_history]
    return [line for line in lines if line[1] is not None or line[4] is not None]

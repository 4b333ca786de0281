"""Trains several ways of adapting one backbone side by side, on the same batches in the same order.

All contenders take step i before any takes step i + 1, so that a busy machine slows each alike and the ratios of their
step times hold.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError
from ..memory import memory_report

Batch = Mapping[str, Any]
CLIP = 1.0


@dataclass
class Contender:
    """One way of adapting the backbone."""

    name: str
    model: nn.Module
    """A model whose output has a loss and logits. Contenders may share it under different side networks."""
    batch: Callable[[Tensor], Batch]
    """Makes the model's arguments, with labels, from sample numbers."""
    lr: float
    """Peak learning rate of AdamW; warmed up over the first tenth of the steps, then linear to zero."""
    enter: Callable[[], Any] = field(default=lambda: None)
    """Called before each turn and not timed: selects this contender's side network on a shared model."""

    def __post_init__(self) -> None:
        self.enter()
        self.trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self.optimiser = torch.optim.AdamW(self.trained, lr=self.lr, weight_decay=0.01)
        self.seconds: list[float] = []
        self.losses: list[float] = []

    def step(self, rows: Tensor, progress: float) -> None:
        """One training step on the given samples; `progress` runs from 0 to 1."""
        self.enter()
        self.model.train()
        warm = min(progress / 0.1, (1 - progress) / 0.9)
        for group in self.optimiser.param_groups:
            group["lr"] = self.lr * warm
        start = time.perf_counter()
        loss = self.model(**self.batch(rows)).loss
        loss.backward()
        nn.utils.clip_grad_norm_(self.trained, CLIP)
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.losses.append(float(loss.detach()))
        self.seconds.append(time.perf_counter() - start)

    @torch.inference_mode()
    def predict(self, rows: Tensor, size: int = 64) -> Tensor:
        """Predicted class of each sample."""
        self.enter()
        self.model.eval()
        return torch.cat([self.model(**self.batch(part)).logits.argmax(-1) for part in rows.split(size)])


@dataclass(frozen=True)
class Score:
    """What one contender reached and needed."""

    name: str
    accuracy: float
    """Share of test samples classified right."""
    trained_parameters: int
    kept_bytes: int
    """Bytes kept for backward on one training batch, with the backbone running."""
    step_seconds: float
    """Median time of a training step."""
    seconds: float
    """Time of all training steps."""

    def to_dict(self) -> dict[str, Any]:
        """Field names and values."""
        return asdict(self)


def draw_batches(rows: Tensor, size: int, steps: int, seed: int) -> list[Tensor]:
    """Sample numbers for each step: shuffled passes over `rows`, the same for every contender.

    Raises:
        InputError: there are no rows to draw from.
    """
    if not len(rows):
        raise InputError("There are no training samples to draw batches from.")
    generator = torch.Generator().manual_seed(seed)
    order: list[Tensor] = []
    while sum(len(part) for part in order) < size * steps:
        order.append(rows[torch.randperm(len(rows), generator=generator)])
    return list(torch.cat(order)[: size * steps].split(size))


def train_together(
    contenders: Sequence[Contender], batches: Sequence[Tensor], advance: Callable[[int], Any] = lambda step: None
) -> None:
    """Train all contenders, step by step in turn; `advance` is told how many steps are done."""
    for index, rows in enumerate(batches):
        for contender in contenders:
            contender.step(rows, (index + 0.5) / len(batches))
        advance(index + 1)


def score(contender: Contender, rows: Tensor, labels: Tensor, batch: Batch) -> Score:
    """Accuracy on `rows`, with what training needed.

    Args:
        contender: trained.
        rows: sample numbers of the test set.
        labels: class of every sample of the data set.
        batch: one training batch of model inputs (not of stored features), for the kept bytes.
    """
    right = contender.predict(rows) == labels[rows]
    contender.enter()
    report = memory_report(contender.model, batch)
    return Score(
        name=contender.name,
        accuracy=right.double().mean().item(),
        trained_parameters=report.trained_parameters,
        kept_bytes=report.kept_bytes,
        step_seconds=statistics.median(contender.seconds),
        seconds=sum(contender.seconds),
    )

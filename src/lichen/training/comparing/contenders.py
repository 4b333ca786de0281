"""`Contender`: one method of a comparison in training, with one learning rate and one seed.

All contenders share batches and differ in what they make of them: stored features, features of a frozen backbone that
runs live, or a backbone that is trained itself. Optimiser, schedule and clipping are those of `lichen train`.
"""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from transformers import get_scheduler
from transformers.trainer_pt_utils import get_parameter_names

from ...backbones.features import Features
from ...backbones.late import place_late
from ...heads.contrastive import PairLoss
from ...heads.given import Given
from ...memory import MemoryReport, memory_report
from ...tasks.model import SideModel
from ...tasks.task import Examples, evaluating
from ..engine.guard import check_graph
from ..pipeline import Batches, fit
from ..sources import load_backbone
from .arena import Arena, SharedBatch
from .methods import Method
from .peers import PeerModel
from .results import Point, Trial

_UNDECAYED = (r"bias", r"layernorm", r"rmsnorm", r"(?:^|\.)norm(?:$|\.)", r"_norm(?:$|\.)")
"""Names of parameters that weight decay leaves alone, as transformers' Trainer has them."""


class Contender(ABC):
    """One method in training. Subclasses say what its model is and what the model reads."""

    def __init__(self, method: Method, model: nn.Module, arena: Arena, rate: float, seed: int, steps: int) -> None:
        """
        Args:
            method: what it is.
            model: called with `inputs(batch)`; returns a dict with the loss.
            arena: what it stands on.
            rate: peak learning rate.
            seed: of its dropout.
            steps: of the whole training, for the schedule.
        """
        self.method, self.arena, self.rate = method, arena, rate
        self.model = model.to(arena.device).train()
        self.settings = arena.recipe.train
        self.trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.optimiser = _optimiser(model, rate, self.settings.weight_decay)
        warm = math.ceil(self.settings.warmup * steps)
        name, more = self.settings.scheduler
        self.schedule: Any = get_scheduler(name, self.optimiser, warm, steps, scheduler_specific_kwargs=more)
        self.seconds: list[float] = []
        """Of each step."""
        self.losses: list[float] = []
        """Before each step."""
        self.diverged: int | None = None
        """Step before which the loss or a gradient was not finite; nothing is learnt from then on."""
        self.points: list[Point] = []
        """What was seen on the dev side."""
        self.metrics: dict[str, dict[str, float]] = {}
        """By split, when it was last measured."""
        self._losses_of_pairs = [module for module in model.modules() if isinstance(module, PairLoss)]
        self._random = _random_after(seed)

    @abstractmethod
    def inputs(self, batch: SharedBatch) -> dict[str, Any]:
        """Arguments of the model."""

    @abstractmethod
    def fetch(self, part: str, rows: Tensor) -> Features:
        """What the head's own model reads of some inputs of a part, for measuring."""

    @property
    @abstractmethod
    def answering(self) -> nn.Module:
        """`forward(features by part, targets or None)`, for measuring. Holds all that has a training mode."""

    def step(self, batches: Sequence[SharedBatch], epoch: float) -> None:
        """Learn from the batches of one update, on a clock of its own.

        Args:
            batches: their gradients are averaged.
            epoch: epochs done before it, for losses with a schedule.
        """
        if self.diverged is not None:
            return
        for loss in self._losses_of_pairs:
            loss.set_epoch(epoch)
        with self._own_random():
            started = time.perf_counter()
            total = sum(self._backward(batch, len(batches)) for batch in batches)
            norm = float(nn.utils.clip_grad_norm_(self.trained, self.settings.clip or math.inf))
            if math.isfinite(total + norm):
                self.optimiser.step()
                self.schedule.step()
            else:
                self.diverged = len(self.seconds)
            self.optimiser.zero_grad()
            if self.arena.device.type != "cpu":
                torch.accelerator.synchronize()
            self.seconds.append(time.perf_counter() - started)
            self.losses.append(total)

    def _backward(self, batch: SharedBatch, parts: int) -> float:
        inputs = self.inputs(batch)
        low = self.settings.precision == "bfloat16"
        with torch.autocast(self.arena.device.type, torch.bfloat16, enabled=low):
            loss = self.model(**inputs)["loss"] / parts
        if not (self.seconds or self.method.is_peer):
            check_graph(loss, self.model.parameters())
        loss.backward()
        return float(loss.detach())

    @contextmanager
    def _own_random(self) -> Iterator[None]:
        """Draw from a stream of its own, so that a result does not depend on who else is compared (on a CPU)."""
        outside = torch.get_rng_state()
        torch.set_rng_state(self._random)
        try:
            yield
        finally:
            self._random = torch.get_rng_state()
            torch.set_rng_state(outside)

    def outputs(self, examples: Examples) -> dict[str, Tensor]:
        """What the trained model answers on a few examples, all at once."""
        with torch.inference_mode(), evaluating(self.answering):
            features = {part: self.fetch(part, rows) for part, rows in examples.rows.items()}
            found: dict[str, Tensor] = self.answering(features)
        return found

    def score(self, examples: Examples) -> dict[str, float]:
        """Metrics of the task."""
        return self.arena.prepared.task.score(self.answering, self.fetch, examples)

    def look(self, split: str) -> None:
        """Measure on a split, off the clock; on dev that is a point of the curve. One that diverged is left alone."""
        if self.diverged is not None:
            return
        self.metrics[split] = self.score(self.arena.examples[split])
        if split == "dev":
            value = self.metrics[split][self.arena.prepared.task.headline]
            self.points.append(Point(len(self.seconds), sum(self.seconds), value))

    def trial(self) -> Trial:
        """What is to be kept of it."""
        whole = self.diverged is None
        losses = self.losses if whole else self.losses[: self.diverged]
        metrics = self.metrics if whole else {}
        return Trial(self.rate, metrics, tuple(self.points), tuple(self.seconds), tuple(losses), self.diverged)

    def cost(self, batch: SharedBatch) -> MemoryReport:
        """What a step on a batch needs. Nothing is changed by it."""
        return memory_report(self.model, self.inputs(batch))


class StoredContender(Contender):
    """A side network that learns from stored features: fetching them is part of its step."""

    def __init__(self, method: Method, arena: Arena, rate: float, seed: int, steps: int) -> None:
        """See `Contender`."""
        prepared = replace(arena.prepared, recipe=replace(arena.recipe, sides=method.sides(arena.recipe)))
        self.side, records = fit(prepared, seed)
        self.layers = {part: record.layers for part, record in records.items()}
        self.batches = Batches(arena.examples["train"], prepared.sources, self.layers, prepared.task.told)
        super().__init__(method, self.side, arena, rate, seed, steps)
        place_late(self.side, arena.device)

    def inputs(self, batch: SharedBatch) -> dict[str, Any]:
        """Features out of the stores."""
        features = self.batches(batch.rows)["features"]
        if self.arena.device.type != "cpu":
            features = {part: values.to(self.arena.device) for part, values in features.items()}
        return {"features": features, "targets": batch.targets}

    def fetch(self, part: str, rows: Tensor) -> Features:
        """Features out of the store."""
        features = self.batches.sources[part].features(rows, self.layers[part])
        return features if self.arena.device.type == "cpu" else features.to(self.arena.device)

    @property
    def answering(self) -> nn.Module:
        """Side networks and head."""
        return self.side


class LiveContender(Contender):
    """The same side network while the frozen backbone runs in every step."""

    def __init__(self, method: Method, arena: Arena, rate: float, seed: int, steps: int) -> None:
        """See `Contender`."""
        recipe = replace(arena.recipe, sides=method.sides(arena.recipe))
        self.side, records = fit(replace(arena.prepared, recipe=recipe, sources=dict(arena.frozen)), seed)
        layers = {part: record.layers for part, record in records.items()}
        self.batches = Batches(arena.examples["train"], arena.frozen, layers, arena.prepared.task.told)
        super().__init__(method, _Live(self.side, self.batches), arena, rate, seed, steps)

    def inputs(self, batch: SharedBatch) -> dict[str, Any]:
        """Prepared inputs of the backbones."""
        return {"samples": batch.samples, "targets": batch.targets}

    def fetch(self, part: str, rows: Tensor) -> Features:
        """Features of the live backbone."""
        return self.batches.read({part: self.arena.samples(part, rows)})[part]

    @property
    def answering(self) -> nn.Module:
        """Side networks and head."""
        return self.side


class _Live(nn.Module):
    """A side model that reads its features itself; the backbones are not part of it."""

    def __init__(self, side: SideModel, batches: Batches) -> None:
        super().__init__()
        self.side = side
        self._batches = batches

    def forward(self, samples: Mapping[str, Any], targets: Mapping[str, Any]) -> dict[str, Tensor]:
        with torch.no_grad():
            features = self._batches.read(samples)
        outputs: dict[str, Tensor] = self.side(features, targets)
        return outputs


class PeerContender(Contender):
    """A backbone that is trained itself, by one of `PEERS`, under the same head."""

    def __init__(self, method: Method, arena: Arena, rate: float, seed: int, steps: int) -> None:
        """See `Contender`."""
        sources = arena.prepared.sources
        backbones = {part: load_backbone(source.config) for part, source in sources.items()}
        torch.manual_seed(seed)
        given = {part: Given.of(source.outline) for part, source in sources.items()}
        head = arena.prepared.task.make_head(given, arena.prepared.dataset)
        self.peer = PeerModel(backbones, method.base, head, method.rank)
        self._answering = _HeadAlone(self.peer)
        super().__init__(method, self.peer, arena, rate, seed, steps)

    def inputs(self, batch: SharedBatch) -> dict[str, Any]:
        """The batch as backbones read it."""
        return {"inputs": batch.padded, "targets": batch.targets}

    def fetch(self, part: str, rows: Tensor) -> Features:
        """What the adapted backbone gives."""
        return self.peer.read(part, self.arena.pad(part, self.arena.samples(part, rows)))

    @property
    def answering(self) -> nn.Module:
        """The head, which reads what the adapted backbones gave."""
        return self._answering


class _HeadAlone(nn.Module):
    """A peer model as tasks measure it: on features. The backbones are in it, so that they are in eval mode, too."""

    def __init__(self, peer: PeerModel) -> None:
        super().__init__()
        self.peer = peer

    def forward(self, features: Mapping[str, Features], targets: Mapping[str, Any] | None = None) -> dict[str, Tensor]:
        outputs: dict[str, Tensor] = self.peer.head(features, targets)
        return outputs


def make_contender(method: Method, arena: Arena, rate: float, seed: int, steps: int) -> Contender:
    """A method, freshly initialised.

    Raises:
        InputError: it cannot serve one of the backbones.
    """
    kind = PeerContender if method.is_peer else LiveContender if method.live else StoredContender
    return kind(method, arena, rate, seed, steps)


def _optimiser(model: nn.Module, rate: float, weight_decay: float) -> torch.optim.AdamW:
    """AdamW as `LichenTrainer` makes it: weight decay on matrices only."""
    trained = [(name, value) for name, value in model.named_parameters() if value.requires_grad]
    matrices = {name for name, value in trained if value.ndim > 1}
    decayed = matrices & set(get_parameter_names(model, [nn.LayerNorm], list(_UNDECAYED)))
    groups = [
        {"params": [value for name, value in trained if name in decayed], "weight_decay": weight_decay},
        {"params": [value for name, value in trained if name not in decayed], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=rate, fused=True)


def _random_after(seed: int) -> Tensor:
    """State of the random generator after it was seeded."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return torch.get_rng_state()

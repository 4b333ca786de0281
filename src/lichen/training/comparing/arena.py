"""What all methods of a comparison stand on: the same examples in the same batches, from stores and live backbones.

A batch is prepared once and handed to every contender: by its rows to those that read stores, as samples to those
beside a live backbone, padded to those that train the backbone itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from ...backbones.backbone import Backbone
from ...backbones.outline import Outline
from ...errors import InputError
from ...features.reading import STEP, Sample, padded_length
from ...side.fit import fit_side, reading_of
from ...tasks.task import Examples
from ..engine.order import Updates
from ..pipeline import Batches, Prepared, Report, prepare
from ..planning.estimate import fake_backbone
from ..recipe import Recipe, TrainConfig
from ..sources import Source, load_backbone
from .feature_time import time_of_pass
from .methods import Method
from .peers import PeerModel

KEPT = 2**28
"""Bytes of prepared samples that are kept, so that pictures are not decoded again in every epoch."""


@dataclass(frozen=True)
class SharedBatch:
    """One batch, the same for all contenders."""

    rows: tuple[int, ...]
    """Places of the examples."""
    targets: Mapping[str, Any]
    """What the head learns from."""
    samples: Mapping[str, list[Sample]] = field(default_factory=dict)
    """By part, unbatched inputs; empty where all contenders read stores."""
    padded: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)
    """By part, the same as one batch for a backbone that is trained; empty where there is none."""


@dataclass
class Arena:
    """Data, features and frozen backbones of a comparison."""

    prepared: Prepared
    """With stores, where any method learns from them."""
    examples: Mapping[str, Examples]
    """By split."""
    shapes: Mapping[str, Backbone]
    """By part, the backbone without weights."""
    frozen: Mapping[str, Source]
    """By part, the same source beside a live backbone; empty where no side network needs it."""
    methods: tuple[Method, ...]
    """All that are compared."""
    device: torch.device
    """Where models train."""
    feature_seconds: float = 0.0
    """Time of the frozen pass that the stores cost."""
    timed_on: int | None = None
    """Samples that this time was measured on, where the stores were there already."""

    def __post_init__(self) -> None:
        self._kept: dict[tuple[str, int], Sample] = {}
        self._room = KEPT

    @property
    def recipe(self) -> Recipe:
        """Of the comparison."""
        return self.prepared.recipe

    def samples(self, part: str, rows: Tensor) -> list[Sample]:
        """Prepared inputs of some rows of a part."""
        return [self._sample(part, row) for row in rows.tolist()]

    def _sample(self, part: str, row: int) -> Sample:
        found = self._kept.get((part, row))
        if found is None:
            found = self.prepared.sources[part].inputs[row]
            size = sum(value.nbytes for value in found.values())
            if size <= self._room:
                self._room -= size
                self._kept[part, row] = found
        return found

    def pad(self, part: str, samples: Sequence[Sample]) -> dict[str, Tensor]:
        """Samples as one batch on the device, texts padded on the right to the longest."""
        return {name: value.to(self.device) for name, value in padded(self.shapes[part], samples).items()}

    def batch(self, rows: Sequence[int]) -> SharedBatch:
        """A batch of training examples."""
        some = self.examples["train"].take(torch.tensor(list(rows)))
        targets = {name: value.to(self.device) for name, value in self.prepared.task.told(some).items()}
        live = [method for method in self.methods if not method.is_stored]
        samples = {part: self.samples(part, places) for part, places in some.rows.items()} if live else {}
        peers = any(method.is_peer for method in live)
        inputs = {part: self.pad(part, given) for part, given in samples.items()} if peers else {}
        return SharedBatch(tuple(rows), targets, samples, inputs)

    def order(self, seed: int) -> Updates:
        """Which examples each update sees: those of `lichen train` with this seed."""
        settings = self.recipe.train
        task, examples = self.prepared.task, self.examples["train"]
        dataset = Batches(examples, self.prepared.sources, {}, task.told).dataset(task.order(examples, seed))
        size = settings.batch * settings.accumulate
        return Updates(dataset, size, parts=settings.accumulate, seed=seed, buckets=settings.buckets)

    def updates(self, seed: int, steps: int) -> Iterator[tuple[list[list[int]], float]]:
        """For each step the rows of its batches, and the epochs done before it."""
        order = self.order(seed)
        count = len(order) // order.size
        positions: list[int] = []
        for step in range(steps):
            epoch, place = divmod(step, count)
            if place == 0:
                order.set_epoch(epoch)
                positions = order.positions().tolist()
            rows = positions[place * order.size : (place + 1) * order.size]
            size = self.recipe.train.batch
            yield [rows[start : start + size] for start in range(0, len(rows), size)], step / count

    def steps(self) -> int:
        """Updates of the recipe's training."""
        order = self.order(0)
        return steps_of(self.recipe.train, len(order) // order.size)

    def largest(self) -> list[int]:
        """Rows of the batch with the most tokens in the first epoch of seed 0; for pictures the first batch."""
        order = self.order(0)
        lengths = order.dataset.lengths
        batches = order.positions()[: order.size * (len(order) // order.size)].split(self.recipe.train.batch)
        if lengths is None:
            return batches[0].tolist()
        return max(batches, key=lambda rows: int(lengths[rows].max()) * len(rows)).tolist()


def steps_of(settings: TrainConfig, updates: int) -> int:
    """Steps of a training with so many updates in an epoch."""
    return settings.steps or math.ceil((settings.epochs or 3.0) * updates)


def padded(backbone: Backbone, samples: Sequence[Sample]) -> dict[str, Tensor]:
    """Samples as one batch for a backbone (its shapes are enough).

    Returns:
        Pictures stacked; of texts `input_ids`, `attention_mask` and what goes with them, (batch, longest).
    """
    names = list(dict.fromkeys(name for sample in samples for name in sample))
    if "input_ids" not in names:
        return {name: torch.stack([sample[name] for sample in samples]) for name in names}
    part = backbone.part or next((name for name in ("text", "encoder") if name in backbone.paths), "")
    part = part or next(iter(backbone.paths))
    longest = max(len(sample["input_ids"]) for sample in samples)
    if padded_length(backbone, part, 1) > STEP:
        # SigLIP reads texts of full length only.
        longest = padded_length(backbone, part, longest)
    pad = getattr(backbone.model.config.get_text_config(), "pad_token_id", None)
    found = {}
    for name in names:
        blank = pad if name == "input_ids" and isinstance(pad, int) else 0
        found[name] = samples[0]["input_ids"].new_full((len(samples), longest), blank)
        for row, sample in enumerate(samples):
            if name in sample:
                found[name][row, : len(sample[name])] = sample[name]
    return found


def shapes_of(recipe: Recipe) -> dict[str, Backbone]:
    """The backbone of each part without its weights.

    Raises:
        InputError: its settings are not found.
    """
    return {
        part: fake_backbone(config.name, part=config.part, revision=config.revision)
        for part, config in recipe.backbones.items()
    }


def check_method(method: Method, recipe: Recipe, outlines: Mapping[str, Outline]) -> dict[str, tuple[int, ...]]:
    """Hidden states that a method reads, by part; it is built without the backbone's weights for this.

    Args:
        method: to check.
        recipe: with the backbones.
        outlines: of the backbones, by part.

    Raises:
        InputError: it cannot serve one of the backbones.
    """
    if method.is_peer:
        # What it is tried on is changed by it, so it gets one of its own.
        PeerModel(shapes_of(recipe), method.base, torch.nn.Identity(), method.rank)
        return {}
    found = {}
    for part, side in method.sides(recipe).items():
        fit_side(side, outlines[part])
        found[part] = reading_of(side, outlines[part]).stored
    return found


def open_arena(
    recipe: Recipe, readings: Mapping[Method, Mapping[str, tuple[int, ...]]], report: Report | None
) -> Arena:
    """Read the data, make or open the stores, and load the frozen backbones that must run.

    Args:
        recipe: of the comparison.
        readings: the methods, each with the hidden states that it reads by part (none for peers).
        report: told of the frozen passes.

    Raises:
        InputError: the data, a backbone or a store cannot be used.
    """
    methods = tuple(readings)
    stored = [readings[method] for method in methods if method.is_stored]
    layers = {part: tuple(sorted({index for each in stored for index in each[part]})) for part in recipe.backbones}
    if not stored:
        recipe = replace(recipe, store=replace(recipe.store, live=True))
    fixed = not stored or recipe.store.layers is not None
    prepared = prepare(recipe, layers=None if fixed else layers, report=report)
    examples = {split: prepared.examples(split) for split in prepared.dataset.splits}
    seconds, timed_on = 0.0, None
    if stored:
        for part, source in prepared.sources.items():
            if source.store is not None:
                source.store.select(layers[part])
        seconds, timed_on = time_of_pass(prepared)
    device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    device = device or torch.device("cpu")
    frozen: dict[str, Source] = {}
    if any(method.live for method in methods):
        for part, source in prepared.sources.items():
            backbone = load_backbone(source.config) if source.backbone is None else source.backbone
            backbone.model.to(device)
            frozen[part] = replace(source, store=None, backbone=backbone)
    return Arena(prepared, examples, shapes_of(recipe), frozen, methods, device, seconds, timed_on)


def check_splits(prepared: Prepared, choosing: bool) -> str:
    """The split that results are measured on: test, or dev where there is none.

    Raises:
        InputError: there is neither, or no dev side to choose learning rates on.
    """
    splits = prepared.dataset.splits
    if choosing and "dev" not in splits:
        raise InputError(
            "Learning rates are chosen on a dev side, which these data lack. Give data.dev or data.holdout, or try one "
            "rate a method: --set compare.factors=[1.0]"
        )
    if "test" not in splits and "dev" not in splits:
        raise InputError("There is neither a test nor a dev side to measure on. Give data.test or data.holdout.")
    return "test" if "test" in splits else "dev"

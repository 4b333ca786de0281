"""Makes batches of examples: features from stores, or prepared inputs for live backbones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..tasks.task import Examples, Order
from .engine.order import RowDataset
from .sources import Source


class Batches:
    """Makes a batch of examples: features from the stores, or prepared inputs for the live backbones."""

    def __init__(
        self,
        examples: Examples,
        sources: Mapping[str, Source],
        layers: Mapping[str, tuple[int, ...]],
        told: Callable[[Examples], dict[str, Any]],
    ) -> None:
        """
        Args:
            examples: to choose from.
            sources: of their features, by part.
            layers: hidden states that are read, by part.
            told: what the head is told of some of them, see `Task.told`.
        """
        self.examples = examples
        self.told = told
        self.sources = dict(sources)
        self.layers = dict(layers)

    def __call__(self, rows: Sequence[int]) -> dict[str, Any]:
        """Batch of examples by place; see `trainer.Collate`."""
        places = torch.tensor(list(rows))
        some = self.examples.take(places)
        batch: dict[str, Any] = {"targets": self.told(some), "rows": places}
        stored = {part: source for part, source in self.sources.items() if source.store is not None}
        if len(stored) == len(self.sources):
            batch["features"] = {
                part: self.sources[part].features(some.rows[part], self.layers[part]) for part in stored
            }
        else:
            batch["samples"] = {
                part: [source.inputs[row] for row in some.rows[part].tolist()] for part, source in self.sources.items()
            }
        return batch

    def read(self, samples: Mapping[str, Any]) -> dict[str, Any]:
        """Features of prepared inputs, by the live backbones."""
        return {part: self.sources[part].read(inputs, self.layers[part]) for part, inputs in samples.items()}

    def dataset(self, order: Order | None = None) -> RowDataset:
        """The examples as the trainer draws them; texts with their lengths."""
        lengths = _lengths(self.examples, self.sources)
        return RowDataset(range(len(self.examples)), self.examples.names, lengths, order)


def _lengths(examples: Examples, sources: Mapping[str, Source]) -> list[int] | None:
    """Tokens of each example, over all its texts; None for pictures."""
    total: Tensor | None = None
    for part, source in sources.items():
        if hasattr(source.inputs, "lengths"):
            tokens = source.inputs.lengths()[examples.rows[part]]
            total = tokens if total is None else total + tokens
    return None if total is None else total.tolist()


class Both:
    """One collator for training and dev: places of dev follow those of training."""

    def __init__(self, train: Batches, dev: Batches | None) -> None:
        self.train, self.dev = train, dev

    def __call__(self, rows: Sequence[int]) -> dict[str, Any]:
        start = len(self.train.examples)
        if self.dev is not None and rows[0] >= start:
            batch = self.dev([row - start for row in rows])
            return {**batch, "rows": batch["rows"] + start}
        return self.train(rows)


def shifted(rows: RowDataset, by: int) -> RowDataset:
    """The same rows as `Both` counts them: behind `by` others."""
    lengths = None if rows.lengths is None else rows.lengths.tolist()
    return RowDataset([row + by for row in rows.rows], rows.ids, lengths)

"""Which samples each update sees: a function of seed and epoch alone, the same for any number of processes.

The order is laid out in updates, not in batches: the samples of one update stand together, so that one process with
batches of 8, two processes with batches of 4, and batches of 4 accumulated twice all learn from the same samples.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from ...errors import InputError
from ...tasks.task import Order

POOL = 50
"""Updates that are sorted by length together: larger pools pad less, smaller ones mix more."""


class RowDataset(Dataset[int]):
    """Samples to train on, each a row number; what a row holds is the collator's business."""

    def __init__(
        self,
        rows: Sequence[int],
        ids: Sequence[str],
        lengths: Sequence[int] | np.ndarray | None = None,
        order: Order | None = None,
    ) -> None:
        """Name the rows.

        Args:
            rows: row numbers of the store or data set, each once.
            ids: name of each row, for messages.
            lengths: tokens of each row; None where all are alike.
            order: places that each epoch holds; None for all of them, shuffled.

        Raises:
            InputError: the three do not have the same length.
        """
        if len(ids) != len(rows) or (lengths is not None and len(lengths) != len(rows)):
            raise InputError(f"There are {len(rows)} rows but {len(ids)} ids, or another number of lengths.")
        self.rows = tuple(int(row) for row in rows)
        self.ids = tuple(ids)
        self.order = order
        self.lengths = None if lengths is None else torch.as_tensor(np.asarray(lengths), dtype=torch.int64)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> int:
        return self.rows[index]

    @cached_property
    def _names(self) -> dict[int, str]:
        return dict(zip(self.rows, self.ids, strict=True))

    def name(self, row: int) -> str:
        """Id of a row."""
        return self._names[row]

    @cached_property
    def digest(self) -> str:
        """Changes when samples, their order or their lengths do."""
        digest = hashlib.sha256(repr((self.rows, self.ids)).encode())
        if self.order is not None:
            digest.update(self.order.describe().encode())
        if self.lengths is not None:
            digest.update(self.lengths.numpy().tobytes())
        return digest.hexdigest()


class Updates(Sampler[int]):
    """Positions of the samples of one epoch, update after update.

    Every update is full and, unless the data set has an order of its own, holds no sample twice; a few samples of an
    epoch are in two updates where their number asks for it. Where there are fewer samples than one update takes, an
    update is all of them.
    """

    def __init__(self, dataset: RowDataset, size: int, *, parts: int = 1, seed: int = 0, buckets: bool = True) -> None:
        """Lay out the epochs of a data set.

        Args:
            dataset: to draw from.
            size: samples in one update, over all processes and accumulated batches.
            parts: into how many batches an update is cut.
            seed: of the shuffling.
            buckets: put samples of like length into one update, where lengths are known.

        Raises:
            InputError: no samples, or too few to fill one update that is cut into parts.
        """
        if not len(dataset):
            raise InputError("There are no training samples.")
        if len(dataset) < size and parts > 1:
            raise InputError(
                f"One update takes {size} samples ({parts} batches of {size // parts}), but there are only "
                f"{len(dataset)} to train on. Lower train.batch or train.accumulate, or use fewer processes."
            )
        self.dataset = dataset
        self.count = len(dataset) if dataset.order is None else len(dataset.order)
        """Samples of an epoch."""
        self.size = min(size, self.count)
        self.seed = seed
        self.buckets = buckets and dataset.lengths is not None
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration gives."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-self.count // self.size) * self.size

    def __iter__(self) -> Iterator[int]:
        return iter(self.positions().tolist())

    def positions(self) -> Int[Tensor, " samples"]:
        """The order of this epoch, a whole number of updates."""
        mixed = hashlib.sha256(f"{self.seed} {self.epoch}".encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(mixed[:8], "little") >> 1)
        if self.dataset.order is None:
            order = torch.randperm(self.count, generator=generator)
        else:
            order = self.dataset.order.epoch(self.epoch)
        if self.buckets and self.dataset.lengths is not None:
            pools = order.split(POOL * self.size), self.dataset.lengths[order].split(POOL * self.size)
            order = torch.cat([pool[length.argsort(stable=True)] for pool, length in zip(*pools, strict=True)])
        updates = order[self._windows(generator)]
        if self.buckets:
            updates = updates[torch.randperm(len(updates), generator=generator)]
        return updates.flatten()

    def _windows(self, generator: torch.Generator) -> Int[Tensor, "updates samples"]:
        """Places of each update's samples in the order.

        Where the samples do not fill all updates, one update, drawn at random, begins among the samples of the one
        before it. So nobody is twice in one update, which a contrastive loss would take for two different samples.
        """
        count = len(self) // self.size
        starts = torch.arange(count) * self.size
        if len(self) > self.count:
            late = int(torch.randint(1, count, (1,), generator=generator))
            starts[late:] -= len(self) - self.count
        return starts[:, None] + torch.arange(self.size)

    def describe(self) -> dict[str, Any]:
        """All that the order depends on, as a checkpoint keeps it."""
        own = {"seed": self.seed, "update": self.size, "buckets": self.buckets, "samples": len(self.dataset)}
        return {**own, "data": self.dataset.digest}


_WORDS = {
    "seed": "the seed",
    "update": "the samples in one update (batch x accumulate x processes)",
    "buckets": "the use of length buckets",
    "samples": "the number of training samples",
    "data": "the training samples, their order or their lengths",
}


def check_same_order(saved: dict[str, Any], current: dict[str, Any]) -> None:
    """Refuse to go on where the samples that are still to come would be others.

    Raises:
        InputError: what the order depends on has changed since the checkpoint.
    """
    changed = [name for name in _WORDS if saved.get(name) != current[name]]
    if changed:
        name = changed[0]
        values = "" if name == "data" else f": {saved.get(name)} then, {current[name]} now"
        raise InputError(
            f"This checkpoint cannot be resumed: {_WORDS[name]} changed since it was saved{values}. "
            "Resume with what it was trained with, or start a new run in another folder."
        )

"""Ready batches from a store: rows drawn by length, batches made ahead by a thread or by worker processes."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ..backbones.features import Features
from ..errors import InputError

if TYPE_CHECKING:
    from .store import FeatureStore

WINDOW = 50
"""Batches whose rows are sorted by length together: more pad less, fewer mix more."""
Rows = Int[np.ndarray, " rows"]
Plan = Sequence[Int[np.ndarray, " _rows"]]
Batch = tuple[Tensor, Features]


def plan_batches(
    rows: Rows,
    lengths: Rows,
    batch: int,
    *,
    shuffle: bool = False,
    seed: int = 0,
    epoch: int = 0,
    buckets: bool = True,
) -> Plan:
    """Which rows each batch holds; every row is in one of them.

    Args:
        rows: to draw from.
        lengths: tokens of each of these rows.
        batch: rows in a batch; one may be smaller.
        shuffle: draw them in an order that follows from seed and epoch; otherwise they keep theirs.
        seed: of the run.
        epoch: of the run; each has another order.
        buckets: let rows of like length share a batch. With shuffle, windows of `WINDOW` batches are sorted and then
            the batches mixed; without, all rows are sorted.
    """
    if not shuffle:
        order = np.argsort(lengths, kind="stable") if buckets else np.arange(len(rows))
        return _chunks(rows[order], batch)
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(len(rows))
    if not buckets:
        return _chunks(rows[order], batch)
    batches: list[np.ndarray] = []
    for window in _chunks(order, WINDOW * batch):
        batches += _chunks(rows[window[np.argsort(lengths[window], kind="stable")]], batch)
    return [batches[place] for place in random.permutation(len(batches))]


def _chunks(rows: Rows, size: int) -> list[Int[np.ndarray, " _rows"]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


class _Batches(Dataset[Batch]):
    """The batches of a store by number."""

    def __init__(self, store: FeatureStore, batches: Plan) -> None:
        self.store = store
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, number: int) -> Batch:
        rows = self.batches[number]
        return torch.from_numpy(rows.copy()), self.store[rows]


def load(store: FeatureStore, batches: Plan, workers: int, prefetch: int) -> Iterator[Batch]:
    """Batches in order, made ahead.

    Args:
        store: to read from.
        batches: rows of each.
        workers: processes that read; 0: a thread of this process does.
        prefetch: batches that are made ahead, by each worker. 0 makes none ahead (without workers).

    Raises:
        InputError: negative numbers, or workers without prefetch.
    """
    if workers < 0 or prefetch < 0 or (workers and not prefetch):
        raise InputError(f"A loader needs workers >= 0 and prefetch >= 1; got workers={workers}, prefetch={prefetch}.")
    ready = _Batches(store, batches)
    if workers:
        return iter(
            DataLoader(ready, batch_size=None, num_workers=workers, prefetch_factor=prefetch, collate_fn=_as_it_is)
        )
    return _ahead(ready, prefetch) if prefetch else (ready[number] for number in range(len(ready)))


def _as_it_is(batch: Any) -> Any:
    return batch


def _ahead(batches: _Batches, prefetch: int) -> Iterator[Batch]:
    """Batches made by a thread while the caller works on earlier ones: copying memory does not hold up Python."""
    ready: queue.SimpleQueue[Any] = queue.SimpleQueue()
    # Holds an entry for each batch that may be begun. The fewer are under way, the more of them stays in the cache.
    room: queue.SimpleQueue[None] = queue.SimpleQueue()
    left = threading.Event()
    for _ in range(prefetch):
        room.put(None)

    def make() -> None:
        try:
            for number in range(len(batches)):
                room.get()
                if left.is_set():
                    return
                ready.put(batches[number])
            ready.put(None)
        except BaseException as error:
            ready.put(error)

    thread = threading.Thread(target=make, name="lichen-store-reader", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            room.put(None)
            yield item
            # Nothing here holds the batch while the caller asks for the next: its memory may serve that one.
            del item
    finally:
        left.set()
        room.put(None)
        thread.join()

"""`FeatureStore`: features of a frozen backbone on disk. Computed once, checked by digest, read at random.

`folder.py` lists the files of a store. A batch read from a float32 store equals what `reading.read` gives live, bit for
bit, and is padded in the same way.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from ..backbones.backbone import Backbone
from ..backbones.features import Features
from ..backbones.fingerprint import Fingerprint
from ..backbones.outline import Outline
from ..errors import CheckpointError, InputError
from ..files import MANIFEST, read_json
from .config import StoreConfig
from .folder import read_basis
from .index import Names, read_index
from .loader import load, plan_batches
from .reader import Reader
from .record import SKIPPED, STORE, Record, UnfinishedStore
from .verify import unfinished, verify_store
from .writer import Progress, write

RowChoice = int | slice | Sequence[int] | Int[np.ndarray, " rows"] | Int[Tensor, " rows"]
_SHOWN = 8


class FeatureStore:
    """A finished store. `store[[3, 1, 4]]` is a padded batch of `Features`. May be pickled and used after a fork."""

    def __init__(self, reader: Reader, names: Names, skipped: dict[str, str], states: tuple[int, ...]) -> None:
        """Use `open`, which checks what it finds."""
        self._reader = reader
        self._names = names
        self.skipped = skipped
        """Samples that could not be used, by id, with the reason. Their rows hold nothing."""
        self.indices = states
        """Numbers of the hidden states that a batch holds."""

    @classmethod
    def build(
        cls,
        backbone: Backbone,
        dataset: Sequence[Any],
        folder: str | os.PathLike[str],
        config: StoreConfig | None = None,
        *,
        ids: Sequence[str] | None = None,
        part: str | None = None,
        share: tuple[int, int] = (0, 1),
        batch: int = 64,
        progress: Progress | None = None,
    ) -> FeatureStore:
        """Run a backbone once over a data set and keep what it leaves. Goes on where an earlier build was cut short.

        Args:
            backbone: frozen, with its processor where it has one: its settings belong to the store's identity.
            dataset: model inputs of each sample, a dict of tensors without batch axis and padding, such as
                {"pixel_values": (3, rows, columns)}. An item may raise `BadSample`: its row stays empty. An attribute
                `ids` names the samples; `settings` tells how they were prepared.
            folder: of the store; empty, new, or one where the same build was begun.
            config: what to keep; None keeps all states exactly.
            ids: names of the samples; None takes the data set's, or row numbers.
            part: trunk to read, where there are several; None takes the one that reads such inputs.
            share: (k, n): make every n-th shard from the k-th on, so that n processes share the work.
            batch: samples in one pass of the backbone.
            progress: told how many of how many samples of this share are done.

        Returns:
            The finished store.

        Raises:
            UnfinishedStore: this share is done, but shards of others are missing. The last to finish gets the store.
            InputError: items that differ when they are read twice (random augmentation), a backbone that answers
                differently when asked twice (dropout), another store in the folder, more than 5 % bad samples, a full
                disk, or values that the codec cannot hold.
        """
        path = Path(folder)
        settings = config or StoreConfig()
        if write(backbone, dataset, path, settings, ids=ids, part=part, share=share, batch=batch, progress=progress):
            return cls.open(path, verify=False)
        raise UnfinishedStore(f"Share {share[0]} of {share[1]} is done. {unfinished(path)}")

    @classmethod
    def open(
        cls, folder: str | os.PathLike[str], backbone: Backbone | Fingerprint | None = None, *, verify: bool = True
    ) -> FeatureStore:
        """Open a finished store.

        Args:
            folder: of the store.
            backbone: the one that it must have been made with, preprocessing included; None takes any.
            verify: read all files and compare their digests. Without it only their structure is checked.

        Raises:
            UnfinishedStore: shards are missing still.
            CheckpointError: no store, damaged, of another format, or made with another backbone.
        """
        path = Path(folder)
        if not (path / MANIFEST).is_file():
            if (path / STORE).is_file():
                raise UnfinishedStore(unfinished(path))
            raise CheckpointError(f"{str(path)!r} holds no store. Make one: lichen cache, or FeatureStore.build.")
        if verify:
            verify_store(path)
        record = Record.from_dict(read_json(path / STORE))
        if backbone is not None:
            fingerprint = backbone.fingerprint if isinstance(backbone, Backbone) else backbone
            if wrong := record.fingerprint.differences(fingerprint):
                raise CheckpointError(
                    f"The features in {str(path)!r} come from another backbone. {'; '.join(wrong)}. "
                    "Give the backbone that made them, or build a new store."
                )
        lengths, starts, names = read_index(path, record)
        basis = None if record.basis is None else read_basis(path, record)
        skipped = {str(name): str(reason) for name, reason in read_json(path / SKIPPED).items()}
        return cls(Reader(path, record, basis, lengths, starts), names, skipped, record.states)

    @classmethod
    def find(
        cls, folder: str | os.PathLike[str], backbone: Backbone | Fingerprint | None = None, *, verify: bool = True
    ) -> FeatureStore | None:
        """The finished store in a folder, as `open` gives it; None where there is none, or an unfinished one."""
        return cls.open(folder, backbone, verify=verify) if (Path(folder) / MANIFEST).is_file() else None

    def __len__(self) -> int:
        return len(self.lengths)

    def __repr__(self) -> str:
        config = self.config
        return (
            f"FeatureStore({str(self.folder)!r}, {len(self)} samples, states {list(self.indices)}, "
            f"codec={config.codec!r}, tokens={config.tokens!r}, {self.nbytes:,} bytes)"
        )

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self._reader.folder

    @property
    def record(self) -> Record:
        """Everything that `store.json` says."""
        return self._reader.record

    @property
    def config(self) -> StoreConfig:
        """What is stored, and how."""
        return self.record.config

    @property
    def outline(self) -> Outline:
        """Of the trunk whose features these are."""
        return self.record.outline

    @property
    def fingerprint(self) -> Fingerprint:
        """Of the backbone whose features these are."""
        return self.record.fingerprint

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 of each tensor of that trunk, for loading a part of it with the same certainty."""
        return self.record.digests

    @property
    def lengths(self) -> Int[np.ndarray, " samples"]:
        """Stored tokens of each row: 1 for maps, 0 for a skipped sample."""
        return self._reader.lengths

    @property
    def ids(self) -> tuple[str, ...]:
        """Name of each row."""
        return self._names.texts

    @cached_property
    def usable(self) -> Int[np.ndarray, " rows"]:
        """Rows that hold something."""
        return np.flatnonzero(self.lengths > 0)

    @cached_property
    def nbytes(self) -> int:
        """Bytes of all files on disk."""
        names = [*read_json(self.folder / MANIFEST)["sha256"], MANIFEST]
        return sum((self.folder / name).stat().st_size for name in names)

    def select(self, indices: Sequence[int]) -> FeatureStore:
        """The same store, giving some of its hidden states only; the others are not read.

        Raises:
            InputError: a state is not in it.
        """
        absent = sorted(set(indices) - set(self.record.states))
        if absent or not indices:
            raise InputError(
                f"The store holds the hidden states {list(self.record.states)}; {absent or 'none'} was asked for. "
                "Build one with these layers, or choose among the stored ones."
            )
        return FeatureStore(self._reader, self._names, self.skipped, tuple(indices))

    def __getitem__(self, rows: RowChoice) -> Features:
        """A batch of samples in the order given, padded on the right to the longest with zeros.

        Raises:
            InputError: no rows, one that does not exist, or one whose sample was skipped.
        """
        numbers = self._numbers(rows)
        record, reader = self.record, self._reader
        places = tuple(record.states.index(index) for index in self.indices)
        last = len(record.shapes) - 1
        states = reader.states(numbers, (*places, last))
        mask = None
        lengths = self.lengths[numbers]
        if record.outline.kind == "tokens" and lengths.min() < lengths.max():
            mask = torch.arange(int(lengths.max())) < torch.from_numpy(lengths)[:, None]
        return Features(
            states=tuple(states[place] for place in places),
            final=states[last],
            mask=mask,
            grid=record.grid,
            pooled=None if record.pooled is None else reader.extra("pooled", numbers),
            anchor=reader.extra("anchor", numbers) if record.anchor else None,
            indices=self.indices,
        )

    def _numbers(self, rows: RowChoice) -> Int[np.ndarray, " rows"]:
        if isinstance(rows, slice):
            numbers = np.arange(len(self))[rows]
        else:
            numbers = np.atleast_1d(rows.numpy() if isinstance(rows, Tensor) else np.asarray(rows))
        if numbers.dtype.kind not in "iu" and len(numbers):
            raise InputError(f"Rows are whole numbers or a slice; got {numbers.dtype}.")
        if not len(numbers) or int(numbers.min()) < 0 or int(numbers.max()) >= len(self):
            shown = numbers[(numbers < 0) | (numbers >= len(self))][:_SHOWN].tolist()
            raise InputError(f"Rows must lie in 0 to {len(self) - 1}, at least one; got {shown or 'none'}.")
        numbers = numbers.astype(np.int64)
        empty = numbers[self.lengths[numbers] == 0]
        if len(empty):
            name = self._names[int(empty[0])]
            raise InputError(
                f"Row {int(empty[0])} ({name!r}) was skipped: {self.skipped.get(name, 'it holds nothing')}. "
                "Use the rows in store.usable."
            )
        return numbers

    def loader(
        self,
        rows: RowChoice | None = None,
        batch: int = 32,
        *,
        shuffle: bool = False,
        seed: int = 0,
        epoch: int = 0,
        workers: int = 0,
        prefetch: int = 2,
        buckets: bool = True,
    ) -> Iterator[tuple[Int[Tensor, " rows"], Features]]:
        """Ready batches, each with the rows that it holds.

        Args:
            rows: which samples; None takes all that were not skipped.
            batch: samples in a batch; one may hold fewer.
            shuffle: draw them in another order each epoch, the same one for a seed.
            seed: of the order.
            epoch: of the order.
            workers: processes that read ahead; 0: one thread does.
            prefetch: batches made ahead, by each worker. 0 makes none ahead.
            buckets: samples of like length share a batch; see `loader.plan_batches`.

        Raises:
            InputError: rows that do not exist or were skipped, or settings below their least.
        """
        if isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
            raise InputError(f"batch must be a whole number of at least 1; got {batch!r}.")
        numbers = self.usable if rows is None else self._numbers(rows)
        lengths = self.lengths[numbers]
        batches = plan_batches(numbers, lengths, batch, shuffle=shuffle, seed=seed, epoch=epoch, buckets=buckets)
        return load(self, batches, workers, prefetch)

"""Makes a store, shard by shard. A kill at any moment costs one shard at most, and leaves no trace in what is made.

While the work is under way each finished shard has a note of its digest beside it; the manifest takes their place.
A shard's bytes follow from its own samples, so it is the same whichever process makes it, and whatever came before.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from ..backbones.backbone import Backbone
from ..backbones.features import Features
from ..errors import BadSample, CheckpointError, InputError
from ..files import sha256, to_json
from .codecs import Int8
from .config import StoreConfig
from .contents import ShardContents
from .folder import StoreFolder, read_basis
from .packing import Packing
from .pca import Basis, fit_basis
from .preflight import examine, fetch, names_of, passed
from .reading import Sample
from .record import Record, shard_name
from .shards import MappedFile, disk
from .skipped import Tally
from .tokens import lengths_of

FITTED_ON = 256
"""Samples, spread evenly over the data set, that principal components are fitted on."""
FITTED_ROWS = 16_384
"""Tokens of them that are looked at, about."""
Progress = Callable[[int, int], None]


def write(
    backbone: Backbone,
    dataset: Sequence[Any],
    folder: Path,
    config: StoreConfig,
    *,
    ids: Sequence[str] | None = None,
    part: str | None = None,
    share: tuple[int, int] = (0, 1),
    batch: int = 64,
    progress: Progress | None = None,
) -> bool:
    """Make what is missing of a share of a store; see `FeatureStore.build`.

    Returns:
        True where the store is now complete, False where shards of other shares are missing.
    """
    first, count = share
    if not (isinstance(first, int) and isinstance(count, int) and 0 <= first < count):
        raise InputError(f"share must be (k, n) with 0 <= k < n: the k-th of n processes; got {share!r}.")
    if isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
        raise InputError(f"batch must be a whole number of at least 1; got {batch!r}.")
    names = names_of(dataset, ids, config.views)
    place = StoreFolder(folder)
    place.check_own()
    record, backbone = examine(backbone, dataset, names, config, part)
    return Writer(backbone, dataset, place, record, names, batch).run(share, progress)


class Writer:
    """One process at work on a store."""

    def __init__(
        self,
        backbone: Backbone,
        dataset: Sequence[Any],
        folder: StoreFolder,
        record: Record,
        names: Sequence[str],
        batch: int,
    ) -> None:
        self.backbone = backbone
        self.dataset = dataset
        self.folder = folder
        self.record = record
        self.names = names
        self.batch = batch
        self.tally = Tally(len(names))
        self.basis: Basis | None = None

    def run(self, share: tuple[int, int], progress: Progress | None) -> bool:
        """Make the shards of a share that are not there yet; finish the store where all are there."""
        with disk(self.folder.path):
            self.folder.prepare()
        self._claim()
        numbers = range(share[0], self.record.shards, share[1])
        total = sum(len(self.record.rows_of(number)) for number in numbers)
        done = 0

        def tell(more: int) -> None:
            if progress is not None:
                progress(done + more, total)

        for number in numbers:
            if not self._is_made(number):
                self._make(number, tell)
            done += len(self.record.rows_of(number))
            tell(0)
        with disk(self.folder.path, lambda: "All shards are there"):
            return self.folder.finish(self.record, self.names)

    def _claim(self) -> None:
        """Make the folder this store's, or check that it is; fit or fetch principal components."""
        held = self.folder.claimed(self.record)
        if held is None:
            data = self._fit() if self.record.config.codec == "pca" else None
            with disk(self.folder.path):
                # Another process may have been faster; then its record and its components hold.
                held = self.folder.claim(self.record, data)
        self.record = held
        if held.basis is None:
            return
        try:
            self.basis = read_basis(self.folder.path, held)
        except CheckpointError:
            with disk(self.folder.path):
                if not self.folder.restore_basis(held, self._fit()):
                    raise
            self.basis = read_basis(self.folder.path, held)

    def _fit(self) -> bytes:
        """Principal components of samples spread evenly over the data set, as a file."""
        count = min(FITTED_ON, len(self.names))
        rows = np.unique(np.linspace(0, len(self.names) - 1, count).round().astype(int)).tolist()
        widths = [shape[0] for shape in self.record.shapes]
        # Lay values out as any codec does that sees tokens; its numbers are not used.
        packing = Packing(self.record.shapes, Int8(widths))
        batches = (
            rows_of_states(self._read(samples), packing, self.record.final_is_last, FITTED_ROWS // count)
            # What is skipped here is counted when its shard is made.
            for _, samples in self._batches(rows, lambda bad: None)
        )
        return save(fit_basis(batches, widths, self.record.config.rank).to_tensors())

    def _samples(self, rows: Sequence[int], skip: Callable[[BadSample], None]) -> Iterator[tuple[int, Sample]]:
        for row in rows:
            try:
                yield row, fetch(self.dataset, row, self.names[row])
            except BadSample as bad:
                skip(bad)

    def _read(self, samples: Sequence[Sample]) -> Features:
        """Features of a batch, laid out as the record says.

        Raises:
            InputError: pictures of several sizes, or a final output that is the last state for some samples only.
        """
        features, record = passed(self.backbone, samples, self.record.config), self.record
        if features.grid != record.grid:
            raise InputError(
                f"All pictures of a store must have one size: a grid of {features.grid} follows {record.grid}. Resize "
                "them, or make a store for each size."
            )
        if record.final_is_last and features.final is not features.states[-1]:
            raise InputError("The backbone's final output equals its last hidden state for some samples only.")
        return features

    def _is_made(self, number: int) -> bool:
        """Whether a shard is there as it was written, for this very store; its bad samples are counted then."""
        name = shard_name(number)
        expected, path = self.folder.digest_of(name), self.folder.path / name
        try:
            if expected is None or not path.is_file() or sha256(path) != expected:
                return False
            file = MappedFile(path)
        except (CheckpointError, OSError):
            return False
        if file.metadata.get("store") != self.folder.identity:
            return False
        for bad, reason in json.loads(bytes(file.arrays["notes"])).items():
            self.tally.add(BadSample(bad, reason))
        return True

    def _make(self, number: int, tell: Callable[[int], None]) -> None:
        """Compute one shard and write it."""
        skipped: dict[str, str] = {}

        def skip(bad: BadSample) -> None:
            skipped[bad.id] = bad.reason
            self.tally.add(bad)

        contents = ShardContents(self.record, number, self.basis)
        name = shard_name(number)
        writing = partial(disk, self.folder.path, self._made_so_far)
        with writing():
            file = contents.open(self.folder.path / name)
        seen = 0
        with file, closing(contents):
            for rows, samples in self._batches(self.record.rows_of(number), skip):
                features = self._read(samples)
                with writing():
                    contents.add(rows, features, file)
                seen += len(rows)
                tell(seen)
            with writing():
                digest = contents.finish(file, to_json(skipped), self.folder.identity)
                self.folder.note(name, digest)

    def _made_so_far(self) -> str:
        return f"{self.folder.count_made(self.record)} of {self.record.shards} shards are complete"

    def _batches(
        self, rows: Sequence[int], skip: Callable[[BadSample], None]
    ) -> Iterator[tuple[list[int], list[Sample]]]:
        """Rows and samples in batches; texts from short to long, since like lengths run together."""
        pairs = self._samples(rows, skip)
        if self.record.outline.modality == "text":
            pairs = iter(sorted(pairs, key=lambda pair: len(pair[1]["input_ids"])))
        while some := list(islice(pairs, self.batch)):
            yield [row for row, _ in some], [sample for _, sample in some]


def rows_of_states(features: Features, packing: Packing, final_is_last: bool, budget: int) -> list[Tensor]:
    """Evenly spaced tokens (positions) of every stored state, (rows, width) each; about `budget` of each sample."""
    fields = packing.split(features, final_is_last)
    found: list[Tensor] = []
    for values in fields:
        whole = torch.full((values.shape[1],), values.shape[2])
        lengths = whole if features.is_maps else lengths_of(features).cpu()
        strides = (lengths // max(budget, 1)).clamp(min=1)
        position = torch.arange(values.shape[2])
        keep = (position < lengths[:, None]) & (position % strides[:, None] == 0)
        found += [state[keep] for state in values]
    return found

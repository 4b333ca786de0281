"""What goes into one shard: cells, written while the backbone runs, and small arrays, kept until it has run."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
import torch

from ..backbones.features import Features
from .codecs import CODECS
from .packing import Packing, as_array, cut
from .pca import Basis
from .record import Record
from .shards import DTYPE_NAMES, ShardFile
from .tokens import lengths_of


class ShardContents:
    """One shard in the making."""

    def __init__(self, record: Record, number: int, basis: Basis | None) -> None:
        self.record = record
        self.rows = record.rows_of(number)
        self.codec = CODECS[record.config.codec]([shape[0] for shape in record.shapes], basis)
        self.packing = Packing(record.shapes, self.codec)
        count = len(self.rows)
        self.arrays: dict[str, np.ndarray] = {name: np.zeros(count, np.int64) for name in ("lengths", "starts")}
        if record.anchor:
            self.arrays["anchor"] = np.zeros(count, np.int64)
        if record.pooled is not None:
            self.arrays["pooled"] = np.zeros((count, record.pooled), np.float32)
        self.units = 0
        """Tokens (maps: samples) so far."""
        self._spool: IO[bytes] | None = None
        self._spooled: list[int] = []

    def open(self, path: Path) -> ShardFile:
        """The file that takes the cells."""
        fixed = {
            name: ("I64" if array.dtype == np.int64 else "F32", array.shape) for name, array in self.arrays.items()
        }
        if self.codec.two_pass:
            fixed["channels"] = ("F32", (self.packing.channels,))
            # Values wait on the disk, not in memory, until the scales of the shard are known. Nothing has to be swept:
            # the file has no name.
            self._spool = tempfile.TemporaryFile(dir=path.parent)  # noqa: SIM115
        return ShardFile(path, (DTYPE_NAMES[self.codec.dtype], self.packing.row), fixed)

    def add(self, rows: Sequence[int], features: Features, file: ShardFile) -> None:
        """Take a batch in, in any order of its rows.

        Raises:
            InputError: the codec cannot hold a value.
        """
        places = np.array(rows) - self.rows.start
        tokens = None if features.is_maps else lengths_of(features).tolist()
        lengths = [1] * len(rows) if tokens is None else tokens
        self.arrays["lengths"][places] = lengths
        self.arrays["starts"][places] = self.units + np.cumsum([0, *lengths[:-1]])
        self.units += sum(lengths)
        if features.anchor is not None:
            self.arrays["anchor"][places] = features.anchor.cpu().numpy()
        if features.pooled is not None:
            self.arrays["pooled"][places] = features.pooled.float().cpu().numpy()
        fields = self.packing.split(features, self.record.final_is_last)
        if self._spool is None:
            for block in cut(self.packing.encode(fields), tokens):
                file.append(block)
            return
        for field, values in zip(self.packing.fields, fields, strict=True):
            self.codec.observe(values, field.states)
        for block in cut([as_array(values) for values in fields], tokens):
            self._spool.write(np.ascontiguousarray(block).data)
        self._spooled += lengths

    def finish(self, file: ShardFile, notes: bytes, identity: str) -> str:
        """Write what is left and move the file into place; returns its digest."""
        if self._spool is not None:
            self._encode_spooled(self._spool, file)
        scales = self.codec.scales()
        if scales is not None:
            self.arrays["channels"] = scales.numpy()
        return file.commit(self.arrays, notes, {"store": identity})

    def _encode_spooled(self, spool: IO[bytes], file: ShardFile) -> None:
        spool.seek(0)
        for length in self._spooled:
            fields = []
            for field in self.packing.fields:
                shape = (field.count, 1, field.rows or length, field.width)
                values = np.frombuffer(bytearray(spool.read(4 * math.prod(shape))), np.float32)
                fields.append(torch.from_numpy(values.reshape(shape)))
            for block in cut(self.packing.encode(fields), None):
                file.append(block)

    def close(self) -> None:
        """Give up the values that were still waiting."""
        if self._spool is not None:
            self._spool.close()

"""Reads blocks of chosen samples out of mapped shards into padded batches, and decodes them a whole batch at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from .buffers import Buffers
from .codecs import CODECS, Codec
from .packing import Field, Packing, as_array
from .pca import Basis
from .record import Record, shard_name
from .shards import DTYPE_NAMES, MappedFile

Rows = Int[np.ndarray, " rows"]


class Reader:
    """Random access to the samples of a finished store. Shards are mapped when first read, in each process anew."""

    def __init__(self, folder: Path, record: Record, basis: Basis | None, lengths: Rows, starts: Rows) -> None:
        """
        Args:
            folder: of the store.
            record: what it is.
            basis: its principal components, where it has any.
            lengths: units (tokens; 1 for maps) of every sample; 0 for a skipped one.
            starts: units of its shard that stand before every sample.
        """
        self.folder, self.record = folder, record
        self.lengths, self.starts = lengths, starts
        self.codec = CODECS[record.config.codec]([shape[0] for shape in record.shapes], basis)
        self.packing = Packing(record.shapes, self.codec)
        self.buffers = Buffers()
        self._shards: dict[int, dict[str, np.ndarray]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_shards": {}, "buffers": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ = {**state, "buffers": Buffers()}

    def _shard(self, number: int) -> dict[str, np.ndarray]:
        """Arrays of a shard; `data` as one row of cells."""
        found = self._shards.get(number)
        if found is None:
            found = self._shards[number] = self._map(number)
        return found

    def _map(self, number: int) -> dict[str, np.ndarray]:
        file = MappedFile(self.folder / shard_name(number))
        rows, packing = self.record.rows_of(number), self.packing
        own = slice(rows.start, rows.stop)
        units = int(self.lengths[own].sum())
        ends = self.starts[own] + self.lengths[own]
        if int(self.starts[own].min()) < 0 or int(ends.max()) > units:
            raise file.damaged("it does not fit the index")
        shape = (units * packing.per_unit // packing.row, packing.row)
        arrays = {"data": file.array("data", DTYPE_NAMES[self.codec.dtype], *shape).reshape(-1)}
        if self.record.pooled is not None:
            arrays["pooled"] = file.array("pooled", "F32", len(rows), self.record.pooled)
        if self.record.anchor:
            arrays["anchor"] = file.array("anchor", "I64", len(rows))
        if self.codec.two_pass:
            arrays["channels"] = file.array("channels", "F32", packing.channels)
        return arrays

    def extra(self, name: str, rows: Rows) -> Tensor:
        """`pooled` (batch, width) or `anchor` (batch) of some samples."""
        size = self.record.config.shard
        return torch.from_numpy(np.stack([self._shard(row // size)[name][row % size] for row in rows.tolist()]))

    def states(self, rows: Rows, wanted: tuple[int, ...]) -> dict[int, Tensor]:
        """Stored states of some samples, by their place among the stored ones, contiguous and in float32.

        Args:
            rows: samples, none of them skipped.
            wanted: places of the states; others are not read.
        """
        shards = [self._shard(number) for number in (rows // self.record.config.shard).tolist()]
        found: dict[int, Tensor] = {}
        for field, states in runs_of(self.packing, wanted):
            cells = self._gather(field, states, rows, shards)
            values = self._decode(field, states, cells, rows, shards)
            found |= zip(range(states.start, states.stop), self.packing.join(field, values), strict=True)
        return found

    def _gather(self, field: Field, states: slice, rows: Rows, shards: Sequence[dict[str, np.ndarray]]) -> Tensor:
        """(states, batch, longest, cells): one copy a sample."""
        lengths = self.lengths[rows]
        begins = (self.starts[rows] * self.packing.per_unit + lengths * field.offset).tolist()
        counts = lengths.tolist() if field.rows is None else [field.rows] * len(rows)
        longest, width, total = max(counts), field.cells, field.count
        own = slice(states.start - field.states.start, states.stop - field.states.start)
        cells = self.buffers.take((own.stop - own.start, len(rows), longest, width), self.codec.dtype)
        target = as_array(cells)
        for sample, (shard, begin, count) in enumerate(zip(shards, begins, counts, strict=True)):
            block = shard["data"][begin : begin + total * count * width].reshape(total, count, width)
            target[:, sample, :count] = block[own]
            if count < longest:
                target[:, sample, count:] = 0
        return cells

    def _decode(
        self, field: Field, states: slice, cells: Tensor, rows: Rows, shards: Sequence[dict[str, np.ndarray]]
    ) -> Tensor:
        if type(self.codec) is Codec:
            return cells
        width = cells.shape[-1] if self.codec.plain else field.width
        out = self.buffers.take((*cells.shape[:3], width), torch.float32)
        scales = None
        if self.codec.two_pass:
            own = self.packing.channels_of(states)
            stacked = np.stack([shard["channels"][own] for shard in shards])
            scales = torch.from_numpy(stacked).unflatten(1, (-1, width)).transpose(0, 1)
        self.codec.decode(cells, states, out, scales)
        if not self.codec.blank and field.rows is None:
            lengths = torch.from_numpy(self.lengths[rows])
            padding = torch.arange(out.shape[2]) >= lengths[:, None]
            if bool(padding.any()):
                out.masked_fill_(padding.unsqueeze(-1), 0)
        return out


def runs_of(packing: Packing, wanted: tuple[int, ...]) -> list[tuple[Field, slice]]:
    """Neighbouring states among the wanted ones, with their field: each run is read by one copy a sample."""
    found: list[tuple[Field, slice]] = []
    for field in packing.fields:
        last = -1
        for state in sorted(set(wanted)):
            if not field.states.start <= state < field.states.stop:
                continue
            if state == last + 1 and found and found[-1][0] is field:
                found[-1] = (field, slice(found[-1][1].start, state + 1))
            else:
                found.append((field, slice(state, state + 1)))
            last = state
    return found

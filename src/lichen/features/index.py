"""The index of a store: ids, lengths and places of all samples, a few bytes each."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int
from safetensors.numpy import save

from .record import INDEX, Record
from .shards import MappedFile


class Names(Sequence[str]):
    """Ids of all rows in a few bytes each; a million of them cost a process nothing until they are asked for."""

    def __init__(self, data: bytes, ends: Int[np.ndarray, " samples"]) -> None:
        self._data = data
        self._ends = ends

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, row: int) -> str:  # type: ignore[override]
        start = int(self._ends[row - 1]) if row else 0
        return self._data[start : int(self._ends[row])].decode()

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(self)

    def __getstate__(self) -> dict[str, Any]:
        return {"_data": self._data, "_ends": self._ends}


def index_bytes(names: Sequence[str], lengths: np.ndarray, starts: np.ndarray) -> bytes:
    """Contents of the index file, always the same for the same store.

    Args:
        names: id of every row.
        lengths: units (tokens; 1 for maps) of every row; 0 for a skipped one.
        starts: units of its shard that stand before every row.
    """
    texts = [name.encode() for name in names]
    ends = np.cumsum([len(text) for text in texts], dtype=np.int64)
    data = np.frombuffer(b"".join(texts), np.uint8)
    return save({"lengths": lengths, "starts": starts, "ids": data, "id_ends": ends})


def read_index(folder: Path, record: Record) -> tuple[np.ndarray, np.ndarray, Names]:
    """Lengths, places and ids of all rows, checked against each other.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    file = MappedFile(folder / INDEX)
    lengths, starts, ends = (
        np.array(file.array(name, "I64", record.samples)) for name in ("lengths", "starts", "id_ends")
    )
    data = file.arrays.get("ids")
    sane = data is not None and data.dtype == np.uint8 and data.ndim == 1 and len(data) == ends[-1]
    if not sane or int(lengths.min()) < 0 or int(starts.min()) < 0 or bool((np.diff(ends, prepend=0) < 0).any()):
        raise file.damaged("its entries make no sense")
    return lengths, starts, Names(bytes(data), ends)  # type: ignore[arg-type]

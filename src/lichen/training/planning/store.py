"""How many bytes a store will take on disk, file by file, before it is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Int

from ...features.codecs import CODECS
from ...features.config import Codec
from ...features.packing import Packing
from ...features.pca import Basis
from ...features.record import Record, basis_name, shard_name
from ...files import to_json

_SHARD_HEADER = 1024
"""Bytes at the start of every shard (`features.shards.ShardFile`)."""
_INDEX_HEADER = 280
_TENSOR_ENTRY = 90
"""About as much as one tensor takes in a safetensors header."""
_DIGEST = "0" * 64


def with_codec(record: Record, codec: Codec) -> Record:
    """The same features in another number format."""
    basis = _DIGEST if codec == "pca" else None
    return replace(record, config=replace(record.config, codec=codec), basis=basis)


def store_bytes(record: Record, lengths: Int[np.ndarray, " rows"], ids: Sequence[str]) -> int:
    """Bytes of all files of a store, as `FeatureStore.nbytes` counts them.

    Args:
        record: of the store.
        lengths: stored tokens of each row; 1 for maps, 0 for a skipped one.
        ids: name of each row.
    """
    widths = [shape[0] for shape in record.shapes]
    basis = _blank_basis(widths, record.config.rank) if record.config.codec == "pca" else None
    codec = CODECS[record.config.codec](widths, basis)
    packing = Packing(record.shapes, codec)
    cells = int(lengths.sum()) * packing.per_unit * codec.dtype.itemsize
    # Length and place of each sample stand in its shard and in the index, the end of its name in the index.
    beside = 8 * (2 + record.anchor) + 4 * (record.pooled or 0)
    index = _INDEX_HEADER + 24 * record.samples + sum(len(name.encode()) for name in ids)
    shard = _SHARD_HEADER + len(to_json({})) + (4 * packing.channels if codec.two_pass else 0)
    components = 0
    if basis is not None:
        tensors = basis.to_tensors()
        components = 8 + sum(4 * tensor.numel() + _TENSOR_ENTRY for tensor in tensors.values())
    return cells + beside * record.samples + shard * record.shards + index + components + _texts(record)


def _texts(record: Record) -> int:
    """Bytes of what is written as JSON."""
    names = [shard_name(number) for number in range(record.shards)]
    names += ["store.json", "index.safetensors", "skipped.json"]
    names += [] if record.basis is None else [basis_name(record.basis)]
    written: tuple[Any, ...] = (record.to_dict(), {}, {"sha256": dict.fromkeys(names, _DIGEST)})
    return sum(len(to_json(value)) for value in written)


def _blank_basis(widths: Sequence[int], rank: int) -> Basis:
    """Principal components without values: a codec asks for their number."""
    means = tuple(torch.empty(width, device="meta") for width in widths)
    parts = tuple(torch.empty(min(rank, width), width, device="meta") for width in widths)
    return Basis(means, parts)

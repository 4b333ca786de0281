"""How the features of one sample lie in a shard: one block of cells, state after state, without padding.

Token states `(tokens, width)` of one sample follow each other, so that a batch is assembled by one strided copy a
sample into a `(states, batch, longest, width)` buffer. Maps of different shapes have a field each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..backbones.features import Features
from .codecs import Codec

Fields = Sequence[Tensor]
"""Values of every field, (states, batch, tokens, width) each."""


@dataclass(frozen=True)
class Field:
    """Neighbouring states of one shape."""

    states: slice
    """Which of the stored states."""
    width: int
    """Channels."""
    grid: tuple[int, int] | None
    """Rows and columns of a map; None for tokens."""
    rows: int | None
    """Rows of cells a state: positions (for plain codecs, channels) of a map; None for tokens, whose number varies."""
    cells: int
    """Cells in a row."""
    offset: int
    """Cells of a unit (a token; a sample of maps) that stand before this field."""

    @property
    def count(self) -> int:
        """Number of states."""
        return int(self.states.stop - self.states.start)

    @property
    def per_unit(self) -> int:
        """Cells of a unit: a token, or a sample of maps."""
        return self.count * self.cells * (self.rows or 1)


class Packing:
    """The block of one sample, for states of known shapes and one codec."""

    def __init__(self, shapes: Sequence[tuple[int, ...]], codec: Codec) -> None:
        """
        Args:
            shapes: of each stored state, `(width,)` for tokens and `(width, rows, columns)` for maps.
            codec: number format of the cells.
        """
        self.codec = codec
        self.fields: list[Field] = []
        offset = first = 0
        for index, shape in enumerate(shapes):
            last = index == len(shapes) - 1
            # Maps are fields of their own even where neighbours have one shape: their states are not stacked.
            if not last and len(shape) == 1 and shapes[index + 1] == shape:
                continue
            field = _field(slice(first, index + 1), shape, codec, offset)
            self.fields.append(field)
            first, offset = index + 1, offset + field.per_unit
        self.per_unit = offset
        """Cells of a unit: a token, or a sample of maps."""
        self.row = self.fields[0].cells if len(self.fields) == 1 else offset
        """Length of a row of the tensor `data`, into whose rows the blocks are cut."""
        starts = [0, *accumulate(shape[0] for shape in shapes)]
        self.channels = starts[-1]
        """Channels of all states together."""
        self._starts = starts

    def channels_of(self, states: slice) -> slice:
        """Where the channels of some states stand among those of all."""
        return slice(self._starts[states.start], self._starts[states.stop])

    def split(self, features: Features, final_is_last: bool) -> Fields:
        """States of a batch as values of the fields, in float32 on the CPU."""
        states = [*features.states, *(() if final_is_last else (features.final,))]
        return [self._values(field, [state.cpu() for state in states[field.states]]) for field in self.fields]

    def _values(self, field: Field, states: list[Tensor]) -> Tensor:
        if field.grid is None:
            return torch.stack(states).float()
        flat = states[0].float().flatten(2)[None]
        return flat if self.codec.plain else flat.mT

    def join(self, field: Field, values: Float[Tensor, "states batch tokens width"]) -> tuple[Tensor, ...]:
        """The inverse of `split` for one field: contiguous states."""
        if field.grid is None:
            return values.unbind(0)
        values = values if self.codec.plain else values.mT
        return (values[0].contiguous().unflatten(2, field.grid),)

    def encode(self, fields: Fields) -> list[np.ndarray]:
        """Cells of a batch, field by field.

        Raises:
            InputError: the codec cannot hold a value.
        """
        pairs = zip(self.fields, fields, strict=True)
        return [as_array(self.codec.encode(values, field.states)) for field, values in pairs]


def cut(fields: Sequence[np.ndarray], lengths: Sequence[int] | None) -> Iterator[np.ndarray]:
    """The block of each sample of a batch in turn, without padding.

    Args:
        fields: (states, batch, tokens, cells) each.
        lengths: real tokens of each sample; None for maps.
    """
    for sample in range(fields[0].shape[1]):
        count = None if lengths is None else lengths[sample]
        parts = [field[:, sample, :count].reshape(-1) for field in fields]
        yield parts[0] if len(parts) == 1 else np.concatenate(parts)


def _field(states: slice, shape: tuple[int, ...], codec: Codec, offset: int) -> Field:
    width = shape[0]
    if len(shape) == 1:
        return Field(states, width, None, None, codec.cells(width), offset)
    grid = (shape[1], shape[2])
    positions = grid[0] * grid[1]
    rows, cells = (width, positions) if codec.plain else (positions, codec.cells(width))
    return Field(states, width, grid, rows, cells, offset)


def as_array(cells: Tensor) -> np.ndarray:
    """The same memory as numpy sees it; bfloat16 as its bits."""
    return cells.view(torch.int16).numpy().view(np.uint16) if cells.dtype == torch.bfloat16 else cells.numpy()

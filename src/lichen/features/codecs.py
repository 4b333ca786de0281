"""Number formats of a store: how hidden states become stored cells, and whole batches of cells become states again.

A codec sees values of one or more states, `(states, batch, tokens, width)`, and gives `(states, batch, tokens, cells)`.
Everything that belongs to a token lies in its cells, its scale too, so that one copy fetches a sample. Zero cells of
padding come back as zeros, but for pca, whose mean the caller has to blank. Maps are seen as tokens, one a position,
except by the codecs that treat each number alone (`plain`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from .pca import Basis

_LEVELS = 127
_SCALE_BYTES = 4
Values = Float[Tensor, "states batch tokens width"]
Scales = Float[Tensor, "states batch width"]


class Codec:
    """float32: numbers as they are. Base of the other codecs. One object serves one shard when writing."""

    plain: ClassVar[bool] = True
    """True where each number is stored by itself, so that the order of axes does not matter."""
    two_pass: ClassVar[bool] = False
    """True where a shard's values must all have been observed before the first is encoded."""
    blank: ClassVar[bool] = True
    """True where zero cells decode to zeros."""
    dtype: ClassVar[torch.dtype] = torch.float32
    """Of the stored cells."""

    def __init__(self, widths: Sequence[int], basis: Basis | None = None) -> None:
        """
        Args:
            widths: of every stored state, in order.
            basis: principal components of every stored state (pca only).
        """
        self.widths = tuple(widths)
        self.basis = basis

    def cells(self, width: int) -> int:
        """Stored cells of one token of a state of this width."""
        return width

    def observe(self, values: Values, states: slice) -> None:
        """See values of a shard before any are encoded."""

    def scales(self) -> Float[Tensor, " channels"] | None:
        """What the shard keeps beside the cells: one scale a channel a state, in order."""
        return None

    def encode(self, values: Values, states: slice) -> Tensor:
        """Cells of some of the states.

        Raises:
            InputError: a value has no such cells.
        """
        return values

    def decode(self, cells: Tensor, states: slice, out: Values, scales: Scales | None = None) -> None:
        """Write the values that cells stand for into `out`, in float32.

        Args:
            cells: (states, batch, tokens, cells).
            states: which of the stored states these are.
            out: contiguous.
            scales: those of each sample's shard, where the codec keeps any.
        """
        out.copy_(cells)


class BFloat16(Codec):
    """bfloat16: the range of float32 with 8 bits of precision."""

    dtype = torch.bfloat16

    def encode(self, values: Values, states: slice) -> Tensor:
        return values.bfloat16()


class Float16(Codec):
    """float16: 11 bits of precision, up to 65504."""

    dtype = torch.float16

    def encode(self, values: Values, states: slice) -> Tensor:
        cells = values.half()
        if not bool(torch.isfinite(cells).all()):
            raise InputError(
                f"A hidden state reaches {_reach(values):g}, more than float16 can hold (65504). Use codec='bfloat16'."
            )
        return cells


class Int8(Codec):
    """int8 with one scale a token: at most half a step of largest / 127 off."""

    plain = False
    dtype = torch.uint8

    def cells(self, width: int) -> int:
        return width + _SCALE_BYTES

    def encode(self, values: Values, states: slice) -> Tensor:
        scale = _largest(values, (-1,)) / _LEVELS
        levels = _round(values, scale)
        return torch.cat([levels.view(torch.uint8), scale.contiguous().view(torch.uint8)], -1)

    def decode(self, cells: Tensor, states: slice, out: Values, scales: Scales | None = None) -> None:
        out.copy_(cells[..., :-_SCALE_BYTES].view(torch.int8))
        # A copy even where the slice is contiguous by itself: it may begin at an address that no float32 can have.
        scale = cells[..., -_SCALE_BYTES:].clone(memory_format=torch.contiguous_format)
        out.mul_(scale.view(torch.float32))


class Int8Channel(Codec):
    """int8 with one scale a channel a state, common to all tokens of a shard."""

    plain = False
    two_pass = True
    dtype = torch.int8

    def __init__(self, widths: Sequence[int], basis: Basis | None = None) -> None:
        super().__init__(widths, basis)
        self._largest = [torch.zeros(width) for width in self.widths]

    def observe(self, values: Values, states: slice) -> None:
        for index, largest in zip(_numbers(states), _largest(values, (1, 2)).flatten(1), strict=True):
            self._largest[index] = torch.maximum(self._largest[index], largest)

    def scales(self) -> Float[Tensor, " channels"] | None:
        return torch.cat(self._largest) / _LEVELS

    def encode(self, values: Values, states: slice) -> Tensor:
        scale = torch.stack(self._largest[states]) / _LEVELS
        return _round(values, scale[:, None, None])

    def decode(self, cells: Tensor, states: slice, out: Values, scales: Scales | None = None) -> None:
        if scales is None:
            raise ValueError("int8-channel needs the scales of each sample's shard")
        out.copy_(cells).mul_(scales.unsqueeze(2))


class PCA(Codec):
    """Coefficients of the first principal components of each state, as int8 with one scale a token."""

    plain = False
    blank = False
    dtype = torch.uint8
    basis: Basis

    def __init__(self, widths: Sequence[int], basis: Basis | None = None) -> None:
        super().__init__(widths, basis)
        if basis is None:
            raise ValueError("pca needs the basis that was fitted")
        self._int8 = Int8(self.widths)

    def cells(self, width: int) -> int:
        return min(self.basis.rank, width) + _SCALE_BYTES

    def encode(self, values: Values, states: slice) -> Tensor:
        mean, components = self.basis.stack(states)
        flat = (values - mean[:, None, None]).flatten(1, 2)
        return self._int8.encode((flat @ components.mT).unflatten(1, values.shape[1:3]), states)

    def decode(self, cells: Tensor, states: slice, out: Values, scales: Scales | None = None) -> None:
        mean, components = self.basis.stack(states)
        coefficients = torch.empty(*cells.shape[:3], cells.shape[3] - _SCALE_BYTES)
        self._int8.decode(cells, states, coefficients)
        torch.baddbmm(mean[:, None], coefficients.flatten(1, 2), components, out=out.flatten(1, 2))


CODECS: dict[str, type[Codec]] = {
    "float32": Codec,
    "bfloat16": BFloat16,
    "float16": Float16,
    "int8": Int8,
    "int8-channel": Int8Channel,
    "pca": PCA,
}


def _numbers(states: slice) -> range:
    return range(states.start, states.stop)


def _reach(values: Tensor) -> float:
    return float(values.abs().amax())


def _largest(values: Values, axes: tuple[int, ...]) -> Tensor:
    """Largest absolute value over some axes, which stay with length 1."""
    largest = values.abs().amax(axes, keepdim=True)
    if not bool(torch.isfinite(largest).all()):
        raise InputError("A hidden state holds NaN or infinity, which int8 cannot. Use codec='float32'.")
    return largest


def _round(values: Values, scale: Tensor) -> Tensor:
    """Nearest levels; a scale of zero means that all values are zero."""
    return (values / scale.where(scale > 0, 1)).round_().clamp_(-_LEVELS, _LEVELS).to(torch.int8)

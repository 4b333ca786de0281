"""`Features`: what one pass over a backbone leaves, what a store returns, what a side network returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..errors import InputError


@dataclass(frozen=True)
class Features:
    """Hidden states of one batch, shallow to deep, with what is needed to read them.

    A head cannot tell whether a `Features` came live from a backbone, from disk, or through a side network.
    Token backbones give `(batch, tokens, width)`, convolutional and hierarchical ones `(batch, width, rows, columns)`.
    """

    states: tuple[Float[Tensor, "batch ..."], ...]
    """Chosen hidden states. State 0 is the embedding output, state i the output of layer i."""
    final: Float[Tensor, "batch ..."]
    """The backbone's own last output, after its final norm where it has one."""
    mask: Bool[Tensor, "batch tokens"] | None = None
    """True where a token is real; None when all are."""
    grid: tuple[int, int] | None = None
    """Rows and columns of the picture's patch or map grid; None for text."""
    pooled: Float[Tensor, "batch embed"] | None = None
    """The backbone's own summary vector (pooler output or projected embedding); None where it has none."""
    anchor: Int[Tensor, " batch"] | None = None
    """Position of the token that sums up the sequence ([CLS] or end of text); None where it has none."""
    indices: tuple[int, ...] | None = None
    """Which hidden states of the backbone these are; None where they have no number of their own."""

    def __post_init__(self) -> None:
        rows = self.final.shape[0]
        if self.indices is not None and len(self.indices) != len(self.states):
            raise InputError(f"There are {len(self.states)} hidden states but {len(self.indices)} numbers for them.")
        for index, state in enumerate(self.states):
            if state.shape[0] != rows:
                raise InputError(f"Hidden state {index} holds {state.shape[0]} samples, the final output {rows}.")

    def select(self, indices: tuple[int, ...]) -> Features:
        """The same features with some of the states only, by their number in the backbone.

        Raises:
            InputError: a state is not among these features, or they are not numbered.
        """
        if self.indices is None or not set(indices) <= set(self.indices):
            raise InputError(f"Hidden states {list(indices)} are wanted, but these features hold {self.indices}.")
        states = tuple(self.states[self.indices.index(index)] for index in indices)
        return replace(self, states=states, indices=indices)

    @classmethod
    def cat(cls, parts: Sequence[Features]) -> Features:
        """Join batches of the same states; shorter ones are padded on the right with zeros, which the mask tells.

        Raises:
            InputError: no parts, or parts that hold other states, grids or summaries than the first.
        """
        if not parts:
            raise InputError("There are no features to join.")
        first = parts[0]
        for part in parts[1:]:
            if (part.indices, part.grid, part.widths) != (first.indices, first.grid, first.widths):
                raise InputError("Only features of the same hidden states on the same grid can be joined.")
            if (part.pooled is None, part.anchor is None) != (first.pooled is None, first.anchor is None):
                raise InputError("Only features that all have, or all lack, pooled output and anchor can be joined.")
        mask = None
        if not first.is_maps:
            lengths = {part.final.shape[1] for part in parts}
            if len(lengths) > 1 or any(part.mask is not None for part in parts):
                masks = [part.final.new_ones(part.final.shape[:2], dtype=torch.bool) for part in parts]
                mask = _stack([m if p.mask is None else p.mask for m, p in zip(masks, parts, strict=True)])
        return replace(
            first,
            states=tuple(_stack(states) for states in zip(*(part.states for part in parts), strict=True)),
            final=_stack([part.final for part in parts]),
            mask=mask,
            pooled=_stack([part.pooled for part in parts if part.pooled is not None])
            if first.pooled is not None
            else None,
            anchor=_stack([part.anchor for part in parts if part.anchor is not None])
            if first.anchor is not None
            else None,
        )

    @property
    def widths(self) -> tuple[int, ...]:
        """Channel width of every state, shallow to deep."""
        axis = 1 if self.is_maps else -1
        return tuple(state.shape[axis] for state in self.states)

    @property
    def is_maps(self) -> bool:
        """True for `(batch, width, rows, columns)` states, False for `(batch, tokens, width)`."""
        return self.final.ndim == 4

    def to(self, target: torch.device | torch.dtype | str) -> Features:
        """Move every tensor to a device, or every floating tensor to a dtype."""

        def move(value: object) -> object:
            if isinstance(value, tuple) and value and isinstance(value[0], Tensor):
                return tuple(move(item) for item in value)
            if not isinstance(value, Tensor) or (isinstance(target, torch.dtype) and not value.is_floating_point()):
                return value
            return value.to(target)

        return replace(self, **{field.name: move(getattr(self, field.name)) for field in fields(self)})  # type: ignore[arg-type]

    def __getitem__(self, rows: slice | Int[Tensor, " rows"]) -> Features:
        """The same features for some samples of the batch only."""

        def take(value: object) -> object:
            if isinstance(value, tuple) and value and isinstance(value[0], Tensor):
                return tuple(item[rows] for item in value)
            return value[rows] if isinstance(value, Tensor) else value

        return replace(self, **{field.name: take(getattr(self, field.name)) for field in fields(self)})  # type: ignore[arg-type]


def _stack(tensors: Sequence[Tensor]) -> Tensor:
    """Join along the batch; what has tokens (the second of two or three axes) is padded to the longest."""
    if len(tensors) == 1:
        return tensors[0]
    if tensors[0].ndim == 3 or tensors[0].dtype == torch.bool:
        longest = max(tensor.shape[1] for tensor in tensors)
        tensors = [_padded(tensor, longest) for tensor in tensors]
    return torch.cat(list(tensors))


def _padded(tensor: Tensor, tokens: int) -> Tensor:
    """(batch, n, ...) with zeros (False) up to `tokens`."""
    missing = tokens - tensor.shape[1]
    if not missing:
        return tensor
    return torch.cat([tensor, tensor.new_zeros(tensor.shape[0], missing, *tensor.shape[2:])], 1)

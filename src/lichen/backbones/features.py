"""`Features`: what one pass over a backbone leaves, what a store returns, what a side network returns."""

from __future__ import annotations

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

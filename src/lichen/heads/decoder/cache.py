"""`Cache`: keys and values of the tokens so far, so that a new token costs one position.

The slot of a token is its position. Rows whose prompts differ in length are padded on the right; the first new token
of a row overwrites its first padding, so no row ever sees padding and positions need no correction. All slots are
allocated at the start and hidden by a mask until they are filled: shapes stay the same from token to token.

Source: decoders.md, pitfalls 1, 2, 13 and 21.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ...errors import InputError
from .config import DecoderConfig

Rows = Float[Tensor, "rows heads new depth"]
Slots = Float[Tensor, "rows heads slots depth"]


@runtime_checkable
class KeyValues(Protocol):
    """Anything that keeps the keys and values of earlier tokens."""

    def append(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Add those of new tokens to a layer and return what the new tokens may look at, `mask` permitting."""
        ...


class Cache:
    """Earlier tokens of a batch of texts.

    Args:
        config: of the decoder.
        rows: texts.
        slots: most tokens of a text, at most the context.
        like: a tensor whose device and dtype the cache takes.

    Raises:
        InputError: more slots than the context has places.
    """

    def __init__(self, config: DecoderConfig, rows: int, slots: int, like: Tensor) -> None:
        if slots > config.context:
            raise InputError(f"A cache of {slots} tokens does not fit into a context of {config.context}.")
        shape = (rows, config.heads, slots, config.width // config.heads)
        self.keys = [like.new_zeros(shape) for _ in range(config.layers)]
        self.values = [like.new_zeros(shape) for _ in range(config.layers)]
        self.lengths = torch.zeros(rows, dtype=torch.long, device=like.device)
        """Tokens of each row so far."""
        self.slots = slots
        self.empty = True
        """Nothing was ever added."""
        self._positions = self.lengths[:, None]

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.lengths)

    def expect(self, new: int) -> Int[Tensor, "rows new"]:
        """Positions of the tokens that come next. A row that is full keeps writing into its last slot.

        Raises:
            InputError: more tokens than there are slots.
        """
        if new > self.slots:
            raise InputError(f"{new} tokens do not fit into a cache of {self.slots}.")
        positions = self.lengths[:, None] + torch.arange(new, device=self.lengths.device)
        self._positions = positions.clamp(max=self.slots - 1)
        return self._positions

    def mask(self) -> Bool[Tensor, "rows 1 new slots"] | None:
        """What each expected token may look at; None: those before it in this pass, all of which are new."""
        if self.empty:
            return None
        slots = torch.arange(self.slots, device=self.lengths.device)
        return (slots <= self._positions[:, :, None])[:, None]

    def append(self, layer: int, keys: Rows, values: Rows) -> tuple[Tensor, Tensor]:
        """Keep those of the expected tokens; see `KeyValues`."""
        new = keys.shape[2]
        if self.empty:
            self.keys[layer][:, :, :new] = keys
            self.values[layer][:, :, :new] = values
            return keys, values
        index = self._positions[:, None, :, None].expand_as(keys)
        kept = self.keys[layer], self.values[layer]
        return kept[0].scatter_(2, index, keys.to(kept[0].dtype)), kept[1].scatter_(2, index, values.to(kept[1].dtype))

    def advance(self, new: int | Int[Tensor, " rows"]) -> None:
        """Count the expected tokens as there; of a padded row only its own."""
        self.lengths = self.lengths + new
        self.empty = False

    def repeat(self, times: int) -> Cache:
        """Every row `times` times, one after the other."""
        if times == 1:
            return self
        return self._with([x.repeat_interleave(times, 0) for x in (*self.keys, *self.values, self.lengths)])

    def reorder(self, rows: Int[Tensor, " rows"], start: int = 0) -> None:
        """Row i goes on from what row `rows[i]` holds.

        Args:
            rows: where each continues from.
            start: slots before this are the same in both rows, and stay.
        """
        for each in (*self.keys, *self.values):
            each[:, :, start:] = each[rows, :, start:]
        self.lengths = self.lengths[rows]

    def _with(self, tensors: list[Tensor]) -> Cache:
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        layers = len(self.keys)
        other.keys, other.values, other.lengths = tensors[:layers], tensors[layers:-1], tensors[-1]
        return other


class Prompted:
    """Lets many continuations of one prompt be read side by side: keys and values of a filled cache, left as they are.

    Args:
        cache: holds the prompts.
        slots: the longest of them.
    """

    def __init__(self, cache: Cache, slots: int) -> None:
        self.cache = cache
        self.slots = slots

    def append(self, layer: int, keys: Rows, values: Rows) -> tuple[Slots, Slots]:
        """The prompt's, followed by these."""
        before = self.cache.keys[layer][:, :, : self.slots], self.cache.values[layer][:, :, : self.slots]
        return torch.cat([before[0], keys], 2), torch.cat([before[1], values], 2)

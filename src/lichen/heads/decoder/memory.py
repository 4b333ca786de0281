"""`Memory`: what a decoder remembers of pictures. Keys and values of every layer, computed once a picture."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Memory:
    """Keys and values of the cross-attention of all layers. Every pass over texts of these pictures shares them."""

    keys: tuple[Float[Tensor, "pictures heads tokens depth"], ...]
    """By layer."""
    values: tuple[Float[Tensor, "pictures heads tokens depth"], ...]
    """By layer."""
    mask: Bool[Tensor, "pictures tokens"] | None = None
    """True where a token is real; None when all are."""

    def __len__(self) -> int:
        """Number of pictures."""
        return self.keys[0].shape[0]

    @property
    def device(self) -> torch.device:
        """Where it lies."""
        return self.keys[0].device

    def select(self, pictures: Int[Tensor, " some"] | slice) -> Memory:
        """The memory of some of the pictures, in any order, with repetition; a slice copies nothing."""
        return replace(
            self,
            keys=tuple(keys[pictures] for keys in self.keys),
            values=tuple(values[pictures] for values in self.values),
            mask=None if self.mask is None else self.mask[pictures],
        )

"""`Average`: the running mean of trained weights (EMA), which samples better than the last weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ..errors import InputError


class Average(nn.Module):
    """A shadow of each parameter that is trained. It is a module, so that checkpoints hold it."""

    steps: Tensor

    def __init__(self, of: nn.Module, share: float) -> None:
        """
        Args:
            of: whose trained parameters are followed; it is not made a part of this module.
            share: of the old mean in each update, at most; the first updates forget faster, (1 + n) / (10 + n).
        """
        super().__init__()
        if not 0.0 < share < 1.0:
            raise InputError(f"The share of a running average must lie between 0 and 1; got {share}.")
        self.share = share
        self._of = (of,)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        for name, value in self._followed():
            self.register_buffer(name.replace(".", "/"), value.detach().clone())

    def _followed(self) -> Iterator[tuple[str, Tensor]]:
        for name, value in self._of[0].named_parameters():
            if value.requires_grad:
                yield name, value

    @torch.no_grad()
    def update(self) -> None:
        """Take the present weights in."""
        self.steps += 1
        count = int(self.steps)
        share = min(self.share, (1 + count) / (10 + count))
        for name, value in self._followed():
            self.get_buffer(name.replace(".", "/")).lerp_(value, 1 - share)

    @torch.no_grad()
    def settle(self) -> None:
        """Put the means in the place of the weights, for good."""
        for name, value in self._followed():
            value.copy_(self.get_buffer(name.replace(".", "/")))

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The means in the place of the weights inside the block."""
        kept = {name: value.detach().clone() for name, value in self._followed()}
        self.settle()
        try:
            yield
        finally:
            with torch.no_grad():
                for name, value in self._followed():
                    value.copy_(kept[name])

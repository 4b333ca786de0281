"""Stops before an update that would spoil the weights: a loss or gradient that is not finite, with the samples named.

Losses are collected on the device and looked at once per update, together with the gradient's norm, so a GPU is not
made to wait for every batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...errors import LichenError

_SHOWN = 10


class NonFiniteError(LichenError):
    """A loss or a gradient is infinite or not a number. The weights are as they were before the update."""

    def __init__(self, message: str, step: int, ids: Sequence[str]) -> None:
        super().__init__(message)
        self.step = step
        """Updates that were made."""
        self.ids = tuple(ids)
        """Names of the samples to look at."""


class FiniteGuard:
    """Keeps the losses and rows of the batches since the last update."""

    def __init__(self) -> None:
        self.rows: list[Tensor] = []
        """Row numbers of each batch."""
        self._losses: list[Tensor] = []

    def note(self, rows: Tensor, loss: Tensor) -> None:
        """Remember one batch."""
        self.rows.append(rows)
        self._losses.append(loss.detach())

    def problem(self, norm: Tensor | float | None) -> str:
        """What is wrong with the update at hand; empty where nothing is. Waits for the device once.

        Args:
            norm: of the gradient; None where a gradient scaler watches over it.
        """
        loss = torch.stack([value.float().reshape(()) for value in self._losses]).sum()
        values = torch.stack([loss, torch.as_tensor(0.0 if norm is None else norm).to(loss)]).tolist()
        for name, value in zip(("loss", "norm of the gradient"), values, strict=True):
            if not math.isfinite(value):
                return f"the {name} is {value}"
        return ""

    def clear(self) -> None:
        """Begin the next update."""
        self.rows.clear()
        self._losses.clear()


def rows_to_blame(rows: Sequence[int], loss_of: Callable[[int], Tensor]) -> list[int]:
    """Rows whose own loss is not finite, each evaluated alone.

    Args:
        rows: all rows of the update.
        loss_of: evaluates one row; called without gradients.
    """
    with torch.no_grad():
        return [row for row in rows if not math.isfinite(float(loss_of(row)))]


@dataclass(frozen=True)
class Update:
    """The update that was not made."""

    step: int
    """Updates made before it."""
    seen: Sequence[str]
    """Names of its samples."""
    blamed: Sequence[str]
    """Those that are not finite on their own."""
    lr: float
    """Learning rate."""
    clip: float
    """Largest norm of the gradient; 0 for no limit."""

    def error(self, problem: str) -> NonFiniteError:
        """What to raise, for a problem that `FiniteGuard.problem` found."""
        if self.blamed:
            share = f"({len(self.blamed)} of {len(self.seen)} samples)"
            samples = f"Not finite on their own: {_listed(self.blamed)} {share}."
            first = "Look at these samples: empty, corrupt, or with a label out of range?"
        else:
            samples = f"Each sample is finite on its own; the update was made of {_listed(self.seen)}."
            first = "Look at these samples; if they are sound, training has become unstable."
        limit = f"train.clip below {self.clip:g}" if self.clip > 0 else "train.clip = 1 (there is no limit now)"
        message = (
            f"Step {self.step + 1} was not made: {problem}. The weights are those of step {self.step}. {samples}\n"
            f"What helps: {first}\n"
            f"  1. train.lr below {self.lr:g}\n"
            f"  2. {limit}\n"
            '  3. train.precision = "float32", and store.codec = "float32"'
        )
        return NonFiniteError(message, self.step, self.blamed or self.seen)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")

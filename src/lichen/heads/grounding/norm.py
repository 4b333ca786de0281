"""`PictureNorm`: batch normalisation of rows that belong to different pictures or captions, each by its own statistics.

In the released code the batch of a norm is one picture's proposals, or one caption's phrases, although several pictures
are trained at once. So an answer never depends on the rest of the batch, but small groups are normalised by very few
rows: two phrases of a caption become plus and minus one.

Source: graphs.md 2.2 and 2.3.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ...errors import InputError

EPS = 1e-5
MOMENTUM = 0.1


class PictureNorm(nn.Module):
    """Batch norm by groups in training, by running statistics in evaluation.

    Args:
        width: of a row.
        alone: what becomes of a group of one row in training. "repeat", as released, counts it twice, so that nothing
            is left of it; "running" normalises it by the running statistics, and they do not learn from it.

    Raises:
        InputError: another word for `alone`.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, width: int, alone: str = "running") -> None:
        super().__init__()
        if alone not in ("running", "repeat"):
            raise InputError(f"A group of one row is taken as 'running' or 'repeat'; got {alone!r}.")
        self.alone = alone
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_var", torch.ones(width))
        self._calls: list[tuple[Tensor, Tensor, Tensor]] = []

    def forward(
        self, rows: Float[Tensor, "rows width"], group: Int[Tensor, " rows"], groups: int
    ) -> Float[Tensor, "rows width"]:
        """Normalise. The running statistics change only in `settle`.

        Args:
            rows: of all groups.
            group: number of each row's group.
            groups: how many there are, empty ones included.
        """
        mean, variance = self.running_mean[None], self.running_var[None]
        if self.training:
            counts = torch.bincount(group, minlength=groups)
            share = counts.clamp(min=1).to(rows.dtype)[:, None]
            means = rows.new_zeros(groups, rows.shape[1]).index_add(0, group, rows) / share
            squares = (rows - means[group]).square()
            variances = rows.new_zeros(groups, rows.shape[1]).index_add(0, group, squares) / share
            self._calls.append((means.detach(), variances.detach(), counts))
            known = (counts > 1)[group, None] | (self.alone == "repeat")
            mean = torch.where(known, means[group], mean)
            variance = torch.where(known, variances[group], variance)
        return (rows - mean) * (variance + EPS).rsqrt() * self.weight + self.bias

    @torch.no_grad()
    def settle(self) -> None:
        """Update the running statistics with all calls since the last time.

        As if one picture had come after another, each with all its calls: that is how the authors' loop goes.
        """
        if not self._calls:
            return
        means, variances, counts = (torch.cat(parts) for parts in zip(*self._calls, strict=True))
        groups = torch.cat([torch.arange(len(call[2]), device=counts.device) for call in self._calls])
        self._calls = []
        order = groups.argsort(stable=True)
        order = order[counts[order] > (0 if self.alone == "repeat" else 1)]
        count = counts[order][:, None]
        unbiased = variances[order] * count / (count - 1).clamp(min=1)
        after = torch.arange(len(order) - 1, -1, -1, device=order.device)
        weights = MOMENTUM * (1 - MOMENTUM) ** after.to(means.dtype)
        rest = (1 - MOMENTUM) ** len(order)
        self.running_mean.mul_(rest).add_(weights @ means[order])
        self.running_var.mul_(rest).add_(weights @ unbiased)


class RowNorm(nn.LayerNorm):
    """Layer norm of each row by itself, called as `PictureNorm` is. No row depends on another, in training as after."""

    def forward(  # type: ignore[override]
        self, rows: Float[Tensor, "rows width"], group: Int[Tensor, " rows"], groups: int
    ) -> Float[Tensor, "rows width"]:
        """Normalise; the groups change nothing."""
        return super().forward(rows)

    def settle(self) -> None:
        """Nothing: there are no running statistics."""


def make_norm(kind: str, width: int, alone: str = "running") -> PictureNorm | RowNorm:
    """The norm that `GroundingConfig.norm` names: "picture" or "row"."""
    return PictureNorm(width, alone) if kind == "picture" else RowNorm(width, EPS)

"""Two towers and the losses that make matching pairs alike: symmetric contrastive, and VSE-infinity's triplets.

Row i of one side belongs to row i of the other. Pairs of one group (several captions of a picture in one batch) are
never each other's negatives. In training on several processes every process compares its samples with everyone's.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ..backbones.features import Features
from ..errors import InputError
from ..side.ops import without_autocast
from .embedder import Embedder

LARGEST_SCALE = 100.0
"""What the inverse temperature may grow to, as in CLIP."""


class _Gather(torch.autograd.Function):
    """Concatenates the rows of all processes; each may hold another number of them."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        size = torch.tensor([len(rows)], device=rows.device)
        sizes = [torch.empty_like(size) for _ in range(dist.get_world_size())]
        dist.all_gather(sizes, size)
        counts = [int(each) for each in sizes]
        padded = rows.new_zeros(max(counts), *rows.shape[1:])
        padded[: len(rows)] = rows
        parts = [torch.empty_like(padded) for _ in counts]
        dist.all_gather(parts, padded)
        ctx.start, ctx.count = sum(counts[: dist.get_rank()]), len(rows)
        return torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        # All processes compute the same loss of the same rows, so this gradient is everyone's. Data-parallel training
        # then averages over processes, each of which adds its own rows only: hence the factor.
        return grad[ctx.start : ctx.start + ctx.count] * dist.get_world_size()


def gathered(rows: Tensor) -> Tensor:
    """The rows of all processes in rank order, with gradients to one's own; unchanged in a single process.

    The gradients suit a loss that every process computes in full and data-parallel training that averages them: two
    processes then take the step that one would take with both batches.
    """
    if not (dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1):
        return rows
    return _Gather.apply(rows.contiguous())


def others(group: Int[Tensor, " batch"] | None, count: int, device: torch.device) -> Bool[Tensor, "count count"]:
    """True where row and column are of different groups, and so may be told apart; without groups all rows differ."""
    if group is None:
        group = torch.arange(count, device=device)
    return group[:, None] != group[None, :]


class PairLoss(nn.Module, ABC):
    """Base of the losses over pairs of embeddings. Subclasses give `compare`."""

    def forward(
        self,
        first: Float[Tensor, "batch width"],
        second: Float[Tensor, "batch width"],
        group: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, ""]:
        """The loss of a batch of pairs; in training over the pairs of all processes.

        Args:
            first: embeddings of length one.
            second: row i belongs to row i of `first`.
            group: rows with one number are not negatives of each other; None takes every row for itself. Numbers
                must hold across processes.
        """
        if self.training:
            first, second = gathered(first), gathered(second)
            group = None if group is None else gathered(group)
        with without_autocast(first.device):
            return self.compare(first @ second.T, others(group, len(first), first.device))

    @abstractmethod
    def compare(self, likeness: Float[Tensor, "n n"], negative: Bool[Tensor, "n n"]) -> Float[Tensor, ""]:
        """The loss from all dot products; pairs stand on the diagonal, `negative` says what to push away."""

    def set_epoch(self, epoch: float) -> None:
        """Tell how many epochs are done, with fractions, for losses that follow a schedule."""


class Contrastive(PairLoss):
    """Symmetric contrastive loss (CLIP): cross-entropy of finding each row's partner, both ways, averaged.

    Args:
        temperature: what it starts from; its logarithm is trained. The scale 1 / temperature is held at 100 at most.

    Raises:
        InputError: a temperature that is not above 0.
    """

    def __init__(self, temperature: float = 0.07) -> None:
        super().__init__()
        if not temperature > 0:
            raise InputError(f"temperature must be above 0; got {temperature}.")
        self.log_scale = nn.Parameter(torch.tensor(min(-math.log(temperature), math.log(LARGEST_SCALE))))

    @property
    def scale(self) -> Float[Tensor, ""]:
        """What dot products are multiplied by."""
        return self.log_scale.clamp(max=math.log(LARGEST_SCALE)).exp()

    def compare(self, likeness: Float[Tensor, "n n"], negative: Bool[Tensor, "n n"]) -> Float[Tensor, ""]:
        """See the class."""
        if self.training:
            # Clamping only the result would leave no gradient by which a scale that overshot could come back.
            with torch.no_grad():
                self.log_scale.clamp_(max=math.log(LARGEST_SCALE))
        own = torch.eye(len(likeness), dtype=torch.bool, device=likeness.device)
        logits = (self.scale * likeness).masked_fill(~(negative | own), -math.inf)
        there, back = logits.log_softmax(1), logits.log_softmax(0)
        return -(there.diagonal() + back.diagonal()).mean() / 2


class Triplet(PairLoss):
    """Hinge loss of VSE-infinity: every negative should be less alike than the pair, by a margin.

    In the first `warm_up` epochs all negatives count; afterwards the hardest of each row and column alone, with a loss
    that grows from 0 to its full size over `ramp` epochs. Sums over the batch. Source: VSE-infinity, in the schedule
    that UniPT and SHERL train with.

    Args:
        margin: published: 0.2.
        warm_up: epochs over all negatives; published: 1.
        ramp: epochs until the loss of the hardest counts in full; published: 1.

    Raises:
        InputError: a negative number.
    """

    def __init__(self, margin: float = 0.2, warm_up: float = 1.0, ramp: float = 1.0) -> None:
        super().__init__()
        if min(margin, warm_up, ramp) < 0:
            raise InputError(f"margin, warm_up and ramp must not be negative; got {margin}, {warm_up} and {ramp}.")
        self.margin, self.warm_up, self.ramp = margin, warm_up, ramp
        self.hardest = warm_up == 0
        """Only the hardest negatives count."""
        self.weight = 1.0
        """What the loss is multiplied by."""
        self.set_epoch(0.0)

    def set_epoch(self, epoch: float) -> None:
        """Follow the schedule: `epoch` counts epochs done, with fractions."""
        since = epoch - self.warm_up
        self.hardest = since >= 0
        self.weight = min(1.0, since / self.ramp) if self.hardest and self.ramp else 1.0

    def compare(self, likeness: Float[Tensor, "n n"], negative: Bool[Tensor, "n n"]) -> Float[Tensor, ""]:
        """See the class."""
        return self.weight * triplet(likeness, negative, self.margin, self.hardest)


def triplet(
    likeness: Float[Tensor, "n n"], negative: Bool[Tensor, "n n"], margin: float = 0.2, hardest: bool = True
) -> Float[Tensor, ""]:
    """Sum of `margin + negative - pair`, where positive, over rows and over columns.

    Args:
        likeness: dot products; pairs stand on the diagonal.
        negative: what counts as a negative.
        margin: by how much a pair should be more alike.
        hardest: only the largest term of each row and of each column, not all.
    """
    pair = likeness.diagonal()
    along = (margin + likeness - pair[:, None]).relu() * negative
    across = (margin + likeness - pair[None, :]).relu() * negative
    if hardest:
        along, across = along.amax(1), across.amax(0)
    return along.sum() + across.sum()


class TwoTower(nn.Module):
    """Two embedders into one space, and the loss that ties them.

    Args:
        embedders: one a part, under its name; the order is that of the results. Two parts may share one.
        loss: of the pairs.

    Raises:
        InputError: not two parts, a name that stands for something else, or embeddings of different widths.
    """

    def __init__(self, embedders: Mapping[str, Embedder], loss: PairLoss) -> None:
        super().__init__()
        if len(embedders) != 2 or "loss" in embedders:
            raise InputError(f"TwoTower ties two parts, neither named 'loss'; got {list(embedders)}.")
        widths = {name: embedder.width for name, embedder in embedders.items()}
        if len(set(widths.values())) > 1:
            raise InputError(f"Embeddings of one space need one width; got {widths}. Give both the same width.")
        first, second = embedders
        self.names = (first, second)
        # A shared embedder is kept once: files of weights do not hold one tensor under two names.
        self._owner = {first: first, second: first if embedders[first] is embedders[second] else second}
        self.embedders = nn.ModuleDict({name: embedders[name] for name in self._owner.values()})
        self.loss = loss

    def forward(
        self, features: Mapping[str, Features], targets: Mapping[str, Tensor] | None = None
    ) -> dict[str, Tensor]:
        """Embed both parts, or the one that is there.

        Args:
            features: by part; row i of both belongs together.
            targets: with `group` (batch,), see `PairLoss`; an empty one asks for the loss without groups.

        Returns:
            Under each part's name its embeddings (batch, width), of length one.
            `loss`: of the pairs, with targets.

        Raises:
            InputError: an unknown part, or a loss asked of one part alone.
        """
        unknown = set(features) - set(self.names)
        if unknown or not features or (targets is not None and len(features) < 2):
            raise InputError(f"Features of the parts {list(self.names)} are expected; got {list(features)}.")
        found = {name: self.embedders[self._owner[name]](features[name]) for name in self.names if name in features}
        if targets is None:
            return found
        first, second = found.values()
        if len(first) != len(second):
            raise InputError(f"Pairs need equal numbers of both parts; got {len(first)} and {len(second)}.")
        return {**found, "loss": self.loss(first, second, targets.get("group"))}

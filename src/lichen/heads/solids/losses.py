"""What the networks learn by. Source: arXiv 2109.04153 (solids_and_video.md A5); weights are applied by `WEIGHTS`."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn.functional import cross_entropy, nll_loss, smooth_l1_loss

from .graph import Refined
from .matching import NOTHING
from .mixture import log_density
from .proposals import Parts, Proposals

WEIGHTS: Mapping[str, float] = {"lengths": 10.0, "turns": 1.0, "classes": 1.0, "boxes": 10.0}


def proposal_losses(found: Proposals, truth: Parts) -> dict[str, Tensor]:
    """Losses of one direction: of each step the mean over the pictures that have such a part, summed over steps.

    Args:
        found: with as many steps as the longest object, or fewer.
        truth: in the order of the proposals.

    Returns:
        `lengths` (L1, mean over the six numbers; of mixtures minus the log density), `turns` (L1), `classes` (negative
        log likelihood), `boxes` (smooth L1).
    """
    steps = found.lengths.shape[1]
    there = truth.there[:, :steps].to(found.lengths)
    each: dict[str, Tensor] = {}
    if found.raw is None:
        each["lengths"] = (found.lengths - truth.lengths[:, :steps]).abs().mean(-1)
    else:
        each["lengths"] = -log_density(found.raw, truth.lengths[:, :steps])
    each["turns"] = (found.turns - truth.turns[:, :steps]).abs().mean(-1)
    each["classes"] = cross_entropy(found.logits.mT, truth.classes[:, :steps], reduction="none")
    each["boxes"] = smooth_l1_loss(found.boxes, truth.boxes[:, :steps], reduction="none").mean(-1)
    counted = there.sum(0).clamp(min=1)
    return {name: ((value * there).sum(0) / counted).sum() for name, value in each.items()}


def graph_losses(
    found: Refined, truth: Parts, assigned: Int64[Tensor, "batch nodes"], there: Bool[Tensor, "batch nodes"]
) -> dict[str, Tensor]:
    """Losses of the graph: means over all proposals of a batch that stand for a part; classes over all proposals.

    Args:
        found: for the classes of `assigned_classes`.
        truth: parts.
        assigned: place of the true part of each proposal; -1 for none, which teaches background.
        there: which proposals are no padding.

    Returns:
        `lengths`, `turns` of the shared heads, `classes`, `final_lengths`, `final_turns` of those of one class.
    """
    matched = (assigned != NOTHING) & there
    place = assigned.clamp(min=0)
    lengths = truth.lengths.gather(1, place[..., None].expand(*place.shape, 6))
    turns = truth.turns.gather(1, place[..., None].expand(*place.shape, 3))
    classes = assigned_classes(truth, assigned, found.logits.shape[-1] - 1)
    losses = {
        "lengths": _mean((found.shared_lengths - lengths).abs(), matched),
        "turns": _mean((found.shared_turns - turns).abs(), matched),
        "final_lengths": _mean((found.lengths - lengths).abs(), matched),
        "final_turns": _mean((found.turns - turns).abs(), matched),
    }
    likelihood = nll_loss(found.logits.log_softmax(-1).mT, classes, reduction="none")
    losses["classes"] = (likelihood * there).sum() / there.sum().clamp(min=1)
    return losses


def assigned_classes(truth: Parts, assigned: Int64[Tensor, "batch nodes"], background: int) -> Tensor:
    """The class that each proposal is to have."""
    classes = truth.classes.gather(1, assigned.clamp(min=0))
    return torch.where(assigned == NOTHING, background, classes)


def _mean(values: Float[Tensor, "batch nodes numbers"], where: Bool[Tensor, "batch nodes"]) -> Tensor:
    return (values.mean(-1) * where).sum() / where.sum().clamp(min=1)


def weighted(losses: Mapping[str, Tensor]) -> Tensor:
    """Their sum with the published weights; of final heads the same as of shared ones."""
    return torch.stack([WEIGHTS[name.removeprefix("final_")] * value for name, value in losses.items()]).sum()

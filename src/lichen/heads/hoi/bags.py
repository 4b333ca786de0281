"""A picture is a bag of pairs: what its score for an interaction is, out of those of its pairs (hoi.md 1.7)."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import logsigmoid

from ...graphs.aggregate import largest_at

_CERTAIN = 1e-6


def bag_logits(
    logits: Float[Tensor, "pairs interactions"],
    compatible: Bool[Tensor, "pairs interactions"],
    picture: Int[Tensor, " pairs"],
    pictures: int,
    rule: str = "max",
) -> tuple[Float[Tensor, "pictures interactions"], Bool[Tensor, "pictures interactions"]]:
    """Scores of pictures by those of their pairs.

    Args:
        logits: of pairs.
        compatible: which interactions suit each pair; the others are not asked.
        picture: of each pair.
        pictures: how many there are.
        rule: max, the best pair alone; noisy-or, one minus the probability that no pair does it.

    Returns:
        Logits, 0 where a picture has no suitable pair; and where it has one.
    """
    filled = torch.zeros(pictures, logits.shape[1], dtype=torch.bool, device=logits.device)
    filled.index_put_((picture,), compatible, accumulate=True)
    if rule == "noisy-or":
        # log of the probability that nobody does it.
        nobody = logsigmoid(-logits).masked_fill(~compatible, 0.0)
        total = logits.new_zeros(filled.shape).index_add(0, picture, nobody).clamp(max=-_CERTAIN)
        found = torch.log(-torch.expm1(total)) - total
    else:
        lowest = torch.finfo(logits.dtype).min
        found = largest_at(logits.masked_fill(~compatible, lowest), picture, pictures, lowest)
    return torch.where(filled, found, 0.0), filled


def best_of_bag(
    scores: Float[Tensor, "pairs interactions"],
    wanted: Bool[Tensor, "pairs interactions"],
    picture: Int[Tensor, " pairs"],
    pictures: int,
) -> Bool[Tensor, "pairs interactions"]:
    """For every picture and interaction the best of the wanted pairs; of equals the first, none where none is wanted.

    Args:
        scores: of pairs.
        wanted: which may be chosen.
        picture: of each pair.
        pictures: how many there are.
    """
    asked = scores.masked_fill(~wanted, -torch.inf)
    best = largest_at(asked, picture, pictures, -torch.inf)
    tied = wanted & (asked == best[picture])
    # Counted down, so that the first has the largest number.
    number = torch.arange(len(scores), 0, -1, device=scores.device, dtype=torch.float64)[:, None].expand_as(scores)
    first = largest_at(number.masked_fill(~tied, 0.0), picture, pictures, 0.0)
    return tied & (number == first[picture])

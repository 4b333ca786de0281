"""Ranking inside groups that lie flat in one tensor: the boxes of a picture, of a class, the pairs of a picture."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..errors import InputError


def rank_within(scores: Float[Tensor, " n"], groups: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
    """Place of each entry in its own group, 0 for the highest score; of equals the first comes first."""
    order = group_order(scores, groups)
    sizes = torch.unique_consecutive(groups[order], return_counts=True)[1]
    starts = sizes.cumsum(0) - sizes
    ranks = torch.empty_like(order)
    ranks[order] = torch.arange(len(order), device=order.device) - starts.repeat_interleave(sizes)
    return ranks


def group_order(scores: Float[Tensor, " n"], groups: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
    """The order that puts groups one after another and, inside each, high scores first; stable."""
    order = scores.argsort(descending=True, stable=True)
    return order[groups[order].argsort(stable=True)]


def keep_best(
    scores: Float[Tensor, " n"],
    groups: Int[Tensor, " n"],
    most: int,
    *,
    threshold: float | int = 0.0,
    least: int = 0,
) -> Bool[Tensor, " n"]:
    """Which entries stay when every group keeps its best.

    This is how interaction detectors choose proposals: score at least 0.2, but 3 to 15 people and 3 to 15 objects a
    picture (hoi.md 1.2), with one group a picture and kind.

    Args:
        groups: number of each entry's group, in any order.
        most: entries that a group keeps at the most.
        threshold: lowest score that stays.
        least: entries that a group keeps though they score lower, if it has them.

    Raises:
        InputError: `least` is above `most`, or one of them is negative.
    """
    if not 0 <= least <= most:
        raise InputError(f"A group keeps from least to most entries; got least={least} and most={most}.")
    ranks = rank_within(scores, groups)
    return (ranks < most) & ((scores >= threshold) | (ranks < least))

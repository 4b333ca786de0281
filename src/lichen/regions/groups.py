"""Groups that lie flat in one tensor: the boxes of a picture, of a class, the pairs of a picture.

Where each starts, ranking inside it, and all pairs out of two such tensors.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..errors import InputError


def starts_of(counts: Int[Tensor, " lists"]) -> Int[Tensor, " lists"]:
    """Place of the first entry of each list, where the lists lie one after another."""
    return counts.cumsum(0) - counts


def first_of_runs(sorted_keys: Int[Tensor, " n"]) -> Bool[Tensor, " n"]:
    """Which entries differ from the one before them; the first always does."""
    new = torch.ones_like(sorted_keys, dtype=torch.bool)
    new[1:] = sorted_keys[1:] != sorted_keys[:-1]
    return new


def rank_within(scores: Float[Tensor, " n"], groups: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
    """Place of each entry in its own group, 0 for the highest score; of equals the first comes first."""
    order = group_order(scores, groups)
    sizes = torch.unique_consecutive(groups[order], return_counts=True)[1]
    starts = starts_of(sizes)
    ranks = torch.empty_like(order)
    ranks[order] = torch.arange(len(order), device=order.device) - starts.repeat_interleave(sizes)
    return ranks


def group_order(scores: Float[Tensor, " n"], groups: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
    """The order that puts groups one after another and, inside each, high scores first; stable."""
    order = scores.argsort(descending=True, stable=True)
    return order[groups[order].argsort(stable=True)]


def segment_rows(starts: Int[Tensor, " segments"], counts: Int[Tensor, " segments"]) -> Int[Tensor, " rows"]:
    """All rows of some segments of a flat tensor, one segment after another.

    Args:
        starts: first row of each segment, in any order, repeats included.
        counts: how many rows it has.
    """
    segment = torch.arange(len(counts), device=counts.device).repeat_interleave(counts)
    inside = torch.arange(len(segment), device=counts.device) - starts_of(counts)[segment]
    return starts[segment] + inside


def joined(
    first: Int[Tensor, " n"], second: Int[Tensor, " m"], groups: int
) -> tuple[Int[Tensor, " joined"], Int[Tensor, " joined"]]:
    """All places (i, j) with first[i] == second[j], flat; `second` never decreases."""
    counts = torch.bincount(second, minlength=groups)
    starts, each = starts_of(counts)[first], counts[first]
    left = torch.arange(len(first), device=first.device).repeat_interleave(each)
    return left, segment_rows(starts, each)


def cross(
    counts: Int[Tensor, " lists"], others: Int[Tensor, " lists"]
) -> tuple[Int[Tensor, " pairs"], Int[Tensor, " pairs"], Int[Tensor, " pairs"]]:
    """All pairs of an entry of list n on one side with an entry of list n on the other.

    Args:
        counts: length of each list on the first side.
        others: length of each list on the second.

    Returns:
        Number of the list, place within it on the first side, and on the second; by list, then first, then second.
    """
    sizes = counts * others
    which = torch.arange(len(counts), device=counts.device).repeat_interleave(sizes)
    inside = torch.arange(len(which), device=counts.device) - starts_of(sizes)[which]
    per = others[which]
    return which, inside // per, inside % per


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

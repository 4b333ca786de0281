"""Which true part each proposal stands for, and which proposals are one. All pictures of a batch at once.

Source: arXiv 2109.04153 (solids_and_video.md A5, A6). Distances are mean absolute differences of sizes and corners.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from ...errors import MissingPackageError

NOTHING = -1


def distances(first: Float[Tensor, "batch n 6"], second: Float[Tensor, "batch m 6"]) -> Float[Tensor, "batch n m"]:
    """Mean absolute difference of every pair."""
    return (first[:, :, None] - second[:, None]).abs().mean(-1)


def assign(
    proposals: Float[Tensor, "batch n 6"],
    there: Bool[Tensor, "batch n"],
    truth: Float[Tensor, "batch m 6"],
    true_there: Bool[Tensor, "batch m"],
    copies: int = 2,
    method: Literal["greedy", "optimal"] = "greedy",
) -> Int64[Tensor, "batch n"]:
    """The true part of each proposal, or -1.

    Greedy: again and again the pair with the least distance among all that are left, as published. Optimal: the least
    sum of distances, by the Hungarian method.

    Args:
        there, true_there: which are no padding.
        copies: proposals that may share a true part.

    Raises:
        MissingPackageError: method is optimal and scipy is not installed.
    """
    gaps = distances(proposals, truth.repeat(1, copies, 1))
    usable = there[:, :, None] & true_there.repeat(1, copies)[:, None]
    gaps = gaps.masked_fill(~usable, torch.inf)
    chosen = _optimal(gaps) if method == "optimal" else _greedy(gaps)
    return torch.where(chosen >= 0, chosen % truth.shape[1], chosen)


def _greedy(gaps: Float[Tensor, "batch n m"]) -> Int64[Tensor, "batch n"]:
    batch, rows, columns = gaps.shape
    chosen = torch.full((batch, rows), NOTHING, dtype=torch.int64, device=gaps.device)
    gaps, number = gaps.clone(), torch.arange(batch, device=gaps.device)
    for _ in range(min(rows, columns)):
        least, place = gaps.flatten(1).min(1)
        open_ = least.isfinite()
        row, column = place // columns, place % columns
        chosen[number, row] = torch.where(open_, column, chosen[number, row])
        gaps[number, row] = torch.where(open_[:, None], torch.inf, gaps[number, row])
        gaps[number, :, column] = torch.where(open_[:, None], torch.inf, gaps[number, :, column])
    return chosen


def _optimal(gaps: Float[Tensor, "batch n m"]) -> Int64[Tensor, "batch n"]:
    try:
        from scipy.optimize import linear_sum_assignment
    except ImportError as error:
        raise MissingPackageError(
            "matching = \"optimal\" is computed by scipy. Run: pip install 'lichen[solids]'"
        ) from error
    chosen = torch.full(gaps.shape[:2], NOTHING, dtype=torch.int64)
    far = 1e9
    for number, cost in enumerate(gaps.detach().cpu().double().nan_to_num(posinf=far).numpy()):
        rows, columns = linear_sum_assignment(cost)
        good = cost[rows, columns] < far
        chosen[number, torch.from_numpy(rows[good])] = torch.from_numpy(columns[good])
    return chosen.to(gaps.device)


def merge_pairs(
    lengths: Float[Tensor, "batch n 6"],
    sure: Float[Tensor, "batch n"],
    there: Bool[Tensor, "batch n"],
    rounds: Int64[Tensor, " batch"],
    groups: Int64[Tensor, " n"] | None = None,
) -> Bool[Tensor, "batch n"]:
    """Which proposals stay: the two that are closest become the surer one, again and again, each in one pair at most.

    Args:
        lengths: sizes and corners.
        sure: largest class probability; of equal ones the earlier stays.
        there: which are no padding.
        rounds: merges of each picture.
        groups: of a pair, both must be of different groups; None lets any two be a pair, as published.
    """
    batch, count, _ = lengths.shape
    number = torch.arange(batch, device=lengths.device)
    gaps = distances(lengths, lengths)
    gaps = gaps.masked_fill(~(there[:, :, None] & there[:, None]), torch.inf)
    gaps = gaps.masked_fill(torch.ones_like(gaps[0], dtype=torch.bool).tril(), torch.inf)
    if groups is not None:
        gaps = gaps.masked_fill(groups[:, None] == groups, torch.inf)
    kept = there.clone()
    for turn in range(int(rounds.max()) if batch else 0):
        least, place = gaps.flatten(1).min(1)
        open_ = least.isfinite() & (turn < rounds)
        row, column = place // count, place % count
        loser = torch.where(sure[number, row] >= sure[number, column], column, row)
        kept[number, loser] = kept[number, loser] & ~open_
        for gone in (row, column):
            gaps[number, gone] = torch.where(open_[:, None], torch.inf, gaps[number, gone])
            gaps[number, :, gone] = torch.where(open_[:, None], torch.inf, gaps[number, :, gone])
    return kept


def drop_near(
    lengths: Float[Tensor, "batch n 6"],
    sure: Float[Tensor, "batch n"],
    there: Bool[Tensor, "batch n"],
    near: float,
) -> Bool[Tensor, "batch n"]:
    """Which proposals stay where each goes that lies closer than `near` to a surer one that stays."""
    order = torch.where(there, sure, -torch.inf).argsort(dim=1, descending=True, stable=True)
    sorted_ = lengths.gather(1, order[..., None].expand_as(lengths))
    close = distances(sorted_, sorted_) < near
    kept = there.gather(1, order)
    for place in range(1, lengths.shape[1]):
        kept[:, place] &= ~(close[:, place, :place] & kept[:, :place]).any(1)
    return torch.zeros_like(there).scatter(1, order, kept)

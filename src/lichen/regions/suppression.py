"""Greedy suppression: of boxes that overlap, the one with the highest score stays.

The result is that of torchvision's `nms` and `batched_nms`: boxes are visited by descending score, of equal scores the
first comes first, and a box goes if its IoU with a kept one is *above* the threshold, compared in double precision.
Where torchvision separates classes by moving their boxes apart, which rounds, here they are compared within the class.

The greedy choice is the one set of boxes of which each is in exactly if none above it that is in suppresses it. All
groups find it together, by applying that rule until nothing changes: a few steps instead of one a box.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from ..errors import InputError
from .groups import group_order, starts_of
from .overlap import iou
from .regions import Regions

_BLOCK = 1024
"""Boxes of a group that are compared with each other at once."""
_ENTRIES = 1 << 22
"""Overlaps that are held at once, so that memory stays bounded."""


def nms(
    boxes: Float[Tensor, "n 4"],
    scores: Float[Tensor, " n"],
    threshold: float | int,
    groups: Int[Tensor, " n"] | None = None,
) -> Int[Tensor, " kept"]:
    """Numbers of the boxes that stay, by descending score.

    Args:
        threshold: IoU from 0 to 1 above which the box with the lower score goes.
        groups: boxes suppress each other only where these are equal: class, picture, or both in one number. None
            compares all with all.

    Raises:
        InputError: a threshold outside 0 to 1, or scores that are not numbers.
    """
    if not 0 <= threshold <= 1:
        raise InputError(f"The IoU above which boxes are suppressed is from 0 to 1; got {threshold}.")
    if bool(scores.isnan().any()):
        raise InputError(f"The score of box {int(scores.isnan().nonzero()[0, 0])} is not a number (NaN).")
    groups = torch.zeros(len(boxes), dtype=torch.long, device=boxes.device) if groups is None else groups
    order = group_order(scores, groups)
    keep = torch.zeros(len(boxes), dtype=torch.bool, device=boxes.device)

    def above(first: Tensor, second: Tensor) -> Tensor:
        return iou(first, second).double() > threshold

    keep[order] = keep_sorted(boxes.detach()[order], groups[order], above)
    ranking = scores.argsort(descending=True, stable=True)
    return ranking[keep[ranking]]


def suppress(regions: Regions, threshold: float | int, *, by_class: bool = True) -> Regions:
    """The regions that stay, in every picture by descending score.

    Args:
        threshold: IoU above which the region with the lower score goes.
        by_class: whether only regions of one class suppress each other.

    Raises:
        InputError: as `nms`.
    """
    groups = regions.picture
    if by_class and len(regions):
        # Label -1, of no class, is a class of its own.
        groups = groups * (int(regions.labels.max()) + 2) + regions.labels + 1
    kept = nms(regions.boxes, regions.scores, threshold, groups)
    return regions.select(kept[regions.picture[kept].argsort(stable=True)])


Above = Callable[[Tensor, Tensor], Tensor]
"""From (groups, n, ...) and (groups, m, ...) to (groups, n, m): which of the first suppress which of the second."""


def keep_sorted(things: Shaped[Tensor, "n width"], groups: Int[Tensor, " n"], above: Above) -> Bool[Tensor, " n"]:
    """Which things stay, of things that lie group by group, each group by descending score.

    Args:
        things: boxes, or pairs of boxes, as rows of numbers.
        groups: only things of a group suppress each other.
        above: whether the better of two suppresses the other.
    """
    keep = torch.zeros(len(things), dtype=torch.bool, device=things.device)
    sizes = torch.unique_consecutive(groups, return_counts=True)[1]
    starts = starts_of(sizes)
    # Groups of like size are padded to a common one, so that one crowded picture does not blow up all others.
    widths = 2 ** (sizes.clamp(min=4) - 1).double().log2().floor().long().add(1)
    for width in widths.unique().tolist():
        chosen = (widths == width).nonzero()[:, 0]
        width = min(width, int(sizes[chosen].max()))
        for part in chosen.split(max(1, _ENTRIES // min(width, _BLOCK) ** 2)):
            places = torch.arange(width, device=things.device)
            valid = places < sizes[part, None]
            rows = (starts[part, None] + places).clamp(max=len(things) - 1)
            keep[rows[valid]] = _greedy(things[rows], valid, above)[valid]
    return keep


def _greedy(
    things: Shaped[Tensor, "groups n width"], valid: Bool[Tensor, "groups n"], above: Above
) -> Bool[Tensor, "groups n"]:
    """The greedy choice in every group; things by descending score, `valid` False for padding."""
    keep = torch.zeros_like(valid)
    for start in range(0, things.shape[1], _BLOCK):
        block = things[:, start : start + _BLOCK]
        free = valid[:, start : start + _BLOCK]
        for past in range(0, start, _BLOCK):
            earlier = slice(past, past + _BLOCK)
            free = free & ~(above(things[:, earlier], block) & keep[:, earlier, None]).any(1)
        suppresses = above(block, block).triu(1)
        chosen = free
        while True:
            new = free & ~(suppresses & chosen[:, :, None]).any(1)
            if bool((new == chosen).all()):
                break
            chosen = new
        keep[:, start : start + _BLOCK] = chosen
    return keep

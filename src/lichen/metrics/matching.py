"""Which predicted relations hit which annotated ones: equal labels, and boxes that overlap enough."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from ..graphs.found import FoundGraph, TrueGraph
from ..regions.overlap import iou

Matching = Literal["any", "best box"]


def hits(
    found: FoundGraph,
    truth: TrueGraph,
    predicted: Int[Tensor, "predictions 3"],
    annotated: Int[Tensor, "relations 3"],
    overlap: float,
    plus_one: bool,
    matching: Matching,
) -> Bool[Tensor, "predictions relations"]:
    """Whether each prediction hits each annotated relation.

    Args:
        predicted: triplets of the found graph.
        annotated: triplets of the true graph.
        overlap: least IoU of both boxes, itself included.
        plus_one: whether boxes count pixels inclusively.
        matching: see `RecallProtocol.matching`.
    """
    fits = stands_for(found, truth, overlap, plus_one, matching)
    sides = [fits[predicted[:, side, None], annotated[None, :, side]] for side in (0, 1)]
    return sides[0] & sides[1] & (predicted[:, 2, None] == annotated[None, :, 2])


def stands_for(
    found: FoundGraph, truth: TrueGraph, overlap: float, plus_one: bool, matching: Matching
) -> Bool[Tensor, "found annotated"]:
    """Whether each predicted box has the label of each annotated one and overlaps it enough, in double precision."""
    shared = iou(found.boxes.double(), truth.boxes.double(), int(plus_one))
    shared = torch.where(found.labels[:, None] == truth.labels[None], shared, 0.0)
    fits = shared >= overlap
    if matching == "any" or not len(truth.labels):
        return fits
    best = torch.zeros_like(fits).scatter(1, shared.argmax(1, keepdim=True), True)
    return fits & best

"""How well words find their place: boxes and masks of referring expressions, boxes and points of phrases.

The unit is one expression or phrase, not one object: an object with three expressions counts three times. Boxes may be
in pixels or in any other scale, the same for both sides.

An expression means one box, a phrase may mean several ("two men"). Two protocols are in use, and figures by one do not
compare with those by the other: "merged" asks for the box around all of them, "any" for one of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..errors import InputError
from ..regions.boxes import check_boxes
from ..regions.groups import joined
from ..regions.overlap import iou, matched_iou
from .kinds import check_pairs, mean_by_kind

ROUNDING = 1e-9
"""IoU is a quotient: 0.5 that is 0.49999999999999994 by rounding is 0.5."""

THRESHOLDS = (0.5, 0.75, 0.9)
"""Overlaps from which on a box is right."""
TOPS = (5, 10)
"""Numbers of boxes of which one must be right, beside the first."""
SLACK = 1e-3
"""How far a box may stand out of its picture, in parts of the picture's side: rounding, not a mistake."""


def referring(
    found: Float[Tensor, "expressions 4"],
    truths: Float[Tensor, "expressions 4"],
    sizes: Float[Tensor, "expressions 2"] | None = None,
    kinds: Sequence[str | None] | None = None,
) -> dict[str, float]:
    """Accuracy of one box an expression.

    Args:
        found: x1, y1, x2, y2; NaN in a row whose answer could not be read.
        truths: the annotated boxes.
        sizes: width and height of the pictures, in the scale of the boxes; with them, boxes that stand out of their
            pictures count as wrong.
        kinds: of the expressions, such as "testA"; for `acc50` by kind.

    Returns:
        `acc50`, `acc75`, `acc90`: share of boxes whose IoU with the truth is at least 0.50, 0.75, 0.90 (0 to 1). The
            first is the Acc@0.5 of RefCOCO.
        `mean_iou`: mean IoU, 0 for what could not be read.
        `invalid`: how many answers are no box of the picture: not read, inverted, empty or outside. They are wrong.
        `expressions`: how many there are.

    Raises:
        InputError: no expression, tables of different lengths, or an annotated box that is none.
    """
    if len(found) != len(truths) or (sizes is not None and len(sizes) != len(truths)):
        raise InputError(f"Give one box an expression; got {len(found)} for {len(truths)} annotated ones.")
    if not len(truths):
        raise InputError("There is nothing to measure: no expression was given.")
    truths = truths.double()
    check_boxes(truths, "annotated boxes")
    valid = box_is_valid(found, sizes)
    overlap = torch.where(valid, matched_iou(found.double().nan_to_num(), truths), 0.0)
    right = {cut: (overlap >= cut - ROUNDING).cpu().numpy() for cut in THRESHOLDS}
    result = mean_by_kind("acc50", right[THRESHOLDS[0]], kinds)
    result |= {f"acc{100 * cut:.0f}": float(right[cut].mean()) for cut in THRESHOLDS[1:]}
    return result | {
        "mean_iou": float(overlap.mean()),
        "invalid": float((~valid).sum()),
        "expressions": float(len(truths)),
    }


def box_is_valid(
    boxes: Float[Tensor, "boxes 4"], sizes: Float[Tensor, "boxes 2"] | None = None
) -> Bool[Tensor, " boxes"]:
    """Whether each is a box with an area, and one of its picture.

    Args:
        boxes: x1, y1, x2, y2.
        sizes: width and height of the pictures, in the same scale; None for any place.
    """
    boxes = boxes.double()
    valid = boxes.isfinite().all(1) & (boxes[:, 2:] > boxes[:, :2]).all(1)
    if sizes is None:
        return valid
    sizes = sizes.to(boxes)
    inside = (boxes[:, :2] >= -SLACK * sizes) & (boxes[:, 2:] <= (1 + SLACK) * sizes)
    return valid & inside.all(1)


def referring_masks(
    found: Sequence[Bool[np.ndarray, "_ _"]], truths: Sequence[Bool[np.ndarray, "_ _"]]
) -> dict[str, float]:
    """Overlap of one mask an expression, at the size of its picture.

    Args:
        found: the predicted masks; one that is False everywhere where there is no answer.
        truths: the annotated masks.

    Returns:
        `mask_mean_iou`: mean over expressions of intersection by union (the "mIoU" of RefCOCO).
        `mask_overall_iou`: sum of intersections by sum of unions (its "oIoU"), which large objects rule.
        `mask_acc50`: share of expressions with an IoU of 0.5 or more.
        `expressions`: how many there are.

    Raises:
        InputError: no expression, masks of different sizes, or an annotated mask that is empty.
    """
    check_pairs(found, truths, "masks")
    both, either = np.zeros(len(truths)), np.zeros(len(truths))
    for row, (mask, truth) in enumerate(zip(found, truths, strict=True)):
        if mask.shape != truth.shape:
            raise InputError(f"Mask {row} is {mask.shape}, the annotated one {truth.shape}: resize it to the picture.")
        if not truth.any():
            raise InputError(f"The annotated mask {row} is empty.")
        both[row], either[row] = (mask & truth).sum(), (mask | truth).sum()
    overlap = both / either
    return {
        "mask_mean_iou": float(overlap.mean()),
        "mask_overall_iou": float(both.sum() / either.sum()),
        "mask_acc50": float((overlap >= 0.5).mean()),
        "expressions": float(len(truths)),
    }


def phrase_grounding(
    found: Float[Tensor, "phrases ranks 4"],
    truths: Float[Tensor, "boxes 4"],
    phrase: Int[Tensor, " boxes"],
    kinds: Sequence[str | None] | None = None,
) -> dict[str, float]:
    """Flickr30k Entities: the share of phrases whose box has an IoU of at least 0.5 with the truth, by both protocols.

    Phrases without an annotated box are left out before. ReIR and most weakly supervised work report "merged"; GLIP and
    MDETR report both. Source: graphs.md 2.8.

    Args:
        found: boxes of each phrase, the best first; NaN where there is none, or are no more.
        truths: annotated boxes of all phrases.
        phrase: which phrase each of them belongs to; every phrase has at least one.
        kinds: of the phrases, such as "people"; the first where a phrase has several. For results by kind.

    Returns:
        `merged_acc50`, `any_acc50`: accuracy of the first box, 0 to 1; also by kind, under "merged_acc50/people".
        `merged_acc50_top5`, `any_acc50_top5`, and 10: share of phrases of which one of so many boxes is right, as far
            as there are so many ranks.
        `merged_pointing`, `any_pointing`: as `pointing_game`, of the middles of the first boxes.
        `invalid`: how many first boxes are no boxes. They are wrong.
        `phrases`: how many there are.

    Raises:
        InputError: no phrase, one without an annotated box, or an annotated box that is none.
    """
    count, ranks = found.shape[:2]
    truths = _checked(truths, phrase, count)
    valid = found.isfinite().all(2) & (found[..., 2:] > found[..., :2]).all(2)
    boxes = found.double().nan_to_num()
    merged = iou(boxes, _around(truths, phrase, count)[:, None])[..., 0]
    each = iou(boxes[phrase], truths[:, None])[..., 0]
    single = boxes.new_zeros(count, ranks).scatter_reduce(0, phrase[:, None].expand_as(each), each, "amax")
    result: dict[str, float] = {}
    for name, overlap in (("merged", merged), ("any", single)):
        right = ((overlap >= 0.5 - ROUNDING) & valid).cpu().numpy()
        result |= mean_by_kind(f"{name}_acc50", right[:, 0], kinds)
        result |= {f"{name}_acc50_top{top}": float(right[:, :top].any(1).mean()) for top in TOPS if ranks >= top}
    middles = torch.where(valid[:, :1], (boxes[:, 0, :2] + boxes[:, 0, 2:]) / 2, torch.nan)
    pointed = pointing_game(middles, truths, phrase)
    return result | {
        "merged_pointing": pointed["merged_pointing"],
        "any_pointing": pointed["any_pointing"],
        "invalid": float((~valid[:, 0]).sum()),
        "phrases": float(count),
    }


def pointing_game(
    points: Float[Tensor, "phrases 2"],
    truths: Float[Tensor, "boxes 4"],
    phrase: Int[Tensor, " boxes"],
    kinds: Sequence[str | None] | None = None,
) -> dict[str, float]:
    """The share of phrases whose point lies in what they mean: for methods that give a heat map, or to forgive sizes.

    Args:
        points: (x, y) of each phrase; NaN where there is none.
        truths, phrase, kinds: as in `phrase_grounding`.

    Returns:
        `any_pointing`: inside one of the boxes, edges included; `merged_pointing`: inside the box around all of them.
            Both from 0 to 1 and also by kind.
        `phrases`: how many there are.

    Raises:
        InputError: see `phrase_grounding`.
    """
    count = len(points)
    truths = _checked(truths, phrase, count)
    points = points.double()
    single = torch.bincount(phrase[_inside(points[phrase], truths)], minlength=count) > 0
    merged = _inside(points, _around(truths, phrase, count))
    return {
        **mean_by_kind("any_pointing", single.cpu().numpy(), kinds),
        **mean_by_kind("merged_pointing", merged.cpu().numpy(), kinds),
        "phrases": float(count),
    }


def proposal_ceiling(
    proposals: Float[Tensor, "candidates 4"],
    owner: Int[Tensor, " candidates"],
    truths: Float[Tensor, "boxes 4"],
    phrase: Int[Tensor, " boxes"],
    phrases: int,
) -> dict[str, float]:
    """What a method that picks one of given boxes can reach at best: the share of phrases with a right one among them.

    Args:
        proposals: candidate boxes of all phrases.
        owner: which phrase each is a candidate of; never decreasing.
        truths, phrase: as in `phrase_grounding`.
        phrases: how many there are.

    Returns:
        `merged_ceiling`, `any_ceiling`: from 0 to 1, at an IoU of 0.5.

    Raises:
        InputError: see `phrase_grounding`.
    """
    truths = _checked(truths, phrase, phrases)
    proposals = proposals.double()
    around = _around(truths, phrase, phrases)
    # Every annotated box beside every candidate of its phrase, as one flat list.
    row, candidate = joined(phrase, owner, phrases)
    single = matched_iou(proposals[candidate], truths[row]) >= 0.5 - ROUNDING
    merged = matched_iou(proposals, around[owner]) >= 0.5 - ROUNDING
    found = {"merged_ceiling": owner[merged], "any_ceiling": phrase[row][single]}
    return {name: float((torch.bincount(who, minlength=phrases) > 0).double().mean()) for name, who in found.items()}


def _checked(truths: Tensor, phrase: Tensor, count: int) -> Tensor:
    """The annotated boxes in double precision, after a look at them."""
    if not count:
        raise InputError("There is nothing to measure: no phrase was given.")
    truths = truths.double()
    check_boxes(truths, "annotated boxes")
    if len(phrase) != len(truths):
        raise InputError(f"There are {len(truths)} annotated boxes, but {len(phrase)} numbers of phrases.")
    if len(phrase) and (int(phrase.min()) < 0 or int(phrase.max()) >= count):
        raise InputError(f"Annotated boxes name phrases {int(phrase.min())} to {int(phrase.max())} of {count}.")
    without = torch.bincount(phrase, minlength=count) == 0
    if bool(without.any()):
        raise InputError(
            f"Phrase {int(without.nonzero()[0, 0])} has no annotated box: it cannot be measured. Leave it out, and say "
            "so."
        )
    return truths


def _around(truths: Tensor, phrase: Tensor, count: int) -> Float[Tensor, "phrases 4"]:
    """The box around all annotated boxes of each phrase."""
    rows = phrase[:, None].expand(-1, 2)
    low = truths.new_zeros(count, 2).scatter_reduce(0, rows, truths[:, :2], "amin", include_self=False)
    high = truths.new_zeros(count, 2).scatter_reduce(0, rows, truths[:, 2:], "amax", include_self=False)
    return torch.cat([low, high], 1)


def _inside(points: Tensor, boxes: Tensor) -> Bool[Tensor, " points"]:
    return ((points >= boxes[:, :2]) & (points <= boxes[:, 2:])).all(1)

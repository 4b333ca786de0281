"""How well words find their place: boxes and masks of referring expressions.

The unit is one expression, not one object: an object with three expressions counts three times. Boxes may be in pixels
or in any other scale, the same for both sides.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..errors import InputError
from ..regions.boxes import check_boxes
from ..regions.overlap import matched_iou
from .kinds import check_pairs, mean_by_kind

THRESHOLDS = (0.5, 0.75, 0.9)
"""Overlaps from which on a box is right."""
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
    # IoU is a quotient: 0.5 that is 0.49999999999999994 by rounding is 0.5.
    right = {cut: (overlap >= cut - 1e-9).cpu().numpy() for cut in THRESHOLDS}
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

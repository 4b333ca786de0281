"""Boxes as tensors: forms, checks, areas, and what happens to boxes when a picture is cut, scaled or mirrored.

Everywhere in Lichen a box is x1, y1, x2, y2 in pixels, x to the right and y down, with edges between pixels: a whole
picture of width W and height H is (0, 0, W, H). Sizes of pictures are (width, height).

Some published systems count pixels inclusively instead, so that a box is x2 - x1 + 1 wide. Where that matters a
function takes `offset`, the number that is added to each side: 0 here, 1 there.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError

_CORNERS = "Boxes are x1, y1, x2, y2 with x1 < x2 and y1 < y2; x, y, width, height are converted by xywh_to_xyxy()."


def as_boxes(values: Any, what: str = "boxes") -> Float[Tensor, "boxes 4"]:
    """Boxes from tensors, arrays or lists, checked row by row.

    Args:
        values: four numbers a box: x1, y1, x2, y2. Double precision stays; anything else becomes float32, since half
            precision would round coordinates above 1024 pixels.
        what: how messages call them.

    Raises:
        InputError: not a table of four numbers a row, or the first row that is not finite, inverted or empty.
    """
    try:
        boxes = torch.as_tensor(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"The {what} must be a table of numbers, four a row; got {_shown(values)}.") from error
    boxes = boxes if boxes.dtype == torch.float64 else boxes.float()
    if boxes.numel() == 0:
        boxes = boxes.reshape(0, 4)
    check_boxes(boxes, what)
    return boxes


def check_boxes(boxes: Tensor, what: str = "boxes") -> None:
    """Raise an `InputError` that names the first bad row: wrong shape, not finite, inverted, or without area."""
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise InputError(f"The {what} must have four numbers a row; got shape {tuple(boxes.shape)}. {_CORNERS}")
    finite = boxes.isfinite().all(1)
    good = finite & (boxes[:, 2:] > boxes[:, :2]).all(1)
    if bool(good.all()):
        return
    row = int((~good).nonzero()[0, 0])
    x1, y1, x2, y2 = values = boxes[row].tolist()
    shown = "(" + ", ".join(f"{value:g}" for value in values) + ")"
    if not bool(finite[row]):
        reason = "holds a number that is not finite"
    elif x2 < x1 or y2 < y1:
        reason = f"is inverted: {'x2 < x1' if x2 < x1 else 'y2 < y1'}"
    else:
        reason = f"has no area: {'x1 = x2' if x2 == x1 else 'y1 = y2'}"
    raise InputError(f"The {what}, row {row}: {shown} {reason}. {_CORNERS}")


def _shown(values: Any) -> str:
    text = repr(values)
    return text if len(text) <= 80 else text[:77] + "..."


def xywh_to_xyxy(boxes: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n 4"]:
    """Left, top, width, height (COCO) to corners."""
    return torch.cat([boxes[..., :2], boxes[..., :2] + boxes[..., 2:]], -1)


def xyxy_to_xywh(boxes: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n 4"]:
    """Corners to left, top, width, height (COCO)."""
    return torch.cat([boxes[..., :2], boxes[..., 2:] - boxes[..., :2]], -1)


def cxcywh_to_xyxy(boxes: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n 4"]:
    """Centre, width, height (DETR) to corners."""
    half = boxes[..., 2:] / 2
    return torch.cat([boxes[..., :2] - half, boxes[..., :2] + half], -1)


def xyxy_to_cxcywh(boxes: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n 4"]:
    """Corners to centre, width, height (DETR)."""
    return torch.cat([(boxes[..., :2] + boxes[..., 2:]) / 2, boxes[..., 2:] - boxes[..., :2]], -1)


def area(boxes: Float[Tensor, "*n 4"], offset: float | int = 0) -> Float[Tensor, "*n"]:
    """Width times height, in square pixels."""
    sides = boxes[..., 2:] - boxes[..., :2] + offset
    return sides[..., 0] * sides[..., 1]


def clip(boxes: Float[Tensor, "*n 4"], sizes: Float[Tensor, "*#n 2"]) -> Float[Tensor, "*n 4"]:
    """Boxes cut off at the edges of their pictures; one that lies outside keeps no area.

    Args:
        sizes: (width, height) of the picture of each box, or of the one picture of all.
    """
    return torch.minimum(boxes.clamp(min=0), torch.cat([sizes, sizes], -1))


def scale(boxes: Float[Tensor, "*n 4"], factors: Float[Tensor, "*#n 2"]) -> Float[Tensor, "*n 4"]:
    """Boxes of a resized picture.

    Args:
        factors: new by old (width, height), for each box or for all.
    """
    return boxes * torch.cat([factors, factors], -1)


def flip_horizontal(boxes: Float[Tensor, "*n 4"], widths: Float[Tensor, "*#n"]) -> Float[Tensor, "*n 4"]:
    """Boxes of a picture mirrored left to right, of the given widths in pixels."""
    return torch.stack([widths - boxes[..., 2], boxes[..., 1], widths - boxes[..., 0], boxes[..., 3]], -1)


def flip_vertical(boxes: Float[Tensor, "*n 4"], heights: Float[Tensor, "*#n"]) -> Float[Tensor, "*n 4"]:
    """Boxes of a picture mirrored top to bottom, of the given heights in pixels."""
    return torch.stack([boxes[..., 0], heights - boxes[..., 3], boxes[..., 2], heights - boxes[..., 1]], -1)


def enlarge(boxes: Float[Tensor, "*n 4"], factor: float | int) -> Float[Tensor, "*n 4"]:
    """Boxes whose sides are multiplied about their centres; not cut off at the picture."""
    centre_size = xyxy_to_cxcywh(boxes)
    return cxcywh_to_xyxy(torch.cat([centre_size[..., :2], centre_size[..., 2:] * factor], -1))


def enclosing(first: Float[Tensor, "*n 4"], second: Float[Tensor, "*#n 4"]) -> Float[Tensor, "*n 4"]:
    """The smallest box around both of each pair: the "union box" of interactions and relations."""
    low = torch.minimum(first[..., :2], second[..., :2])
    return torch.cat([low, torch.maximum(first[..., 2:], second[..., 2:])], -1)


def intersection(first: Float[Tensor, "*n 4"], second: Float[Tensor, "*#n 4"]) -> Float[Tensor, "*n 4"]:
    """What both of each pair cover. Where they do not meet the result is inverted."""
    low = torch.maximum(first[..., :2], second[..., :2])
    return torch.cat([low, torch.minimum(first[..., 2:], second[..., 2:])], -1)

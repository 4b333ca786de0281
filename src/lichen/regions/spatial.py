"""Where boxes lie and how two of them lie to each other, as numbers that networks read."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from .boxes import enclosing, intersection
from .overlap import matched_iou

_SMALL = 1e-10


def pair_encoding(
    humans: Float[Tensor, "pairs 4"], objects: Float[Tensor, "pairs 4"], sizes: Float[Tensor, "#pairs 2"]
) -> Float[Tensor, "pairs 36"]:
    """The 36 numbers of human-object pairs that SCG, UPT and their successors read.

    In order: both centres (x, y) and then both widths and heights, by the picture's; both areas, by the picture's;
    area of the object by that of the human; both aspect ratios, width by height; IoU; how far the object's centre lies
    to the right, left, below and above of the human's, in widths and heights of the human, 0 for the other side. Then
    the logarithm of each plus 1e-10.

    Source: hoi.md 1.10.

    Args:
        humans, objects: x1, y1, x2, y2 in pixels.
        sizes: (width, height) of the picture of each pair, or of all.
    """
    width, height = sizes.unbind(-1)
    (hx, hy, hw, hh), (ox, oy, ow, oh) = (_centres(box) for box in (humans, objects))
    right, down = (ox - hx) / (hw + _SMALL), (oy - hy) / (hh + _SMALL)
    numbers = torch.stack(
        [
            *(hx / width, hy / height, ox / width, oy / height),
            *(hw / width, hh / height, ow / width, oh / height),
            *(hw * hh / (width * height), ow * oh / (width * height), ow * oh / (hw * hh + _SMALL)),
            *(hw / (hh + _SMALL), ow / (oh + _SMALL)),
            matched_iou(humans, objects),
            *(right.clamp(min=0), (-right).clamp(min=0), down.clamp(min=0), (-down).clamp(min=0)),
        ],
        -1,
    )
    return torch.cat([numbers, (numbers + _SMALL).log()], -1)


def _centres(boxes: Tensor) -> tuple[Tensor, ...]:
    """Centre and sides: x, y, width, height."""
    x1, y1, x2, y2 = boxes.unbind(-1)
    return (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1


def box_geometry(
    boxes: Float[Tensor, "boxes 4"], sizes: Float[Tensor, "#boxes 2"], offset: float | int = 1
) -> Float[Tensor, "boxes 9"]:
    """Nine numbers a box: width, height, centre, x1, y1, x2, y2 by the picture's sides, and the share of its area.

    Source: graphs.md 1.2, geo9 of BGNN.

    Args:
        boxes: x1, y1, x2, y2 in pixels.
        offset: 1 as in the release, which counts pixels inclusively; 0 for Lichen's own boxes.
    """
    corners, centre, sides = (_described(boxes, offset) / torch.cat([sizes] * 4, -1)).split([4, 2, 2], -1)
    return torch.cat([sides, centre, corners, sides.prod(-1, keepdim=True)], -1)


def _described(boxes: Tensor, offset: float | int) -> Float[Tensor, "*n 8"]:
    """Corners, centre, width and height of boxes: x1, y1, x2, y2, cx, cy, w, h."""
    sides = boxes[..., 2:] - boxes[..., :2] + offset
    return torch.cat([boxes, boxes[..., :2] + sides / 2, sides], -1)


def pair_geometry(
    first: Float[Tensor, "pairs 4"],
    second: Float[Tensor, "pairs 4"],
    sizes: Float[Tensor, "#pairs 2"],
    *,
    released: bool = True,
) -> Float[Tensor, "pairs 32"]:
    """Both boxes of a pair, the box around them and their intersection, each as x1, y1, x2, y2, cx, cy, w, h.

    All are divided by the longer side of the picture, or by 100 pixels if that is more. An intersection that is empty
    is eight zeros.

    Source: graphs.md 1.2, step 7.

    Args:
        first, second: x1, y1, x2, y2 in pixels.
        released: as BGNN's released code counts: sides are one pixel longer, and for the box around and the
            intersection that one is added after the division, so that their sides are too long by nearly one. False
            adds nothing anywhere.
    """
    longest = sizes.amax(-1, keepdim=True).clamp(min=100)
    pixel = 1 if released else 0
    own = [_described(box, pixel) / longest for box in (first, second)]
    around = _described(enclosing(first, second) / longest, pixel)
    common = intersection(first, second)
    met = (common[..., 2:] >= common[..., :2]).all(-1, keepdim=True)
    return torch.cat([*own, around, _described(common / longest, pixel) * met], -1)


def pair_masks(
    first: Float[Tensor, "pairs 4"], second: Float[Tensor, "pairs 4"], sizes: Float[Tensor, "#pairs 2"], side: int = 27
) -> Float[Tensor, "pairs 2 side side"]:
    """Both boxes of a pair drawn onto a small square that stands for the whole picture: 1 inside, 0 outside.

    A box fills the cells from floor(x1) to ceil(x2), both included, in coordinates of the square; so the smallest box
    fills two cells a way.

    Source: graphs.md 1.1, the union feature of BGNN.
    """
    boxes = torch.stack([first, second], 1) * (side / torch.cat([sizes, sizes], -1))[:, None]
    cells = torch.arange(side, device=first.device)
    low, high = boxes[..., :2].floor(), boxes[..., 2:].ceil()
    x, y = ((cells >= low[..., axis, None]) & (cells <= high[..., axis, None]) for axis in (0, 1))
    return (y[..., :, None] & x[..., None, :]).to(first.dtype)

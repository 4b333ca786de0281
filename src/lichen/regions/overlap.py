"""How much boxes overlap: intersection over union and its generalised form, of all pairs or of matched ones.

Boxes without area overlap nothing: their IoU is 0, with others and with themselves, never NaN.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from .boxes import area


def iou(
    first: Float[Tensor, "*batch n 4"], second: Float[Tensor, "*batch m 4"], offset: float | int = 0
) -> Float[Tensor, "*batch n m"]:
    """Intersection over union of every box of `first` with every one of `second`, in 0 to 1.

    Args:
        offset: 1 for systems that count pixels inclusively; 0 otherwise.
    """
    return _iou(first[..., :, None, :], second[..., None, :, :], offset)[0]


def matched_iou(
    first: Float[Tensor, "*n 4"], second: Float[Tensor, "*n 4"], offset: float | int = 0
) -> Float[Tensor, "*n"]:
    """Intersection over union of each box of `first` with the one in the same place of `second`."""
    return _iou(first, second, offset)[0]


def giou(first: Float[Tensor, "*batch n 4"], second: Float[Tensor, "*batch m 4"]) -> Float[Tensor, "*batch n m"]:
    """Generalised IoU of all pairs, in -1 to 1 and at most the IoU: far boxes still have a gradient.

    Source: Rezatofighi et al., Generalized Intersection over Union, CVPR 2019, algorithm 1.
    """
    return _giou(first[..., :, None, :], second[..., None, :, :])


def matched_giou(first: Float[Tensor, "*n 4"], second: Float[Tensor, "*n 4"]) -> Float[Tensor, "*n"]:
    """Generalised IoU of boxes in the same place."""
    return _giou(first, second)


def covered(first: Float[Tensor, "*batch n 4"], second: Float[Tensor, "*batch m 4"]) -> Float[Tensor, "*batch n m"]:
    """Share of each box of `first` that lies in each of `second`: how COCO treats crowd regions."""
    common = _common(first[..., :, None, :], second[..., None, :, :], 0)
    return _divide(common, area(first)[..., :, None])


def _common(first: Tensor, second: Tensor, offset: float | int) -> Tensor:
    """Area of the intersection, by broadcasting."""
    low = torch.maximum(first[..., :2], second[..., :2])
    high = torch.minimum(first[..., 2:], second[..., 2:])
    sides = (high - low + offset).clamp(min=0)
    return sides[..., 0] * sides[..., 1]


def _iou(first: Tensor, second: Tensor, offset: float | int) -> tuple[Tensor, Tensor]:
    """Intersection over union, and the union, by broadcasting."""
    common = _common(first, second, offset)
    union = area(first, offset) + area(second, offset) - common
    return _divide(common, union), union


def _giou(first: Tensor, second: Tensor) -> Tensor:
    overlap, union = _iou(first, second, 0)
    low = torch.minimum(first[..., :2], second[..., :2])
    high = torch.maximum(first[..., 2:], second[..., 2:])
    sides = high - low
    around = sides[..., 0] * sides[..., 1]
    # Rounding can make the hull of nested boxes a little smaller than their union.
    return overlap - _divide((around - union).clamp(min=0), around)


def _divide(part: Tensor, whole: Tensor) -> Tensor:
    """Zero, also as gradient, where the whole is nothing."""
    some = whole > 0
    return torch.where(some, part / torch.where(some, whole, 1), 0)

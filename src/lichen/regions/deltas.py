"""Box regression: the four numbers that move one box onto another, and back.

dx and dy are shifts of the centre in widths and heights of the first box, dw and dh logarithms of the ratios of the
sides, each times a weight.

Source: Girshick et al., R-CNN, CVPR 2014, appendix C; weights and the limit of growth are those of Fast R-CNN's
released code, which graphs.md 2.1 gives.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

WEIGHTS = (10.0, 10.0, 5.0, 5.0)
LIMIT = math.log(1000 / 16)
"""Largest logarithm of a ratio of sides that is decoded: 62.5 times larger, so that `exp` cannot overflow."""


def encode_deltas(
    source: Float[Tensor, "*n 4"],
    target: Float[Tensor, "*#n 4"],
    weights: tuple[float, float, float, float] = WEIGHTS,
    offset: float | int = 0,
) -> Float[Tensor, "*n 4"]:
    """The deltas that turn each source box into its target.

    Args:
        source, target: x1, y1, x2, y2 in one unit, with area.
        offset: 1 for systems that count pixels inclusively; 0 otherwise.
    """
    centre, sides = _centre_and_sides(source, offset)
    wanted, wanted_sides = _centre_and_sides(target, offset)
    return torch.cat([(wanted - centre) / sides, (wanted_sides / sides).log()], -1) * source.new_tensor(weights)


def decode_deltas(
    boxes: Float[Tensor, "*n 4"],
    deltas: Float[Tensor, "*#n 4"],
    weights: tuple[float, float, float, float] = WEIGHTS,
    offset: float | int = 0,
    limit: float = LIMIT,
) -> Float[Tensor, "*n 4"]:
    """The boxes that deltas lead to; not cut off at the picture.

    Args:
        offset: as in `encode_deltas`.
        limit: largest logarithm of a ratio of sides.
    """
    centre, sides = _centre_and_sides(boxes, offset)
    deltas = deltas / deltas.new_tensor(weights)
    centre = centre + deltas[..., :2] * sides
    half = deltas[..., 2:].clamp(max=limit).exp() * sides / 2
    return torch.cat([centre - half, centre + half - offset], -1)


def _centre_and_sides(boxes: Tensor, offset: float | int) -> tuple[Tensor, Tensor]:
    sides = boxes[..., 2:] - boxes[..., :2] + offset
    return boxes[..., :2] + sides / 2, sides

"""Fourier embedding: boxes as sines and cosines of growing frequency, for networks that are conditioned on boxes."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def fourier_embedding(
    boxes: Float[Tensor, "*n 4"], frequencies: int = 8, base: float | int = 100
) -> Float[Tensor, "*n code"]:
    """Sine and cosine of every coordinate at the frequencies base^(k / frequencies), k from 0.

    The order is frequency by frequency; within one, the sines of x1, y1, x2, y2 and then their cosines. There is no
    factor of 2π.

    Sources: GLIGEN (CVPR 2023), released code, as SMCD uses it (solids_and_video.md B2).

    Args:
        boxes: as fractions of the picture, 0 to 1: `Regions.normalised`.

    Returns:
        8 * frequencies numbers a box.
    """
    powers = torch.arange(frequencies, device=boxes.device, dtype=boxes.dtype) / frequencies
    angles = boxes[..., None, :] * (base**powers)[:, None]
    return torch.cat([angles.sin(), angles.cos()], -1).flatten(-2)

"""What lies under boxes as pictures of their own, for models that look at whole pictures: cut out, or resampled."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from torch.nn.functional import grid_sample

from ..errors import InputError
from .boxes import xyxy_to_cxcywh

Corners = tuple[int, int, int, int]
MARGIN = 0.1
"""What a resampled crop shows beyond its box, in parts of the longer side."""


def square_crops(picture: Image.Image, boxes: Sequence[Sequence[float | int]]) -> list[Image.Image]:
    """The part of a picture under each box, in the middle of a black square.

    Nothing outside the box is seen, and nothing is distorted. Corners are rounded to whole pixels, outwards, so that a
    box of less than a pixel is one.

    Source: how EoID and ADA-CM show pairs to CLIP (hoi.md 2.2).

    Args:
        picture: whole.
        boxes: x1, y1, x2, y2 in its pixels; what stands out is cut off.

    Returns:
        Pictures in RGB, each as large as the longer side of its box.

    Raises:
        InputError: a box that lies outside the picture or holds what is no number.
    """
    colour = picture.convert("RGB")
    crops = []
    for number, box in enumerate(boxes):
        left, top, right, bottom = _corners(number, box, colour.size)
        part = colour.crop((left, top, right, bottom))
        side = max(part.size)
        square = Image.new("RGB", (side, side))
        square.paste(part, ((side - part.width) // 2, (side - part.height) // 2))
        crops.append(square)
    return crops


def resampled_crops(
    pixels: Float[Tensor, "3 height width"], boxes: Float[Tensor, "boxes 4"], size: int, margin: float = MARGIN
) -> Float[Tensor, "boxes 3 size size"]:
    """The square around each box with a margin; what lies outside the picture repeats its edge.

    Args:
        pixels: of one picture.
        boxes: x1, y1, x2, y2 in its pixels.
        size: side of a crop, in pixels.
        margin: beyond the box on each side, in parts of its longer side.
    """
    if not len(boxes):
        return pixels.new_zeros(0, 3, size, size)
    centre, sides = xyxy_to_cxcywh(boxes.to(pixels)).split(2, 1)
    half = sides.amax(1, keepdim=True) * (0.5 + margin)
    steps = (torch.arange(size, device=pixels.device, dtype=pixels.dtype) + 0.5) / size * 2 - 1
    extent = pixels.new_tensor([pixels.shape[2], pixels.shape[1]])
    # Along x and along y, in the -1 to 1 of the sampler.
    xs, ys = ((centre[:, :, None] + half[:, :, None] * steps) / extent[:, None] * 2 - 1).unbind(1)
    grid = torch.stack([xs[:, None, :].expand(-1, size, -1), ys[:, :, None].expand(-1, -1, size)], 3)
    shared = pixels[None].expand(len(boxes), -1, -1, -1)
    return grid_sample(shared, grid, padding_mode="border", align_corners=False)


def _corners(number: int, box: Sequence[float | int], size: tuple[int, int]) -> Corners:
    """Whole pixels inside the picture."""
    if len(box) == 4 and all(map(math.isfinite, box)):
        left, top = (max(math.floor(value), 0) for value in box[:2])
        right, bottom = (min(math.ceil(value), most) for value, most in zip(box[2:], size, strict=True))
        if left < right and top < bottom:
            return left, top, right, bottom
    raise InputError(f"Box {number}, {list(box)}, covers nothing of a picture of {size[0]} x {size[1]} pixels.")

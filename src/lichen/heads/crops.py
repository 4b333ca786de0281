"""What a model of pictures and texts, such as CLIP, says about boxes that are cut out of their pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from torch.nn.functional import normalize

from ..backbones.backbone import Backbone
from ..errors import InputError
from ..regions import Regions
from ..regions.crops import MARGIN, resampled_crops, square_crops
from .texts import text_vectors

PROMPT = "{}"


@torch.no_grad()
def embed_crops(
    backbone: Backbone,
    pictures: Sequence[Image.Image],
    regions: Regions,
    batch: int = 256,
    margin: float = MARGIN,
    padded: bool = False,
) -> Float[Tensor, "boxes width"]:
    """Unit vectors of what boxes hold, in the joint space of a model of pictures and texts.

    Args:
        backbone: of two towers, such as `embedded:playground-clip`.
        pictures: whose boxes the regions are.
        batch: crops that go through the model at once.
        margin: what is seen around a box, in parts of its longer side.
        padded: nothing around a box is seen; it stands in the middle of a black square.

    Raises:
        InputError: not one picture a picture of the regions, or a backbone without two towers in one space.
    """
    size, mean, std = _preprocessing(backbone)
    if len(pictures) != regions.pictures:
        raise InputError(f"There are {len(pictures)} pictures, but the regions are of {regions.pictures}.")
    device = next(backbone.model.parameters()).device
    found, waiting, count = [], [], 0
    for number, picture in enumerate(pictures):
        part = regions.of(number)
        seen = _padded(picture, part, size) if padded else resampled_crops(_pixels(picture), part.boxes, size, margin)
        waiting.append((seen - mean) / std)
        count += len(part)
        # Pictures without boxes: no model takes a batch of nothing.
        if count >= batch or (count and number + 1 == len(pictures)):
            for some in torch.cat(waiting).split(batch):
                found.append(_pooled(backbone(layers=1, pixel_values=some.to(device))))
            waiting, count = [], 0
    width = backbone.outline("vision").pooled or 0
    return normalize(torch.cat(found), dim=1) if found else torch.zeros(0, width)


@torch.no_grad()
def embed_texts(
    backbone: Backbone, texts: Sequence[str], prompts: Sequence[str] = (PROMPT,), batch: int = 256
) -> Float[Tensor, "texts width"]:
    """Unit vectors of texts in the joint space of a model of pictures and texts.

    Args:
        prompts: sentences with {} for the text; the mean over them is taken.

    Raises:
        InputError: a backbone without two towers in one space, or a prompt without {}.
    """
    _preprocessing(backbone)
    total = torch.zeros(len(texts), backbone.outline("text").pooled or 0)
    for prompt in prompts:
        if "{}" not in prompt:
            raise InputError(f"A prompt has {{}} where the text goes; got {prompt!r}.")
        if texts:
            total = total + normalize(text_vectors(backbone, [prompt.format(text) for text in texts], batch), dim=1)
    return normalize(total, dim=1)


def _pooled(features: Any) -> Tensor:
    assert features.pooled is not None
    return features.pooled.float().cpu()


def _preprocessing(backbone: Backbone) -> tuple[int, Tensor, Tensor]:
    """Side of a picture in pixels, mean and deviation of its channels, as the model was trained."""
    projected = [name for name in ("vision", "text") if name in backbone.trunks and backbone.outline(name).projected]
    images = getattr(backbone.processor, "image_processor", None)
    if len(projected) < 2 or images is None:
        raise InputError(
            "Crops are compared with phrases by a model of pictures and texts that comes with its processor, such as "
            "'embedded:playground-clip'."
        )
    cropped = getattr(images, "do_center_crop", False) and images.crop_size
    sides: dict[str, Any] = dict(cropped or images.size)
    mean, std = (torch.tensor(values)[:, None, None] for values in (images.image_mean, images.image_std))
    return int(sides.get("height") or sides["shortest_edge"]), mean, std


def _padded(picture: Image.Image, regions: Regions, size: int) -> Float[Tensor, "boxes 3 size size"]:
    """Crops in the middle of black squares."""
    squares = square_crops(picture, regions.boxes.tolist())
    scaled = [_pixels(square.resize((size, size), Image.Resampling.BICUBIC)) for square in squares]
    return torch.stack(scaled) if scaled else torch.zeros(0, 3, size, size)


def _pixels(picture: Image.Image) -> Float[Tensor, "3 height width"]:
    """From 0 to 1."""
    rgb = picture.convert("RGB")
    values = torch.frombuffer(bytearray(rgb.tobytes()), dtype=torch.uint8)
    return values.view(rgb.height, rgb.width, 3).permute(2, 0, 1).float() / 255

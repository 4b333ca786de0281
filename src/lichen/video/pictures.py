"""`PictureTokens`: the first picture as a vision backbone's last tokens, in place of those made of its latents.

One of the variants that SMCD compares, there with CLIP's image encoder. Source: solids_and_video.md B3.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from ..backbones.backbone import Backbone
from ..errors import InputError
from ..features.reading import read

Sight = Float[Tensor, "batch patches sight"]


class PictureTokens:
    """A frozen vision backbone; the whole picture is squeezed into its square."""

    def __init__(self, name: str) -> None:
        """
        Args:
            name: such as embedded:playground-clip.

        Raises:
            InputError: no such backbone, or one that reads no pictures.
        """
        self.name = name
        self.backbone = Backbone.from_pretrained(name)
        processor = self.backbone.processor
        self.processor = getattr(processor, "image_processor", processor)
        if not hasattr(self.processor, "preprocess"):
            raise InputError(f"{name!r} reads no pictures, so it cannot make tokens of the first one.")
        self.part = "vision" if "vision" in self.backbone.paths else None

    @property
    def width(self) -> int:
        """Of its tokens."""
        return self.backbone.outline(self.part).widths[-1]

    def inputs(self, pictures: Sequence[Image.Image]) -> list[dict[str, Tensor]]:
        """Pictures as the backbone reads them."""
        sizes = [getattr(self.processor, name, None) or {} for name in ("crop_size", "size")]
        edge = next((size["height"] for size in sizes if "height" in size), None) or sizes[1].get("shortest_edge")
        if edge is None:
            raise InputError(f"The image processor of {self.name!r} names no square size.")
        steps = {step: False for step in ("do_resize", "do_center_crop") if hasattr(self.processor, step)}
        squeezed = [picture.convert("RGB").resize((edge, edge), Image.Resampling.BILINEAR) for picture in pictures]
        made = [self.processor(images=each, return_tensors="pt", **steps)["pixel_values"][0] for each in squeezed]
        return [{"pixel_values": each} for each in made]

    def __call__(self, pictures: Sequence[Image.Image]) -> Sight:
        """Tokens of each picture."""
        return tokens_of(read(self.backbone, self.inputs(pictures), 1).states[-1])


def tokens_of(state: Tensor) -> Sight:
    """A last hidden state as tokens: maps become their cells, row by row."""
    found: Tensor = state.flatten(2).transpose(1, 2) if state.ndim == 4 else state
    return found.to(torch.float32)

"""How an image processor frames a picture, made to end in one square size whatever the picture's shape.

The steps are the processor's own: its filter, its edge length, its centre crop. Only where it would keep the picture's
shape, and so give tensors of many sizes, the middle is cut out. Scaling and normalising stay with the processor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from PIL import Image

from ..errors import InputError

_BILINEAR = 2


@dataclass(frozen=True)
class Framing:
    """From a picture of any shape to a square."""

    size: int
    """Edge of the square, in pixels."""
    short: int | None
    """Length to which the shorter edge is resized, before the middle is cut out; None squeezes the whole picture."""
    squeezed: int
    """Where `short` is None: edge of the square that the picture is squeezed into, before its middle is cut out."""
    resample: int
    """Pillow's number of the filter."""

    @classmethod
    def of(cls, processor: Any, size: int | None = None, whole: bool = False) -> Framing:
        """The framing of a transformers image processor.

        Args:
            processor: the image processor.
            size: edge of the square instead of the processor's, with all other lengths in proportion.
            whole: squeeze the whole picture into the square and cut nothing off, whatever the processor does: boxes
                then mean the same shares of the square as of the picture.

        Raises:
            InputError: the processor names no single square size and `size` is None, or `size` is below 1.
        """
        if size is not None and size < 1:
            raise InputError(f"The size of a picture must be at least 1 pixel; got {size}.")
        edges = _lengths(processor, "size")
        crop = _lengths(processor, "crop_size") if getattr(processor, "do_center_crop", False) else {}
        short, height, width = edges.get("shortest_edge"), edges.get("height"), edges.get("width")
        own = _square(crop) or short or (height if height == width else None)
        edge = size or own
        if edge is None:
            raise InputError(
                f"{type(processor).__name__} gives pictures of many shapes ({edges or 'no size'}), but a set needs one "
                "square size. Give the size in pixels."
            )
        resample = getattr(processor, "resample", None)
        resample = _BILINEAR if resample is None else int(resample)
        if whole:
            return cls(edge, None, edge, resample)
        cropped = _square(crop)
        if cropped is not None:
            before = edge * (short or height or cropped) // cropped
        else:
            before = int(edge / (getattr(processor, "crop_pct", None) or 1.0))
        before = max(edge, before)
        squeezes = short is None and height is not None and height == width
        return cls(edge, None if squeezes else before, before if squeezes else edge, resample)

    def apply(self, picture: Image.Image) -> Image.Image:
        """The picture as a square of `size`."""
        if self.short is None:
            picture = self.squeeze(picture, self.squeezed)
        else:
            width, height = picture.size
            short, long = min(width, height), max(width, height)
            length = max(self.short, int(self.short * long / short))
            target = (self.short, length) if width <= height else (length, self.short)
            picture = self.squeeze(picture, *target)
        left, top = (picture.width - self.size) // 2, (picture.height - self.size) // 2
        return picture.crop((left, top, left + self.size, top + self.size))

    def squeeze(self, picture: Image.Image, width: int, height: int | None = None) -> Image.Image:
        """The whole picture at another size (a square where no height is given)."""
        target = (width, width if height is None else height)
        return picture if picture.size == target else picture.resize(target, Image.Resampling(self.resample))


def _lengths(processor: Any, name: str) -> dict[str, int]:
    value = getattr(processor, name, None)
    if value is None:
        return {}
    if isinstance(value, int):
        return {"height": value, "width": value}
    names = ("height", "width", "shortest_edge")
    found = {key: value.get(key) if isinstance(value, dict) else getattr(value, key, None) for key in names}
    return {key: int(length) for key, length in found.items() if length is not None}


def _square(lengths: dict[str, int]) -> int | None:
    height, width = lengths.get("height"), lengths.get("width")
    return height if height == width else None

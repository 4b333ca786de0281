"""A fixed number of random-looking views of each picture, so that augmented features can be stored.

A store refuses random crops: the pass would differ each time. K views that depend only on the picture's id can be
enumerated, stored once and drawn from in every epoch.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

from PIL import Image

from ..errors import InputError


@dataclass(frozen=True)
class Crop:
    """A part of a picture, in pixels, mirrored or not."""

    left: int
    top: int
    right: int
    bottom: int
    mirrored: bool


@dataclass(frozen=True)
class Views:
    """View 0 is the whole picture as the processor frames it; the others are parts of random size, shape and place.

    Nothing but the seed, the picture's id and the view's number decides, so that views are the same in every process
    and on every machine.
    """

    count: int
    """Views a picture, the plain one included."""
    seed: int = 0
    """Another seed gives other views."""
    scale: tuple[float, float] = (0.35, 1.0)
    """Smallest and largest share of the picture's area."""
    ratio: float = 4 / 3
    """Largest width by height, and height by width, of a part."""
    mirror: bool = True
    """Whether half of the parts are mirrored left to right. Not for digits or writing."""

    def __post_init__(self) -> None:
        if self.count < 1:
            raise InputError(f"Views.count must be at least 1; got {self.count}.")
        if not 0.0 < self.scale[0] <= self.scale[1] <= 1.0:
            raise InputError(f"Views.scale must be two shares of the area, 0 < low <= high <= 1; got {self.scale}.")
        if self.ratio < 1.0:
            raise InputError(f"Views.ratio must be at least 1; got {self.ratio}.")

    def crop(self, id: str, view: int, width: int, height: int) -> Crop:
        """The part of a picture that a view shows.

        Args:
            id: of the picture.
            view: from 1 to `count` - 1.
            width, height: of the picture.
        """
        area, shape, across, down, mirrored = self._chances(id, view)
        share = self.scale[0] + area * (self.scale[1] - self.scale[0])
        stretch = math.exp((2 * shape - 1) * math.log(self.ratio))
        # Where the shape does not fit, the part is as long as the picture.
        new_width = min(width, max(1, round(math.sqrt(share * width * height * stretch))))
        new_height = min(height, max(1, round(math.sqrt(share * width * height / stretch))))
        left = min(int(across * (width - new_width + 1)), width - new_width)
        top = min(int(down * (height - new_height + 1)), height - new_height)
        return Crop(left, top, left + new_width, top + new_height, self.mirror and mirrored >= 0.5)

    def _chances(self, id: str, view: int) -> tuple[float, ...]:
        """Five numbers from 0 to below 1."""
        digest = hashlib.sha256(f"{self.seed}/{view}/{id}".encode()).digest()
        return tuple(int.from_bytes(digest[6 * i : 6 * i + 6], "big") / 2**48 for i in range(5))

    def cut(self, picture: Image.Image, id: str, view: int) -> Image.Image:
        """The part of `picture` that view number `view` (from 1) shows."""
        crop = self.crop(id, view, *picture.size)
        part = picture.crop((crop.left, crop.top, crop.right, crop.bottom))
        return part.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if crop.mirrored else part

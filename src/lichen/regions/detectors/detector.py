"""`Detector`: pictures in, `Regions` out. What finds the boxes is behind it: a network, or someone who drew them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image

from ...errors import InputError
from ...scene import Scene
from ..groups import keep_best
from ..regions import Regions
from ..suppression import suppress


@dataclass(frozen=True)
class DetectorConfig:
    """Which of the boxes that a network finds are kept.

    Threshold and overlap are by default those of interaction detectors (hoi.md 1.2).
    """

    threshold: float = 0.2
    """Lowest score that is kept, from 0 to 1."""
    overlap: float | None = 0.5
    """IoU above which, of two boxes of one class, the one with the lower score goes; None keeps both."""
    most: int = 100
    """Boxes kept of a picture, the best first."""
    batch: int = 8
    """Pictures that go through the network at once."""

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise InputError(f"The threshold of a detector is a score from 0 to 1; got {self.threshold}.")
        if self.overlap is not None and not 0 <= self.overlap <= 1:
            raise InputError(f"The overlap of a detector is an IoU from 0 to 1, or None; got {self.overlap}.")
        if self.most < 1 or self.batch < 1:
            raise InputError(f"A detector keeps and reads at least one; got most={self.most}, batch={self.batch}.")


class Detector(ABC):
    """Finds things of known classes in pictures."""

    names: tuple[str, ...]
    """Class names: label n of a region is `names[n]`."""

    @abstractmethod
    def __call__(self, pictures: Sequence[Image.Image], scenes: Sequence[Scene] | None = None) -> Regions:
        """Find the boxes of a batch.

        Args:
            pictures: upright. The answer for one does not depend on which others are in the batch, but for rounding.
            scenes: what is known of each picture; only `GivenBoxes` looks at it.

        Returns:
            Boxes in pixels of the pictures as they were given, inside them, by descending score in each.
        """


def finish(regions: Regions, config: DetectorConfig) -> Regions:
    """What is kept of the raw boxes of a network: inside the picture, sure enough, of overlapping ones the best.

    Boxes that have no area inside their picture are left out.
    """
    regions = regions.clipped()
    regions = regions.select(regions.scores >= config.threshold)
    # A threshold of 1 suppresses nothing, but puts the boxes into order.
    regions = suppress(regions, 1 if config.overlap is None else config.overlap)
    return regions.select(keep_best(regions.scores, regions.picture, config.most))


def check_pictures(pictures: Sequence[Image.Image], scenes: Sequence[Scene] | None) -> None:
    """Raise an `InputError` for what are no pictures, or for scenes that do not fit them."""
    if isinstance(pictures, Image.Image):
        raise InputError("A detector takes a list of pictures; got one picture. Put it into a list.")
    for number, picture in enumerate(pictures):
        if not isinstance(picture, Image.Image):
            raise InputError(f"Picture {number} must be a PIL image; got a {type(picture).__name__}.")
    if scenes is not None and len(scenes) != len(pictures):
        raise InputError(f"There are {len(pictures)} pictures but {len(scenes)} scenes.")


def sizes_of(pictures: Sequence[Image.Image]) -> torch.Tensor:
    """(width, height) of each picture, float32."""
    return torch.tensor([picture.size for picture in pictures], dtype=torch.float32).reshape(-1, 2)

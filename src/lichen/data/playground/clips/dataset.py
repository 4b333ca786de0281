"""`PlaygroundClips`: clips with complete ground truth, made when they are asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from ..order import first_of
from ..samples import Samples
from .config import ClipConfig
from .sample import ClipSample, playground_clip

SIZES: dict[str, dict[str, int]] = {
    "smoke": {"train": 24, "val": 8, "test": 8},
    "small": {"train": 1_000, "val": 100, "test": 200},
    "full": {"train": 10_000, "val": 500, "test": 1_000},
}
"""Clips by split of each named size. Larger ones begin with the smaller ones' clips."""


@dataclass(frozen=True)
class PlaygroundClips(Samples[ClipSample]):
    """A data set of samples: `PlaygroundClips(split="val")[7]`.

    Every sample depends on the seed, the split, its index and the settings alone. No clip is in two splits.

    Raises:
        InputError: an unknown split or size, or a seed or size that is out of range.
    """

    seed: int = 0
    """Of the world."""
    split: str = "train"
    """train, val or test."""
    size: str | int = "small"
    """smoke, small, full, or a number of clips."""
    config: ClipConfig = field(default_factory=ClipConfig)

    sizes: ClassVar = SIZES
    things: ClassVar = "clips"

    def __post_init__(self) -> None:
        self.check_place()

    def sample(self, place: int) -> ClipSample:
        """A clip."""
        return playground_clip(self.seed, first_of(self.split) + place, self.config)

"""`PlaygroundSolids`: views of furniture with complete ground truth, made when they are asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from ..order import first_of
from ..samples import Samples
from .config import SolidConfig
from .sample import SolidSample, playground_solid

SIZES: dict[str, dict[str, int]] = {
    "smoke": {"train": 18, "val": 6, "test": 6},
    "small": {"train": 1_000, "val": 100, "test": 200},
    "full": {"train": 5_000, "val": 500, "test": 1_000},
}
"""Objects by split of each named size. Larger ones begin with the smaller ones' objects."""


@dataclass(frozen=True)
class PlaygroundSolids(Samples[SolidSample]):
    """A data set of samples: `PlaygroundSolids(split="val")[7]`.

    Every sample depends on the seed, the split, its index and the settings alone. No object is in two splits.

    Raises:
        InputError: an unknown split or size, or a seed or size that is out of range.
    """

    seed: int = 0
    """Of the world."""
    split: str = "train"
    """train, val or test."""
    size: str | int = "small"
    """smoke, small, full, or a number of objects."""
    config: SolidConfig = field(default_factory=SolidConfig)

    sizes: ClassVar = SIZES
    things: ClassVar = "objects"

    def __post_init__(self) -> None:
        self.check_place()

    def __len__(self) -> int:
        return self.count * self.config.views

    def sample(self, place: int) -> SolidSample:
        """A view; those of one object follow each other."""
        return playground_solid(self.seed, first_of(self.split) * self.config.views + place, self.config)

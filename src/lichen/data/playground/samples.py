"""`Samples`: what the data sets of pictures, solids and clips share. Samples are made when they are asked for."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import ClassVar, Generic, TypeVar

from ...errors import InputError, pick
from .order import RANGE

Sample = TypeVar("Sample")


class Samples(ABC, Generic[Sample]):
    """A split of one world, at a size: `data[7]`, `data[-1]`, `len(data)`, `for sample in data`.

    Subclasses are dataclasses with `seed`, `split` and `size`; they say what the sizes are and make one sample.
    """

    sizes: ClassVar[Mapping[str, Mapping[str, int]]]
    """Things by split of each named size. Larger ones begin with the smaller ones' things."""
    things: ClassVar[str]
    """What a size counts, for messages: "pictures"."""
    seed: int
    split: str
    size: str | int

    @abstractmethod
    def sample(self, place: int) -> Sample:
        """Make the sample at a place from 0 on."""

    def check_place(self) -> None:
        """Make sure that there is such a split of such a world.

        Raises:
            InputError: an unknown split or size, or a number that is out of range.
        """
        pick("split of the playground", self.split, next(iter(self.sizes.values())))
        if isinstance(self.size, str):
            pick("size of the playground", self.size, self.sizes)
        elif not 0 <= self.size < RANGE:
            raise InputError(
                f"The size of a split is a number of {self.things} from 0 to {RANGE - 1}; got {self.size}."
            )
        if not 0 <= self.seed < 1 << 64:
            raise InputError(f"The playground's seed lies from 0 to 2**64 - 1; got {self.seed}.")

    @property
    def count(self) -> int:
        """How many things the split has at this size."""
        return self.sizes[self.size][self.split] if isinstance(self.size, str) else self.size

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Sample:
        """A sample; negative indices count from the end.

        Raises:
            IndexError: there are not as many.
        """
        place = operator.index(index)
        place += len(self) if place < 0 else 0
        if not 0 <= place < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        return self.sample(place)

    def __iter__(self) -> Iterator[Sample]:
        for place in range(len(self)):
            yield self.sample(place)

"""`Dice`: the one source of chance, the same on every platform.

Only the raw 64-bit stream of NumPy's Philox (a counter-based generator with published test vectors) is used; what is
made of it, numbers, choices, orders, is defined here, so that no release of NumPy can change a picture.

Source: J. Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
from jaxtyping import Float64

T = TypeVar("T")
_BLOCK = 512
_STEP = 2.0**-53


class Dice:
    """Chance by (seed, index, stream): equal triples give equal throws, others have nothing in common."""

    def __init__(self, seed: int, index: int, stream: int = 0) -> None:
        """
        Args:
            seed: of the whole world, 0 to 2**64 - 1.
            index: of the sample in it, 0 to 2**64 - 1.
            stream: what the throws are for, so that one use of chance does not shift another.
        """
        # An array sets the 128-bit key as it is; a plain number would be cut to 64 bits.
        key = np.array([seed, index], dtype=np.uint64)
        self._bits = np.random.Philox(key=key, counter=np.array([0, stream, 0, 0], dtype=np.uint64))
        self._left: list[float] = []

    def unit(self) -> float:
        """A number from 0 to below 1."""
        if not self._left:
            self._left = ((self._bits.random_raw(_BLOCK) >> np.uint64(11)) * _STEP).tolist()
        return self._left.pop()

    def units(self, count: int) -> Float64[np.ndarray, " count"]:
        """As many numbers from 0 to below 1, at once, from the stream behind what single throws took ahead."""
        return (self._bits.random_raw(count) >> np.uint64(11)) * _STEP

    def between(self, low: float, high: float) -> float:
        """A number from `low` to below `high`."""
        return low + (high - low) * self.unit()

    def whole(self, count: int) -> int:
        """A whole number from 0 to `count` - 1."""
        return int(self.unit() * count)

    def chance(self, share: float) -> bool:
        """True with this probability."""
        return self.unit() < share

    def side(self) -> int:
        """-1 or 1."""
        return 1 if self.unit() < 0.5 else -1

    def pick(self, options: Sequence[T]) -> T:
        """One of several, each as likely."""
        return options[int(self.unit() * len(options))]

    def weighted(self, weights: Mapping[T, float | int]) -> T:
        """A key, as likely as its weight."""
        left = self.unit() * math.fsum(weights.values())
        for option, weight in weights.items():
            left -= weight
            if left < 0.0:
                return option
        return option

    def order(self, options: Sequence[T]) -> list[T]:
        """All of them, shuffled (Fisher and Yates)."""
        result = list(options)
        for place in range(len(result) - 1, 0, -1):
            other = int(self.unit() * (place + 1))
            result[place], result[other] = result[other], result[place]
        return result

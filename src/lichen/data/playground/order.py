"""Which side a number of a world belongs to: solids and clips share the rule of the pictures.

Splits are ranges of one world's numbers, so that they share nothing, and a set of any size begins with the samples of
the smaller ones.
"""

from __future__ import annotations

from ...errors import InputError, pick

SPLITS = ("train", "val", "test")
RANGE = 1 << 40
"""Numbers of each split: the first split has 0 to 2**40 - 1, and so on."""


def split_of(seed: int, number: int) -> tuple[str, int]:
    """The split of a number, and its place there.

    Raises:
        InputError: the seed or the number is out of range.
    """
    if not 0 <= seed < 1 << 64:
        raise InputError(f"The playground's seed lies from 0 to 2**64 - 1; got {seed}.")
    if not 0 <= number < RANGE * len(SPLITS):
        raise InputError(f"Numbers of the playground lie from 0 to {RANGE * len(SPLITS) - 1}; got {number}.")
    return SPLITS[number // RANGE], number % RANGE


def first_of(split: str) -> int:
    """The first number of a split.

    Raises:
        InputError: no such split.
    """
    return SPLITS.index(pick("split of the playground", split, SPLITS)) * RANGE

"""Bi-level resampling: pictures with rare relations come up more often, and common relations in them are left out.

Repeating a picture also repeats what is common in it. So when a repeated picture is shown, each of its relations is
left out with a probability that grows with how much more often the picture is shown than the relation's class asks.

It knows nothing of pictures: only which classes occur in which item. So it serves interactions, scene graphs, or any
other list of labels.

Source: BGNN, CVPR 2021, section 3.4, as its authors' code has it (graphs.md 1.7).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import ArrayLike

from ..errors import InputError


@dataclass(frozen=True)
class ResamplingConfig:
    """How strongly the long tail is lifted. The defaults are those of scene graphs with detected boxes on VG150.

    Published with annotated boxes: threshold 0.13, drop 1.6. Open Images: 0.10, 0.85.

    Raises:
        InputError: a threshold that is not above 0, or a negative drop.
    """

    threshold: float = 0.10
    """t: classes of which a smaller share of all relations is are repeated, sqrt(t / share) times."""
    drop: float = 0.9
    """gamma_d: strength of leaving out; 0 never does. Above 1 some relations are always left out."""
    seed: int = 0
    """Of the rounding and of what is left out."""

    def __post_init__(self) -> None:
        if not self.threshold > 0:
            raise InputError(f"ResamplingConfig.threshold must be above 0; got {self.threshold}.")
        if not self.drop >= 0:
            raise InputError(f"ResamplingConfig.drop must be at least 0; got {self.drop}.")


class BilevelResampling:
    """What an epoch holds, by item and by class; the same for the same lists and settings.

    Args:
        item: which item each relation belongs to, from 0, never decreasing.
        label: class of each relation, from 0.
        items: how many there are, those without a relation included.
        classes: how many there are.
        config: strength and seed.
        rounding: a number from 0 to 1 for each class, in place of chance: its repeat factor is rounded up if the number
            is below the fraction.

    Raises:
        InputError: lists of different lengths, out of order, or numbers out of range.
    """

    def __init__(
        self,
        item: ArrayLike,
        label: ArrayLike,
        items: int,
        classes: int,
        config: ResamplingConfig = ResamplingConfig(),
        rounding: Float[np.ndarray, " classes"] | None = None,
    ) -> None:
        self.item = _whole(item, "item")
        self.label = _whole(label, "label")
        self.items, self.classes, self.config = items, classes, config
        _check(self.item, self.label, items, classes)
        if rounding is None:
            rounding = np.random.default_rng(_mixed(config.seed, "rounding")).random(classes)
        elif rounding.shape != (classes,):
            raise InputError(f"Give one number for rounding to each of {classes} classes; got {rounding.shape}.")
        self.rounding = rounding

    @classmethod
    def of(
        cls, labels: Iterable[Sequence[int]], classes: int, config: ResamplingConfig = ResamplingConfig()
    ) -> BilevelResampling:
        """From the labels of each item, item by item."""
        lists = [list(each) for each in labels]
        item = np.repeat(np.arange(len(lists)), [len(each) for each in lists])
        return cls(item, np.array([label for each in lists for label in each], np.int64), len(lists), classes, config)

    @cached_property
    def counts(self) -> Int[np.ndarray, " classes"]:
        """Relations of each class, each counted once."""
        return np.bincount(self.label, minlength=self.classes)

    @cached_property
    def frequency(self) -> Float[np.ndarray, " classes"]:
        """Share of each class among all relations."""
        return self.counts / max(len(self.label), 1)

    @cached_property
    def wanted(self) -> Float[np.ndarray, " classes"]:
        """r_c = max(1, sqrt(t / share)) of each class; 1 for one that never occurs, which nothing can repeat."""
        share = np.where(self.counts > 0, self.frequency, 1.0)
        return np.where(self.counts > 0, np.maximum(1.0, np.sqrt(self.config.threshold / share)), 1.0)

    @cached_property
    def repeats(self) -> Int[np.ndarray, " classes"]:
        """r_c, rounded once, up by the chance of its fraction."""
        whole = np.floor(self.wanted)
        return (whole + (self.rounding < self.wanted - whole)).astype(np.int64)

    @cached_property
    def item_repeats(self) -> Int[np.ndarray, " items"]:
        """r_i, the largest r_c of an item's relations: how often an epoch holds it; 1 for one without relations."""
        found = np.ones(self.items, np.int64)
        np.maximum.at(found, self.item, self.repeats[self.label])
        return found

    @cached_property
    def drop_probability(self) -> Float[np.ndarray, " relations"]:
        """(1 - r_c / r_i) · drop of each relation, between 0 and 1."""
        excess = 1 - self.repeats[self.label] / self.item_repeats[self.item]
        return np.clip(excess * self.config.drop, 0.0, 1.0)

    @cached_property
    def expected_counts(self) -> Float[np.ndarray, " classes"]:
        """How many relations of each class an epoch shows, on average: sum of r_i · (1 - drop probability)."""
        shown = self.item_repeats[self.item] * (1 - self.drop_probability)
        # Without a relation bincount counts in whole numbers.
        return np.bincount(self.label, weights=shown, minlength=self.classes).astype(np.float64)

    @cached_property
    def order(self) -> Int[np.ndarray, " samples"]:
        """The items of an epoch, each as often as it is repeated; not shuffled."""
        return np.repeat(np.arange(self.items), self.item_repeats)

    def __len__(self) -> int:
        """Samples in an epoch."""
        return int(self.item_repeats.sum())

    @cached_property
    def _bounds(self) -> Int[np.ndarray, " one_more"]:
        """Where the relations of each item start, and where the last ends."""
        return np.concatenate([[0], np.cumsum(np.bincount(self.item, minlength=self.items))])

    def dropped(self, sample: int, epoch: int = 0) -> Bool[np.ndarray, " relations_of_item"]:
        """Which relations of a sample's item are left out this time: a function of seed, epoch and sample alone.

        Args:
            sample: place in `order`.
            epoch: from 0.

        Returns:
            One truth value for each relation of `order[sample]`, in the order they were given.

        Raises:
            InputError: there is no such sample.
        """
        if not 0 <= sample < len(self):
            raise InputError(f"An epoch holds {len(self)} samples, numbered from 0; got {sample}.")
        number = int(self.order[sample])
        rows = slice(int(self._bounds[number]), int(self._bounds[number + 1]))
        chance = np.random.default_rng(_mixed(self.config.seed, f"{epoch} {sample}"))
        return chance.random(rows.stop - rows.start) < self.drop_probability[rows]

    def shuffled(self, epoch: int = 0) -> Int[np.ndarray, " samples"]:
        """Samples (places in `order`) of an epoch in the order to show them."""
        return np.random.default_rng(_mixed(self.config.seed, f"order {epoch}")).permutation(len(self))


def _mixed(seed: int, what: str) -> int:
    """A seed of its own for each purpose."""
    return int.from_bytes(hashlib.sha256(f"{seed} {what}".encode()).digest()[:8], "little")


def _whole(values: ArrayLike, name: str) -> Int[np.ndarray, " relations"]:
    found = np.asarray(values)
    if found.size == 0:
        return np.zeros(0, np.int64)
    if found.ndim != 1 or found.dtype.kind not in "iu":
        raise InputError(f"{name} must be a list of whole numbers; got {found.dtype} of shape {found.shape}.")
    return found.astype(np.int64)


def _check(item: np.ndarray, label: np.ndarray, items: int, classes: int) -> None:
    if len(item) != len(label):
        raise InputError(f"Give an item and a label to each relation; got {len(item)} and {len(label)}.")
    if items < 1 or classes < 1:
        raise InputError(f"Resampling needs items and classes; got {items} and {classes}.")
    for name, values, most in (("item", item, items), ("label", label, classes)):
        if len(values) and not 0 <= values.min() <= values.max() < most:
            raise InputError(f"Every {name} lies in 0 to {most - 1}; got {values.min()} to {values.max()}.")
    if (np.diff(item) < 0).any():
        row = int(np.flatnonzero(np.diff(item) < 0)[0]) + 1
        raise InputError(f"Relations of an item lie together: relation {row} goes back to item {item[row]}.")

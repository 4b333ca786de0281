"""`Graphs`: the annotated graphs of a split, and the boxes that a detector found; flat, a batch of them at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...data.resampling import BilevelResampling, ResamplingConfig
from ...graphs.relations import Relations
from ...regions import Regions
from ...regions.pairs import PairTable
from ...regions.stored import take_pictures
from ...scene import Scene


@dataclass(frozen=True, eq=False)
class Told:
    """What a head learns from: the graphs of a batch of pictures."""

    truths: Regions
    """Annotated boxes."""
    relations: Relations
    """Between them."""
    dropping: Float[Tensor, " relations"]
    """Probability with which each relation is left out of a step."""
    found: Regions | None = None
    """Detected boxes; None where the annotated ones are used."""

    def to(self, device: torch.device | str) -> Told:
        """The same on another device."""
        return Told(
            self.truths.to(device),
            self.relations.to(device),
            self.dropping.to(device),
            None if self.found is None else self.found.to(device),
        )


@dataclass(frozen=True, eq=False)
class Graphs:
    """All graphs of a split."""

    told: Told

    @classmethod
    def of(
        cls, scenes: Sequence[Scene], classes: Sequence[str], predicates: Sequence[str], found: Regions | None = None
    ) -> Graphs:
        """Read the graphs of scenes.

        Raises:
            InputError: a scene without a size, a bad box, or a class or predicate that is not in the lists.
        """
        truths = Regions.from_scenes(scenes, classes)
        relations = Relations.from_scenes(scenes, predicates, leave_out_self=True)
        return cls(Told(truths, relations, torch.zeros(len(relations)), found))

    @cached_property
    def _table(self) -> PairTable:
        return PairTable(self.told.truths, self.told.relations.pairs)

    @property
    def picture(self) -> Int[Tensor, " relations"]:
        """Which picture each relation is in."""
        return self._table.picture

    def resampling(self, predicates: int, config: ResamplingConfig) -> BilevelResampling:
        """How often each picture is to be shown."""
        picture, predicate = self.picture.numpy(), self.told.relations.predicate.numpy()
        return BilevelResampling(picture, predicate, self.told.truths.pictures, predicates, config)

    def dropped(self, resampling: BilevelResampling) -> Graphs:
        """The same with the probabilities of a resampling."""
        return Graphs(replace(self.told, dropping=torch.from_numpy(resampling.drop_probability).float()))

    def take(self, pictures: Int[Tensor, " chosen"]) -> Told:
        """The graphs of some pictures, as a batch in this order."""
        told = self.told
        truths, pairs, rows = self._table.take(pictures)
        relations = Relations(pairs, told.relations.predicate[rows])
        found = None if told.found is None else take_pictures(told.found, pictures)
        return Told(truths, relations, told.dropping[rows], found)


class ResampledOrder:
    """Epochs in which pictures with rare predicates come up more often.

    Args:
        resampling: of all pictures of the training side.
        pictures: which picture each example is of; some may be left out.
        seed: of the order.
    """

    def __init__(self, resampling: BilevelResampling, pictures: Int[Tensor, " examples"], seed: int) -> None:
        repeats = torch.from_numpy(resampling.item_repeats)[pictures]
        self._order = torch.arange(len(pictures)).repeat_interleave(repeats)
        self._seed, self._config = seed, resampling.config

    def __len__(self) -> int:
        return len(self._order)

    def epoch(self, number: int) -> Int[Tensor, " examples"]:
        """Places of an epoch's examples."""
        order = np.random.default_rng([self._seed, number]).permutation(len(self._order))
        return self._order[torch.from_numpy(order)]

    def describe(self) -> str:
        """What a checkpoint remembers of it."""
        config: Any = self._config
        return f"resampled: threshold {config.threshold}, drop {config.drop}, seed {self._seed}"

"""`Mixture`: in which order a decoder sees the examples of several tasks, the same for a seed on every machine.

A task is a number of examples (pairs of a picture and a text), several of which may share a picture. A rule gives each
task its share of an epoch:

| rule | share of a task | epoch |
|---|---|---|
| `concat_pairs` | its examples | every example once |
| `concat_images` | its pictures | every picture once, with one of its examples |
| `uniform` | equal | as many steps as there are examples |
| `temperature` | examples to the power of 1 / T | the same |
| `weights` | given | the same |

Every epoch keeps the shares, up to one example, instead of drawing a task at every step; no task is left out of one.
A task's examples come round after round, each round in a new order that goes on from one epoch to the next, so none is
seen twice before all were seen.

Source: decoders.md 1.5. CapPa names `concat_pairs`; which one LiT-decoder uses by default is not known.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Int64

from ..errors import InputError, nearest, pick

Rule = Literal["concat_pairs", "concat_images", "uniform", "temperature", "weights"]
RULES: tuple[Rule, ...] = ("concat_pairs", "concat_images", "uniform", "temperature", "weights")


@dataclass(frozen=True)
class MixtureConfig:
    """How tasks share an epoch."""

    rule: Rule = "concat_pairs"
    """`concat_pairs`, `concat_images`, `uniform`, `temperature` or `weights`."""
    temperature: float | int = 2.0
    """For the rule of this name: 1 is `concat_pairs`, larger ones come closer to `uniform`."""
    weights: Mapping[str, float | int] | None = None
    """For the rule of this name: the share of each task, above 0; they need not sum to 1."""
    seed: int = 0
    """Of all orders."""


class Mixture:
    """The order of examples in every epoch."""

    def __init__(self, tasks: Mapping[str, int | Sequence[Hashable]], config: MixtureConfig | None = None) -> None:
        """Settle the shares.

        Args:
            tasks: for each task how many examples it has, or the picture of each example, in any form that can be
                compared. A number says that every example has a picture of its own.
            config: how they are mixed.

        Raises:
            InputError: no task or one without examples, an unknown rule, a temperature that is not above 0, or weights
                that do not name every task or are not above 0.
        """
        self.config = config or MixtureConfig()
        pick("rule of mixing", self.config.rule, RULES)
        if not tasks:
            raise InputError("A mixture needs at least one task.")
        self.names = tuple(tasks)
        self._pictures = [_grouped(name, value) for name, value in tasks.items()]
        self.sizes = tuple(len(pictures.examples) for pictures in self._pictures)
        self.shares = self._shares()
        self.counts = _apportioned(self.shares, sum(self._units(task) for task in range(len(self.names))))

    def __len__(self) -> int:
        """Examples of an epoch."""
        return sum(self.counts)

    def _units(self, task: int) -> int:
        """What a round of a task is made of: its pictures or its examples."""
        by_picture = self.config.rule == "concat_images"
        return len(self._pictures[task].starts) if by_picture else self.sizes[task]

    def _shares(self) -> tuple[float, ...]:
        """Of each task, summing to 1."""
        rule = self.config.rule
        counts = [self._units(task) for task in range(len(self.names))]
        if rule == "weights":
            values = self._given_weights()
        elif rule == "uniform":
            values = [1.0] * len(counts)
        elif rule == "temperature":
            heat = self.config.temperature
            if not heat > 0 or not math.isfinite(heat):
                raise InputError(f"The temperature of a mixture must be above 0; got {heat}.")
            # By logarithms, since a small temperature makes powers that no float holds.
            logs = [math.log(count) / heat for count in counts]
            values = [math.exp(log - max(logs)) for log in logs]
        else:
            values = [float(count) for count in counts]
        return tuple(value / sum(values) for value in values)

    def _given_weights(self) -> list[float]:
        weights = self.config.weights or {}
        for name in weights:
            if name not in self.names:
                raise InputError(f"Unknown task {name!r} among the weights. {nearest(name, self.names)}")
        for name in self.names:
            if name not in weights:
                raise InputError(f"The rule 'weights' needs a weight for each task; there is none for {name!r}.")
            if not weights[name] > 0 or not math.isfinite(weights[name]):
                raise InputError(f"The weight of task {name!r} must be above 0; got {weights[name]}.")
        return [float(weights[name]) for name in self.names]

    def epoch(self, number: int) -> Int64[np.ndarray, "examples 2"]:
        """The order of an epoch.

        Args:
            number: of the epoch, from 0.

        Returns:
            A row a step: number of the task, and number of its example.

        Raises:
            InputError: a negative number.
        """
        if number < 0:
            raise InputError(f"Epochs are counted from 0; got {number}.")
        parts = []
        for task, count in enumerate(self.counts):
            examples = self._stream(task, count * number, count * (number + 1))
            parts.append(np.stack([np.full_like(examples, task), examples], 1))
        rows = np.concatenate(parts)
        order: Int64[np.ndarray, "examples 2"] = rows[self._dice(0, number).permutation(len(rows))]
        return order

    def _stream(self, task: int, start: int, end: int) -> Int64[np.ndarray, " examples"]:
        """A task's examples number `start` to `end` since the first epoch."""
        units = self._units(task)
        orders = [self._dice(1, task, each).permutation(units) for each in range(start // units, -(-end // units))]
        visited = np.concatenate(orders)[start % units :][: end - start]
        if self.config.rule != "concat_images":
            return visited
        pictures = self._pictures[task]
        counts, starts = pictures.counts[visited], pictures.starts[visited]
        # Each visit of a picture takes its next example, from one that chance chose on.
        turn = self._dice(2, task).integers(0, 1 << 32, len(pictures.starts))[visited]
        visit = np.arange(start, end) // units
        chosen: Int64[np.ndarray, " examples"] = pictures.examples[starts + (turn + visit) % counts]
        return chosen

    def _dice(self, *keys: int) -> np.random.Generator:
        return np.random.default_rng([self.config.seed, *keys])


def _apportioned(shares: Sequence[float], total: int) -> tuple[int, ...]:
    """Whole numbers that sum to a total and follow the shares, none of them 0: largest remainders."""
    quotas = [share * total for share in shares]
    counts = [max(1, math.floor(quota)) for quota in quotas]
    by_remainder = sorted(range(len(quotas)), key=lambda task: counts[task] - quotas[task])
    for task in by_remainder[: max(0, total - sum(counts))]:
        counts[task] += 1
    while sum(counts) > total:
        counts[max(range(len(counts)), key=lambda task: counts[task])] -= 1
    return tuple(counts)


@dataclass(frozen=True)
class _Pictures:
    """Examples in the order of their pictures."""

    examples: Int64[np.ndarray, " examples"]
    starts: Int64[np.ndarray, " pictures"]
    """Place of each picture's first example."""
    counts: Int64[np.ndarray, " pictures"]


def _grouped(name: str, value: int | Sequence[Hashable]) -> _Pictures:
    count = value if isinstance(value, int) else len(value)
    if count < 1:
        raise InputError(f"Task {name!r} has no examples.")
    if isinstance(value, int):
        numbers = np.arange(count)
    else:
        places: dict[Hashable, int] = {}
        numbers = np.array([places.setdefault(picture, len(places)) for picture in value], np.int64)
    counts = np.bincount(numbers).astype(np.int64)
    return _Pictures(np.argsort(numbers, kind="stable").astype(np.int64), np.cumsum(counts) - counts, counts)

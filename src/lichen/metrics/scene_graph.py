"""Recall of scene graphs: R@K, mR@K, zR@K, their variants without graph constraint, by predicate and by group.

The field's numbers differ by conventions that are rarely stated. Here each is a switch of `RecallProtocol`, and
`RecallProtocol.report` says which were taken.

Source: graphs.md 1.10 and 4.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..errors import InputError, pick
from ..graphs.found import FoundGraph, TrueGraph
from .matching import Matching, hits

Absent = Literal["leave out", "zero"]


@dataclass(frozen=True, kw_only=True)
class RecallProtocol:
    """Conventions of recall.

    Raises:
        InputError: a value out of range.
    """

    at: tuple[int, ...] = (20, 50, 100)
    """K: how many of a picture's best predictions are looked at."""
    overlap: float = 0.5
    """Least IoU of both boxes, itself included."""
    plus_one: bool = False
    """Count pixels inclusively: boxes are one longer each way. It matters most for small boxes."""
    matching: Matching = "any"
    """any: a prediction hits every annotated relation that its labels and boxes fit, and several predictions may hit
    one. best box: each predicted box first stands for the one annotated box of its class that it overlaps most."""
    dedup: bool = False
    """Whether a triplet that was annotated twice counts once."""
    unanswered: Literal["count", "skip"] = "count"
    """Pictures without any predicted pair: count them as nothing found, or skip them."""
    absent: Absent = "leave out"
    """Predicates that no picture has: leave them out of mR, or let them count as zero."""

    def __post_init__(self) -> None:
        if not self.at or min(self.at) < 1:
            raise InputError(f"RecallProtocol.at must hold numbers of at least 1; got {self.at}.")
        if not 0 < self.overlap <= 1:
            raise InputError(f"RecallProtocol.overlap must lie in (0, 1]; got {self.overlap}.")
        pick("matching", self.matching, ("any", "best box"))
        pick("treatment of unanswered pictures", self.unanswered, ("count", "skip"))
        pick("treatment of absent predicates", self.absent, ("leave out", "zero"))

    @classmethod
    def pysgg(cls, at: tuple[int, ...] = (20, 50, 100)) -> RecallProtocol:
        """As the code of the field's tables has it (Scene-Graph-Benchmark, PySGG)."""
        return cls(at=at, plus_one=True, unanswered="skip", absent="zero")

    @classmethod
    def sgbench(cls, at: tuple[int, ...] = (20, 50, 100)) -> RecallProtocol:
        """As the package sgbench has it."""
        return cls(at=at, matching="best box", dedup=True)

    def report(self) -> str:
        """The conventions in one line, to stand beside the numbers."""
        pixel = "inclusive pixels" if self.plus_one else "no extra pixel"
        once = "once" if self.dedup else "as often as annotated"
        return (
            f"IoU of at least {self.overlap:g} ({pixel}), matching: {self.matching}, repeated triplets count {once}, "
            f"unanswered pictures: {self.unanswered}, absent predicates: {self.absent}"
        )


@dataclass
class _Sums:
    """Of one way to rank predictions: what each picture gave, K by K."""

    recall: list[Float[np.ndarray, " ks"]] = field(default_factory=list)
    unseen: list[Float[np.ndarray, " ks"]] = field(default_factory=list)
    by_predicate: Any = 0.0
    """(K, predicates): sum of recalls over the pictures that have the predicate."""


class SceneGraphRecall:
    """Recall of predicted graphs, picture by picture.

    Args:
        predicates: names, in the order of their numbers.
        protocol: conventions.
        unseen: triplets (class of the subject, class of the object, predicate) that training never showed; for zR@K.
        groups: numbers of the predicates in each group, such as head, body and tail, whose mean recalls are wanted.

    Raises:
        InputError: a group of predicates that do not exist.
    """

    def __init__(
        self,
        predicates: Sequence[str],
        protocol: RecallProtocol = RecallProtocol(),
        unseen: Int[Tensor, "triplets 3"] | None = None,
        groups: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        self.names = tuple(predicates)
        self.protocol = protocol
        self.unseen = None if unseen is None else _key(unseen.cpu())
        self.groups = {name: tuple(numbers) for name, numbers in (groups or {}).items()}
        for name, numbers in self.groups.items():
            if not numbers or not 0 <= min(numbers) <= max(numbers) < len(self.names):
                raise InputError(f"Group {name!r} must hold numbers of {len(self.names)} predicates; got {numbers}.")
        self.sums = {"": _Sums(), "ng": _Sums()}
        self.pictures = np.zeros(len(self.names), np.int64)
        """How many counted pictures have each predicate."""
        self.skipped = {"without relations": 0, "unanswered": 0}

    def add(self, found: FoundGraph, truth: TrueGraph) -> None:
        """Count one picture. One without an annotated relation is skipped, and counted as such.

        Raises:
            InputError: the graphs have other predicates than this.
        """
        if found.predicates.shape[1] != len(self.names):
            raise InputError(f"The graph has {found.predicates.shape[1]} predicates; {len(self.names)} are measured.")
        triplets = truth.triplets
        if len(triplets) and int(triplets[:, 2].max()) >= len(self.names):
            raise InputError(f"A relation has predicate {int(triplets[:, 2].max())}; there are {len(self.names)}.")
        if self.protocol.dedup:
            triplets = torch.unique(triplets, dim=0)
        if not len(triplets):
            self.skipped["without relations"] += 1
            return
        if not len(found.pairs) and self.protocol.unanswered == "skip":
            self.skipped["unanswered"] += 1
            return
        which = triplets[:, 2].numpy()
        counts = np.bincount(which, minlength=len(self.names))
        self.pictures += counts > 0
        zero_shot = self._zero_shot(truth, triplets)
        for kind, per_pair in (("", 1), ("ng", None)):
            first = self._first_hit(found, truth, triplets, per_pair)
            hit = first[None] < np.array(self.protocol.at)[:, None]
            sums = self.sums[kind]
            sums.recall.append(hit.mean(1))
            share = np.stack([np.bincount(which, weights=row, minlength=len(self.names)) for row in hit])
            sums.by_predicate = sums.by_predicate + share / np.maximum(counts, 1)
            if zero_shot.any():
                sums.unseen.append(hit[:, zero_shot].mean(1))

    def _first_hit(
        self, found: FoundGraph, truth: TrueGraph, triplets: Tensor, per_pair: int | None
    ) -> Int[np.ndarray, " relations"]:
        """Rank of the best prediction that hits each annotated relation; a large number where none does."""
        protocol = self.protocol
        best = found.best(max(protocol.at), per_pair)[0]
        table = hits(found, truth, best, triplets, protocol.overlap, protocol.plus_one, protocol.matching)
        rank = np.iinfo(np.int64).max
        if not len(best):
            return np.full(len(triplets), rank)
        return np.where(table.any(0).numpy(), table.int().argmax(0).numpy(), rank)

    def _zero_shot(self, truth: TrueGraph, triplets: Tensor) -> Bool[np.ndarray, " relations"]:
        if self.unseen is None:
            return np.zeros(len(triplets), bool)
        return torch.isin(_key(kinds_of(truth, triplets)), self.unseen).numpy()

    def compute(self) -> dict[str, float]:
        """All measures, as shares from 0 to 1.

        Returns:
            `R@K`, `mR@K`, and `zR@K` where there are unseen triplets; the same with `ng` before them, of all predicates
            of a pair instead of its best. `<group>@K` and `ng-<group>@K`: mean recall of the group's predicates.
            `predicate/<name>`: recall at the largest K. `pictures`, `pictures_skipped`.

        Raises:
            InputError: no picture has an annotated relation.
        """
        if not self.sums[""].recall:
            raise InputError("There is nothing to measure: no picture has an annotated relation.")
        found: dict[str, float] = {}
        for kind, sums in self.sums.items():
            recall = np.stack(sums.recall).mean(0)
            by_predicate = self._by_predicate(sums)
            prefix = f"{kind}-" if kind else ""
            for place, k in enumerate(self.protocol.at):
                found[f"{kind}R@{k}"] = float(recall[place])
                found[f"{prefix}mR@{k}"] = _mean(by_predicate[place])
                if sums.unseen:
                    found[f"{prefix}zR@{k}"] = float(np.stack(sums.unseen).mean(0)[place])
                for name, numbers in self.groups.items():
                    found[f"{prefix}{name}@{k}"] = _mean(by_predicate[place][list(numbers)])
        last = self._by_predicate(self.sums[""])[int(np.argmax(self.protocol.at))]
        found |= {
            f"predicate/{name}": float(value)
            for name, value in zip(self.names, last, strict=True)
            if not np.isnan(value)
        }
        found["pictures"] = float(len(self.sums[""].recall))
        found["pictures_skipped"] = float(sum(self.skipped.values()))
        return found

    def _by_predicate(self, sums: _Sums) -> Float[np.ndarray, "ks predicates"]:
        """Mean over the pictures that have a predicate; NaN where none has it, or zero."""
        empty = 0.0 if self.protocol.absent == "zero" else np.nan
        return np.where(self.pictures > 0, sums.by_predicate / np.maximum(self.pictures, 1), empty)


def _mean(values: np.ndarray) -> float:
    """Over the predicates that count; NaN where none does."""
    counted = values[~np.isnan(values)]
    return float(counted.mean()) if len(counted) else float("nan")


def kinds_of(truth: TrueGraph, triplets: Int[Tensor, "relations 3"]) -> Int[Tensor, "relations 3"]:
    """Class of the subject, class of the object, predicate."""
    labels = truth.labels[triplets[:, :2]]
    return torch.cat([labels, triplets[:, 2:]], 1)


def all_kinds(graphs: Sequence[TrueGraph]) -> Int[Tensor, "relations 3"]:
    """`kinds_of` all annotated relations of some pictures."""
    found = [kinds_of(graph, graph.triplets) for graph in graphs]
    return torch.cat([torch.zeros(0, 3, dtype=torch.long), *found])


def unseen_triplets(train: Sequence[TrueGraph], test: Sequence[TrueGraph]) -> Int[Tensor, "triplets 3"]:
    """Triplets of classes and predicate that the test has and the training side has not: what zR@K asks for."""
    asked = torch.unique(all_kinds(test), dim=0)
    return asked[~torch.isin(_key(asked), _key(all_kinds(train)))]


_BITS = 20
"""Of each number in the key of a triplet: more classes than anyone has."""


def _key(kinds: Int[Tensor, "triplets 3"]) -> Int[Tensor, " triplets"]:
    """One number a triplet."""
    subject, thing, predicate = (kinds + 1).unbind(1)
    return (subject << 2 * _BITS) + (thing << _BITS) + predicate


def long_tail_groups(
    counts: Int[np.ndarray, " predicates"], head: float = 0.14, body: float = 0.42
) -> dict[str, tuple[int, ...]]:
    """Predicates by how often training shows them: the head, the body and the tail.

    The shares are those of VG150's published groups (7, 21 and 22 of 50), which are listed by
    `lichen.data.classes.vg150` and should be used there.

    Args:
        counts: relations of each predicate in training.
        head: share of the predicates that are the most frequent ones.
        body: share of those that follow.

    Raises:
        InputError: shares that leave no tail, or fewer than three predicates.
    """
    if len(counts) < 3 or not 0 < head < 1 or not 0 < body < 1 - head:
        raise InputError(
            f"Three groups need three predicates and shares below 1; got {len(counts)}, head={head}, body={body}."
        )
    order = np.argsort(-counts, kind="stable").tolist()
    first = max(round(head * len(order)), 1)
    second = min(max(first + round(body * len(order)), first + 1), len(order) - 1)
    parts = {"head": order[:first], "body": order[first:second], "tail": order[second:]}
    return {name: tuple(sorted(numbers)) for name, numbers in parts.items()}

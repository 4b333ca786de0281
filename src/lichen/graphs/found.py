"""A picture's graph, annotated and predicted, as the field's metrics compare them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..errors import InputError


@dataclass(frozen=True, eq=False)
class TrueGraph:
    """What was annotated in one picture."""

    boxes: Float[Tensor, "entities 4"]
    """x1, y1, x2, y2 in pixels."""
    labels: Int[Tensor, " entities"]
    """Class numbers."""
    triplets: Int[Tensor, "relations 3"]
    """Subject and object as rows of the boxes, and the predicate's number from 0."""


@dataclass(frozen=True, eq=False)
class FoundGraph:
    """What was predicted in one picture."""

    boxes: Float[Tensor, "entities 4"]
    """x1, y1, x2, y2 in pixels."""
    labels: Int[Tensor, " entities"]
    """Class numbers, as in the annotations."""
    scores: Float[Tensor, " entities"]
    """Of the labels, from 0 to 1."""
    pairs: Int[Tensor, "pairs 2"]
    """Subject and object as rows of the boxes; no pair stands there twice."""
    predicates: Float[Tensor, "pairs predicates"]
    """Probability of each predicate, without that of "no relation"; so a row may sum to less than one."""

    def best(self, most: int, per_pair: int | None = 1) -> tuple[Int[Tensor, "kept 3"], Float[Tensor, " kept"]]:
        """The predictions with the highest products of the scores of subject, predicate and object.

        Args:
            most: how many are kept.
            per_pair: how many predicates of a pair may be among them: 1 is the "graph constraint" of the field, None
                allows all ("no graph constraint").

        Returns:
            Triplets (subject, object, predicate), best first, and their scores; of equal ones the earlier pair first.

        Raises:
            InputError: a number below one, or scores that are no numbers.
        """
        if most < 1 or (per_pair is not None and per_pair < 1):
            raise InputError(f"At least one prediction is kept; got most={most} and per_pair={per_pair}.")
        classes = self.predicates.shape[1]
        width = classes if per_pair is None else min(per_pair, classes)
        chances, which = self.predicates.sort(dim=1, descending=True, stable=True)
        chances, which = chances[:, :width], which[:, :width]
        scores = (self.scores[self.pairs].prod(1, keepdim=True) * chances).flatten()
        if bool(scores.isnan().any()):
            row = int(scores.isnan().nonzero()[0, 0]) // max(width, 1)
            raise InputError(f"The score of pair {row} is not a number (NaN).")
        order = scores.argsort(descending=True, stable=True)[:most]
        pair = torch.div(order, max(width, 1), rounding_mode="floor")
        return torch.cat([self.pairs[pair], which.flatten()[order, None]], 1), scores[order]

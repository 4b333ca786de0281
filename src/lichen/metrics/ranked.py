"""Average precision of ranked answers, of all categories in one go: who was right, and how the curve is read.

An answer fits one annotation or none; of several that fit one the first by score is right and the others are wrong.
That is how VOC, HICO-DET, V-COCO and Open Images count. They differ in what an answer fits, which is not decided here,
and in how the curve becomes a number (`Curve`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Float, Int

from ..errors import pick

Curve = Literal["area", "11 points", "11 points, MATLAB"]
"""How precision over recall becomes one number.

- area: under the envelope of the curve (VOC since 2010, V-COCO, Open Images).
- 11 points: mean of the best precision at a recall of 0, 0.1, … 1 or more (VOC 2007, HICO-DET). Recall is compared in
  whole numbers, 10 · found ≥ k · annotated, so 3 of 10 are a recall of 0.3.
- 11 points, MATLAB: the same as HICO-DET's own tool rounds it, where 0:0.1:1 holds 0.30000000000000004, which 3 of 10
  do not reach. It differs only for a category whose recall is 3/10 exactly at a step of its curve.
"""
_STEPS = np.arange(11)
_MATLAB = np.where(_STEPS <= 5, _STEPS * 0.1, 1 - (10 - _STEPS) * 0.1)
"""MATLAB counts a range from both ends."""


@dataclass(frozen=True, eq=False)
class Ranked:
    """Answers category by category, each category's best first."""

    right: Bool[np.ndarray, " answers"]
    edges: Int[np.ndarray, " edges"]
    """Where each category starts, and at last how many answers there are."""

    @property
    def true(self) -> Int[np.ndarray, " categories"]:
        """Right answers of each category."""
        total = np.concatenate([[0], self.right.cumsum()])
        return np.diff(total[self.edges])


def ranked(
    category: Int[np.ndarray, " answers"],
    score: Float[np.ndarray, " answers"],
    fit: Int[np.ndarray, " answers"],
    categories: int,
) -> Ranked:
    """Sort answers by category and score, and see who is right.

    Args:
        category: of each answer, from 0.
        score: high ones first; of equals the one that was given first.
        fit: number of the annotation that it fits, -1 for none. An annotation belongs to one category.
        categories: how many there are.
    """
    order = np.lexsort((-score, category))
    right = np.zeros(len(order), bool)
    own = fit[order]
    place = np.flatnonzero(own >= 0)
    right[place[np.unique(own[place], return_index=True)[1]]] = True
    return Ranked(right, np.searchsorted(category[order], np.arange(categories + 1)))


def average_precisions(
    answers: Ranked, counts: Int[np.ndarray, " categories"], curve: Curve = "area"
) -> Float[np.ndarray, " categories"]:
    """Average precision of each category, from 0 to 1.

    Args:
        answers: of as many categories.
        counts: annotations of each.
        curve: how the curve is read.

    Returns:
        0 for a category that nothing was annotated of.

    Raises:
        InputError: an unknown curve.
    """
    pick("curve", curve, get_args(Curve))
    result = np.zeros(len(counts))
    for number in np.flatnonzero(counts):
        own = answers.right[answers.edges[number] : answers.edges[number + 1]]
        true = own.cumsum()
        precision = true / np.arange(1, len(own) + 1)
        best = np.maximum.accumulate(precision[::-1])[::-1]
        if curve == "area":
            result[number] = (np.diff(true / counts[number], prepend=0.0) * best).sum()
        else:
            result[number] = _eleven(true, best, int(counts[number]), exact=curve == "11 points")
    return result


def _eleven(true: np.ndarray, best: np.ndarray, count: int, *, exact: bool) -> float:
    """Mean of the best precision at eleven recalls; 0 at those that are never reached."""
    place = np.searchsorted(10 * true, _STEPS * count) if exact else np.searchsorted(true / count, _MATLAB)
    return float(best[place[place < len(best)]].sum() / len(_STEPS))

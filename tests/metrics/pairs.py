"""Detected and annotated pairs of boxes: out of fixtures, and random ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lichen.metrics.hoi import InteractionBoxes

Row = tuple[int, int, Sequence[float], Sequence[float]]
"""Picture, class, human, object."""


def pairs(rows: Sequence[Row], scores: Sequence[float] | None = None) -> InteractionBoxes:
    return InteractionBoxes(
        np.array([row[0] for row in rows], np.int64),
        np.array([row[1] for row in rows], np.int64),
        np.array([row[2] for row in rows], np.float64).reshape(-1, 4),
        np.array([row[3] for row in rows], np.float64).reshape(-1, 4),
        None if scores is None else np.array(scores, np.float64),
    )


def random_pairs(
    seed: int, pictures: int, classes: int, found: int, annotated: int
) -> tuple[InteractionBoxes, InteractionBoxes]:
    """Few different boxes on a coarse grid, and few different scores: many ties of both."""
    draw = np.random.default_rng(seed)
    low = draw.integers(0, 4, (6, 2)) * 1.0
    boxes = np.concatenate([low, low + 5 + draw.integers(0, 4, (6, 2))], 1)

    def some(count: int) -> list[np.ndarray]:
        sides = [boxes[draw.integers(6, size=count)] for _ in range(2)]
        return [draw.integers(pictures, size=count), draw.integers(classes, size=count), *sides]

    return InteractionBoxes(*some(found), draw.integers(5, size=found) / 4), InteractionBoxes(*some(annotated))

"""What the networks say of a picture, as cuboids with names and scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ...solids.cuboids import Cuboids
from ...solids.published import ANGLE, AXIS, CORNER, SIZE, Normalisation, from_rows, mirrored, straddles
from .config import BuildConfig

_LEAST = 0.25
"""Voxels of the smallest length that is answered."""


@dataclass(frozen=True, eq=False)
class Built:
    """One object: its half model, and the whole."""

    half: Cuboids
    """In the unit cube, the highest first."""
    whole: Cuboids
    """With reflections."""
    labels: Int64[Tensor, " parts"]
    """Classes of the half model's parts."""
    whole_labels: Int64[Tensor, " cuboids"]
    scores: Float[Tensor, " parts"]
    straddling: Tensor
    """Which parts of the half model are their own reflection."""
    boxes: Float[Tensor, "parts 4"]
    """2D boxes in shares of the picture."""


def built(outputs: Mapping[str, Tensor], normalisation: Normalisation, config: BuildConfig) -> list[Built]:
    """An object a picture: numbers restored, cut at the grid's edge, mirrored by rule.

    Args:
        outputs: of the head, one row a picture.
        normalisation: of the training set.
        config: `grid`, `beyond`, `still`, `centre`.

    Source: inference of arXiv 2109.04153 (solids_and_video.md A6).
    """
    grid = config.grid
    found = []
    kept = outputs["kept"] > 0.5
    rows = normalisation.restore(outputs["lengths"].double(), outputs["turns"].double())
    for picture in range(len(rows)):
        chosen = kept[picture].nonzero().flatten()
        probabilities = outputs["probabilities"][picture, chosen, :-1]
        scores, labels = probabilities.max(-1)
        own = _cut(rows[picture, chosen], grid)
        own[own[:, ANGLE].abs() <= config.still, ANGLE] = 0.0
        height = own[:, CORNER.stop - 1] + own[:, SIZE.stop - 1] / 2
        order = height.argsort(descending=True, stable=True)
        own, labels, scores = own[order], labels[order], scores[order]
        across = straddles(own, grid, config.beyond)
        if config.centre:
            # What is its own reflection is turned about x at most.
            own[across & (own[:, AXIS.start] == 0), ANGLE] = 0.0
            own[across, CORNER.start] = (grid - own[across, SIZE.start]) / 2
        whole = torch.cat([own, mirrored(own, grid)[~across]])
        half, every = (from_rows(each).moved(1 / grid) for each in (own, whole))
        boxes = outputs["boxes"][picture, chosen][order]
        found.append(Built(half, every, labels, torch.cat([labels, labels[~across]]), scores, across, boxes))
    return found


def _cut(rows: Float[Tensor, "parts 20"], grid: int) -> Float[Tensor, "parts 20"]:
    """Primitives inside the grid, of lengths above zero."""
    low = rows[:, CORNER].clamp(0.0, grid - _LEAST)
    high = (rows[:, CORNER] + rows[:, SIZE]).clamp(max=float(grid))
    cut = rows.clone()
    cut[:, CORNER], cut[:, SIZE] = low, (high - low).clamp(min=_LEAST)
    return cut

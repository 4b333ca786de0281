"""Where labels go: beside what they name, over nothing that matters, and never over each other.

Each label has a list of places with costs: at the corners and edges of its box first, farther away with a line that
leads back after that. Labels of small boxes choose first, then everyone may choose again with the others in place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

from .pen import Area, Place

_FAR = 4.0
"""Cost of a place that needs a line, so that every place at the box itself is better."""
_COVER = 5.0
"""Cost of hiding another box wholly."""
_OWN = 3.0
"""Cost of hiding all of one's own box."""
_GAP = 1.0
"""Pixels between labels."""
_ROUNDS = 3


@dataclass(frozen=True)
class Tag:
    """Where a label went."""

    area: Area
    leader: tuple[Place, Place] | None
    """From the label to its box, where they do not touch."""


def place_labels(
    boxes: Float[np.ndarray, "labels 4"], sizes: Float[np.ndarray, "labels 2"], size: tuple[int, int]
) -> list[Tag | None]:
    """Find a place for each label.

    Args:
        boxes: what is named, in pixels of the picture.
        sizes: width and height of each label in pixels.
        size: width and height of the picture, which no label leaves.

    Returns:
        A place a label; None where no place is free.
    """
    count = len(boxes)
    choices = [_choices(boxes, place, sizes[place], size) for place in range(count)]
    chosen = np.full((count, 4), -1e9)
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    order = np.argsort(area, kind="stable")
    for _ in range(_ROUNDS):
        before = chosen.copy()
        for place in order:
            areas, costs = choices[place]
            chosen[place] = -1e9
            free = ~(overlap(areas, chosen + _GAP * np.array([-1, -1, 1, 1])) > 0).any(1)
            if free.any():
                chosen[place] = areas[np.where(free, costs, np.inf).argmin()]
        if np.array_equal(before, chosen):
            break
    return [_tag(chosen[place], boxes[place]) if chosen[place, 0] > -1e8 else None for place in range(count)]


def overlap(
    areas: Float[np.ndarray, "areas 4"], others: Float[np.ndarray, "others 4"]
) -> Float64[np.ndarray, "areas others"]:
    """Square pixels that each area shares with each other one."""
    low = np.maximum(areas[:, None, :2], others[None, :, :2])
    high = np.minimum(areas[:, None, 2:], others[None, :, 2:])
    return np.clip(high - low, 0.0, None).prod(-1).astype(np.float64)


def _choices(
    boxes: Float[np.ndarray, "labels 4"], place: int, label: Float[np.ndarray, " 2"], size: tuple[int, int]
) -> tuple[Float64[np.ndarray, "choices 4"], Float64[np.ndarray, " choices"]]:
    """All places of one label that lie inside the picture, and what each costs before others are in the way."""
    box, (width, height) = boxes[place], label
    corners, costs = _beside(box, width, height)
    limit = np.maximum(np.array(size, np.float64) - label, 0.0)
    inside = np.clip(corners, 0.0, limit)
    # A place at the edge may be pushed into the picture as long as it still touches its box.
    near = np.concatenate([inside, inside + label], 1)
    touching = _distance(near, box) < 1.0
    far, far_costs = _away(box, label, limit)
    areas = np.concatenate([near[touching], far])
    costs = np.concatenate([costs[touching] + 0.02 * np.abs(inside - corners).sum(1)[touching], far_costs])
    extent = (boxes[:, 2:] - boxes[:, :2]).clip(1.0).prod(1)
    weights = np.full(len(boxes), _COVER)
    weights[place] = _OWN
    # A label costs the share of each box that it hides.
    return areas, costs + (overlap(areas, boxes) / extent * weights).sum(1)


def _beside(
    box: Float[np.ndarray, " 4"], width: float, height: float
) -> tuple[Float64[np.ndarray, "choices 2"], Float64[np.ndarray, " choices"]]:
    """Left top corners of places at the box, the usual ones first."""
    left, top, right, bottom = (float(value) for value in box)
    along = [left + share * (right - left - width) for share in (0.0, 1.0, 0.5, 0.25, 0.75)]
    rows = [(top - height, 0.0), (top, 0.25), (bottom, 0.35), (bottom - height, 0.45)]
    places = [(x, y, cost + 0.08 * step) for y, cost in rows for step, x in enumerate(along)]
    down = [top + share * (bottom - top - height) for share in (0.0, 0.5, 1.0)]
    places += [(x, y, 0.5 + 0.08 * step) for x in (right, left - width) for step, y in enumerate(down)]
    found = np.array(places, np.float64)
    return found[:, :2], found[:, 2]


def _away(
    box: Float[np.ndarray, " 4"], label: Float[np.ndarray, " 2"], limit: Float[np.ndarray, " 2"]
) -> tuple[Float64[np.ndarray, "choices 4"], Float64[np.ndarray, " choices"]]:
    """Places all over the picture, the dearer the farther."""
    columns = np.arange(0.0, limit[0] + 1.0, max(12.0, label[0] / 3))
    rows = np.arange(0.0, limit[1] + 1.0, label[1] + 2 * _GAP)
    corners = np.stack(np.meshgrid(columns, rows), -1).reshape(-1, 2)
    areas = np.concatenate([corners, corners + label], 1)
    gap = _distance(areas, box)
    # A line too short to see would make a label look as if it belonged to its neighbour.
    keep = gap > 6.0
    return areas[keep], _FAR + gap[keep] / 40.0


def _distance(areas: Float[np.ndarray, "areas 4"], box: Float[np.ndarray, " 4"]) -> Float64[np.ndarray, " areas"]:
    """Pixels between each area and a box, 0 where they touch."""
    low = np.maximum(areas[:, :2] - box[2:], 0.0)
    high = np.maximum(box[:2] - areas[:, 2:], 0.0)
    return np.hypot(*np.maximum(low, high).T)


def _tag(area: Float[np.ndarray, " 4"], box: Float[np.ndarray, " 4"]) -> Tag:
    left, top, right, bottom = (float(value) for value in area)
    if _distance(area[None], box)[0] < 1.0:
        return Tag((left, top, right, bottom), None)
    middle = np.array([(left + right) / 2, (top + bottom) / 2])
    end = np.clip(middle, box[:2], box[2:])
    start = np.clip(end, [left, top], [right, bottom])
    return Tag((left, top, right, bottom), ((float(start[0]), float(start[1])), (float(end[0]), float(end[1]))))


def fits(tags: Sequence[Tag | None]) -> bool:
    """Whether every label has found a place."""
    return all(tag is not None for tag in tags)

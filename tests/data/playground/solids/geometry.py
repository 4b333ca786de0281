"""Plain geometry of cuboids, one at a time, to check the array code against."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np

from lichen.scene import Solid
from lichen.scene.geometry import corners


def axes_of(solid: Solid) -> np.ndarray:
    return np.array(solid.rotation).reshape(3, 3)


def own(solid: Solid, point: np.ndarray) -> np.ndarray:
    """A point along a solid's own axes, in half edges: faces lie at -1 and 1."""
    return (point - np.array(solid.centre)) @ axes_of(solid) / (np.array(solid.size) / 2)


def gap(one: Solid, two: Solid) -> float:
    """Largest distance between two boxes along a face normal or a product of two edges; 0 or less where they touch.

    Two convex bodies that do not touch are apart along one of these axes (theorem of separating axes).
    """
    first, second = axes_of(one).T, axes_of(two).T
    axes = [*first, *second, *(np.cross(a, b) for a, b in product(first, second))]
    points = corners([one, two])
    worst = -np.inf
    for axis in axes:
        length = np.linalg.norm(axis)
        if length > 1e-6:
            a, b = points @ (axis / length)
            worst = max(worst, a.min() - b.max(), b.min() - a.max())
    return float(worst)


def pieces(solids: tuple[Solid, ...], slack: float) -> int:
    """Connected pieces of an object whose parts join where they are at most `slack` apart."""
    groups = list(range(len(solids)))
    for a, b in combinations(range(len(solids)), 2):
        if groups[a] != groups[b] and gap(solids[a], solids[b]) <= slack:
            old, new = groups[b], groups[a]
            groups = [new if group == old else group for group in groups]
    return len(set(groups))

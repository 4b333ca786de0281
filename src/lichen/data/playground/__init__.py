"""The playground: a procedural world with ground truth for every task, made from (seed, index), nothing downloaded.

`Playground` makes pictures; `solids` objects; `clips` clips.
"""

from __future__ import annotations

from .dataset import SIZES, SPLITS, Playground
from .world import ATTRIBUTES, BACKGROUNDS, CLASSES, PREDICATES, UNSEEN, VERSION

__all__ = [
    "ATTRIBUTES",
    "BACKGROUNDS",
    "CLASSES",
    "PREDICATES",
    "SIZES",
    "SPLITS",
    "UNSEEN",
    "VERSION",
    "Playground",
]

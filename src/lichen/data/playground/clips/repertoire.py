"""Who moves where: what can be seen on the way in each place, and what stands there to pass behind."""

from __future__ import annotations

from collections.abc import Mapping

from ..dice import Dice
from ..drawing.animals import COATS
from ..drawing.people import BUILDS
from .movers import Mover, animal, ball, balloon, doing, on_foot, vehicle

_FOLK = {"man": 3.0, "woman": 3.0, "boy": 2.0, "girl": 2.0}
_LOADS = {"carrying box": 0.8, "carrying basket": 0.7, "carrying suitcase": 0.6, "holding umbrella": 0.7,
          "holding balloon": 0.8, "holding flower": 0.3}  # fmt: skip

MOVERS: Mapping[str, Mapping[str, float]] = {
    "meadow": {**_FOLK, **_LOADS, "dog": 3, "horse": 2.5, "cow": 1.5, "sheep": 1.5, "bird": 2, "ball": 2, "balloon": 1,
               "riding bicycle": 2.5, "pulling cart": 1, "cat": 0.7},
    "street": {**_FOLK, **_LOADS, "car": 5, "dog": 2, "cat": 1.5, "bird": 1.5, "ball": 1, "balloon": 0.7,
               "riding bicycle": 3, "riding skateboard": 2.5, "pulling suitcase": 2, "pushing cart": 1},
    "room": {**_FOLK, "dog": 2.5, "cat": 3, "ball": 2.5, "balloon": 1.5, "carrying box": 2, "carrying basket": 1,
             "pulling suitcase": 1, "pushing box": 1},
    "beach": {**_FOLK, "dog": 3, "bird": 3, "ball": 3, "balloon": 1, "holding umbrella": 1.5, "holding kite": 1.5,
              "riding bicycle": 1, "carrying basket": 1},
    "snow": {**_FOLK, "dog": 2.5, "bear": 2, "bird": 1, "riding sled": 4, "pulling sled": 2.5},
    "hall": {**_FOLK, "ball": 4, "balloon": 1, "dog": 1, "riding skateboard": 2, "carrying box": 1,
             "holding ball": 2},
    "desert": {"man": 2, "woman": 2, "elephant": 3, "horse": 3, "car": 2.5, "bird": 2, "dog": 1, "pulling cart": 1.5,
               "holding umbrella": 1},
    "night": {**_FOLK, "cat": 3, "dog": 2, "car": 1, "bird": 1, "riding bicycle": 2, "balloon": 0.7, "bear": 0.5},
}  # fmt: skip
"""By place: classes, or predicate and object of a person's doing, with their weights."""
SCREENS: Mapping[str, Mapping[str, float]] = {
    "meadow": {"tree": 6, "bench": 2, "sign": 1.5, "cow": 1, "box": 1},
    "street": {"tree": 3, "car": 3, "sign": 3, "bench": 1.5, "box": 1},
    "room": {"sofa": 4, "table": 2.5, "chair": 2, "lamp": 2.5, "tv": 1.5},
    "beach": {"umbrella": 4, "surfboard": 3, "chair": 1.5, "sign": 1},
    "snow": {"tree": 5, "sign": 2, "box": 1},
    "hall": {"box": 3, "bench": 3, "chair": 1.5},
    "desert": {"sign": 3, "cart": 2, "box": 1, "elephant": 1},
    "night": {"tree": 5, "bench": 2, "sign": 1.5, "car": 1.5},
}
"""By place: what stands there and may hide what passes behind it."""


def mover(name: str, dice: Dice) -> Mover:
    """A mover by its key in `MOVERS`."""
    predicate, _, thing = name.partition(" ")
    if thing:
        return doing(predicate, thing, dice)
    if name in BUILDS:
        return on_foot(name, dice)
    if name in COATS:
        return animal(name, dice)
    return {"ball": ball, "balloon": balloon, "car": vehicle}[name](name, dice)

"""Who does what to what, who wears what, and where everything is at home: weights, nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Weights = Mapping[str, float | int]


@dataclass(frozen=True)
class Habit:
    """Some subjects and what they do it to, each with its weight."""

    subjects: Weights
    objects: Weights


_ALL = {"man": 3.0, "woman": 3.0, "boy": 2.0, "girl": 2.0}
_YOUNG = {"boy": 4.0, "girl": 3.0, "man": 1.5, "woman": 0.8}

EVENTS: Mapping[str, tuple[float, tuple[tuple[float, Habit], ...]]] = {
    "holding": (
        25.0,
        (
            (4, Habit({"woman": 5, "girl": 3, "man": 1}, {"umbrella": 8, "flower": 5, "phone": 3, "cup": 3,
                "book": 2})),
            (3, Habit({"girl": 4, "boy": 4, "man": 0.5}, {"balloon": 8, "ice cream": 5, "kite": 4, "flower": 1})),
            (3, Habit({"man": 5, "boy": 1.5, "woman": 1}, {"guitar": 4, "phone": 4, "cup": 4, "book": 3,
                "racket": 3, "flag": 2})),
            (2, Habit(_YOUNG, {"ball": 5, "racket": 3, "umbrella": 2, "flag": 2})),
            (0.7, Habit({"dog": 5, "elephant": 2, "bird": 1, "bear": 0.7}, {"ball": 3, "flower": 2, "balloon": 0.6,
                "flag": 0.4})),
        ),
    ),
    "sitting on": (
        10.0,
        (
            (6, Habit(_ALL, {"chair": 8, "bench": 6, "sofa": 6, "box": 1, "suitcase": 0.6, "table": 0.5})),
            (2, Habit({"cat": 5, "dog": 2.5}, {"sofa": 5, "chair": 3, "bench": 2, "box": 1.5, "table": 1,
                "car": 0.6})),
            (0.8, Habit({"bird": 1}, {"bench": 3, "cow": 1, "sheep": 1, "horse": 1, "elephant": 1.5, "car": 1,
                "box": 1})),
        ),
    ),
    "on": (
        8.5,
        (
            (5, Habit({"cup": 5, "book": 4, "flower": 3, "phone": 1.5, "hat": 1, "ball": 0.5}, {"table": 10,
                "box": 1})),
            (2, Habit({"book": 3, "guitar": 2, "hat": 2, "ball": 1, "backpack": 2}, {"sofa": 5, "bench": 3,
                "chair": 2, "box": 1})),
        ),
    ),
    "riding": (
        5.2,
        (
            (6, Habit(_ALL, {"bicycle": 10, "horse": 6, "skateboard": 3, "elephant": 1.2, "cow": 0.5})),
            (2, Habit(_YOUNG, {"skateboard": 6, "sled": 4, "surfboard": 3, "sheep": 0.5, "bear": 0.4})),
            (0.6, Habit({"dog": 4, "cat": 1, "bear": 2}, {"skateboard": 5, "sled": 1, "surfboard": 1})),
        ),
    ),
    "looking at": (
        4.0,
        (
            (4, Habit(_ALL, {"tv": 4, "bird": 3, "sign": 3, "kite": 2, "dog": 2, "cat": 2, "car": 1, "flower": 1.5,
                "horse": 1})),
            (1, Habit({"cat": 3, "dog": 3}, {"bird": 4, "ball": 4, "cat": 1, "dog": 1, "tv": 1, "ice cream": 0.5})),
        ),
    ),
    "carrying": (
        3.0,
        (
            (4, Habit({"man": 5, "woman": 2, "boy": 1}, {"box": 8, "suitcase": 5, "surfboard": 2, "chair": 1,
                "sheep": 0.4})),
            (2, Habit({"woman": 4, "girl": 3, "man": 0.5}, {"basket": 8, "cat": 2, "suitcase": 2, "dog": 1})),
            (1.4, Habit({"boy": 4, "girl": 2, "man": 1}, {"skateboard": 4, "ball": 4, "dog": 1, "cat": 0.5,
                "guitar": 0.6})),
        ),
    ),
    "under": (
        1.9,
        (
            (3, Habit({**_ALL, "dog": 1, "sheep": 1, "cow": 1, "horse": 1}, {"tree": 8, "umbrella": 3})),
            (2, Habit({"cat": 4, "dog": 4, "ball": 1.5, "box": 1, "backpack": 1}, {"table": 6, "bench": 2})),
        ),
    ),
    "pulling": (
        1.3,
        (
            (4, Habit({"man": 3, "woman": 4, "boy": 1, "girl": 1}, {"suitcase": 7, "dog": 3, "cart": 1,
                "horse": 0.5})),
            (2, Habit({"boy": 3, "girl": 3, "man": 1}, {"sled": 6, "cart": 2, "sheep": 0.5})),
            (2, Habit({"horse": 6, "cow": 2, "dog": 2, "elephant": 0.5}, {"cart": 6, "sled": 1.5})),
        ),
    ),
    "kicking": (0.95, ((1, Habit({"boy": 6, "man": 4, "girl": 1.2, "woman": 0.6}, {"ball": 12, "box": 1,
        "balloon": 0.7, "hat": 0.3})),)),
    "pushing": (
        0.75,
        (
            (3, Habit({"man": 5, "woman": 2, "boy": 1, "girl": 0.6}, {"cart": 5, "car": 2, "box": 2,
                "bicycle": 1.5, "sofa": 0.5, "chair": 0.5})),
            (0.4, Habit({"elephant": 2, "bear": 1}, {"car": 2, "box": 1, "ball": 1})),
        ),
    ),
    "throwing": (0.6, ((1, Habit({"boy": 5, "man": 3, "girl": 2, "woman": 1}, {"ball": 12, "hat": 1, "book": 1,
        "flower": 0.6})),)),
    "jumping over": (
        0.42,
        (
            (2, Habit({"boy": 4, "girl": 3, "man": 1, "woman": 0.4}, {"box": 6, "bench": 2, "suitcase": 1,
                "ball": 1})),
            (2, Habit({"dog": 4, "horse": 4, "cat": 1}, {"box": 5, "bench": 3, "flower": 1})),
        ),
    ),
}  # fmt: skip
"""What happens: by predicate its weight among all events, and habits with theirs."""

WEARING: Mapping[str, Weights] = {
    "man": {"hat": 5, "backpack": 2.5, "glasses": 3, "scarf": 1},
    "woman": {"scarf": 4, "glasses": 3, "hat": 3, "backpack": 1},
    "boy": {"backpack": 4, "hat": 3, "scarf": 1.5, "glasses": 1},
    "girl": {"scarf": 3, "backpack": 3, "hat": 2, "glasses": 1},
}
AFFINITY: Mapping[str, Weights] = {
    "sled": {"snow": 1},
    "surfboard": {"beach": 1},
    "sofa": {"room": 1},
    "tv": {"room": 1},
    "lamp": {"room": 1},
    "chair": {"room": 6, "hall": 2, "beach": 1, "meadow": 1},
    "table": {"room": 6, "hall": 1, "meadow": 1, "beach": 0.5},
    "bench": {"meadow": 3, "street": 3, "hall": 2, "night": 2, "snow": 1},
    "car": {"street": 6, "desert": 1, "snow": 1, "night": 1},
    "bicycle": {"street": 5, "meadow": 3, "beach": 1, "night": 1},
    "skateboard": {"street": 5, "hall": 2, "night": 1},
    "sign": {"street": 5, "beach": 1, "desert": 2, "snow": 1, "meadow": 1, "night": 1},
    "tree": {"meadow": 6, "street": 2, "night": 2, "snow": 1},
    "horse": {"meadow": 5, "desert": 2, "beach": 1, "snow": 1},
    "cow": {"meadow": 6, "desert": 0.5},
    "sheep": {"meadow": 6, "snow": 1},
    "elephant": {"desert": 4, "meadow": 3, "hall": 0.7},
    "bear": {"snow": 4, "meadow": 2, "night": 1, "hall": 0.5},
    "cart": {"meadow": 4, "desert": 2, "street": 1},
    "racket": {"hall": 4, "meadow": 1},
    "ball": {"hall": 3, "meadow": 3, "beach": 3, "street": 1, "room": 1},
    "kite": {"beach": 4, "meadow": 4, "desert": 1},
    "suitcase": {"street": 5, "room": 1, "hall": 1},
}
"""Where a class is at home; others are at home everywhere."""
BYSTANDERS: Mapping[str, Weights] = {
    "meadow": {"tree": 4, "sheep": 2.5, "cow": 3, "dog": 2, "horse": 1, "ball": 1, "bench": 1, "flower": 2,
        "bicycle": 1, "kite": 1, "sign": 2, "basket": 1, "flag": 1.5},
    "street": {"car": 4, "sign": 7, "bicycle": 2, "dog": 2, "cat": 1, "tree": 1, "suitcase": 1, "bird": 1,
        "box": 1, "bench": 1},
    "room": {"sofa": 3, "chair": 3, "table": 3, "lamp": 3, "tv": 2, "cat": 2, "dog": 2, "guitar": 1, "box": 1,
        "ball": 1},
    "beach": {"umbrella": 3, "surfboard": 3, "ball": 2, "bird": 2, "chair": 1, "dog": 1, "kite": 2, "basket": 1,
        "sign": 2, "flag": 1.5},
    "snow": {"sled": 4, "bear": 3, "tree": 1, "dog": 2, "hat": 1, "sign": 2, "bird": 1, "flag": 1},
    "hall": {"ball": 4, "racket": 4, "bench": 2, "box": 2, "chair": 1, "backpack": 2, "guitar": 1},
    "desert": {"elephant": 2, "horse": 2, "sign": 3, "cart": 2, "car": 1, "bird": 1, "umbrella": 1},
    "night": {"cat": 3, "bench": 2, "car": 1, "tree": 2, "balloon": 1, "sign": 2, "dog": 1, "bicycle": 1},
}  # fmt: skip
"""What else is found in a place."""

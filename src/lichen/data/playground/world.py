"""What exists in the playground and how often: classes, predicates, and who does what to what.

The tables make two properties of real data on purpose. Predicates are as frequent as ranks in a power law (head, body,
tail), and the classes of a pair say much about its predicate, so that a model which only counts does well on seen pairs
and badly on unseen ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from .drawing.animals import COATS
from .drawing.backgrounds import PLACES
from .drawing.colours import NAMED, PATTERNS
from .drawing.people import BUILDS
from .drawing.things import THINGS
from .drawing.worn import WORN
from .habits import EVENTS, Weights

VERSION = 1
"""Of the generator: another number whenever a picture or a scene of any (seed, index) changes."""

PEOPLE = tuple(BUILDS)
ANIMALS = tuple(COATS)
OBJECTS = tuple(dict.fromkeys([*THINGS, *WORN]))
CLASSES = (*PEOPLE, *ANIMALS, *OBJECTS)
"""All entity classes, in the order to number them."""
ATTRIBUTES = (*NAMED, *PATTERNS, "small", "large")
"""All attributes. The colour of a person is that of the shirt or dress."""
SPATIAL = ("next to", "behind", "in front of")
"""Predicates that follow from where things stand, whoever they are."""
PREDICATES = (
    "wearing",
    "next to",
    "holding",
    "behind",
    "in front of",
    "sitting on",
    "on",
    "riding",
    "looking at",
    "carrying",
    "under",
    "pulling",
    "kicking",
    "pushing",
    "throwing",
    "jumping over",
)
"""All predicates, from the most frequent to the least."""
BACKGROUNDS = tuple(PLACES)

UNSEEN = frozenset(
    {
        ("holding", "flag"),
        ("holding", "racket"),
        ("riding", "surfboard"),
        ("riding", "cow"),
        ("sitting on", "table"),
        ("looking at", "car"),
        ("carrying", "dog"),
        ("carrying", "ball"),
        ("pulling", "horse"),
        ("kicking", "box"),
        ("pushing", "bicycle"),
        ("throwing", "hat"),
        ("under", "bench"),
        ("jumping over", "suitcase"),
        ("on", "box"),
    }
)
"""(predicate, class of the object) that occur in the split "unseen" alone, in every one of its pictures. Each predicate
and each class occurs elsewhere too."""


@cache
def pairs(predicate: str, unseen: bool) -> Mapping[tuple[str, str], float]:
    """(subject, object) of a predicate with their weights: either the unseen pairs alone, or all others."""
    result: dict[tuple[str, str], float] = {}
    for weight, habit in EVENTS[predicate][1]:
        total = weight / (sum(habit.subjects.values()) * sum(habit.objects.values()))
        for subject, s in habit.subjects.items():
            for thing, o in habit.objects.items():
                if ((predicate, thing) in UNSEEN) is unseen:
                    result[subject, thing] = result.get((subject, thing), 0.0) + total * s * o
    return result


@cache
def events(unseen: bool) -> Weights:
    """Predicates of events with their weights: of the unseen pairs (all alike), or of all others."""
    if unseen:
        return {predicate: 1.0 for predicate in EVENTS if pairs(predicate, True)}
    return {predicate: weight for predicate, (weight, _) in EVENTS.items()}

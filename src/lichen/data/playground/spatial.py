"""Predicates that follow from where things stand: next to, behind, in front of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .world import ANIMALS, PEOPLE

if TYPE_CHECKING:
    from .compose import Shown

NEAR = 0.3
"""Widest gap of things next to each other, in heights of a grown-up at their depth."""
LEVEL = 0.13
"""Largest difference of their ground."""
APART = 0.08
"""Least difference of the ground of things behind each other."""
COVER = 0.4
"""Least share of the narrower one's width at which they overlap."""


def rank(label: str) -> int:
    """People before animals before objects: who of two is the subject."""
    return 0 if label in PEOPLE else 1 if label in ANIMALS else 2


def spatial_relations(shown: list[Shown]) -> list[tuple[int, str, int]]:
    """All pairs of things on the ground, of different groups, that stand in one of the spatial predicates.

    The subject is the person rather than the animal rather than the object; among equals the one to the left (next to)
    or farther away (behind).
    """
    standing = [(number, item) for number, item in enumerate(shown) if item.member.stands]
    result = []
    for place, (i, a) in enumerate(standing):
        for j, b in standing[place + 1 :]:
            if a.placed is b.placed:
                continue
            found = _relation(a, b)
            if found is None:
                continue
            predicate, forward = found
            result.append((i, predicate, j) if forward else (j, predicate, i))
    return result


def _relation(a: Shown, b: Shown) -> tuple[str, bool] | None:
    """The predicate, and whether `a` is its subject."""
    unit = (a.placed.scale + b.placed.scale) / 2
    ground = (a.placed.y - b.placed.y) / unit
    pixels = unit * a.placed.pixels
    gap = (max(a.box[0], b.box[0]) - min(a.box[2], b.box[2])) / pixels
    first, second = rank(a.member.label), rank(b.member.label)
    if -0.06 <= gap <= NEAR and abs(ground) <= LEVEL:
        left = a.box[0] + a.box[2] <= b.box[0] + b.box[2]
        return "next to", first < second or (first == second and left)
    narrow = min(a.box[2] - a.box[0], b.box[2] - b.box[0]) / pixels
    touching = min(a.box[3], b.box[3]) > max(a.box[1], b.box[1])
    if -gap >= COVER * narrow and abs(ground) >= APART and touching:
        a_behind = ground < 0.0
        if first == second:
            return "behind", a_behind
        subject_behind = a_behind if first < second else not a_behind
        return ("behind" if subject_behind else "in front of"), first < second
    return None

"""Things that are worn, drawn onto a posed person, and how they lie on the ground."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from .canvas import Pen, arc
from .colours import INK, Look, cloth, shade
from .people import Person


def hat(pen: Pen, look: Look, person: Person) -> None:
    """On the crown of the head."""
    _hat(_head(pen, person), look)


def _head(pen: Pen, person: Person) -> Pen:
    return pen.at(person.face, turn=-person.pose.lean * 0.6 - person.pose.nod, scale=person.build.head)


def _hat(head: Pen, look: Look) -> None:
    head.part(1).poly([(-0.86, 0.55), (0.86, 0.55), (0.72, 1.5), (0.3, 1.62), (-0.3, 1.62), (-0.72, 1.5)], look.main)
    if look.pattern:
        cloth(head, [(-0.86, 0.7), (0.86, 0.7), (0.72, 1.5), (-0.72, 1.5)], look, 0.5)
    head.poly([(-0.86, 0.55), (0.86, 0.55), (0.82, 0.84), (-0.82, 0.84)], shade(look.main, 0.55))
    head.part(2).oval(0.05, 0.54, 1.5, 0.24, shade(look.main, 0.9))


def scarf(pen: Pen, look: Look, person: Person) -> None:
    """Round the neck, one end blowing back."""
    (x, y), w = person.chest, person.build.limb
    y -= 0.005
    pen.part(1).poly(
        [
            (x - 0.05, y + 0.01),
            (x - 0.2, y - 0.05),
            (x - 0.27, y - 0.01),
            (x - 0.25, y - 0.1),
            (x - 0.17, y - 0.12),
            (x - 0.02, y - 0.04),
        ],
        shade(look.main, 0.84),
    )
    pen.part(2)
    pen.limb((x - 0.06, y + 0.005), (x + 0.07, y + 0.015), w * 1.35, w * 1.35, look.main)
    end = [(x + 0.015, y - 0.16), (x + 0.085, y - 0.16), (x + 0.085, y), (x + 0.015, y)]
    cloth(pen, end, look, 0.06)
    if look.pattern == "striped":
        for dx in (-0.05, 0.0, 0.05):
            pen.rect(x + dx - 0.011, y - w * 0.55, x + dx + 0.011, y + w * 0.72, look.second)


def backpack(pen: Pen, look: Look, person: Person) -> None:
    """Behind the trunk; it is drawn before it."""
    (hx, hy), (x, y) = person.hip, person.chest
    g = person.build.girth
    turn = -math.atan2(x - hx, y - hy)
    pen = pen.at(((hx + x) / 2, (hy + y) / 2), turn=turn)
    if person.pose.front:
        pen.part(1)
        cloth(
            pen,
            [(-g * 1.45, -0.1), (g * 1.45, -0.1), (g * 1.4, 0.13), (g, 0.17), (-g, 0.17), (-g * 1.4, 0.13)],
            look,
            0.08,
        )
        return
    pen.part(1)
    cloth(
        pen,
        [
            (-g * 0.6, -0.12),
            (-g * 1.9, -0.11),
            (-g * 2.15, -0.06),
            (-g * 2.1, 0.08),
            (-g * 1.7, 0.15),
            (-g * 0.6, 0.14),
        ],
        look,
        0.085,
    )
    pen.part(2).poly([(-g * 1.5, -0.09), (-g * 2.3, -0.08), (-g * 2.28, 0.01), (-g * 1.5, 0.02)], shade(look.main, 0.8))


def glasses(pen: Pen, look: Look, person: Person) -> None:
    """Over the eyes: dark lenses in a coloured frame."""
    head = _head(pen, person).part(1)
    near, far = (-0.38, 0.38) if person.pose.front else (0.24, 0.84)
    head.line([(-0.5, 0.0), (far, 0.0)], 0.13, look.main)
    for x, rx in ((near, 0.36), (far, 0.36 if person.pose.front else 0.26)):
        head.part(1).oval(x, -0.06, rx, 0.32, look.main)
        head.part(2).oval(x, -0.06, rx * 0.6, 0.18, INK)


WORN: Mapping[str, Callable[[Pen, Look, Person], None]] = {
    "hat": hat,
    "scarf": scarf,
    "backpack": backpack,
    "glasses": glasses,
}
"""Drawn onto a person."""
BEHIND = frozenset({"backpack"})
"""Of them, what lies under the trunk."""


def hat_down(pen: Pen, look: Look) -> None:
    """On its brim."""
    _hat(pen.at((0.0, -0.03), scale=0.12), look)


def backpack_down(pen: Pen, look: Look) -> None:
    """Upright on the ground."""
    pen.part(3).ring(0.0, 0.29, 0.03, 0.02, shade(look.main, 0.6), 0.0, math.pi)
    pen.part(1)
    cloth(
        pen,
        [(-0.13, 0.0), (0.13, 0.0), (0.13, 0.2), *arc(0.0, 0.18, 0.12, 0.1, math.pi - 0.1, 6), (-0.13, 0.2)],
        look,
        0.085,
    )
    pen.part(2).poly([(-0.09, 0.02), (0.09, 0.02), (0.09, 0.12), (-0.09, 0.12)], shade(look.main, 0.8))

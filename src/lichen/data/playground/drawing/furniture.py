"""Furniture and other things of a room. The frame starts on the ground below the middle."""

from __future__ import annotations

import math

from .canvas import Pen, arc
from .colours import INK, METAL, WOOD, Look, cloth, shade


def chair(pen: Pen, look: Look) -> None:
    """Seen from the side: the back is behind, the seat faces forward."""
    dark = shade(look.main, 0.62)
    pen.part(1)
    for x in (-0.12, 0.17):
        pen.rect(x - 0.016, 0.0, x + 0.016, 0.26, dark)
    pen.part(2).poly([(-0.2, 0.27), (-0.14, 0.27), (-0.17, 0.68), (-0.22, 0.68)], look.main)
    for x in (-0.17, 0.14):
        pen.rect(x - 0.018, 0.0, x + 0.018, 0.26, shade(look.main, 0.8))
    pen.part(3)
    cloth(pen, [(-0.2, 0.24), (0.2, 0.24), (0.2, 0.3), (-0.2, 0.3)], look, 0.05)


def bench(pen: Pen, look: Look) -> None:
    """A long park bench, seen from the front."""
    dark = shade(look.main, 0.6)
    pen.part(1)
    for x in (-0.4, 0.4):
        pen.rect(x - 0.025, 0.0, x + 0.025, 0.52, dark)
    pen.part(2)
    for y in (0.36, 0.46):
        pen.rect(-0.48, y, 0.48, y + 0.065, look.main)
    pen.part(3).poly([(-0.5, 0.21), (0.5, 0.21), (0.48, 0.3), (-0.48, 0.3)], shade(look.main, 1.15))
    pen.rect(-0.5, 0.19, 0.5, 0.23, shade(look.main, 0.78))
    for x in (-0.42, 0.42):
        pen.part(4).rect(x - 0.025, 0.0, x + 0.025, 0.2, dark)


def sofa(pen: Pen, look: Look) -> None:
    """Two seats, seen from the front."""
    dark = shade(look.main, 0.78)
    pen.part(1).poly([(-0.48, 0.1), (0.48, 0.1), (0.48, 0.5), (0.44, 0.56), (-0.44, 0.56), (-0.48, 0.5)], dark)
    pen.part(2)
    for x in (-0.42, 0.42):
        pen.rect(x - 0.03, 0.0, x + 0.03, 0.08, INK)
    for x in (-0.22, 0.22):
        pen.part(3 if x < 0 else 4)
        cloth(pen, [(x - 0.21, 0.28), (x + 0.21, 0.28), (x + 0.21, 0.5), (x - 0.21, 0.5)], look, 0.1)
    pen.part(5).poly([(-0.46, 0.08), (0.46, 0.08), (0.46, 0.29), (-0.46, 0.29)], shade(look.main, 1.12))
    pen.rect(-0.46, 0.08, 0.46, 0.2, shade(look.main, 0.92))
    for x in (-0.5, 0.5):
        pen.part(6).poly(
            [(x - 0.07, 0.06), (x + 0.07, 0.06), (x + 0.07, 0.36), *arc(x, 0.36, 0.07, 0.0, math.pi, 5)], look.main
        )


def table(pen: Pen, look: Look) -> None:
    """A table with four legs, seen from the front."""
    dark = shade(look.main, 0.66)
    pen.part(1)
    for x in (-0.3, 0.3):
        pen.rect(x - 0.022, 0.06, x + 0.022, 0.4, shade(look.main, 0.5))
    pen.part(2)
    for x in (-0.38, 0.38):
        pen.rect(x - 0.026, 0.0, x + 0.026, 0.4, dark)
    pen.part(3).poly([(-0.46, 0.38), (0.46, 0.38), (0.4, 0.47), (-0.4, 0.47)], shade(look.main, 1.15))
    pen.rect(-0.46, 0.35, 0.46, 0.39, shade(look.main, 0.82))


def lamp(pen: Pen, look: Look) -> None:
    """A standing lamp."""
    pen.part(1).oval(0.0, 0.02, 0.11, 0.03, METAL)
    pen.rect(-0.014, 0.02, 0.014, 0.74, METAL)
    pen.part(2)
    cloth(pen, [(-0.17, 0.68), (0.17, 0.68), (0.1, 0.95), (-0.1, 0.95)], look, 0.08)
    pen.rect(-0.16, 0.675, 0.16, 0.7, (255, 240, 180))


def tv(pen: Pen, look: Look) -> None:
    """A set on a low stand, showing hills."""
    pen.part(1).rect(-0.3, 0.0, 0.3, 0.17, WOOD)
    pen.rect(-0.02, 0.03, 0.02, 0.14, shade(WOOD, 0.6))
    pen.part(2).rect(-0.06, 0.17, 0.06, 0.21, INK)
    pen.part(3).rect(-0.34, 0.2, 0.34, 0.62, look.main)
    pen.part(4).rect(-0.3, 0.245, 0.3, 0.58, (120, 190, 236))
    pen.poly(
        [(-0.3, 0.245), (0.3, 0.245), (0.3, 0.36), (0.12, 0.46), (-0.05, 0.34), (-0.2, 0.42), (-0.3, 0.36)],
        (86, 166, 92),
    )
    pen.oval(0.2, 0.51, 0.04, 0.04, (250, 226, 110))

"""Things with wheels or runners, and boards. The frame starts on the ground below the middle; they face forward."""

from __future__ import annotations

import math

from .canvas import Pen, Point, oval
from .colours import INK, METAL, WOOD, Look, cloth, shade

TYRE = (52, 50, 54)


def wheel(pen: Pen, x: float, radius: float, turn: float = 0.0, spokes: int = 6) -> None:
    """A spoked wheel that stands on the ground."""
    pen.ring(x, radius, radius * 0.88, radius * 0.24, TYRE, 0.0, math.pi)
    pen.ring(x, radius, radius * 0.88, radius * 0.24, TYRE, math.pi, math.tau)
    for i in range(spokes // 2):
        a = turn + math.pi * i / (spokes // 2)
        dx, dy = radius * 0.8 * math.cos(a), radius * 0.8 * math.sin(a)
        pen.limb((x - dx, radius - dy), (x + dx, radius + dy), 0.012, 0.012, METAL)
    pen.oval(x, radius, radius * 0.16, radius * 0.16, METAL)


SADDLE: Point = (-0.12, 0.49)
BARS: Point = (0.19, 0.56)
PEDAL: Point = (0.0, 0.17)


def bicycle(pen: Pen, look: Look) -> None:
    """From the side."""
    r, back, front = 0.185, (-0.29, 0.185), (0.29, 0.185)
    pen.part(1)
    wheel(pen, back[0], r)
    wheel(pen, front[0], r)
    crank, seat, head = PEDAL, (-0.1, 0.42), (0.2, 0.44)
    pen.part(2)
    for start, end in ((back, crank), (back, seat), (crank, seat), (crank, head), (seat, head), (head, front)):
        pen.limb(start, end, 0.04, 0.04, look.main)
    pen.part(3).line([head, BARS, (0.13, 0.58)], 0.026, INK)
    pen.limb(seat, (-0.11, 0.47), 0.026, 0.026, METAL)
    pen.limb((-0.17, 0.48), (-0.05, 0.475), 0.05, 0.034, INK)
    pen.oval(*crank, 0.045, 0.045, METAL)


def skateboard(pen: Pen, look: Look) -> None:
    """A board on four wheels."""
    pen.part(1)
    for x in (-0.16, 0.16):
        pen.oval(x, 0.035, 0.036, 0.036, TYRE)
    pen.part(2).line([(-0.28, 0.12), (-0.2, 0.085), (0.2, 0.085), (0.28, 0.12)], 0.05, look.main)
    if look.pattern:
        for x in (-0.15, -0.05, 0.05, 0.15):
            pen.rect(x - 0.02, 0.065, x + 0.02, 0.108, look.second)


def surfboard(pen: Pen, look: Look) -> None:
    """Lying flat: what one rides or carries."""
    pen.part(1)
    cloth(pen, oval(0.0, 0.06, 0.46, 0.062, 0.06), look, 0.05)
    pen.part(2).limb((-0.4, 0.04), (0.4, 0.085), 0.014, 0.014, look.second)
    pen.part(1).poly([(-0.36, 0.02), (-0.3, 0.02), (-0.38, -0.05)], shade(look.main, 0.7))


def surfboard_up(pen: Pen, look: Look) -> None:
    """Stuck into the sand."""
    pen.part(1)
    cloth(pen, oval(0.0, 0.45, 0.12, 0.5), look, 0.14)
    pen.part(2).limb((0.0, 0.0), (0.0, 0.9), 0.018, 0.018, look.second)


def sled(pen: Pen, look: Look) -> None:
    """On runners that curl up in front."""
    pen.part(1).line([(-0.3, 0.03), (0.22, 0.03), (0.31, 0.07), (0.35, 0.16)], 0.034, METAL)
    for x in (-0.22, 0.0, 0.2):
        pen.limb((x, 0.04), (x, 0.14), 0.03, 0.03, shade(WOOD, 0.7))
    pen.part(2)
    cloth(pen, [(-0.33, 0.13), (0.3, 0.13), (0.3, 0.19), (-0.33, 0.19)], look, 0.05)


def cart(pen: Pen, look: Look) -> None:
    """Two wheels, a load of hay, and a shaft that reaches forward."""
    pen.part(1).line([(0.3, 0.24), (0.52, 0.3)], 0.03, shade(WOOD, 0.8))
    pen.part(2)
    for x, y, rx in ((-0.14, 0.46, 0.13), (0.12, 0.46, 0.14), (0.0, 0.52, 0.14)):
        pen.oval(x, y, rx, 0.09, (226, 190, 88))
    pen.part(3)
    cloth(pen, [(-0.3, 0.2), (0.3, 0.2), (0.34, 0.44), (-0.34, 0.44)], look, 0.09)
    pen.rect(-0.35, 0.41, 0.35, 0.45, shade(look.main, 0.7))
    pen.part(4)
    wheel(pen, -0.05, 0.16)


def car(pen: Pen, look: Look) -> None:
    """A small car from the side."""
    pen.part(1).poly([(-0.34, 0.36), (-0.24, 0.58), (0.1, 0.58), (0.26, 0.36)], look.main)
    pen.part(2).poly([(-0.29, 0.38), (-0.21, 0.54), (-0.08, 0.54), (-0.08, 0.38)], (186, 222, 240))
    pen.poly([(-0.04, 0.38), (-0.04, 0.54), (0.08, 0.54), (0.2, 0.38)], (186, 222, 240))
    pen.part(3)
    body = [(-0.56, 0.13), (0.56, 0.13), (0.58, 0.26), (0.5, 0.36), (0.3, 0.39), (-0.5, 0.39), (-0.57, 0.33)]
    pen.poly(body, look.main)
    pen.poly([(-0.56, 0.13), (0.56, 0.13), (0.58, 0.22), (-0.57, 0.22)], shade(look.main, 0.76))
    if look.pattern == "striped":
        pen.poly([(-0.57, 0.27), (0.57, 0.27), (0.56, 0.31), (-0.57, 0.31)], look.second)
    pen.oval(0.54, 0.29, 0.035, 0.035, (255, 238, 150))
    pen.rect(-0.57, 0.27, -0.53, 0.33, (220, 60, 50))
    pen.part(4)
    for x in (-0.33, 0.33):
        pen.oval(x, 0.12, 0.12, 0.12, TYRE)
        pen.oval(x, 0.12, 0.055, 0.055, (206, 208, 210))

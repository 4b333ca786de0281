"""Things for the hand. The frame starts at the grip; each also has a form that rests on the ground (or floats)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from .canvas import Pen, arc, oval
from .colours import INK, METAL, NAMED, WOOD, Look, cloth, shade

Draw = Callable[[Pen, Look], None]


def umbrella(pen: Pen, look: Look) -> None:
    """Open, over the head; the stick is held near its lower end."""
    pen.part(1).line([(0.0, -0.12), (0.0, 0.52)], 0.024, INK)
    pen.ring(0.03, -0.12, 0.03, 0.024, INK, math.pi, math.tau)
    r, y = 0.36, 0.44
    pen.part(2)
    colours = (look.main, look.second if look.pattern == "striped" else shade(look.main, 0.84))
    ribs = [-r, -r * 0.58, -r * 0.2, r * 0.2, r * 0.58, r]
    for i in range(5):
        down = [(ribs[i] * t, _rib(t, r, y)) for t in (0.5, 0.85, 1.0)]
        up = [(ribs[i + 1] * t, _rib(t, r, y)) for t in (1.0, 0.85, 0.5)]
        scallop = ((ribs[i] + ribs[i + 1]) / 2, y + 0.035)
        pen.poly([(0.0, y + r * 0.72), *down, scallop, *up], colours[i % 2])
    if look.pattern == "spotted":
        for x, h in ((-0.22, 0.07), (-0.08, 0.14), (0.08, 0.08), (0.22, 0.07), (0.02, 0.2)):
            pen.oval(x, y + h, 0.034, 0.034, look.second)
    pen.part(1).limb((0.0, y + r * 0.72), (0.0, y + r * 0.72 + 0.05), 0.024, 0.012, INK)


def _rib(share: float, radius: float, rim: float) -> float:
    """Height of a rib at a share of the way from the tip to the rim."""
    return rim + radius * 0.72 * math.sqrt(max(0.0, 1.0 - share * share))


def balloon(pen: Pen, look: Look) -> None:
    """On a string, above the hand."""
    pen.part(1).line([(0.0, 0.0), (0.03, 0.2), (0.05, 0.4)], 0.013, (90, 90, 90))
    pen.part(2).poly([(0.03, 0.39), (0.07, 0.39), (0.05, 0.44)], shade(look.main, 0.7))
    cloth(pen, oval(0.05, 0.57, 0.125, 0.155), look, 0.085)
    pen.oval(0.01, 0.63, 0.028, 0.042, shade(look.main, 1.6), 0.4)


def kite(pen: Pen, look: Look) -> None:
    """In the air before the hand, on a line, with a tail."""
    pen.part(1).line([(0.0, 0.0), (0.2, 0.24), (0.36, 0.52)], 0.012, (110, 110, 110))
    pen.line([(0.3, 0.4), (0.2, 0.5), (0.16, 0.38), (0.1, 0.44)], 0.022, look.second)
    pen.part(2)
    shape = [(0.3, 0.4), (0.55, 0.58), (0.46, 0.83), (0.22, 0.68)]
    pen.poly(shape, look.main)
    pen.poly([(0.3, 0.4), (0.39, 0.64), (0.22, 0.68)], look.second if look.pattern else shade(look.main, 0.78))
    pen.poly([(0.55, 0.58), (0.39, 0.64), (0.46, 0.83)], look.second if look.pattern else shade(look.main, 0.78))


def ball(pen: Pen, look: Look) -> None:
    """Its centre is the grip."""
    r = 0.105
    pen.part(1)
    cloth(pen, oval(0.0, 0.0, r, r), look, 0.08)
    if look.pattern is None:
        pen.poly(
            [(-r * 0.92, -0.035), *arc(0.0, 0.0, r, math.pi * 1.12, math.pi * 1.88, 8), (0.0, -0.06)],
            shade(look.main, 0.8),
        )
    pen.oval(-0.03, 0.045, 0.03, 0.022, shade(look.main, 1.7), 0.6)


def cup(pen: Pen, look: Look) -> None:
    """A mug, gripped at its middle."""
    pen.part(1).ring(0.062, 0.0, 0.035, 0.022, look.main, -math.pi * 0.5, math.pi * 0.5)
    pen.part(2)
    cloth(pen, [(-0.055, -0.07), (0.05, -0.07), (0.06, 0.07), (-0.065, 0.07)], look, 0.06)
    pen.oval(-0.002, 0.07, 0.06, 0.018, shade(look.main, 0.6))


def book(pen: Pen, look: Look) -> None:
    """Open, its spine at the grip."""
    pen.part(1).poly([(0.0, -0.07), (0.13, -0.03), (0.13, 0.12), (0.0, 0.08), (-0.13, 0.12), (-0.13, -0.03)], look.main)
    pen.part(2).poly([(0.0, -0.05), (0.11, -0.015), (0.11, 0.135), (0.0, 0.1)], NAMED["white"])
    pen.poly([(0.0, -0.05), (-0.11, -0.015), (-0.11, 0.135), (0.0, 0.1)], (226, 222, 210))


def phone(pen: Pen, look: Look) -> None:
    """Upright, with a lit screen."""
    pen.part(1).poly([(-0.042, -0.05), (0.042, -0.05), (0.042, 0.12), (-0.042, 0.12)], look.main)
    pen.part(2).rect(-0.03, -0.025, 0.03, 0.1, (190, 230, 250))


def guitar(pen: Pen, look: Look) -> None:
    """Across the body: the grip is the sound hole, the neck points up and forward."""
    pen = pen.at((0.0, 0.0), turn=0.5)
    pen.part(1).limb((0.0, 0.0), (0.42, 0.0), 0.045, 0.038, (92, 58, 38))
    pen.rect(0.4, -0.035, 0.5, 0.035, (70, 44, 30))
    pen.part(2).oval(-0.12, 0.0, 0.13, 0.14, look.main)
    pen.oval(0.04, 0.0, 0.1, 0.105, look.main)
    pen.oval(-0.12, -0.03, 0.09, 0.09, shade(look.main, 1.25))
    pen.oval(0.01, 0.0, 0.045, 0.045, INK)
    pen.rect(-0.17, -0.05, -0.145, 0.05, INK)


def racket(pen: Pen, look: Look) -> None:
    """Raised from the grip."""
    pen = pen.at((0.0, 0.0), turn=-0.35)
    pen.part(1).limb((0.0, -0.04), (0.0, 0.18), 0.035, 0.026, INK)
    pen.part(2).oval(0.0, 0.32, 0.125, 0.16, look.main)
    pen.part(3).oval(0.0, 0.32, 0.092, 0.125, (240, 240, 228))
    for x in (-0.045, 0.0, 0.045):
        pen.rect(x - 0.004, 0.22, x + 0.004, 0.42, METAL)
    for y in (0.26, 0.32, 0.38):
        pen.rect(-0.08, y - 0.004, 0.08, y + 0.004, METAL)


def flag(pen: Pen, look: Look) -> None:
    """On a pole, blowing back."""
    pen.part(1).line([(0.0, -0.1), (0.0, 0.58)], 0.022, WOOD)
    pen.part(2)
    shape = [(0.0, 0.34), (0.0, 0.56), (0.15, 0.6), (0.33, 0.54), (0.33, 0.33), (0.15, 0.38)]
    cloth(pen, shape, look, 0.075)
    if look.pattern is None:
        pen.poly([(0.15, 0.6), (0.21, 0.58), (0.21, 0.36), (0.15, 0.38)], shade(look.main, 0.84))


def flower(pen: Pen, look: Look) -> None:
    """A big bloom on a stalk."""
    pen.part(1).line([(0.0, -0.06), (0.01, 0.16)], 0.02, (58, 132, 62))
    pen.oval(0.04, 0.06, 0.045, 0.02, (72, 152, 72), 0.6)
    pen.part(2)
    for i in range(6):
        a = math.tau * i / 6
        pen.oval(0.01 + 0.062 * math.cos(a), 0.22 + 0.062 * math.sin(a), 0.045, 0.045, look.main)
    pen.part(3).oval(0.01, 0.22, 0.04, 0.04, (250, 214, 70) if look.name != "yellow" else (150, 92, 40))


def ice_cream(pen: Pen, look: Look) -> None:
    """A scoop in a cone."""
    pen.part(1).poly([(0.0, -0.09), (0.06, 0.06), (-0.06, 0.06)], (222, 168, 92))
    pen.part(2).oval(0.0, 0.1, 0.08, 0.075, look.main)
    pen.oval(-0.025, 0.13, 0.024, 0.02, shade(look.main, 1.6))


def box(pen: Pen, look: Look) -> None:
    """Gripped at the middle of its bottom edge."""
    pen.part(1)
    cloth(pen, [(-0.17, -0.02), (0.17, -0.02), (0.17, 0.24), (-0.17, 0.24)], look, 0.1)
    pen.part(2).poly([(-0.17, 0.24), (0.17, 0.24), (0.22, 0.29), (-0.12, 0.29)], shade(look.main, 1.3))
    pen.part(3).poly([(0.17, -0.02), (0.22, 0.03), (0.22, 0.29), (0.17, 0.24)], shade(look.main, 0.72))
    pen.part(1).rect(-0.03, 0.13, 0.03, 0.24, shade(look.main, 0.62))


def basket(pen: Pen, look: Look) -> None:
    """Hangs from its handle, which is the grip; fruit looks out."""
    pen.part(1).ring(0.0, -0.13, 0.12, 0.024, WOOD, 0.0, math.pi)
    for x, colour in ((-0.07, (220, 60, 50)), (0.0, (240, 160, 50)), (0.07, (120, 180, 60))):
        pen.part(2).oval(x, -0.12, 0.05, 0.05, colour)
    pen.part(3)
    shape = [(-0.11, -0.29), (0.11, -0.29), (0.15, -0.12), (-0.15, -0.12)]
    pen.poly(shape, look.main)
    for y in (-0.25, -0.19):
        pen.rect(-0.115, y, 0.115, y + 0.02, shade(look.main, 0.76))
    pen.rect(-0.16, -0.145, 0.16, -0.115, shade(look.main, 0.86))


def suitcase(pen: Pen, look: Look) -> None:
    """Hangs from its handle, which is the grip."""
    pen.part(1).ring(0.0, -0.03, 0.045, 0.02, INK, 0.0, math.pi)
    pen.part(2)
    cloth(
        pen, [(-0.17, -0.28), (0.17, -0.28), (0.17, -0.05), (0.15, -0.03), (-0.15, -0.03), (-0.17, -0.05)], look, 0.085
    )
    for x in (-0.1, 0.1):
        pen.rect(x - 0.016, -0.28, x + 0.016, -0.03, shade(look.main, 0.62))


HELD: Mapping[str, Draw] = {
    "umbrella": umbrella, "balloon": balloon, "kite": kite, "ball": ball, "cup": cup, "book": book, "phone": phone,
    "guitar": guitar, "racket": racket, "flag": flag, "flower": flower, "ice cream": ice_cream, "box": box,
    "basket": basket, "suitcase": suitcase,
}  # fmt: skip
"""Drawn from the grip."""
GRIP: Mapping[str, float] = {
    "umbrella": 0.14, "balloon": 0.02, "kite": 0.5, "ball": 0.105, "cup": 0.07, "book": 0.07, "phone": 0.05,
    "guitar": 0.21, "racket": 0.05, "flag": 0.1, "flower": 0.06, "ice cream": 0.09, "box": 0.02, "basket": 0.29,
    "suitcase": 0.28,
}  # fmt: skip
"""Height of the grip above what the thing rests on."""

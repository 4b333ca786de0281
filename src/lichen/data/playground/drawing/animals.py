"""Animals: four-legged figures by a table of proportions, and a bird. They face to the right of their frame."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from .canvas import Colour, Pen, Point, oval
from .colours import INK, NAMED, Look, shade
from .people import bones


@dataclass(frozen=True)
class Beast:
    """Proportions of a four-legged animal, in heights of a grown-up."""

    leg: float
    """Height of the belly."""
    length: float
    """From chest to rump."""
    depth: float
    """Of the trunk, from back to belly."""
    neck: Point
    """From the top of the chest to the middle of the head."""
    head: Point
    """Half length and half height of the skull."""
    snout: Point
    """Its length beyond the skull and half its height."""
    limb: float
    """Width of a leg at the top."""
    ear: str
    tail: str
    neck_width: float = 0.1


BEASTS: Mapping[str, Beast] = {
    "dog": Beast(0.19, 0.36, 0.15, (0.09, 0.13), (0.085, 0.075), (0.07, 0.042), 0.062, "flop", "up", 0.1),
    "cat": Beast(0.13, 0.28, 0.12, (0.05, 0.09), (0.085, 0.075), (0.02, 0.03), 0.048, "point", "long", 0.08),
    "horse": Beast(0.42, 0.66, 0.23, (0.2, 0.3), (0.085, 0.066), (0.13, 0.046), 0.09, "small", "hair", 0.15),
    "cow": Beast(0.34, 0.70, 0.27, (0.13, 0.1), (0.09, 0.085), (0.08, 0.058), 0.095, "horn", "tuft", 0.17),
    "sheep": Beast(0.18, 0.42, 0.25, (0.08, 0.07), (0.07, 0.062), (0.055, 0.042), 0.05, "side", "stub", 0.1),
    "elephant": Beast(0.36, 0.78, 0.42, (0.13, 0.02), (0.16, 0.16), (0.05, 0.09), 0.16, "fan", "tuft", 0.2),
    "bear": Beast(0.22, 0.56, 0.30, (0.1, 0.06), (0.115, 0.1), (0.06, 0.05), 0.12, "round", "stub", 0.18),
}
COATS: Mapping[str, Mapping[str, float]] = {
    "dog": {"brown": 5, "white": 3, "black": 3, "orange": 1, "grey": 2},
    "cat": {"orange": 4, "black": 3, "grey": 3, "white": 2},
    "horse": {"brown": 6, "white": 2, "black": 2, "grey": 1},
    "cow": {"white": 5, "brown": 4, "black": 2},
    "sheep": {"white": 6, "black": 1, "grey": 1},
    "elephant": {"grey": 5, "blue": 0.6, "pink": 0.6},
    "bear": {"brown": 5, "white": 2, "black": 2},
    "bird": {"white": 2, "blue": 2, "red": 2, "yellow": 2, "black": 1},
}
"""How common each colour of a coat is."""
_STEPS = {"stand": (0.0, 0.0, 0.0, 0.0), "walk": (0.5, -0.4, -0.45, 0.5), "run": (1.0, 0.75, -0.85, -1.0)}
"""How far each foot (near front, far front, near back, far back) is ahead of its shoulder, in shares of the leg."""


@dataclass(frozen=True)
class Animal:
    """One animal in a pose."""

    kind: str
    look: Look
    pose: str = "stand"
    """stand, walk, run or sit."""
    nod: float = 0.0
    """The head lower (positive) or higher, in radians."""
    phase: float = 1.0
    """Of the step: 1 is the full stride forward, -1 the opposite one, 0 the middle."""

    @property
    def beast(self) -> Beast:
        """Proportions."""
        return BEASTS[self.kind]

    @property
    def back(self) -> Point:
        """Where a rider sits."""
        b = self.beast
        return -0.04 * b.length, b.leg + b.depth * 0.97

    @property
    def pitch(self) -> float:
        """Turn of the trunk: an animal that sits raises its chest."""
        return 0.62 if self.pose == "sit" else 0.0

    def _body(self, x: float, y: float) -> Point:
        """A point of the trunk, given from its rear end at half height."""
        b, cos, sin = self.beast, math.cos(self.pitch), math.sin(self.pitch)
        rear = b.depth * 0.5 if self.pitch else b.leg + b.depth * 0.5
        return -b.length / 2 + x * cos - y * sin, rear + x * sin + y * cos

    @property
    def chest(self) -> Point:
        """The front of the trunk: where a leash or a shaft is tied."""
        b = self.beast
        return self._body(b.length * 0.95, -b.depth * 0.05)

    @property
    def rear(self) -> Point:
        """The rear of the trunk."""
        return self._body(0.0, 0.0)

    @property
    def skull(self) -> Point:
        """Middle of the head."""
        b = self.beast
        x, y = self._body(b.length * 0.9, b.depth * 0.22)
        angle, length = math.atan2(b.neck[1], b.neck[0]) - self.nod, math.hypot(*b.neck)
        return x + length * math.cos(angle), y + length * math.sin(angle)

    @property
    def mouth(self) -> Point:
        """Where things are carried."""
        b, (x, y) = self.beast, self.skull
        reach, drop = b.head[0] + b.snout[0] * 0.8, b.head[1] * 0.45
        angle = -self.nod - self._droop
        return x + reach * math.cos(angle) + drop * math.sin(angle), y + reach * math.sin(angle) - drop * math.cos(
            angle
        )

    @property
    def _droop(self) -> float:
        return 0.6 if self.kind == "horse" else 0.15

    def draw(self, pen: Pen) -> None:
        """The whole animal."""
        self.far(pen)
        self.body(pen)
        self.near(pen)

    def far(self, pen: Pen) -> None:
        """Legs of the far side, and the tail."""
        pen.part(1)
        for number in (1, 3):
            self._leg(pen, number, 0.72)
        self._tail(pen.part(2))

    def near(self, pen: Pen) -> None:
        """Legs of the near side."""
        pen.part(6)
        for number in (0, 2):
            self._leg(pen, number, 0.94)

    def _leg(self, pen: Pen, number: int, dim: float) -> None:
        b, front = self.beast, number < 2
        near = number % 2 == 0
        width, colour = b.limb, shade(self._leg_colour(), dim)
        x, y = self._body(b.length * ((0.87 if near else 0.95) if front else (0.1 if near else 0.18)), -b.depth * 0.2)
        if self.pose == "sit" and not front:
            pen.oval(-b.length * 0.3, b.depth * 0.36, b.depth * 0.42, b.depth * 0.36, colour)
            pen.limb((-b.length * 0.3, width * 0.4), (-b.length * 0.02, width * 0.4), width * 0.8, width * 0.8, colour)
            return
        half = (y - width * 0.3) * 0.52
        stride = 0.0 if self.pose == "sit" else _STEPS[self.pose][number] * self.phase
        foot = (x + stride * b.leg * 0.75, width * 0.3 + (b.leg * 0.22 * abs(stride) if self.pose == "run" else 0.0))
        hip, knee, end = bones((x, y), foot, half, half, -0.7 if front else 0.7)
        pen.limb(hip, knee, width * 1.25, width * 0.85, colour)
        pen.limb(knee, end, width * 0.85, width * 0.72, colour)
        hoof = {"horse": INK, "cow": (92, 74, 60), "sheep": INK, "elephant": (226, 220, 206)}.get(self.kind)
        if hoof:
            pen.oval(end[0] + width * 0.06, end[1] - width * 0.08, width * 0.42, width * 0.26, hoof)

    def _leg_colour(self) -> Colour:
        return (70, 62, 60) if self.kind == "sheep" else self.look.main

    def body(self, pen: Pen) -> None:
        """Trunk, neck and head."""
        self.trunk(pen)
        self.head(pen)

    def trunk(self, pen: Pen) -> None:
        """Trunk and neck."""
        b, look = self.beast, self.look
        pen.part(3)
        rear, front = self._body(b.depth * 0.5, 0.0), self._body(b.length - b.depth * 0.5, b.depth * 0.02)
        base = self._body(b.length * 0.84, b.depth * 0.12)
        if self.kind != "sheep":
            pen.limb(base, self.skull, b.neck_width * 1.5, b.neck_width, look.main)
        if self.kind == "horse":
            x, y = self.skull
            mane = shade(look.main, 0.42 if look.name != "white" else 0.75)
            pen.limb((base[0] - 0.06, base[1] + 0.09), (x - 0.06, y + 0.05), 0.08, 0.06, mane)
        pen.limb(rear, front, b.depth, b.depth * 1.02, look.main)
        belly = self._body(b.length * 0.5, -b.depth * 0.36)
        pen.oval(*belly, b.length * 0.32, b.depth * 0.12, shade(look.main, 0.84), self.pitch)
        if self.kind == "sheep":
            for i in range(7):
                x, y = self._body(b.length * (0.08 + 0.14 * i), b.depth * (0.36 if i % 2 else 0.3))
                pen.oval(x, y, 0.055, 0.055, look.main)
                x, y = self._body(b.length * (0.08 + 0.14 * i), -b.depth * 0.38)
                pen.oval(x, y, 0.05, 0.05, shade(look.main, 0.9))
        if look.pattern == "spotted":
            for x, y, r in (
                (0.2, 0.16, 0.2),
                (0.45, -0.12, 0.15),
                (0.62, 0.2, 0.19),
                (0.84, -0.05, 0.14),
                (0.08, -0.16, 0.12),
            ):
                px, py = self._body(b.length * x, b.depth * y)
                pen.oval(px, py, b.depth * r * 1.15, b.depth * r, look.second)
        elif look.pattern == "striped":
            for i in range(5):
                x = b.length * (0.14 + 0.18 * i)
                pen.limb(
                    self._body(x, b.depth * 0.46),
                    self._body(x + 0.02, -b.depth * 0.1),
                    b.length * 0.06,
                    0.01,
                    look.second,
                )

    def head(self, pen: Pen) -> None:
        """The head with its ears."""
        b, look = self.beast, self.look
        rx, ry = b.head
        pen = pen.at(self.skull, turn=-self.nod - self._droop).part(5)
        skin = (70, 62, 60) if self.kind == "sheep" else look.main
        if b.ear in ("point", "round", "small", "horn"):
            self._ear(pen, shade(skin, 0.75), far=True)
        muzzle = {"cow": (240, 190, 180), "bear": shade(skin, 1.4), "dog": shade(skin, 1.25)}.get(self.kind, skin)
        if self.kind == "elephant":
            self._trunk(pen, skin)
        else:
            pen.limb(
                (rx * 0.45, -ry * 0.25), (rx + b.snout[0] - b.snout[1], -ry * 0.35), ry * 1.5, b.snout[1] * 2, muzzle
            )
            if self.kind != "horse":
                pen.oval(rx + b.snout[0] - 0.008, -ry * 0.2, 0.02, 0.017, INK)
            else:
                pen.oval(rx + b.snout[0] - 0.045, -ry * 0.4, 0.01, 0.013, INK)
        pen.oval(0.0, 0.0, rx, ry, skin)
        if self.kind == "sheep":
            pen.oval(-rx * 0.2, ry * 0.75, rx * 0.8, ry * 0.55, look.main)
        eye = 0.26 if self.kind == "elephant" else 0.4
        radius = max(0.014, ry * 0.17)
        white = NAMED["white"]
        pen.oval(rx * eye, ry * 0.2, radius * 1.45, radius * 1.45, white)
        pen.oval(rx * eye + radius * 0.35, ry * 0.2, radius, radius, INK)
        self._ear(pen, shade(skin, 0.7), far=False)

    def _trunk(self, pen: Pen, skin: Colour) -> None:
        points = ((0.11, -0.06), (0.2, -0.14), (0.23, -0.25), (0.22, -0.34), (0.26, -0.4))
        for i, (start, end) in enumerate(pairwise(points)):
            pen.limb(start, end, 0.12 - 0.018 * i, 0.11 - 0.018 * i, skin)
        pen.limb((0.12, -0.12), (0.24, -0.12), 0.035, 0.012, (250, 246, 230))

    def _ear(self, pen: Pen, colour: Colour, far: bool) -> None:
        b = self.beast
        rx, ry = b.head
        x = rx * (-0.05 if far else -0.45)
        if b.ear == "flop":
            pen.limb((-rx * 0.5, ry * 0.5), (-rx * 0.75, -ry * 0.7), 0.05, 0.065, colour)
        elif b.ear == "point":
            pen.poly([(x - rx * 0.3, ry * 0.55), (x - rx * 0.05, ry * 1.65), (x + rx * 0.45, ry * 0.8)], colour)
        elif b.ear == "small":
            pen.poly([(x - 0.02, ry * 0.6), (x - 0.015, ry * 1.9), (x + 0.04, ry * 0.9)], colour)
        elif b.ear == "round":
            pen.oval(x - rx * 0.1, ry * 0.9, 0.04, 0.04, colour)
        elif b.ear == "side":
            pen.limb((-rx * 0.5, ry * 0.25), (-rx * 1.2, -ry * 0.15), 0.04, 0.03, colour)
        elif b.ear == "horn":
            pen.line([(x, ry * 0.8), (x - 0.01, ry * 1.35), (x + 0.04, ry * 1.7)], 0.028, (232, 222, 196))
            if not far:
                pen.limb((-rx * 0.7, ry * 0.5), (-rx * 1.3, ry * 0.25), 0.05, 0.03, colour)
        elif b.ear == "fan" and not far:
            pen.poly(oval(-rx * 0.55, -ry * 0.05, 0.12, 0.17, 0.15), shade(self.look.main, 0.82))

    def _tail(self, pen: Pen) -> None:
        b, (x, y) = self.beast, self.rear
        colour, top = shade(self.look.main, 0.85), y + b.depth * 0.25
        if b.tail == "up":
            pen.line([(x + 0.03, top), (x - 0.07, top + 0.08), (x - 0.06, top + 0.15)], 0.04, colour)
        elif b.tail == "long":
            pen.line(
                [(x + 0.02, top - 0.02), (x - 0.1, top), (x - 0.13, top + 0.1), (x - 0.09, top + 0.16)], 0.036, colour
            )
        elif b.tail == "hair":
            hair = shade(self.look.main, 0.42 if self.look.name != "white" else 0.75)
            pen.line(
                [(x + 0.05, top), (x - 0.04, top - 0.03), (x - 0.07, top - 0.16), (x - 0.06, top - 0.28)], 0.07, hair
            )
        elif b.tail == "tuft":
            pen.line([(x + 0.05, top - 0.02), (x - 0.03, top - 0.08), (x - 0.03, top - 0.24)], 0.026, colour)
            pen.oval(x - 0.03, top - 0.26, 0.024, 0.04, INK)
        else:
            pen.oval(x + 0.01, top, 0.04, 0.04, colour)


@dataclass(frozen=True)
class Bird:
    """A bird that stands or flies."""

    look: Look
    flying: bool = False
    phase: float = 1.0
    """Of the wing beat: 1 is up, -1 down."""

    def draw(self, pen: Pen) -> None:
        """The whole bird; flying, the origin is the middle of its body."""
        main, dark = self.look.main, shade(self.look.main, 0.75)
        base = 0.0 if self.flying else 0.17
        if not self.flying:
            pen.part(1)
            for x in (-0.02, 0.04):
                pen.line([(x, 0.1), (x, 0.0), (x + 0.04, 0.0)], 0.018, (226, 140, 40))
        pen.part(2).poly([(-0.08, base), (-0.27, base + 0.05), (-0.26, base - 0.05)], dark)
        if self.flying:
            pen.part(1).poly([(0.06, base), (-0.1, base), (-0.06, base + 0.22 * self.phase)], dark)
        pen.part(3).oval(0.0, base, 0.15, 0.1, main, 0.2)
        pen.oval(0.05, base - 0.03, 0.09, 0.055, shade(main, 1.35), 0.2)
        pen.part(5).poly([(0.22, base + 0.14), (0.31, base + 0.1), (0.22, base + 0.07)], (240, 160, 40))
        pen.oval(0.16, base + 0.11, 0.08, 0.08, main)
        pen.oval(0.19, base + 0.13, 0.02, 0.02, INK)
        pen.part(6)
        if self.flying:
            pen.poly(
                [
                    (0.08, base + 0.02),
                    (-0.12, base),
                    (-0.14, base + 0.3 * self.phase),
                    (-0.02, base + 0.2 * self.phase),
                ],
                dark,
            )
        else:
            pen.oval(-0.05, base + 0.0, 0.11, 0.06, dark, 0.12)

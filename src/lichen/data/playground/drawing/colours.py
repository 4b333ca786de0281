"""Colours by name, and `Look`: how one thing is painted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..dice import Dice
from .canvas import Colour, Pen, Point, clip_band

NAMED: dict[str, Colour] = {
    "red": (214, 48, 44),
    "orange": (242, 140, 40),
    "yellow": (246, 211, 58),
    "green": (62, 160, 72),
    "blue": (54, 104, 210),
    "purple": (134, 72, 176),
    "pink": (244, 142, 186),
    "brown": (138, 88, 52),
    "black": (46, 46, 52),
    "white": (244, 244, 240),
    "grey": (146, 148, 152),
}
"""The colours that captions name."""
SKIN: tuple[Colour, ...] = (
    (252, 220, 192),
    (240, 196, 160),
    (222, 168, 124),
    (188, 130, 90),
    (146, 96, 64),
    (104, 68, 46),
)
HAIR: tuple[Colour, ...] = ((38, 30, 28), (74, 48, 32), (120, 76, 42), (214, 172, 92), (168, 80, 40), (168, 164, 160))
INK: Colour = (44, 38, 40)
WOOD: Colour = (164, 112, 66)
METAL: Colour = (128, 134, 142)
PATTERNS = ("striped", "spotted")


@dataclass(frozen=True)
class Look:
    """How a thing is painted."""

    name: str | None
    """The colour that captions call it by; None where it has none worth a word."""
    main: Colour
    second: Colour
    """Of stripes and spots."""
    pattern: str | None = None
    """"striped", "spotted" or None for plain."""

    @property
    def attributes(self) -> tuple[str, ...]:
        """The words for it."""
        return tuple(word for word in (self.name, self.pattern) if word)


def shade(colour: Colour, factor: float) -> Colour:
    """Darker (factor below 1) or lighter (above 1: towards white)."""
    r, g, b = colour
    if factor <= 1.0:
        return int(r * factor), int(g * factor), int(b * factor)
    t = factor - 1.0
    return int(r + (255 - r) * t), int(g + (255 - g) * t), int(b + (255 - b) * t)


def varied(colour: Colour, dice: Dice, amount: int = 10) -> Colour:
    """Almost the same colour: each channel moves by at most `amount`."""
    r, g, b = (min(255, max(0, channel + dice.whole(2 * amount + 1) - amount)) for channel in colour)
    return r, g, b


def paint(name: str, dice: Dice, pattern: str | None = None) -> Look:
    """A look by the name of its colour."""
    main = varied(NAMED[name], dice)
    light = 0.3 * main[0] + 0.59 * main[1] + 0.11 * main[2]
    second = NAMED["white"] if light < 165 else shade(main, 0.52)
    return Look(name, main, second, pattern)


def cloth(pen: Pen, points: Sequence[Point], look: Look, pitch: float, phase: float = 0.0) -> None:
    """A convex shape in a look; `pitch` is the distance from stripe to stripe or spot to spot."""
    pen.poly(points, look.main)
    if look.pattern is None:
        return
    ys = [y for _, y in points]
    low, high = min(ys), max(ys)
    y = low + pitch * (0.35 + phase)
    if look.pattern == "striped":
        while y < high:
            band = clip_band(points, y, y + pitch * 0.48)
            if len(band) > 2:
                pen.poly(band, look.second)
            y += pitch
        return
    radius, odd = pitch * 0.27, False
    while y < high:
        row = clip_band(points, y - radius, y + radius)
        if len(row) > 2:
            left, right = min(x for x, _ in row) + radius, max(x for x, _ in row) - radius
            x = left + (pitch * 0.5 if odd else 0.0)
            while x <= right:
                pen.oval(x, y, radius, radius, look.second)
                x += pitch
        y += pitch * 0.8
        odd = not odd

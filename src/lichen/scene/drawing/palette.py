"""The colours of drawings: of things, of paper and ink, and what can be read on them."""

from __future__ import annotations

Colour = tuple[int, int, int]
"""Red, green, blue from 0 to 255."""

INK: Colour = (34, 48, 43)
GREY: Colour = (122, 131, 127)
FAINT: Colour = (222, 227, 224)
PAPER: Colour = (255, 255, 255)
BLANK: Colour = (240, 242, 241)
"""Where a picture would be."""

COLOURS: tuple[Colour, ...] = (
    (31, 119, 180),
    (214, 84, 20),
    (40, 140, 70),
    (176, 42, 80),
    (113, 80, 170),
    (170, 120, 10),
    (0, 134, 139),
    (200, 62, 150),
    (122, 82, 60),
    (92, 110, 20),
    (70, 90, 200),
    (150, 60, 40),
)
"""Of things, in order of use: apart from each other also for most colour-blind eyes, dark enough for white letters."""


def colour_of(number: int) -> Colour:
    """Colour of thing number so and so; they come round again after the last."""
    return COLOURS[number % len(COLOURS)]


def mixed(colour: Colour, other: Colour, share: float) -> Colour:
    """A colour with a share (0 to 1) of another in it."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))
    return red, green, blue


def tint(colour: Colour, share: float = 0.84) -> Colour:
    """A colour thinned with white, for paper under dark letters."""
    return mixed(colour, PAPER, share)

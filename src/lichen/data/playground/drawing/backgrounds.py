"""Places: what lies behind all entities. Colours stay paler than those of things, so that things stand out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ..dice import Dice
from .canvas import Canvas, Colour, Pen, arc
from .colours import shade, varied


@dataclass(frozen=True)
class Backdrop:
    """A finished background."""

    name: str
    horizon: float
    """Height of the picture's upper part, sky or wall, from 0 (nothing) to 1 (all)."""
    shadow: Colour
    """Of a shadow on its ground."""


class _Stage:
    """What a place is drawn with: x from 0 to the aspect ratio, y from 0 at the bottom to 1."""

    def __init__(self, canvas: Canvas, dice: Dice) -> None:
        self.pen = Pen(canvas, 0.0, float(canvas.height), float(canvas.height))
        self.dice = dice
        self.width = canvas.width / canvas.height
        self.canvas = canvas

    def fade(self, top: float, bottom: float, upper: Colour, lower: Colour) -> None:
        """A strip of the picture in a gradient."""
        rows, columns = self.canvas.image.size[1], self.canvas.image.size[0]
        first, last = round((1.0 - top) * rows), round((1.0 - bottom) * rows)
        count = max(2, last - first)
        steps = np.arange(count) / (count - 1)
        column = np.zeros((count, 4), dtype=np.uint8)
        for channel in range(3):
            column[:, channel] = steps * (lower[channel] - upper[channel]) + (upper[channel] + 0.5)
        pixels = np.repeat(column.view("<u4").ravel(), columns)
        self.canvas.image.paste(Image.frombuffer("RGBX", (columns, count), pixels, "raw", "RGBX", 0, 1), (0, first))

    def clouds(self, horizon: float, colour: Colour, count: int) -> None:
        """Puffs in the sky."""
        for _ in range(count):
            x, y = self.dice.between(0.0, self.width), self.dice.between(horizon + 0.15, 0.95)
            size = self.dice.between(0.5, 1.1)
            for dx, dy, r in ((-0.06, 0.0, 0.035), (0.0, 0.015, 0.05), (0.06, 0.0, 0.038)):
                self.pen.oval(x + dx * size, y + dy * size, r * 1.5 * size, r * 0.8 * size, colour)

    def hills(self, base: float, height: float, colour: Colour, bumps: int) -> None:
        """Rounded hills whose feet are at `base`."""
        for i in range(bumps):
            x = self.width * (i + self.dice.between(0.1, 0.9)) / bumps
            r = self.dice.between(0.7, 1.3) * self.width / bumps
            h = height * self.dice.between(0.6, 1.0)
            points = [(x + r * math.cos(a), base + h * math.sin(a)) for a in (math.pi * k / 12 for k in range(13))]
            self.pen.poly(points, shade(colour, 1.0 - 0.07 * (i % 3)))

    def specks(self, low: float, high: float, size: float, colours: tuple[Colour, ...], count: int) -> None:
        """Small flat marks on the ground."""
        for _ in range(count):
            x, y = self.dice.between(0.0, self.width), self.dice.between(low, high)
            near = 1.4 - y / max(high, 0.01)
            self.pen.poly(
                [(x, y), (x + size * near * 2, y), (x + size * near, y + size * near * 0.7)], self.dice.pick(colours)
            )


def meadow(stage: _Stage) -> Backdrop:
    """Grass, hills and a sky with clouds."""
    dice, horizon = stage.dice, stage.dice.between(0.4, 0.54)
    stage.fade(1.0, horizon, varied((150, 200, 240), dice), (216, 236, 246))
    stage.clouds(horizon, (248, 250, 252), 1 + dice.whole(3))
    stage.hills(horizon - 0.01, 0.16, varied((138, 182, 138), dice), 3)
    grass = varied((150, 200, 118), dice)
    stage.fade(horizon, 0.0, shade(grass, 1.12), shade(grass, 0.88))
    if dice.chance(0.4):
        for i in range(12):
            x = stage.width * i / 11
            stage.pen.rect(x - 0.008, horizon - 0.03, x + 0.008, horizon + 0.05, (232, 226, 212))
        for y in (horizon - 0.01, horizon + 0.025):
            stage.pen.rect(0.0, y, stage.width, y + 0.012, (232, 226, 212))
    stage.specks(0.02, horizon - 0.04, 0.012, (shade(grass, 0.8), shade(grass, 0.86), shade(grass, 1.2)), 16)
    return Backdrop("meadow", horizon, shade(grass, 0.7))


def street(stage: _Stage) -> Backdrop:
    """Houses, a pavement and a road."""
    dice, horizon, pen = stage.dice, stage.dice.between(0.42, 0.52), stage.pen
    stage.fade(1.0, horizon, varied((176, 204, 226), dice), (226, 232, 236))
    x = -dice.between(0.0, 0.2)
    while x < stage.width:
        wide, top = dice.between(0.2, 0.38), horizon + dice.between(0.22, 0.46)
        wall = varied(dice.pick(((206, 178, 160), (190, 190, 196), (214, 204, 178), (176, 192, 190))), dice)
        pen.rect(x, horizon - 0.02, x + wide, top, wall)
        pen.rect(x, top, x + wide, top + 0.02, shade(wall, 0.76))
        pane = shade(wall, 0.72) if dice.chance(0.5) else (174, 204, 220)
        columns = 3 if wide > 0.28 else 2
        for row in range(int((top - horizon) / 0.12)):
            for column in range(columns):
                left, low = x + wide * (column + 0.22) / columns, horizon + 0.06 + row * 0.12
                if low + 0.07 < top:
                    pen.rect(left, low, left + wide * 0.5 / columns, low + 0.07, pane)
        x += wide
    kerb = horizon * dice.between(0.45, 0.6)
    stage.fade(horizon, kerb, (206, 202, 196), (192, 190, 186))
    for i in range(7):
        x = stage.width * (i + 0.5) / 7
        centre = stage.width / 2
        pen.limb(
            (centre + (x - centre) * 1.0, horizon), (centre + (x - centre) * 1.35, kerb), 0.004, 0.006, (176, 172, 168)
        )
    pen.rect(0.0, kerb - 0.018, stage.width, kerb, (160, 158, 154))
    stage.fade(kerb - 0.018, 0.0, (142, 144, 150), (124, 126, 132))
    for i in range(4):
        x = stage.width * (i + 0.3) / 4
        pen.poly(
            [(x, kerb * 0.42), (x + 0.14, kerb * 0.42), (x + 0.13, kerb * 0.49), (x, kerb * 0.49)], (222, 220, 206)
        )
    return Backdrop("street", horizon, (104, 106, 112))


def beach(stage: _Stage) -> Backdrop:
    """Sand, sea and sun."""
    dice, horizon, pen = stage.dice, stage.dice.between(0.5, 0.58), stage.pen
    stage.fade(1.0, horizon, varied((134, 200, 240), dice), (226, 240, 246))
    pen.oval(dice.between(0.1, 0.9) * stage.width, dice.between(0.78, 0.92), 0.065, 0.065, (255, 240, 176))
    stage.clouds(horizon, (250, 252, 253), dice.whole(3))
    sea, shore = varied((92, 168, 206), dice), horizon - dice.between(0.09, 0.16)
    stage.fade(horizon, shore, shade(sea, 0.9), shade(sea, 1.25))
    for _ in range(7):
        x, y = dice.between(0.0, stage.width), dice.between(shore + 0.02, horizon - 0.01)
        pen.rect(x, y, x + 0.09, y + 0.006, (222, 238, 246))
    sand = varied((240, 220, 170), dice)
    stage.fade(shore, 0.0, shade(sand, 0.96), sand)
    for i in range(9):
        pen.oval(stage.width * i / 8, shore, 0.085, 0.018, (246, 250, 250))
    for i in range(9):
        pen.oval(stage.width * i / 8, shore - 0.016, 0.085, 0.016, shade(sand, 0.94))
    stage.specks(0.02, shore - 0.06, 0.009, (shade(sand, 0.86), shade(sand, 0.9)), 16)
    return Backdrop("beach", shore - 0.02, shade(sand, 0.76))


def snow(stage: _Stage) -> Backdrop:
    """A white field, firs and mountains."""
    dice, horizon, pen = stage.dice, stage.dice.between(0.42, 0.54), stage.pen
    stage.fade(1.0, horizon, varied((168, 192, 220), dice), (222, 230, 240))
    for i in range(3):
        x, h = stage.width * (i + dice.between(0.2, 0.8)) / 3, dice.between(0.2, 0.36)
        pen.poly([(x - 0.34, horizon), (x, horizon + h), (x + 0.34, horizon)], (160, 174, 196))
        pen.poly(
            [
                (x - 0.11, horizon + h * 0.68),
                (x, horizon + h),
                (x + 0.11, horizon + h * 0.68),
                (x + 0.03, horizon + h * 0.6),
                (x - 0.03, horizon + h * 0.7),
            ],
            (240, 244, 250),
        )
    for _ in range(2 + dice.whole(4)):
        x, s = dice.between(0.0, stage.width), dice.between(0.6, 1.1)
        for k in range(3):
            y = horizon - 0.01 + 0.055 * k * s
            pen.poly(
                [(x - 0.07 * s + 0.015 * k * s, y), (x, y + 0.11 * s), (x + 0.07 * s - 0.015 * k * s, y)],
                (104, 142, 128),
            )
    stage.fade(horizon, 0.0, (232, 238, 246), (246, 249, 253))
    for _ in range(5):
        x, y = dice.between(0.0, stage.width), dice.between(0.05, horizon - 0.05)
        pen.oval(x, y, dice.between(0.1, 0.24), 0.014, (220, 228, 240))
    if dice.chance(0.6):
        for _ in range(26):
            x, y, r = dice.between(0.0, stage.width), dice.between(0.3, 1.0), dice.between(0.004, 0.008)
            pen.rect(x - r, y - r, x + r, y + r, (252, 253, 255))
    return Backdrop("snow", horizon, (204, 214, 230))


def room(stage: _Stage) -> Backdrop:
    """A wall with a window and a picture, a floor with a rug."""
    dice, horizon, pen = stage.dice, stage.dice.between(0.42, 0.5), stage.pen
    wall = varied(
        dice.pick(((238, 222, 200), (206, 222, 220), (228, 214, 222), (216, 222, 204), (220, 214, 234))), dice
    )
    stage.fade(1.0, horizon, wall, shade(wall, 0.95))
    if dice.chance(0.35):
        for i in range(9):
            x = stage.width * i / 9
            pen.rect(x, horizon, x + stage.width / 22, 1.0, shade(wall, 0.95))
    x = dice.between(0.08, 0.6) * stage.width
    pen.rect(x, horizon + 0.14, x + 0.28, horizon + 0.42, (250, 248, 242))
    pen.rect(x + 0.018, horizon + 0.158, x + 0.262, horizon + 0.402, (178, 214, 236))
    pen.poly(
        [
            (x + 0.018, horizon + 0.158),
            (x + 0.262, horizon + 0.158),
            (x + 0.262, horizon + 0.2),
            (x + 0.1, horizon + 0.25),
            (x + 0.018, horizon + 0.21),
        ],
        (158, 200, 150),
    )
    pen.rect(x + 0.133, horizon + 0.158, x + 0.147, horizon + 0.402, (250, 248, 242))
    pen.rect(x + 0.018, horizon + 0.275, x + 0.262, horizon + 0.287, (250, 248, 242))
    for left in (x - 0.06, x + 0.27):
        pen.rect(left, horizon + 0.1, left + 0.07, horizon + 0.46, shade(wall, 0.8))
    if dice.chance(0.6):
        other = (x + 0.5) % (stage.width - 0.16)
        pen.rect(other, horizon + 0.2, other + 0.14, horizon + 0.36, (150, 116, 84))
        pen.rect(other + 0.015, horizon + 0.215, other + 0.125, horizon + 0.345, (236, 228, 206))
        pen.oval(other + 0.07, horizon + 0.28, 0.03, 0.035, varied((180, 150, 160), dice, 30))
    floor = varied(dice.pick(((198, 162, 122), (176, 146, 116), (190, 182, 172))), dice)
    stage.fade(horizon, 0.0, shade(floor, 1.05), shade(floor, 0.95))
    pen.rect(0.0, horizon - 0.006, stage.width, horizon + 0.022, (246, 242, 236))
    middle = stage.width / 2
    for i in range(11):
        x = stage.width * i / 10
        pen.limb(
            (middle + (x - middle) * 0.9, horizon - 0.008),
            (middle + (x - middle) * 1.7, 0.0),
            0.004,
            0.007,
            shade(floor, 0.88),
        )
    if dice.chance(0.55):
        rug = varied((196, 150, 150), dice, 30)
        pen.oval(middle, horizon * 0.42, stage.width * 0.38, horizon * 0.28, rug)
        pen.oval(middle, horizon * 0.42, stage.width * 0.33, horizon * 0.23, shade(rug, 1.25))
    return Backdrop("room", horizon, shade(floor, 0.72))


def desert(stage: _Stage) -> Backdrop:
    """Dunes and cacti under a warm sky."""
    dice, horizon, pen = stage.dice, stage.dice.between(0.42, 0.54), stage.pen
    stage.fade(1.0, horizon, varied((250, 204, 150), dice), (254, 234, 200))
    pen.oval(dice.between(0.1, 0.9) * stage.width, horizon + dice.between(0.1, 0.3), 0.08, 0.08, (255, 246, 214))
    stage.hills(horizon - 0.01, 0.14, varied((224, 176, 128), dice), 3)
    sand = varied((236, 200, 148), dice)
    stage.fade(horizon, 0.0, shade(sand, 0.97), shade(sand, 1.08))
    for _ in range(4):
        x, y = dice.between(0.0, stage.width), dice.between(0.04, horizon - 0.05)
        pen.oval(x, y, dice.between(0.14, 0.3), 0.012, shade(sand, 0.92))
    for _ in range(1 + dice.whole(3)):
        x, s, green = dice.between(0.0, stage.width), dice.between(0.8, 1.2), (142, 166, 118)
        pen.limb((x, horizon - 0.03), (x, horizon + 0.15 * s), 0.036, 0.034, green)
        pen.line([(x, horizon + 0.05), (x + 0.05, horizon + 0.06), (x + 0.05, horizon + 0.11 * s)], 0.024, green)
        pen.line([(x, horizon + 0.03), (x - 0.045, horizon + 0.04), (x - 0.045, horizon + 0.08 * s)], 0.024, green)
    return Backdrop("desert", horizon, shade(sand, 0.76))


def night(stage: _Stage) -> Backdrop:
    """A park at night: moon, stars, street lamps, a path."""
    dice, horizon, pen = stage.dice, stage.dice.between(0.42, 0.52), stage.pen
    stage.fade(1.0, horizon, (38, 44, 84), (88, 88, 132))
    for _ in range(22):
        x, y = dice.between(0.0, stage.width), dice.between(horizon + 0.12, 0.99)
        pen.rect(x - 0.004, y - 0.004, x + 0.004, y + 0.004, (236, 236, 220))
    x, y = dice.between(0.1, 0.9) * stage.width, dice.between(0.78, 0.9)
    pen.oval(x, y, 0.065, 0.065, (246, 242, 214))
    pen.oval(x + 0.03, y + 0.015, 0.055, 0.055, (52, 56, 98))
    stage.hills(horizon - 0.01, 0.16, (64, 80, 96), 4)
    grass = varied((98, 124, 112), dice)
    stage.fade(horizon, 0.0, shade(grass, 0.9), shade(grass, 1.1))
    for i in range(2):
        x = stage.width * (i + dice.between(0.2, 0.8)) / 2
        pen.rect(x - 0.007, horizon - 0.03, x + 0.007, horizon + 0.26, (60, 62, 76))
        pen.oval(x, horizon + 0.28, 0.034, 0.034, (255, 238, 168))
    pen.poly(
        [
            (stage.width * 0.44, horizon),
            (stage.width * 0.56, horizon),
            (stage.width * 0.86, 0.0),
            (stage.width * 0.14, 0.0),
        ],
        shade(grass, 1.3),
    )
    return Backdrop("night", horizon, shade(grass, 0.62))


def hall(stage: _Stage) -> Backdrop:
    """A sports hall: wall bars and a marked floor."""
    dice, horizon, pen = stage.dice, stage.dice.between(0.42, 0.5), stage.pen
    wall = varied((226, 230, 224), dice)
    stage.fade(1.0, horizon, shade(wall, 0.92), wall)
    pen.rect(0.0, horizon, stage.width, horizon + 0.13, varied((150, 186, 186), dice))
    for i in range(5):
        x = stage.width * (i + 0.2) / 5
        pen.rect(x, 0.84, x + 0.13, 0.95, (214, 234, 244))
    floor = varied((226, 182, 130), dice)
    stage.fade(horizon, 0.0, shade(floor, 1.06), shade(floor, 0.95))
    line, middle = (250, 244, 232), stage.width * dice.between(0.35, 0.65)
    pen.limb((middle, horizon), (middle * 1.4 - stage.width * 0.2, 0.0), 0.008, 0.016, line)
    rim = [
        (middle * 1.15 - stage.width * 0.075 + 0.24 * math.cos(a), horizon * 0.55 + 0.09 * math.sin(a))
        for a in (math.tau * k / 24 for k in range(25))
    ]
    pen.line(rim, 0.01, line)
    hoop = stage.width * (0.12 if dice.chance(0.5) else 0.88)
    pen.rect(hoop - 0.09, horizon + 0.26, hoop + 0.09, horizon + 0.38, (250, 250, 248))
    pen.poly([*arc(hoop, horizon + 0.27, 0.04, 0.0, -math.pi, 6)], (226, 120, 70))
    return Backdrop("hall", horizon, shade(floor, 0.72))


PLACES: Mapping[str, Callable[[_Stage], Backdrop]] = {
    "meadow": meadow,
    "street": street,
    "room": room,
    "beach": beach,
    "snow": snow,
    "hall": hall,
    "desert": desert,
    "night": night,
}
"""By name."""
INDOORS = frozenset({"room", "hall"})


def draw_background(canvas: Canvas, name: str, dice: Dice) -> Backdrop:
    """Fill the canvas with a place."""
    return PLACES[name](_Stage(canvas, dice))


def draw_plain(canvas: Canvas, name: str, dice: Dice) -> Backdrop:
    """Fill the canvas with one pale colour of any hue, the same for every place."""
    stage = _Stage(canvas, dice)
    colour = varied((196, 196, 196), dice, 40)
    stage.fade(1.0, 0.0, colour, colour)
    return Backdrop(name, dice.between(0.4, 0.54), shade(colour, 0.86))

"""Lettering: one stroke alphabet of the library's own, in faces that differ in weight, slant, width and ends.

Glyphs are strokes on a grid 4 wide and 6 high. Vector strokes need no font file, so signs look the same wherever the
library is installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from .canvas import Colour, Pen, Point

_GLYPHS = {
    "A": "00 26 40|12 32",
    "B": "00 06 36 45 44 33 03|33 42 41 30 00",
    "C": "45 36 16 05 01 10 30 41",
    "D": "00 06 26 44 42 20 00",
    "E": "40 00 06 46|03 33",
    "F": "00 06 46|03 33",
    "G": "45 36 16 05 01 10 30 41 43 23",
    "H": "00 06|40 46|03 43",
    "I": "20 26",
    "J": "01 10 30 41 46",
    "K": "00 06|46 03 40",
    "L": "06 00 40",
    "M": "00 06 23 46 40",
    "N": "00 06 40 46",
    "O": "10 01 05 16 36 45 41 30 10",
    "P": "00 06 36 45 44 33 03",
    "Q": "10 01 05 16 36 45 41 30 10|22 40",
    "R": "00 06 36 45 44 33 03|23 40",
    "S": "45 36 16 05 04 13 33 42 41 30 10 01",
    "T": "20 26|06 46",
    "U": "06 01 10 30 41 46",
    "V": "06 20 46",
    "W": "06 10 24 30 46",
    "X": "00 46|06 40",
    "Y": "06 23 46|23 20",
    "Z": "06 46 00 40",
    "0": "10 01 05 16 36 45 41 30 10|12 34",
    "1": "14 26 20|10 30",
    "2": "05 16 36 45 44 00 40",
    "3": "05 16 36 45 44 33 13|33 42 41 30 10 01",
    "4": "30 36 02 42",
    "5": "46 06 04 34 43 41 30 10 01",
    "6": "45 36 16 05 01 10 30 41 42 33 03",
    "7": "06 46 10",
    "8": "13 04 05 16 36 45 44 33 13 02 01 10 30 41 42 33",
    "9": "01 10 30 41 45 36 16 05 04 13 43",
}


@dataclass(frozen=True)
class Face:
    """How the strokes are drawn."""

    width: float
    """Of a letter, in heights."""
    weight: float
    """Of a stroke, in heights."""
    slant: float = 0.0
    """How far the top leans forward, in heights."""
    serif: float = 0.0
    """Length of the feet at open ends, in heights."""
    shadow: bool = False
    """A second, paler copy below and behind."""


FACES: Mapping[str, Face] = {
    "plain": Face(0.56, 0.15),
    "heavy": Face(0.66, 0.25),
    "narrow": Face(0.42, 0.14),
    "slanted": Face(0.54, 0.14, slant=0.24),
    "serif": Face(0.6, 0.13, serif=0.16),
    "shadowed": Face(0.6, 0.17, shadow=True),
}
_GAP = 0.2


@cache
def _strokes(letter: str) -> tuple[tuple[Point, ...], ...]:
    lines = _GLYPHS[letter].split("|")
    return tuple(tuple((int(p[0]) / 4, int(p[1]) / 6) for p in line.split()) for line in lines)


def width_of(text: str, face: Face) -> float:
    """Length of a line of text, in heights of its letters."""
    narrow = sum(0.55 for letter in text if letter in " I1")
    return (len(text) - narrow) * face.width + (len(text) - 1) * (_GAP + face.weight * 0.5) + face.slant


def write(pen: Pen, text: str, face: Face, centre: Point, height: float, colour: Colour, paper: Colour) -> list[Point]:
    """Write one line.

    Args:
        pen: in whose frame; it must face to the right, or the text reads backwards.
        text: upper-case letters, digits and blanks.
        face: of the letters.
        centre: middle of the line.
        height: of a letter.
        colour: of the ink.
        paper: colour of what is written on, for the shadow.

    Returns:
        The corners around the ink in the finished picture, in pixels: upper left, then clockwise.
    """
    length = width_of(text, face) * height
    left, low = centre[0] - length / 2, centre[1] - height / 2
    if face.shadow:
        pale: Colour = tuple((a + 2 * b) // 3 for a, b in zip(colour, paper, strict=True))  # type: ignore[assignment]
        _line(pen, text, face, left + 0.09 * height, low - 0.08 * height, height, pale)
    _line(pen, text, face, left, low, height, colour)
    rim, side = face.weight * height / 2, (face.weight / 2 + face.serif) * height
    right, top = left + length + side, low + height + rim
    return [
        pen.place(corner) for corner in ((left - side, top), (right, top), (right, low - rim), (left - side, low - rim))
    ]


def _line(pen: Pen, text: str, face: Face, x: float, y: float, height: float, colour: Colour) -> None:
    radius = face.weight * height / 2
    for letter in text:
        wide = face.width * (0.45 if letter in " I1" else 1.0) * height
        for stroke in _strokes(letter) if letter != " " else ():
            thin = letter in "I1"
            points = [
                (
                    x + (wide * (0.5 + (px - 0.5) * 1.6) if thin else px * wide) + face.slant * py * height,
                    y + py * height,
                )
                for px, py in stroke
            ]
            for start, end in pairwise(points):
                pen.limb(start, end, 2 * radius, 2 * radius, colour)
            if face.serif and stroke[0] != stroke[-1]:
                foot = face.serif * height
                for (px, py), (_, sy) in ((points[0], stroke[0]), (points[-1], stroke[-1])):
                    if sy in (0.0, 1.0):
                        pen.limb((px - foot, py), (px + foot, py), 1.6 * radius, 1.6 * radius, colour)
        x += wide + (_GAP + face.weight * 0.5) * height

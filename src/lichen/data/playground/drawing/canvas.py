"""`Canvas` and `Pen`: flat shapes, drawn several times larger than the picture, with a map of who owns each pixel.

The canvas has four channels. Three are the colour; the fourth holds, for every pixel, the number of the entity and of
the part of it (arm, torso, wheel) that was drawn there last. So one stroke fills both the picture and the map, the
visible extent of every entity can be read off at the end, and all outlines are drawn at once: wherever neighbours
belong to different parts, the pixel is darkened.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from itertools import pairwise

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

Point = tuple[float, float]
Colour = tuple[int, int, int]

PARTS = 8
"""Parts of one entity that can be told apart by their outlines."""
MOST_ENTITIES = 256 // PARTS - 1
"""Entities of one picture; number 0 is the background."""


class Canvas:
    """A picture in the making: square or not, `supersample` times larger than it will be."""

    def __init__(self, width: int, height: int, supersample: int | None = None) -> None:
        """
        Args:
            width, height: of the finished picture, in pixels.
            supersample: edge in drawn pixels of one finished pixel; None chooses 3 for small and 2 for large pictures.
        """
        longest = max(width, height)
        self.width, self.height = width, height
        self.supersample = supersample or (3 if longest <= 160 else 2)
        size = (width * self.supersample, height * self.supersample)
        # The fourth channel is no transparency; "RGBX" keeps Pillow from taking it for one.
        self.image = Image.new("RGBX", size, (255, 255, 255, 0))
        self.polygon = ImageDraw.Draw(self.image).polygon
        self.extents: dict[int, list[int]] = {}
        """Left, top, right, bottom of all strokes of an entity in drawn pixels, also where they leave the picture."""
        self.outline = max(1, round(longest * self.supersample / 260))
        """Width of outlines, in drawn pixels."""

    def parts(self) -> UInt8[np.ndarray, "rows columns"]:
        """The owner of every drawn pixel: entity times `PARTS` plus part; below `PARTS` is the background."""
        return np.asarray(self.image.getchannel("X"))

    def finish(self, parts: UInt8[np.ndarray, "rows columns"]) -> UInt8[np.ndarray, "height width 3"]:
        """The picture: outlines darkened to a half, then reduced to its size.

        Args:
            parts: what `parts` gave, which is not worked out twice.
        """
        step = self.outline
        edge = np.zeros(parts.shape, dtype=np.bool_)
        across, down = parts[:, step:] != parts[:, :-step], parts[step:] != parts[:-step]
        edge[:, step:] |= across
        edge[:, :-step] |= across
        edge[step:] |= down
        edge[:-step] |= down
        edge &= parts >= PARTS
        mask = Image.fromarray(edge.view(np.uint8) << 7).reduce(self.supersample)
        drawn = self.image.reduce(self.supersample).convert("RGB")
        drawn.paste((0, 0, 0), (0, 0), mask)
        return np.asarray(drawn)


class Pen:
    """Draws in a frame of its own: x in the direction that things face, y up, lengths in heights of a grown-up."""

    def __init__(
        self,
        canvas: Canvas,
        x: float,
        y: float,
        scale: float,
        facing: int = 1,
        turn: float = 0.0,
        entity: int = 0,
    ) -> None:
        """
        Args:
            canvas: to draw on.
            x, y: where the frame's origin lies, in pixels of the finished picture.
            scale: finished pixels to one unit.
            facing: 1 faces to the right, -1 to the left.
            turn: rotation of the frame in radians, anticlockwise for something that faces to the right.
            entity: number that the pixels belong to, 0 to `MOST_ENTITIES`.
        """
        s = scale * canvas.supersample
        cos, sin = math.cos(turn) * s, math.sin(turn) * s
        self.canvas = canvas
        self.scale = scale
        self.facing = facing
        self.turn = turn
        self.entity = entity
        self._frame = (facing * cos, -facing * sin, x * canvas.supersample, -sin, -cos, y * canvas.supersample)
        self._tag = entity * PARTS

    def at(self, point: Point, turn: float = 0.0, scale: float = 1.0, entity: int | None = None) -> Pen:
        """A pen whose frame starts at a point of this one's, turned and scaled against it."""
        a, b, c, d, e, f = self._frame
        x, y, ss = point[0], point[1], self.canvas.supersample
        return Pen(
            self.canvas,
            (a * x + b * y + c) / ss,
            (d * x + e * y + f) / ss,
            self.scale * scale,
            self.facing,
            self.turn + turn,
            self.entity if entity is None else entity,
        )

    def mirrored(self, point: Point = (0.0, 0.0)) -> Pen:
        """A pen at a point of this one's frame that faces the other way."""
        pen = self.at(point)
        return Pen(self.canvas, *pen.place(), pen.scale, -pen.facing, pen.turn, pen.entity)

    def readable(self) -> Pen:
        """The same place for writing: facing to the right whatever this one does, of the same part."""
        pen = self if self.facing == 1 else self.mirrored()
        pen._tag = self._tag
        return pen

    def owner(self, entity: int) -> Pen:
        """The same frame for another entity."""
        return self.at((0.0, 0.0), entity=entity)

    def place(self, point: Point = (0.0, 0.0)) -> Point:
        """Where a point of the frame lies in the finished picture, in pixels."""
        a, b, c, d, e, f = self._frame
        ss = self.canvas.supersample
        return (a * point[0] + b * point[1] + c) / ss, (d * point[0] + e * point[1] + f) / ss

    def part(self, number: int) -> Pen:
        """Strokes from here on belong to this part (0 to `PARTS` - 1) of the entity."""
        self._tag = self.entity * PARTS + number
        return self

    def poly(self, points: Sequence[Point], colour: Colour) -> None:
        """A filled polygon."""
        a, b, c, d, e, f = self._frame
        if b == 0.0:
            self._fill([int(a * x + c) for x, _ in points], [int(e * y + f) for _, y in points], colour)
        else:
            self._fill([int(a * x + b * y + c) for x, y in points], [int(d * x + e * y + f) for x, y in points], colour)

    def _fill(self, xs: list[int], ys: list[int], colour: Colour) -> None:
        """A polygon in drawn pixels. Whole numbers: what Pillow then fills does not depend on how a platform rounds."""
        self.canvas.polygon(list(zip(xs, ys, strict=True)), (*colour, self._tag))
        if self.entity:
            self._reach(min(xs), min(ys), max(xs), max(ys))

    def _reach(self, left: int, top: int, right: int, bottom: int) -> None:
        known = self.canvas.extents.get(self.entity)
        if known is None:
            self.canvas.extents[self.entity] = [left, top, right, bottom]
            return
        if left < known[0]:
            known[0] = left
        if top < known[1]:
            known[1] = top
        if right > known[2]:
            known[2] = right
        if bottom > known[3]:
            known[3] = bottom

    def rect(self, left: float, bottom: float, right: float, top: float, colour: Colour) -> None:
        """A filled rectangle along the axes of the frame."""
        self.poly(((left, bottom), (right, bottom), (right, top), (left, top)), colour)

    def oval(self, x: float, y: float, rx: float, ry: float, colour: Colour, turn: float = 0.0) -> None:
        """A filled ellipse with its centre at (x, y)."""
        a, b, c, d, e, f = self._frame
        largest = max(rx, ry) * self.scale * self.canvas.supersample
        circle = _circle(8 if largest < 6.0 else 12 if largest < 14.0 else 20 if largest < 50.0 else 36)
        if turn:
            cos, sin = math.cos(turn), math.sin(turn)
            ux, uy, vx, vy = rx * cos, rx * sin, -ry * sin, ry * cos
            ux, uy, vx, vy = a * ux + b * uy, d * ux + e * uy, a * vx + b * vy, d * vx + e * vy
        else:
            ux, uy, vx, vy = a * rx, d * rx, b * ry, e * ry
        x, y = a * x + b * y + c, d * x + e * y + f
        self._fill([int(ux * p + vx * q + x) for p, q in circle], [int(uy * p + vy * q + y) for p, q in circle], colour)

    def limb(self, start: Point, end: Point, width: float, end_width: float, colour: Colour) -> None:
        """A stroke with round ends that may taper; the widths are full ones."""
        a, b, c, d, e, f = self._frame
        (x, y), (u, v) = start, end
        x, y, u, v = a * x + b * y + c, d * x + e * y + f, a * u + b * v + c, d * u + e * v + f
        half = self.scale * self.canvas.supersample * 0.5
        first, last = width * half, end_width * half
        dx, dy = u - x, v - y
        length = math.hypot(dx, dy) or 1.0
        dx, dy = dx / length, dy / length
        cap = _caps(2 if first < 2.5 else 4 if first < 9.0 else 8)
        xs = [int(x + first * (p * dx - q * dy)) for p, q in cap] + [int(u - last * (p * dx - q * dy)) for p, q in cap]
        ys = [int(y + first * (p * dy + q * dx)) for p, q in cap] + [int(v - last * (p * dy + q * dx)) for p, q in cap]
        self._fill(xs, ys, colour)

    def line(self, points: Sequence[Point], width: float, colour: Colour) -> None:
        """A bent stroke of even width with round ends."""
        for start, end in pairwise(points):
            self.limb(start, end, width, width, colour)

    def ring(self, x: float, y: float, radius: float, width: float, colour: Colour, start: float, end: float) -> None:
        """A part of a ring between two angles (radians, anticlockwise from x); `radius` is that of its middle."""
        outer, inner = arc(x, y, radius + width / 2, start, end), arc(x, y, radius - width / 2, end, start)
        self.poly(outer + inner, colour)


@cache
def _circle(count: int) -> tuple[Point, ...]:
    return tuple((math.cos(math.tau * i / count), math.sin(math.tau * i / count)) for i in range(count))


def oval(x: float, y: float, rx: float, ry: float, turn: float = 0.0, count: int = 16) -> list[Point]:
    """The corners of an ellipse."""
    if turn == 0.0:
        return [(x + rx * c, y + ry * s) for c, s in _circle(count)]
    cos, sin = math.cos(turn), math.sin(turn)
    return [(x + rx * c * cos - ry * s * sin, y + rx * c * sin + ry * s * cos) for c, s in _circle(count)]


def arc(x: float, y: float, radius: float, start: float, end: float, count: int = 10) -> list[Point]:
    """Points along a part of a circle, both ends included."""
    step = (end - start) / count
    return [
        (x + radius * math.cos(start + i * step), y + radius * math.sin(start + i * step)) for i in range(count + 1)
    ]


@cache
def _caps(steps: int) -> tuple[Point, ...]:
    """Half a circle, as the round end of a stroke."""
    return tuple((math.cos(a), math.sin(a)) for a in (math.pi * (0.5 + k / steps) for k in range(steps + 1)))


def clip_band(points: Sequence[Point], low: float, high: float) -> list[Point]:
    """What of a convex polygon lies between two heights."""
    return _above(_above(points, low, 1.0), -high, -1.0)


def _above(points: Sequence[Point], limit: float, sign: float) -> list[Point]:
    result: list[Point] = []
    for i, (x1, y1) in enumerate(points):
        x0, y0 = points[i - 1]
        before, after = sign * y0 - limit, sign * y1 - limit
        if (before < 0.0) != (after < 0.0):
            t = before / (before - after)
            result.append((x0 + t * (x1 - x0), y0 + t * (y1 - y0)))
        if after >= 0.0:
            result.append((x1, y1))
    return result

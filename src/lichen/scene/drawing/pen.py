"""`Pen`: smooth lines, shapes and letters on a picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from PIL import Image, ImageDraw

from .fonts import Font
from .palette import Colour

Real = float | int
Place = tuple[Real, Real]
"""x to the right and y down, in pixels of the sheet."""
Area = tuple[Real, Real, Real, Real]
"""Left, top, right, bottom in pixels of the sheet."""

_FINE = 4
"""Steps within a pixel: shapes are drawn that much larger and averaged, since Pillow's own edges are jagged."""
_FAR = 1e7
"""Fine pixels beyond which nothing needs to be exact."""


class Pen:
    """Draws on one picture in RGB.

    Args:
        sheet: what is drawn on, in place.
    """

    def __init__(self, sheet: Image.Image) -> None:
        self.sheet = sheet
        self.direct = ImageDraw.Draw(sheet)

    def line(self, points: Sequence[Place], colour: Colour, width: Real = 1.5, alpha: Real = 1.0) -> None:
        """A line through points, with round corners and ends."""

        def paint(draw: ImageDraw.ImageDraw, fine: Sequence[Place]) -> None:
            draw.line(fine, fill=255, width=max(1, round(width * _FINE)), joint="curve")
            half = width * _FINE / 2
            if half >= 2:
                for x, y in (fine[0], fine[-1]):
                    draw.ellipse((x - half, y - half, x + half, y + half), fill=255)

        self._shape(points, colour, width / 2 + 1, alpha, paint)

    def dashes(self, points: Sequence[Place], colour: Colour, width: Real = 1.5, dash: Real = 5.0) -> None:
        """A broken line through points."""
        for start, end in pairwise(points):
            length = math.dist(start, end)
            first, last = (length * share for share in self._within(start, end))
            for number in range(int(first // (2 * dash)), int(last // (2 * dash)) + 1 if last > first else 0):
                shares = (2 * dash * number / length, min(1.0, (2 * dash * number + dash) / length))
                self.line([_between(start, end, share) for share in shares], colour, width)

    def _within(self, start: Place, end: Place) -> tuple[float, float]:
        """The part of a stretch that lies on the sheet, as shares of its length; (0, 0) where none does."""
        first, last = 0.0, 1.0
        for here, there, limit in zip(start, end, self.sheet.size, strict=True):
            if here == there:
                first, last = (first, last) if 0 <= here <= limit else (0.0, 0.0)
                continue
            low, high = sorted(((0 - here) / (there - here), (limit - here) / (there - here)))
            first, last = max(first, low), min(last, high)
        return (first, last) if first < last else (0.0, 0.0)

    def polygon(self, points: Sequence[Place], colour: Colour, alpha: Real = 1.0) -> None:
        """A filled area."""
        self._shape(points, colour, 1, alpha, lambda draw, fine: draw.polygon(fine, fill=255))

    def dot(self, place: Place, radius: Real, colour: Colour, alpha: Real = 1.0) -> None:
        """A filled circle."""
        x, y = place
        box = [(x - radius, y - radius), (x + radius, y + radius)]
        self._shape(box, colour, 1, alpha, lambda draw, fine: draw.ellipse((*fine[0], *fine[1]), fill=255))

    def arrow(self, points: Sequence[Place], colour: Colour, width: Real = 1.6, head: Real = 9.0) -> None:
        """A line through points with a head at its last one."""
        (x, y), back = points[-1], points[0]
        # The head points along the stretch that it covers, not along the last tiny step of a curve.
        for place in reversed(points):
            back = place
            if math.hypot(x - place[0], y - place[1]) >= head:
                break
        angle = math.atan2(y - back[1], x - back[0])
        shaft = [place for place in points if math.hypot(x - place[0], y - place[1]) >= 0.8 * head]
        neck = (x - 0.7 * head * math.cos(angle), y - 0.7 * head * math.sin(angle))
        self.line([*(shaft or points[:1]), neck], colour, width)
        sides = [(x - head * math.cos(angle + turn), y - head * math.sin(angle + turn)) for turn in (0.42, -0.42)]
        self.polygon([(x, y), *sides], colour)

    def frame(self, area: Area, colour: Colour, width: int = 2, alpha: Real = 1.0) -> None:
        """The outline of a rectangle, inside its edges, on whole pixels."""
        left, top, right, bottom = (round(value) for value in area)
        right, bottom = max(left + width, right), max(top + width, bottom)
        sides = [(left, top, right, top + width), (left, bottom - width, right, bottom)]
        sides += [(x, top + width, x + width, bottom - width) for x in (left, right - width)]
        for side in sides:
            size = (side[2] - side[0], side[3] - side[1])
            if min(size) > 0:
                self.sheet.paste(colour, side, Image.new("L", size, round(255 * alpha)))

    def tile(self, area: Area, colour: Colour, radius: Real = 3.0, alpha: Real = 1.0) -> None:
        """A filled rectangle with round corners."""
        corners = [(area[0], area[1]), (area[2], area[3])]

        def paint(draw: ImageDraw.ImageDraw, fine: Sequence[Place]) -> None:
            (left, top), (right, bottom) = fine
            draw.rounded_rectangle((left, top, max(left, right - 1), max(top, bottom - 1)), radius * _FINE, fill=255)

        self._shape(corners, colour, 1, alpha, paint)

    def text(self, place: Place, text: str, font: Font, colour: Colour, anchor: str = "ls") -> None:
        """A line of text; `anchor` is Pillow's: by default its left end on the base line."""
        self.direct.text(place, text, fill=colour, font=font, anchor=anchor)

    def _shape(
        self,
        points: Sequence[Place],
        colour: Colour,
        margin: Real,
        alpha: Real,
        paint: Callable[[ImageDraw.ImageDraw, Sequence[Place]], None],
    ) -> None:
        """Paint a shape on a finer grid, average it to a mask, and put the colour through the mask."""
        xs, ys = zip(*points, strict=True)
        # What lies outside the sheet is not drawn, wherever a caller's numbers lead.
        left, top = max(0, math.floor(min(xs) - margin)), max(0, math.floor(min(ys) - margin))
        right, bottom = (
            math.ceil(min(limit, max(values) + margin)) for limit, values in zip(self.sheet.size, (xs, ys), strict=True)
        )
        if right <= left or bottom <= top:
            return
        mask = Image.new("L", (_FINE * (right - left), _FINE * (bottom - top)))
        paint(ImageDraw.Draw(mask), [(_near((x - left) * _FINE), _near((y - top) * _FINE)) for x, y in points])
        mask = mask.reduce(_FINE)
        if alpha < 1.0:
            mask = mask.point([round(value * alpha) for value in range(256)])
        self.sheet.paste(colour, (left, top), mask)


def _between(start: Place, end: Place, share: float) -> Place:
    return start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share


def _near(value: Real) -> float:
    """A coordinate that Pillow can count with."""
    return float(max(-_FAR, min(_FAR, value)))

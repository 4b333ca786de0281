"""Boxes of annotation files as boxes of a scene: every convention of the field, checked and cut to the picture.

A scene's box is left, top, right, bottom in pixels, with edges between pixels: a full picture is
(0, 0, width, height). Files count from 0 or 1, name corners, widths or centres, and sometimes mean nothing at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...scene import Box
from .problems import Problems, shown

Size = tuple[int, int]
"""Width and height of a picture in pixels."""
ROUNDING = 0.02
"""Pixels beyond the edge that two decimals may round to; cut without a note."""
_LARGEST = 1_000_000
"""Pixels a side, beyond which a size is a mistake."""

FORMS: Mapping[str, Callable[[float, float, float, float], Box]] = {
    "xyxy": lambda a, b, c, d: (a, b, c, d),
    "xywh": lambda a, b, c, d: (a, b, a + c, b + d),
    "inclusive": lambda a, b, c, d: (a - 1, b - 1, c, d),
    "from one": lambda a, b, c, d: (a - 1, b - 1, c - 1, d - 1),
    "xywh from one": lambda a, b, c, d: (a - 1, b - 1, a - 1 + c, b - 1 + d),
}
"""What four numbers mean: corners; corner and size; corners of pixels that count from 1, the last one included
(HICO-DET); corners that count from 1 (Flickr30k Entities); corner that counts from 1, and size (OTB)."""


def clean_size(width: int | None, height: int | None) -> Size | None:
    """A size that a picture may have, or None."""
    if width is None or height is None or not (1 <= width <= _LARGEST and 1 <= height <= _LARGEST):
        return None
    return width, height


def four_numbers(values: Any) -> tuple[float, float, float, float] | None:
    """Four finite numbers, or None."""
    if not isinstance(values, list | tuple) or len(values) != 4:
        return None
    numbers = []
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        try:
            numbers.append(float(value))
        except OverflowError:
            return None
    return (numbers[0], numbers[1], numbers[2], numbers[3]) if all(map(math.isfinite, numbers)) else None


def to_box(values: Any, form: str, size: Size | None, problems: Problems, where: object) -> Box | None:
    """A box, cut to the picture; None if there is none in these values, which is noted.

    Args:
        values: four numbers, in whatever the file holds.
        form: what they mean, one of `FORMS`.
        size: of the picture; None where it is unknown, so that only its left and upper edge can cut.
        problems: where everything wrong is noted.
        where: the place, for notes.
    """
    numbers = four_numbers(values)
    if numbers is None:
        problems.add("wrong value", where, f"expected a box of four finite numbers, got {shown(values)}")
        return None
    return cut(FORMS[form](*numbers), size, problems, where)


def cut(box: Box, size: Size | None, problems: Problems, where: object) -> Box | None:
    """A box, cut to the picture; None if nothing is left, which is noted."""
    left, top, right, bottom = box
    # A corner and a size may add up to more than a float holds.
    if not all(map(math.isfinite, box)):
        problems.add("wrong value", where, f"{_told(box)} is not finite")
        return None
    if right < left or bottom < top:
        problems.add("box inverted", where, f"{_told(box)} ends before it begins")
        return None
    if right == left or bottom == top:
        problems.add("box without area", where, f"{_told(box)} has no area")
        return None
    width, height = size or (math.inf, math.inf)
    inside = (max(left, 0.0), max(top, 0.0), min(right, float(width)), min(bottom, float(height)))
    if inside[2] <= inside[0] or inside[3] <= inside[1]:
        problems.add("box outside", where, f"{_told(box)} lies outside {_picture(size)}")
        return None
    if max(abs(a - b) for a, b in zip(inside, box, strict=True)) > ROUNDING:
        problems.add("box partly outside", where, f"{_told(box)} reaches beyond {_picture(size)}")
    return inside


def around(points: Sequence[tuple[float, float]]) -> Box:
    """The smallest box around points, at least one."""
    xs, ys = zip(*points, strict=True)
    return (float(min(xs)), float(min(ys)), float(max(xs)), float(max(ys)))


def _told(box: Box) -> str:
    return "box (" + ", ".join(f"{value:g}" for value in box) + ")"


def _picture(size: Size | None) -> str:
    return "the picture" if size is None else f"the picture of {size[0]}×{size[1]}"

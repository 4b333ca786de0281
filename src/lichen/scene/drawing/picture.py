"""The picture of a scene with its boxes, lines of text and trails, and the labels of all of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from ..check import Box
from ..scene import Scene
from .config import DrawConfig
from .fonts import font_for, height_of, width_of
from .naming import Names, cut
from .palette import BLANK, PAPER, Colour
from .pen import Pen, Place
from .placement import fits, place_labels
from .tracks import draw_trail, last_seen

_AIM = 640
"""Pixels of the longer side that a small picture is enlarged towards."""
_PIXELS = 128
"""Longer side of pictures whose single pixels are shown; larger ones are smoothed when enlarged."""
_FULL = 0.2
"""Share of the picture that labels may cover before their letters become smaller."""
_SMALLEST = 10
"""Pixels of the smallest letters."""
_LINES = (180, 95, 6)
"""Colour of text that was read."""


@dataclass(frozen=True)
class _Named:
    """Something with a box and a label."""

    box: Box
    text: str
    colour: Colour
    framed: bool = True


def scale_of(size: tuple[int, int], config: DrawConfig) -> float:
    """How many times larger a picture of (width, height) is drawn: a whole number, or a fraction for a large one."""
    longer = max(size)
    if config.scale is not None:
        return float(config.scale)
    return config.longest / longer if longer > config.longest else float(max(1, round(_AIM / longer)))


def enlarge(picture: Image.Image, scale: float) -> Image.Image:
    """The picture at another scale, in RGB."""
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    how = Image.Resampling.NEAREST if max(picture.size) <= _PIXELS and scale >= 1 else Image.Resampling.LANCZOS
    return picture.convert("RGB").resize(size, how)


def draw_picture(
    scene: Scene, picture: Image.Image | None, names: Names, config: DrawConfig
) -> tuple[Image.Image, int]:
    """The picture with all that has a box in it.

    Args:
        scene: its boxes count in pixels of `scene.size`, or of the picture where that is None.
        picture: None draws on a blank one.
        names: of the scene's things.
        config: sizes.

    Returns:
        The drawing, and how many labels found no room in it.
    """
    size = scene.size or (picture.size if picture is not None else extent(scene))
    scale = scale_of(size, config)
    blank = picture is None
    canvas = Image.new("RGB", size, BLANK) if picture is None else picture
    if canvas.size != size:
        # The caller's copy of the picture may be smaller or larger than the one that was annotated.
        canvas = canvas.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    sheet = enlarge(canvas, scale)
    pen = Pen(sheet)
    for track, colour in zip(scene.tracks, names.track_colours, strict=True):
        draw_trail(pen, track, colour, scale)
    named = _things(scene, names, config)
    # The largest first, so that the frames of small boxes lie on top.
    for thing in sorted(named, key=lambda thing: -_area(thing.box)):
        if thing.framed:
            _frame(pen, thing, scale, blank)
    for line in scene.lines:
        if line.polygon:
            outline = [(x * scale, y * scale) for x, y in (*line.polygon, line.polygon[0])]
            pen.line(outline, PAPER, 3.6, 0.7)
            pen.line(outline, _LINES, 2.0)
    return sheet, _labels(pen, named, scale, config)


def extent(scene: Scene) -> tuple[int, int]:
    """Size of a picture that all boxes of a scene fit into."""
    boxes = [entity.box for entity in scene.entities] + [line.box for line in scene.lines]
    boxes += [box for track in scene.tracks for box in track.boxes]
    known = [box for box in boxes if box is not None]
    return max([1, *(int(np.ceil(box[2])) for box in known)]), max([1, *(int(np.ceil(box[3])) for box in known)])


def _things(scene: Scene, names: Names, config: DrawConfig) -> list[_Named]:
    """All that gets a frame and a label; what has a polygon has its outline already."""
    found = []
    for place, entity in enumerate(scene.entities):
        if entity.box is not None and place not in names.hidden:
            text = _scored(names.entities[place], entity.score, config)
            found.append(_Named(entity.box, text, names.colours[place]))
    for name, colour, track in zip(names.tracks, names.track_colours, scene.tracks, strict=True):
        seen = last_seen(track)
        if seen is not None:
            found.append(_Named(seen[1], _scored(name, track.score, config), colour))
    for line in scene.lines:
        # A line that nobody could read has a place and no words.
        words = f"“{cut(line.text, 24)}”" if line.text.strip() else "?"
        found.append(_Named(line.box, _scored(words, line.score, config), _LINES, framed=not line.polygon))
    return found


def _scored(name: str, score: float | None, config: DrawConfig) -> str:
    return name if score is None or not config.scores else f"{name} {score:.2f}"


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _frame(pen: Pen, thing: _Named, scale: float, blank: bool) -> None:
    left, top, right, bottom = (value * scale for value in thing.box)
    if not blank:
        # A light edge sets the frame off from dark ground.
        pen.frame((left - 1, top - 1, right + 1, bottom + 1), PAPER, 4, 0.4)
    pen.frame((left, top, right, bottom), thing.colour, 2)


def _labels(pen: Pen, named: list[_Named], scale: float, config: DrawConfig) -> int:
    """Write the labels, in the largest letters in which all find room."""
    size = (pen.sheet.width, pen.sheet.height)
    boxes = np.array([thing.box for thing in named], np.float64).reshape(-1, 4) * scale
    # A box that leaves the picture is named where it can be seen.
    boxes = np.clip(boxes, 0.0, np.array([*size, *size], np.float64))
    letters = config.font_size
    while True:
        fonts = [font_for(thing.text, letters, config.font) for thing in named]
        pad = letters // 4
        sizes = [
            (width_of(thing.text, font) + 2 * pad + 1, height_of(font) + 1)
            for thing, font in zip(named, fonts, strict=True)
        ]
        if letters <= _SMALLEST or sum(width * height for width, height in sizes) <= _FULL * size[0] * size[1]:
            tags = place_labels(boxes, np.array(sizes, np.float64).reshape(-1, 2).round(), size)
            if letters <= _SMALLEST or fits(tags):
                break
        letters = max(_SMALLEST, letters - 1)
    for thing, tag in zip(named, tags, strict=True):
        if tag is not None and tag.leader is not None:
            _leader(pen, tag.leader, thing.colour)
    for thing, tag, font in zip(named, tags, fonts, strict=True):
        if tag is not None:
            pen.tile(tag.area, thing.colour, 2.0)
            pen.text((tag.area[0] + pad, tag.area[1] + font.getmetrics()[0]), thing.text, font, PAPER)
    return sum(tag is None for tag in tags)


def _leader(pen: Pen, ends: tuple[Place, Place], colour: Colour) -> None:
    pen.line(ends, PAPER, 3.4, 0.8)
    pen.line(ends, colour, 1.6)
    pen.dot(ends[1], 3.2, PAPER, 0.9)
    pen.dot(ends[1], 2.4, colour)

"""Cuboids from two sides, shaded, each part in its own colour.

The hidden parts are found a pixel at a time by depth, not by painting from back to front: long cuboids and those that
run into each other have no right order.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Int64
from PIL import Image, ImageDraw

from ..geometry import FACES, complete, corners
from ..records import Solid
from .config import DrawConfig
from .fonts import font_for, height_of, width_of
from .naming import cut
from .palette import FAINT, GREY, INK, PAPER, Colour, colour_of, mixed
from .pen import Pen

VIEWS = ((45.0, 35.264, "isometric"), (-65.0, 22.0, "from behind"))
"""Azimuth (degrees from x towards y) and elevation of the eye, and a name. 35.264 is the isometric elevation."""
_FINE = 3
"""Steps within a pixel."""
_MARGIN = 0.06
"""Of a view, in shares of its side."""


def draw_solids(solids: Sequence[Solid], side: int, config: DrawConfig) -> Image.Image:
    """All solids of an object, reflections included, seen from two sides, with the names of the parts below.

    Args:
        solids: at least one.
        side: height of each view in pixels.
        config: sizes of letters.
    """
    whole = complete(solids)
    names = ["part" if solid.part is None else cut(solid.part) for solid in whole]
    order = list(dict.fromkeys(names))
    colours = [colour_of(order.index(name)) for name in names]
    small = font_for("", max(10, config.font_size - 2), config.font)
    gap = config.font_size
    width = 2 * side + gap
    legend = _legend(names, [colour_of(number) for number in range(len(order))], width, config)
    head = height_of(small) + 2
    sheet = Image.new("RGB", (width, head + side + legend.height + 4), PAPER)
    pen = Pen(sheet)
    for column, (azimuth, elevation, name) in enumerate(VIEWS):
        left = column * (side + gap)
        pen.text((left + 2, small.getmetrics()[0]), name, small, GREY)
        sheet.paste(view(whole, colours, side, azimuth, elevation), (left, head))
    sheet.paste(legend, (0, head + side + 4))
    return sheet


def view(
    solids: Sequence[Solid], colours: Sequence[Colour], side: int, azimuth: float, elevation: float
) -> Image.Image:
    """Cuboids in parallel projection on a square sheet.

    Args:
        solids: in the object's coordinates, z up.
        colours: one a solid.
        side: of the sheet in pixels.
        azimuth: of the eye, in degrees around z, from x towards y.
        elevation: of the eye above the ground, in degrees.
    """
    points = corners(solids)
    camera = _camera(azimuth, elevation)
    low, high = points.min((0, 1)), points.max((0, 1))
    middle = (low + high) / 2
    floor = _floor(low, high)
    # The object fills its sheet by the ball around it, so that both views show it in one size.
    radius = max(float(np.linalg.norm(points - middle, axis=-1).max()), 1e-9)
    scale = side * _FINE * (0.5 - _MARGIN) / radius
    quads = np.concatenate([points[:, FACES].reshape(-1, 4, 3), floor[None]])
    # Right, down and towards the eye, in fine pixels.
    seen = ((quads - middle) @ camera.T) * scale * np.array([1.0, -1.0, 1.0]) + [
        0.5 * side * _FINE,
        0.5 * side * _FINE,
        0.0,
    ]
    normals = np.cross(quads[:, 1] - quads[:, 0], quads[:, 3] - quads[:, 0])
    facing = normals @ camera[2] > 1e-12 * np.linalg.norm(normals, axis=1)
    numbers = _nearest(seen, facing, side * _FINE)
    shades = _shades(normals, camera, colours)
    picture = shades[numbers]
    picture[_edges(numbers, len(quads) - 1)] = mixed(INK, PAPER, 0.1)
    return Image.fromarray(picture).reduce(_FINE)


def _camera(azimuth: float, elevation: float) -> Float64[np.ndarray, "3 3"]:
    """Rows: to the right, up, and towards the eye, seen from the eye."""
    turn, rise = math.radians(azimuth), math.radians(elevation)
    eye = np.array([math.cos(turn) * math.cos(rise), math.sin(turn) * math.cos(rise), math.sin(rise)])
    right = np.array([-math.sin(turn), math.cos(turn), 0.0])
    return np.stack([right, np.cross(eye, right), eye])


def _floor(low: Float64[np.ndarray, " 3"], high: Float64[np.ndarray, " 3"]) -> Float64[np.ndarray, "4 3"]:
    """The ground under an object, a little wider than it."""
    grow = 0.08 * (high - low)[:2].max()
    (left, front), (right, back) = low[:2] - grow, high[:2] + grow
    z = low[2] - 1e-3 * max(float((high - low).max()), 1e-9)
    return np.array([[left, front, z], [right, front, z], [right, back, z], [left, back, z]])


def _nearest(
    quads: Float64[np.ndarray, "faces 4 3"], facing: np.ndarray, side: int
) -> Int64[np.ndarray, "rows columns"]:
    """Number of the face that is nearest to the eye at each pixel; the number of faces where there is none."""
    numbers = np.full((side, side), len(quads), np.int64)
    depths = np.full((side, side), -np.inf)
    for number in np.flatnonzero(facing):
        quad = quads[number]
        left, top = np.clip(np.floor(quad[:, :2].min(0)).astype(int), 0, side - 1)
        right, bottom = np.clip(np.ceil(quad[:, :2].max(0)).astype(int) + 1, 0, side)
        if right <= left or bottom <= top:
            continue
        mask = Image.new("1", (int(right - left), int(bottom - top)))
        ImageDraw.Draw(mask).polygon([(float(x - left), float(y - top)) for x, y in quad[:, :2]], fill=1)
        # In parallel projection the depth of a plane is linear in the pixel.
        plane = np.linalg.lstsq(np.column_stack([quad[:, :2], np.ones(4)]), quad[:, 2], rcond=None)[0]
        depth = plane[0] * np.arange(left, right) + plane[1] * np.arange(top, bottom)[:, None] + plane[2]
        here = depths[top:bottom, left:right]
        nearer = np.asarray(mask) & (depth > here)
        here[nearer] = depth[nearer]
        numbers[top:bottom, left:right][nearer] = number
    return numbers


def _shades(
    normals: Float64[np.ndarray, "faces 3"], camera: Float64[np.ndarray, "3 3"], colours: Sequence[Colour]
) -> np.ndarray:
    """Colour of each face in the light from above the eye's left shoulder, then of the ground and of the paper."""
    light = camera.T @ np.array([-0.45, 0.75, 0.48])
    light /= np.linalg.norm(light)
    bright = (normals / np.linalg.norm(normals, axis=1, keepdims=True).clip(1e-300)) @ light
    shades = []
    for number, value in enumerate(bright[:-1].clip(0.0, 1.0).tolist()):
        colour = colours[number // len(FACES)]
        dark, pale = mixed(colour, INK, 0.42), mixed(colour, PAPER, 0.38)
        shades.append(mixed(dark, pale, value))
    return np.array([*shades, mixed(FAINT, PAPER, 0.45), PAPER], np.uint8)


def _edges(numbers: Int64[np.ndarray, "rows columns"], floor: int) -> np.ndarray:
    """Pixels where another face begins, three fine ones wide; the ground has no outline of its own."""
    kinds = np.where(numbers >= floor, floor, numbers)
    change = np.zeros(kinds.shape, bool)
    change[:, 1:] |= kinds[:, 1:] != kinds[:, :-1]
    change[1:] |= kinds[1:] != kinds[:-1]
    wide = change.copy()
    wide[:, :-1] |= change[:, 1:]
    wide[:-1] |= change[1:]
    wide[:-1, :-1] |= change[1:, 1:]
    return wide


def _legend(names: Sequence[str], colours: Sequence[Colour], width: int, config: DrawConfig) -> Image.Image:
    """Names of the parts with their colours and how many there are, in as many rows as they need."""
    counts = Counter(names)
    texts = [f"{name} ({count})" if count > 1 else name for name, count in counts.items()]
    font = font_for("".join(texts), config.font_size, config.font)
    line, swatch = height_of(font) + 6, config.font_size
    places, x, y = [], 0.0, 0
    for text in texts:
        need = swatch + 6 + width_of(text, font) + 18
        if x > 0 and x + need > width:
            x, y = 0.0, y + line
        places.append((x, y))
        x += need
    sheet = Image.new("RGB", (width, y + line), PAPER)
    pen = Pen(sheet)
    for (left, top), text, colour in zip(places, texts, colours, strict=True):
        base = top + font.getmetrics()[0]
        pen.tile((left, base - swatch + 2, left + swatch, base + 2), colour, 3.0)
        pen.text((left + swatch + 6, base), text, font, INK)
    return sheet

"""Cuboids over the photograph that they were found in, where its camera is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64
from PIL import Image, ImageDraw

from ..geometry import FACES, complete, corners
from ..records import Solid
from .palette import INK, PAPER, Colour, colour_of, mixed

_FINE = 3
"""Steps within a pixel."""
_FILLED = 70
"""Of 255: how much a face covers the photograph."""
_LEAST = 360
"""Pixels of the shorter side, to which small photographs are enlarged."""


def can_project(camera: Any) -> bool:
    """Whether something is a camera as `draw_projected` reads it: a table with two matrices of numbers."""
    if not isinstance(camera, dict):
        return False
    try:
        shapes = [np.asarray(camera[name], np.float64).shape for name in ("intrinsics", "extrinsics")]
    except (KeyError, TypeError, ValueError):
        return False
    return shapes == [(3, 3), (4, 4)]


def draw_projected(picture: Image.Image, solids: Sequence[Solid], camera: dict[str, Any]) -> Image.Image:
    """All solids, reflections included, over a photograph: the faces that look at the camera, from far to near.

    Args:
        picture: the photograph.
        solids: at least one.
        camera: `intrinsics` (3×3, to pixels of the photograph) and `extrinsics` (4×4, world to camera; z forwards).
    """
    whole = complete(solids)
    # Colours as in the views beside it.
    names = list(dict.fromkeys(solid.part for solid in whole))
    points = corners(whole)
    pixels, depth = _projected(points, camera)
    scale = _FINE * max(1.0, _LEAST / min(picture.size))
    size = (round(picture.width * scale), round(picture.height * scale))
    sheet = picture.convert("RGB").resize(size, Image.Resampling.LANCZOS).convert("RGBA")
    eye = _eye(camera)
    for number in np.argsort(-depth.mean(1)):
        if depth[number].min() > 1e-6:
            _cuboid(sheet, points[number], pixels[number] * scale, eye, colour_of(names.index(whole[number].part)))
    return sheet.convert("RGB").resize((size[0] // _FINE, size[1] // _FINE), Image.Resampling.LANCZOS)


def _projected(
    points: Float64[np.ndarray, "solids 8 3"], camera: dict[str, Any]
) -> tuple[Float64[np.ndarray, "solids 8 2"], Float64[np.ndarray, "solids 8"]]:
    """Pixels and depths."""
    matrix, inner = (np.asarray(camera[name], np.float64) for name in ("extrinsics", "intrinsics"))
    seen = points @ matrix[:3, :3].T + matrix[:3, 3]
    depth = seen[..., 2]
    flat = (seen / np.maximum(depth, 1e-6)[..., None]) @ inner.T
    return flat[..., :2], depth


def _eye(camera: dict[str, Any]) -> Float64[np.ndarray, " 3"]:
    matrix = np.asarray(camera["extrinsics"], np.float64)
    place: Float64[np.ndarray, " 3"] = -matrix[:3, :3].T @ matrix[:3, 3]
    return place


def _cuboid(
    sheet: Image.Image,
    points: Float64[np.ndarray, "8 3"],
    pixels: Float64[np.ndarray, "8 2"],
    eye: Float64[np.ndarray, " 3"],
    colour: Colour,
) -> None:
    """The faces of one cuboid that look at the eye."""
    layer = Image.new("RGBA", sheet.size)
    pen = ImageDraw.Draw(layer)
    for face in FACES:
        a, b, d = points[face[0]], points[face[1]], points[face[3]]
        if np.cross(b - a, d - a) @ (eye - a) <= 0:
            continue
        ring = [(float(x), float(y)) for x, y in pixels[face]]
        pen.polygon(ring, fill=(*mixed(colour, PAPER, 0.2), _FILLED))
        pen.line([*ring, ring[0], ring[1]], fill=(*mixed(colour, INK, 0.15), 255), width=2 * _FINE, joint="curve")
    sheet.alpha_composite(layer)

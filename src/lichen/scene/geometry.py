"""Boxes and cuboids as numpy arrays: other box conventions, corners, reflections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Float64

from . import check as to
from .check import Box
from .records import Solid

FACES = np.array([[0, 4, 6, 2], [1, 3, 7, 5], [0, 1, 5, 4], [2, 6, 7, 3], [0, 2, 3, 1], [4, 5, 7, 6]])
"""Corners of the six faces (-x, +x, -y, +y, -z, +z of the own axes), counter-clockwise seen from outside."""
_SIGNS = np.array([[x, y, z] for z in (-0.5, 0.5) for y in (-0.5, 0.5) for x in (-0.5, 0.5)])
_SAME = 1e-6
"""Distance of corners, in shares of the object's extent, below which two solids are one."""


def to_xywh(boxes: Float[np.ndarray, "*boxes 4"]) -> Float[np.ndarray, "*boxes 4"]:
    """Left, top, right, bottom as left, top, width, height."""
    return np.concatenate([boxes[..., :2], boxes[..., 2:] - boxes[..., :2]], -1)


def from_xywh(boxes: Float[np.ndarray, "*boxes 4"]) -> Float[np.ndarray, "*boxes 4"]:
    """Left, top, width, height as left, top, right, bottom."""
    return np.concatenate([boxes[..., :2], boxes[..., :2] + boxes[..., 2:]], -1)


def clip(boxes: Float[np.ndarray, "*boxes 4"], size: tuple[int, int]) -> Float[np.ndarray, "*boxes 4"]:
    """The parts of boxes inside a picture of (width, height) pixels; without area where they lie outside."""
    return np.clip(boxes, 0.0, np.array([*size, *size], boxes.dtype))


def areas(boxes: Float[np.ndarray, "*boxes 4"]) -> Float[np.ndarray, "*boxes"]:
    """Areas in square pixels; NaN for rows of NaN."""
    sides = boxes[..., 2:] - boxes[..., :2]
    return sides[..., 0] * sides[..., 1]


def as_box(values: Sequence[float | int] | np.ndarray) -> Box:
    """Four numbers of any kind as the plain floats that records hold."""
    left, top, right, bottom = (float(value) for value in values)
    return left, top, right, bottom


def corners(solids: Sequence[Solid]) -> Float64[np.ndarray, "solids 8 3"]:
    """Corners in the object's coordinates; x changes fastest, then y, then z of the solid's own axes."""
    centres = np.array([solid.centre for solid in solids], np.float64).reshape(-1, 1, 3)
    sizes = np.array([solid.size for solid in solids], np.float64).reshape(-1, 1, 3)
    rotations = np.array([solid.rotation for solid in solids], np.float64).reshape(-1, 3, 3)
    return centres + (_SIGNS * sizes) @ rotations.swapaxes(1, 2)


def reflected(solid: Solid) -> Solid:
    """The reflection of a solid in its own mirror plane, or the solid itself where it has none."""
    if solid.mirror is None:
        return solid
    normal, offset = np.array(solid.mirror[:3], np.float64), solid.mirror[3]
    centre = np.array(solid.centre, np.float64)
    centre = centre - 2 * (centre @ normal - offset) * normal
    axes = np.array(solid.rotation, np.float64).reshape(3, 3)
    # A reflection is no rotation, but a cuboid does not change when one of its axes is turned round.
    axes = (np.eye(3) - 2 * np.outer(normal, normal)) @ axes @ np.diag([-1.0, 1.0, 1.0])
    return replace(
        solid, centre=to.triple(centre.tolist(), "centre"), rotation=to.rotation(axes.ravel().tolist(), "rotation")
    )


def complete(solids: Sequence[Solid]) -> tuple[Solid, ...]:
    """All solids of an object: those listed, then the reflections that are not among them."""
    images = [reflected(solid) for solid in solids if solid.mirror is not None]
    if not images:
        return tuple(solids)
    here, there = corners(solids), corners(images)
    slack = _SAME * max(float(np.ptp(here, axis=(0, 1)).max()), 1e-300)
    # Corners as sets: each corner of one has a corner of the other beside it.
    gaps = np.linalg.norm(there[:, None, :, None] - here[None, :, None, :], axis=-1)
    known = (gaps.min(-1).max(-1) <= slack).any(-1)
    return (*solids, *(image for image, found in zip(images, known, strict=True) if not found))

"""The colour picture of an object: materials, light, shadows, outlines, and what stands around it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from ..dice import Dice
from .backdrops import Backdrop, Image, meet_ground, paint_backdrop, random_backdrop
from .boxes import Boxes
from .camera import Camera, Triple
from .cast import Hits, Rays
from .materials import Material, random_finish, texture

MANNERS = {"shaded": 5.5, "outlined": 3.0, "drawing": 1.5}
"""Ways to draw: light and shadow alone; with dark edges; edges on white paper."""
_FINE = 2
"""Rays along each edge of a pixel."""


@dataclass(frozen=True)
class Look:
    """Everything about the colours of one view."""

    manner: str
    finish: Mapping[str, Material]
    backdrop: Backdrop
    light: Triple
    """Direction towards the light, of length 1."""
    ambient: float
    """Light that falls on every surface, 0 to 1."""


def random_look(dice: Dice, azimuth: float, manner: str | None = None) -> Look:
    """Materials, surroundings and light of a view.

    Args:
        dice: of the view.
        azimuth: of the camera in degrees; the light comes from its side of the object.
        manner: one of `MANNERS`; None picks one.
    """
    # Thrown in any case, so that a given manner changes nothing else.
    thrown = dice.weighted(MANNERS)
    chosen = thrown if manner is None else manner
    turn = math.radians(azimuth) + dice.side() * dice.between(0.4, 1.1)
    rise = dice.between(0.8, 1.2)
    light = (math.sin(turn) * math.cos(rise), math.cos(turn) * math.cos(rise), math.sin(rise))
    ambient = dice.between(0.52, 0.64)
    return Look(chosen, random_finish(dice), random_backdrop(dice, chosen == "drawing"), light, ambient)


def paint(camera: Camera, boxes: Boxes, made_of: Sequence[str], look: Look) -> UInt8[np.ndarray, "height width 3"]:
    """The colour picture.

    Args:
        camera: of the view.
        boxes: of the object, standing on the ground.
        made_of: what each is made of.
        look: of the view.
    """
    rays = Rays(camera, boxes, _FINE, np.float32)
    hits, floor = rays.cast(), float(boxes.corners[..., 2].min())
    ground = meet_ground(rays, look.backdrop, floor)
    image, solid = paint_backdrop(look.backdrop, ground), hits.part >= 0
    levels = _levels(rays, look)[:, hits.part[solid], hits.axis[solid]]
    if look.manner == "drawing":
        image[solid] = levels[1][:, None] * np.float32(0.2) + np.float32(0.79)
        _outline(image, hits, 0.9)
        return _reduced(image)
    dark = rays.shaded(np.where(solid, hits.depth, ground.depth), look.light, floor)
    free = ground.seen & ~solid
    deep = (0.26 if look.backdrop.kind == "white" else 0.46) * (1.25 - look.ambient)
    image *= (1 - np.float32(deep) * _softened(dark, free))[..., None]
    level = np.where(dark[solid], levels[0], levels[1])
    image[solid] = np.minimum(_colours(rays, hits, solid, made_of, look) * level[:, None], 1)
    if look.manner == "outlined":
        _outline(image, hits, 0.6)
    return _reduced(image)


def _levels(rays: Rays, look: Look) -> Float32[np.ndarray, "2 boxes 3"]:
    """Light on the visible face square to each own axis of each box: in the shade, and in the sun.

    Of two faces square to an axis, a camera outside the box sees the one on its own side.
    """
    normals = rays.boxes.rotation * np.sign(rays.origin)[:, None, :]
    facing = sum(look.light[k] * normals[:, k] for k in range(3))
    # Sky above, ground below: a face that looks up gets more of the light that comes from everywhere.
    everywhere = look.ambient * (0.88 + 0.16 * normals[:, 2])
    return np.stack([everywhere, everywhere + (1.08 - look.ambient) * np.maximum(facing, 0.0)]).astype(np.float32)


def _softened(
    dark: Bool[np.ndarray, "rows columns"], free: Bool[np.ndarray, "rows columns"]
) -> Float32[np.ndarray, "rows columns"]:
    """The shadow on the floor with soft edges, 0 to 1, from its own pixels alone."""
    weight, value = free.astype(np.float32), (dark & free).astype(np.float32)
    for _ in range(2):
        weight, value = _blurred(weight), _blurred(value)
    return np.where(free, value / np.maximum(weight, np.float32(1e-3)), np.float32(0))


def _blurred(image: Float32[np.ndarray, "rows columns"]) -> Float32[np.ndarray, "rows columns"]:
    """Mean of 5×5 pixels, zeros outside."""
    padded = np.pad(image, 2)
    rows, columns = image.shape
    tall = padded[:rows] + padded[1 : rows + 1] + padded[2 : rows + 2] + padded[3 : rows + 3] + padded[4:]
    wide = (
        tall[:, :columns] + tall[:, 1 : columns + 1] + tall[:, 2 : columns + 2] + tall[:, 3 : columns + 3] + tall[:, 4:]
    )
    return wide * np.float32(0.04)


def _colours(
    rays: Rays, hits: Hits, solid: Bool[np.ndarray, "rows columns"], made_of: Sequence[str], look: Look
) -> Float32[np.ndarray, "points 3"]:
    """Colours of the object's pixels before light falls on them."""
    part = hits.part[solid]
    materials = [look.finish[name] for name in made_of]
    colour = np.array([material.colour for material in materials], np.float32)[part]
    rows, columns = np.nonzero(solid)
    u, v, depth = rays.u[columns], rays.v[rows], hits.depth[solid]
    # Own axes of every part, the longest edge first.
    order = np.argsort(-rays.boxes.half, axis=1, kind="stable")
    for pattern in ("grain", "weave"):
        patterned = np.array([material.pattern == pattern for material in materials])
        chosen = np.nonzero(patterned[part])[0]
        if not len(chosen):
            continue
        which = part[chosen]
        places = []
        for axis in range(3):
            own = order[which, axis]
            right, down, forwards = (way.astype(np.float32)[which, own] for way in rays.directions)
            start = rays.origin.astype(np.float32)[which, own]
            places.append(start + depth[chosen] * (right * u[chosen] + down * v[chosen] + forwards))
        # Every part is cut from another place of the board.
        places[1] += which.astype(np.float32) * np.float32(3.7)
        contrast = np.array([material.contrast for material in materials], np.float32)[which]
        colour[chosen] *= (1 + contrast * texture(pattern, *places))[:, None]
    return colour


def _outline(image: Image, hits: Hits, strength: float) -> None:
    """Darken both sides of every edge between two faces, and the object's contour on its inner side."""
    face = hits.part * 3 + hits.axis
    edge = np.zeros(face.shape, np.bool_)
    across, down = face[:, 1:] != face[:, :-1], face[1:] != face[:-1]
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    image[edge & (hits.part >= 0)] *= np.float32(1 - strength)


def _reduced(image: Image) -> UInt8[np.ndarray, "height width 3"]:
    """Means of the rays of each pixel, as bytes."""
    total = image[::2, ::2] + image[1::2, ::2] + image[::2, 1::2] + image[1::2, 1::2]
    return (np.minimum(total * np.float32(0.25), 1) * np.float32(255) + np.float32(0.5)).astype(np.uint8)

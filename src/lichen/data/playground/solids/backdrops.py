"""What stands around an object: studio paper, plain colours, rooms with floors and walls."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32

from ..dice import Dice
from .cast import Rays
from .materials import Colour, smooth, speckle

Image = Float32[np.ndarray, "rows columns 3"]

BACKDROPS = {"studio": 3.0, "white": 1.5, "plain": 1.5, "boards": 2.0, "tiles": 1.5, "rug": 1.5}
"""Kinds of surroundings and how often each occurs."""

_PAPERS: tuple[Colour, ...] = (
    (0.88, 0.88, 0.88),
    (0.80, 0.84, 0.88),
    (0.90, 0.86, 0.80),
    (0.82, 0.87, 0.82),
    (0.74, 0.75, 0.78),
    (0.90, 0.82, 0.82),
    (0.86, 0.84, 0.90),
)
_WALLS: tuple[Colour, ...] = (
    (0.92, 0.90, 0.86),
    (0.80, 0.86, 0.88),
    (0.86, 0.88, 0.80),
    (0.90, 0.82, 0.78),
    (0.70, 0.76, 0.80),
    (0.93, 0.93, 0.93),
    (0.66, 0.72, 0.66),
)
_FLOORS: tuple[Colour, ...] = (
    (0.72, 0.58, 0.44),
    (0.60, 0.47, 0.36),
    (0.82, 0.73, 0.60),
    (0.66, 0.64, 0.62),
    (0.78, 0.78, 0.77),
    (0.50, 0.44, 0.40),
)
_RUGS: tuple[Colour, ...] = (
    (0.70, 0.38, 0.34),
    (0.36, 0.46, 0.58),
    (0.82, 0.76, 0.62),
    (0.45, 0.56, 0.48),
    (0.55, 0.53, 0.55),
)


@dataclass(frozen=True)
class Backdrop:
    """Surroundings of one view."""

    kind: str
    wall: Colour
    floor: Colour
    accent: Colour
    """Of a rug, or of every other tile."""
    turn: float
    """Direction of boards and tiles, in radians."""
    wall_turn: float
    """How far the wall is turned from facing the camera, in radians."""
    wall_distance: float
    """From the object's middle, in edges of the unit cube."""
    period: float
    """Width of a board or tile."""

    @property
    def has_wall(self) -> bool:
        """Whether it is a room, with an edge between floor and wall."""
        return self.kind in ("boards", "tiles", "rug")


def random_backdrop(dice: Dice, white: bool) -> Backdrop:
    """Surroundings at random, or white paper."""
    kind = "white" if white else dice.weighted(BACKDROPS)
    paper = dice.pick(_PAPERS)
    floor = dice.pick(_FLOORS)
    level = dice.between(0.78, 1.0)
    return Backdrop(
        kind="white" if white else kind,
        wall=dice.pick(_WALLS) if kind in ("boards", "tiles", "rug") else _dimmed(paper, level, level, level),
        floor=floor,
        accent=dice.pick(_RUGS) if kind == "rug" else _dimmed(floor, *(dice.pick((0.88, 1.1)) for _ in range(3))),
        turn=dice.between(0.0, math.pi),
        wall_turn=dice.between(-0.35, 0.35),
        wall_distance=dice.between(0.75, 1.5),
        period=dice.between(0.09, 0.16) if kind == "boards" else dice.between(0.2, 0.34),
    )


def _dimmed(colour: Colour, red: float, green: float, blue: float) -> Colour:
    return colour[0] * red, colour[1] * green, colour[2] * blue


@dataclass(frozen=True, eq=False)
class Ground:
    """Where rays that pass the object end."""

    depth: Float32[np.ndarray, "rows columns"]
    """Of the floor, which has no end but a wall; infinite for rays that rise."""
    seen: Bool[np.ndarray, "rows columns"]
    """Whether the floor is what a ray meets: not the wall, not nothing."""
    x: Float32[np.ndarray, "rows columns"]
    y: Float32[np.ndarray, "rows columns"]
    """Of the met point of the floor, from the object's middle."""
    height: Float32[np.ndarray, "rows columns"]
    """Above the floor, where a ray meets the wall."""


def meet_ground(rays: Rays, backdrop: Backdrop, floor: float) -> Ground:
    """Where rays meet the floor at the height `floor`, and the wall of a room."""
    camera, single = rays.camera, np.float32
    right, down, forwards = camera.rotation
    u, v = rays.u, rays.v[:, None]
    # A ray moves this much along x, y and z for one step forwards; the camera is upright, so that u moves nothing down.
    x = u * single(right[0]) + (v * single(down[0]) + single(forwards[0]))
    y = u * single(right[1]) + (v * single(down[1]) + single(forwards[1]))
    z = v * single(down[2]) + single(forwards[2])
    px, py, pz = camera.position[0] - 0.5, camera.position[1] - 0.5, camera.position[2] - floor
    falling = z < -_LEVEL
    rows = np.where(falling, single(-pz) / np.where(falling, z, single(-1)), single(np.inf))
    depth = np.broadcast_to(rows, x.shape)
    away = math.radians(camera.azimuth) + math.pi + backdrop.wall_turn
    nx, ny = math.sin(away), math.cos(away)
    pace = x * single(nx) + y * single(ny)
    to_wall = single(backdrop.wall_distance - px * nx - py * ny) / np.maximum(pace, single(_LEVEL))
    seen = np.isfinite(depth) & (depth <= to_wall) if backdrop.has_wall else np.isfinite(depth)
    reach = np.where(seen, depth, single(0))
    return Ground(depth, seen, reach * x + single(px), reach * y + single(py), to_wall * z + single(pz))


_LEVEL = 1e-4
"""Rays that fall less than this for one step forwards are taken as level."""


def paint_backdrop(backdrop: Backdrop, ground: Ground) -> Image:
    """The surroundings without any shadow."""
    rows, columns = ground.seen.shape
    if backdrop.kind == "white":
        return np.full((rows, columns, 3), 0.975, np.float32)
    if not backdrop.has_wall:
        fall = (
            np.linspace(1.06, 0.9, rows, dtype=np.float32) if backdrop.kind == "studio" else np.ones(rows, np.float32)
        )
        return np.minimum(fall[:, None, None] * np.array(backdrop.wall, np.float32), 1.0) + np.zeros(
            (1, columns, 1), np.float32
        )
    image = _wall(backdrop, ground)
    x, y = ground.x[ground.seen], ground.y[ground.seen]
    cosine, sine = math.cos(backdrop.turn), math.sin(backdrop.turn)
    one, two = (x * cosine + y * sine) / backdrop.period, (y * cosine - x * sine) / backdrop.period
    pattern = {"boards": _boards, "tiles": _tiles, "rug": _rug}[backdrop.kind]
    image[ground.seen] = pattern(backdrop, one.astype(np.float32), two.astype(np.float32))
    return image


def _wall(backdrop: Backdrop, ground: Ground) -> Image:
    """A wall, lighter towards the ceiling, with a skirting board."""
    level = np.float32(0.93) + np.float32(0.05) * np.minimum(ground.height, np.float32(2))
    level = np.where(ground.height < 0.07, np.float32(1.1), level)
    level = np.where(np.abs(ground.height - np.float32(0.07)) < 0.006, np.float32(0.84), level)
    return np.minimum(level[..., None] * np.array(backdrop.wall, np.float32), 1)


def _shaded(colour: Colour, level: Float32[np.ndarray, " points"]) -> Float32[np.ndarray, "points 3"]:
    return level[:, None] * np.array(colour, np.float32)


def _boards(
    backdrop: Backdrop, along: Float32[np.ndarray, " points"], across: Float32[np.ndarray, " points"]
) -> Float32[np.ndarray, "points 3"]:
    """Planks, each of its own tone, with dark joints."""
    row = np.floor(across).astype(np.int32)
    shifted = along / 7 + speckle(row)
    cell = np.floor(shifted).astype(np.int32)
    level = 1 + np.float32(0.07) * speckle(row, cell) + np.float32(0.03) * smooth(across * 9 + smooth(along * 0.6))
    joint = (across - row < 0.06) | (shifted - cell < 0.012)
    return _shaded(backdrop.floor, np.where(joint, level * np.float32(0.8), level).astype(np.float32))


def _tiles(
    backdrop: Backdrop, one: Float32[np.ndarray, " points"], two: Float32[np.ndarray, " points"]
) -> Float32[np.ndarray, "points 3"]:
    """Square tiles in two tones, with joints."""
    row, column = np.floor(one).astype(np.int32), np.floor(two).astype(np.int32)
    odd = ((row + column) & 1).astype(bool)
    level = 1 + np.float32(0.03) * speckle(row, column)
    colour = np.where(odd[:, None], _shaded(backdrop.accent, level), _shaded(backdrop.floor, level))
    joint = (one - row < 0.035) | (two - column < 0.035)
    colour[joint] *= np.float32(0.84)
    return np.minimum(colour, 1.0).astype(np.float32)


def _rug(
    backdrop: Backdrop, one: Float32[np.ndarray, " points"], two: Float32[np.ndarray, " points"]
) -> Float32[np.ndarray, "points 3"]:
    """A rug with a border on a speckled carpet."""
    fleck = speckle(np.floor(one * 24).astype(np.int32), np.floor(two * 24).astype(np.int32))
    floor = _shaded(backdrop.floor, (1 + np.float32(0.03) * fleck).astype(np.float32))
    edge = np.maximum(np.abs(one) * backdrop.period / 0.85, np.abs(two) * backdrop.period / 0.62)
    rug = _shaded(backdrop.accent, (1 + np.float32(0.05) * fleck).astype(np.float32))
    rug[(edge > 0.86) & (edge < 0.93)] *= np.float32(1.25)
    return np.minimum(np.where((edge < 1.0)[:, None], rug, floor), 1.0).astype(np.float32)

"""`Camera`: where a picture was taken from, and the way between its pixels and the object's space.

Conventions are OpenCV's. In the camera's space x points to the right, y down, z forwards; a point of the world is
`rotation @ (point - position)` there, and falls on pixel (focal x/z + middle x, focal y/z + middle y). Pixel edges are
whole numbers: the middle of the pixel in row r and column c is (c + 0.5, r + 0.5). Depth is z, not the length of a ray.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from ....scene import Solid
from ....scene.geometry import corners
from ..dice import Dice

Triple = tuple[float, float, float]
Axes = tuple[Triple, Triple, Triple]

_FILL = (0.62, 0.84)
"""Share of the picture's edge that the longer side of the object's 2D box takes."""


@dataclass(frozen=True)
class Camera:
    """A pinhole camera with square pixels, and a square picture."""

    size: int
    """Edge of the picture in pixels."""
    focal: float
    """Focal length in pixels."""
    middle: tuple[float, float]
    """Where the optical axis meets the picture: x and y in pixels."""
    position: Triple
    """Of the pinhole, in the world."""
    rotation: Axes
    """Rows are the camera's axes (right, down, forwards) in the world."""
    azimuth: float = 0.0
    """Degrees from the object's front; positive towards its right."""
    elevation: float = 0.0
    """Degrees above the ground."""

    @property
    def intrinsics(self) -> Float64[np.ndarray, "3 3"]:
        """K: camera space to homogeneous pixels."""
        return np.array([[self.focal, 0, self.middle[0]], [0, self.focal, self.middle[1]], [0, 0, 1.0]])

    @property
    def extrinsics(self) -> Float64[np.ndarray, "4 4"]:
        """World to camera space, homogeneous."""
        matrix = np.eye(4)
        matrix[:3, :3] = self.rotation
        matrix[:3, 3] = -(matrix[:3, :3] @ np.array(self.position))
        return matrix

    def project(self, points: Float64[np.ndarray, "*batch 3"]) -> Float64[np.ndarray, "*batch 3"]:
        """Pixels (x, y) and depth of points of the world."""
        x, y, z = (points[..., k] - self.position[k] for k in range(3))
        right, down, depth = (a * x + b * y + c * z for a, b, c in self.rotation)
        across, along = (
            self.focal * way / depth + start for way, start in ((right, self.middle[0]), (down, self.middle[1]))
        )
        return np.stack([across, along, depth], axis=-1)

    def back_project(self, depth: Float64[np.ndarray, "rows columns"]) -> Float64[np.ndarray, "rows columns 3"]:
        """Points of the world at every pixel's middle, at its depth; not finite where the depth is not."""
        u, v = ((np.arange(self.size) + 0.5 - start) / self.focal for start in self.middle)
        right, down = np.broadcast_to(u, depth.shape), np.broadcast_to(v[:, None], depth.shape)
        one, two, three = self.rotation
        axes = zip(self.position, one, two, three, strict=True)
        with np.errstate(invalid="ignore"):
            return np.stack([p + depth * (a * right + b * down + c) for p, a, b, c in axes], axis=-1)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for a scene's metadata."""
        return {
            "intrinsics": self.intrinsics.tolist(),
            "extrinsics": self.extrinsics.tolist(),
            "azimuth": self.azimuth,
            "elevation": self.elevation,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any], size: int) -> Camera:
        """The inverse of `to_dict`, up to rounding of the position."""
        k, matrix = np.array(values["intrinsics"]), np.array(values["extrinsics"])
        x, y, z = (-(matrix[:3, :3].T @ matrix[:3, 3])).tolist()
        right, down, forwards = ((row[0], row[1], row[2]) for row in matrix[:3, :3].tolist())
        return cls(
            size=size,
            focal=float(k[0, 0]),
            middle=(float(k[0, 2]), float(k[1, 2])),
            position=(x, y, z),
            rotation=(right, down, forwards),
            azimuth=values["azimuth"],
            elevation=values["elevation"],
        )


def look_at(target: Triple, azimuth: float, elevation: float, distance: float) -> tuple[Triple, Axes]:
    """Position and axes of a camera that looks at a point, upright.

    Args:
        target: what it looks at.
        azimuth: degrees from the front (+y) towards the object's right (+x).
        elevation: degrees above the ground, less than 90.
        distance: from the target.
    """
    turn, rise = math.radians(azimuth), math.radians(elevation)
    x, y, z = math.sin(turn) * math.cos(rise), math.cos(turn) * math.cos(rise), math.sin(rise)
    position = (target[0] + distance * x, target[1] + distance * y, target[2] + distance * z)
    right = (-math.cos(turn), math.sin(turn), 0.0)
    down = (math.sin(turn) * math.sin(rise), math.cos(turn) * math.sin(rise), -math.cos(rise))
    return position, (right, down, (-x, -y, -z))


def random_camera(
    dice: Dice, solids: Sequence[Solid], size: int, azimuths: tuple[float, float], elevations: tuple[float, float]
) -> Camera:
    """A view of an object that fills most of the picture, as if cropped around it with a margin that varies.

    Args:
        dice: of the view.
        solids: of the object.
        size: edge of the picture in pixels.
        azimuths: degrees from the front, least and most.
        elevations: degrees above the ground, least and most.
    """
    azimuth, elevation = dice.between(*azimuths), dice.between(*elevations)
    position, rotation = look_at((0.5, 0.5, 0.5), azimuth, elevation, dice.between(1.9, 3.4))
    unit = Camera(size, 1.0, (0.0, 0.0), position, rotation, azimuth, elevation)
    seen = unit.project(corners(solids))[..., :2].reshape(-1, 2)
    low, high = seen.min(axis=0), seen.max(axis=0)
    edge = float((high - low).max())
    focal = size * dice.between(*_FILL) / edge
    # The free part of the picture is shared out between the sides, by chance and not quite equally.
    middle = []
    for k in range(2):
        free = size - focal * float(high[k] - low[k])
        middle.append(free * dice.between(0.38, 0.62) - focal * float(low[k]))
    return Camera(size, focal, (middle[0], middle[1]), position, rotation, azimuth, elevation)

"""Rays against cuboids: the exact depth, part and face of every pixel, and which surfaces lie in the shade.

A ray enters a box where it has crossed the nearer face of all three slabs (pairs of parallel planes), and leaves it at
the first farther one. In a box's own axes a pixel's ray is a constant plus a multiple of its row plus a multiple of its
column, so that one sum of a column and a row vector gives a whole window; only the window that a box's projection lies
in is looked at.

Source: T. Kay, J. Kajiya, "Ray Tracing Complex Scenes", SIGGRAPH 1986 (slabs). Sums are written out, not left to BLAS,
so that every machine gets the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int8, Int16

from .boxes import Boxes
from .camera import Camera

Rows = tuple[slice, slice]
Vectors = Float[np.ndarray, "boxes 3"]


@dataclass(frozen=True, eq=False)
class Hits:
    """What each ray meets first."""

    depth: Float[np.ndarray, "rows columns"]
    """Depth along the optical axis; infinite where nothing is met."""
    part: Int16[np.ndarray, "rows columns"]
    """Place of the box; -1 for none."""
    axis: Int8[np.ndarray, "rows columns"]
    """Own axis of the box that the met face is square to; 0 where nothing is met."""


class Rays:
    """All rays of a camera, `fine` of them along each edge of a pixel, in the own axes of some boxes."""

    def __init__(self, camera: Camera, boxes: Boxes, fine: int = 1, dtype: type[np.floating] = np.float64) -> None:
        self.camera, self.boxes, self.fine, self.dtype = camera, boxes, fine, dtype
        steps = (np.arange(camera.size * fine) + 0.5) / fine
        self.u, self.v = (((steps - start) / camera.focal).astype(dtype) for start in camera.middle)
        """Slopes of the rays: right and down for one step forwards."""
        m = boxes.rotation
        # directions[i]: the camera's axis i in the own axes of each box.
        self.directions = [_own(m, *axis) for axis in camera.rotation]
        self._ways = np.stack(self.directions, axis=-1).tolist()
        self.origin = _own(m, *(camera.position[k] - boxes.centre[:, k, None] for k in range(3)))
        """The pinhole in the own axes of each box."""

    def slopes(self, box: int, axis: int, window: Rows) -> Float[np.ndarray, "rows columns"]:
        """How fast the rays of a window move along an own axis of a box, for one step forwards."""
        right, down, forwards = self._ways[box][axis]
        rows, columns = window
        return (self.v[rows] * down + forwards)[:, None] + self.u[columns] * right

    def windows(self, points: Float[np.ndarray, "boxes points 3"]) -> list[Rows]:
        """For every box, the smallest part of the picture that holds the projection of its points."""
        seen = self.camera.project(points)[..., :2] * self.fine
        count = self.camera.size * self.fine
        low, high = np.floor(seen.min(axis=1)), np.ceil(seen.max(axis=1))
        edges = np.clip(np.concatenate([low, high], axis=1), 0, count).astype(int).tolist()
        return [(slice(top, bottom), slice(left, right)) for left, top, right, bottom in edges]

    def cast(self) -> Hits:
        """What each ray meets first. The pinhole must lie outside all boxes and all boxes before it."""
        shape = (len(self.v), len(self.u))
        hits = Hits(np.full(shape, np.inf, self.dtype), np.full(shape, -1, np.int16), np.zeros(shape, np.int8))
        for box, window in enumerate(self.windows(self.boxes.corners)):
            self._meet(box, window, hits)
        return hits

    def _meet(self, box: int, window: Rows, hits: Hits) -> None:
        entries, leaves = [], []
        for axis in range(3):
            half, start = float(self.boxes.half[box, axis]), float(self.origin[box, axis])
            with np.errstate(divide="ignore"):
                pace = 1.0 / self.slopes(box, axis, window)
            one, two = pace * self.dtype(-half - start), pace * self.dtype(half - start)
            entries.append(np.minimum(one, two))
            leaves.append(np.maximum(one, two))
        nearest = np.maximum(np.maximum(entries[0], entries[1]), entries[2])
        farthest = np.minimum(np.minimum(leaves[0], leaves[1]), leaves[2])
        better = (nearest <= farthest) & (nearest < hits.depth[window])
        face = np.where(nearest == entries[0], 0, np.where(nearest == entries[1], 1, 2))
        np.copyto(hits.depth[window], nearest, where=better)
        hits.part[window][better] = box
        np.copyto(hits.axis[window], face.astype(np.int8), where=better)

    def shaded(
        self, depth: Float[np.ndarray, "rows columns"], light: tuple[float, float, float], floor: float
    ) -> Bool[np.ndarray, "rows columns"]:
        """Where a box stands between a surface and the light.

        Args:
            depth: of the surface at each ray; infinite where there is none.
            light: direction towards the light, which comes from above.
            floor: height of the ground. A box throws no shadow farther than that.
        """
        dark = np.zeros(depth.shape, np.bool_)
        corners, m = self.boxes.corners, self.boxes.rotation
        lights = _own(m, *light)
        # Where there is no surface, any will do, but an infinite one would make infinity times zero.
        depth = np.minimum(depth, self.dtype(_FAR))
        # A shadow's volume is the hull of its box and of the box's image on the ground.
        fall = (corners[..., 2] - floor) / light[2]
        image = np.stack([corners[..., k] - fall * light[k] for k in range(3)], axis=-1)
        for box, window in enumerate(self.windows(np.concatenate([corners, image], axis=1))):
            self._shade(box, window, lights[box], depth, dark)
        return dark

    def _shade(
        self,
        box: int,
        window: Rows,
        light: Float[np.ndarray, " axes"],
        depth: Float[np.ndarray, "rows columns"],
        dark: Bool[np.ndarray, "rows columns"],
    ) -> None:
        enters, leaves = [], []
        for axis in range(3):
            half, start, pace = float(self.boxes.half[box, axis]), float(self.origin[box, axis]), float(light[axis])
            if abs(pace) < _LEVEL:
                pace = _LEVEL
            place = self.slopes(box, axis, window) * depth[window]
            place += self.dtype(start)
            place *= self.dtype(-1.0 / pace)
            enters.append(place - self.dtype(half / abs(pace)))
            leaves.append(place + self.dtype(half / abs(pace)))
        enter = np.maximum(np.maximum(enters[0], enters[1]), enters[2])
        leave = np.minimum(np.minimum(leaves[0], leaves[1]), leaves[2])
        dark[window] |= (leave > enter) & (leave > _SKIN)


def _own(
    rotation: Float[np.ndarray, "boxes 3 3"], x: float | np.ndarray, y: float | np.ndarray, z: float | np.ndarray
) -> Vectors:
    """A vector of the world (a number a coordinate, or a column over the boxes) in the own axes of each box."""
    return x * rotation[:, 0] + y * rotation[:, 1] + z * rotation[:, 2]


_FAR = 1e3
"""Depth beyond everything."""
_LEVEL = 1e-9
"""A light closer to level with a face than this counts as this far off."""
_SKIN = 2e-3
"""A surface does not shade itself: what lies closer than this does not count."""

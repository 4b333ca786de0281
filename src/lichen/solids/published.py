"""The numbers of the published files: twenty a primitive, nine normalised ones a training target.

A primitive is a row: ten numbers of its fit that no network reads; size; least corner of the box before it is turned;
axis, one-hot or zero; angle. Units are voxels of a grid of V along every edge; x runs from left to right and x = V/2 is
the mirror plane, z up. Source: code of arXiv 2109.04153 and of 3D-PRNN (solids_and_video.md A1, A3, C5).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from ..errors import InputError
from .cuboids import Cuboids
from .turns import to_rotation, to_turn

COLUMNS = 20
SIZE, CORNER, AXIS, ANGLE = slice(10, 13), slice(13, 16), slice(16, 19), 19


def from_rows(rows: Float[Tensor, "*batch 20"]) -> Cuboids:
    """Cuboids, in voxels, of rows of twenty numbers. Of an axis that is not one-hot the largest entry counts."""
    size = rows[..., SIZE]
    return Cuboids(rows[..., CORNER] + size / 2, size, to_rotation(rows[..., AXIS] * rows[..., ANGLE, None]))


def to_rows(cuboids: Cuboids) -> Float[Tensor, "*batch 20"]:
    """The inverse of `from_rows`; the first ten columns are zero, and so is the axis of what is not turned.

    Raises:
        InputError: a cuboid is turned about more than one principal axis, which the files cannot hold.
    """
    turn, known = to_turn(cuboids.rotation)
    if not bool(known.all()):
        place = int((~known).flatten().nonzero()[0])
        raise InputError(f"Cuboid {place} is turned about more than one principal axis; the published files hold one.")
    rows = cuboids.centre.new_zeros(*cuboids.centre.shape[:-1], COLUMNS)
    rows[..., SIZE] = cuboids.size
    rows[..., CORNER] = cuboids.centre - cuboids.size / 2
    rows[..., AXIS] = (turn != 0).to(rows)
    rows[..., ANGLE] = turn.sum(-1)
    return rows


def straddles(rows: Float[Tensor, "*batch 20"], grid: int, beyond: float | int = 0.0) -> Bool[Tensor, "*batch"]:
    """Which primitives reach over the mirror plane before they are turned, so that they count as their own reflection.

    Args:
        rows: primitives.
        grid: voxels along an edge, V.
        beyond: share of their length in x that must lie beyond the plane. 0 as published: one that touches it counts
            too. Of a true reflection of itself a half lies beyond, of a part that ends at the plane nothing, so that a
            quarter tells predictions apart best (A13.9).
    """
    return rows[..., CORNER.start] + (1 - beyond) * rows[..., SIZE.start] >= grid / 2


def mirrored(rows: Float[Tensor, "*batch 20"], grid: int) -> Float[Tensor, "*batch 20"]:
    """Reflections in x = V/2: another corner in x, and another sign of the angle unless the axis is x."""
    other = rows.clone()
    other[..., CORNER.start] = grid - rows[..., CORNER.start] - rows[..., SIZE.start]
    about_x = rows[..., AXIS.start] != 0
    other[..., ANGLE] = torch.where(about_x, rows[..., ANGLE], 0.0 - rows[..., ANGLE])
    return other


def completed(rows: Float[Tensor, "parts 20"], grid: int, beyond: float | int = 0.0) -> Float[Tensor, "all 20"]:
    """A half model with the reflections of all primitives that do not straddle the mirror plane; see `straddles`."""
    return torch.cat([rows, mirrored(rows, grid)[~straddles(rows, grid, beyond)]])


def order(rows: Float[Tensor, "parts 20"]) -> Int64[Tensor, " parts"]:
    """Places of primitives in the order of prediction: from the highest centre to the lowest, stable."""
    height = rows[..., CORNER.stop - 1] + rows[..., SIZE.stop - 1] / 2
    return torch.argsort(height, descending=True, stable=True)


def corners(rows: Float[Tensor, "*batch 20"], grid: int) -> Float[Tensor, "*batch 8 3"]:
    """Corners in shares of the grid as the published metrics see them: cut at 1 above, not cut at 0 below."""
    return from_rows(rows).corners().clamp(max=float(grid)) / grid


@dataclass(frozen=True)
class Normalisation:
    """Means and deviations of a training set: one pair for all sizes and corners, one for all turns."""

    mean: float
    """Of sizes and least corners, pooled, in voxels."""
    deviation: float
    turn_mean: float
    """Of axis times angle, in radians."""
    turn_deviation: float

    @classmethod
    def of(cls, rows: Float[Tensor, "parts 20"]) -> Normalisation:
        """Of the primitives of a training set, all parts pooled.

        Raises:
            InputError: there are none.
        """
        if not len(rows):
            raise InputError("There is no primitive to take means of.")
        lengths, turns = rows[:, SIZE.start : CORNER.stop], rows[:, AXIS] * rows[:, ANGLE, None]
        # Of a set in which nothing is turned the deviation is 0, which would divide by zero.
        spread = float(turns.std(correction=0))
        return cls(
            float(lengths.mean()), max(float(lengths.std(correction=0)), 1e-6), float(turns.mean()), spread or 1.0
        )

    def normalise(self, rows: Float[Tensor, "*batch 20"]) -> tuple[Tensor, Tensor]:
        """Targets: size and least corner (batch, 6), turn (batch, 3)."""
        lengths = (rows[..., SIZE.start : CORNER.stop] - self.mean) / self.deviation
        turns = (rows[..., AXIS] * rows[..., ANGLE, None] - self.turn_mean) / self.turn_deviation
        return lengths, turns

    def restore(
        self, lengths: Float[Tensor, "*batch 6"], turns: Float[Tensor, "*batch 3"]
    ) -> Float[Tensor, "*batch 20"]:
        """Primitives of predicted numbers; of a turn the entry of the largest absolute value counts."""
        rows = lengths.new_zeros(*lengths.shape[:-1], COLUMNS)
        rows[..., SIZE.start : CORNER.stop] = lengths * self.deviation + self.mean
        turn = turns * self.turn_deviation + self.turn_mean
        axis = turn.abs().argmax(-1, keepdim=True)
        rows[..., AXIS] = torch.zeros_like(turn).scatter(-1, axis, 1.0)
        rows[..., ANGLE] = turn.gather(-1, axis).squeeze(-1)
        return rows


def enlarged(
    boxes: Float[Tensor, "*batch 4"], factor: float = 1.1, edge: float | int = 1.0
) -> Float[Tensor, "*batch 4"]:
    """2D boxes enlarged about their centres, then cut at the picture; those without area become zeros.

    Args:
        boxes: left, top, right, bottom.
        factor: of both sides.
        edge: of the square picture, in the units of the boxes.
    """
    low, high = boxes[..., :2], boxes[..., 2:]
    middle, half = (low + high) / 2, (high - low) / 2 * factor
    grown = torch.cat([middle - half, middle + half], -1).clamp(0.0, edge)
    return torch.where((high > low).all(-1, keepdim=True), grown, 0.0)

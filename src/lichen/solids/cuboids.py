"""`Cuboids`: a set of oriented boxes as tensors, and what follows from their geometry alone.

Columns of a rotation are the own axes in the world, as in `lichen.scene.Solid`: a corner lies at
centre + rotation · (± size / 2). Units are whatever the centres are in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..errors import InputError
from ..scene import Solid
from ..scene.check import Plane

_SIGNS = torch.tensor(
    [[-1, -1, -1], [1, -1, -1], [1, 1, -1], [-1, 1, -1], [-1, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1]],
    dtype=torch.float64,
)
"""Of corners: four at the bottom, counter-clockwise from the least, then the four above them."""
_SAME = 1e-6
"""Distance of corners, in shares of the object's extent, below which two cuboids are one."""


@dataclass(frozen=True, eq=False)
class Cuboids:
    """Oriented boxes. Leading axes, if there are any, are a batch of such sets."""

    centre: Float[Tensor, "*batch 3"]
    size: Float[Tensor, "*batch 3"]
    """Full lengths along the own axes."""
    rotation: Float[Tensor, "*batch 3 3"]
    """Columns are the own axes in the world."""

    @classmethod
    def of(cls, solids: Sequence[Solid], dtype: torch.dtype = torch.float64) -> Cuboids:
        """The tensors of a scene's solids, as listed: reflections are not added (`scene.geometry.complete`)."""
        return cls(
            torch.tensor([solid.centre for solid in solids], dtype=dtype).reshape(-1, 3),
            torch.tensor([solid.size for solid in solids], dtype=dtype).reshape(-1, 3),
            torch.tensor([solid.rotation for solid in solids], dtype=dtype).reshape(-1, 3, 3),
        )

    @classmethod
    def cat(cls, sets: Sequence[Cuboids]) -> Cuboids:
        """Several sets as one, in their order; at least one."""
        return cls(*(torch.cat([getattr(each, name) for each in sets]) for name in ("centre", "size", "rotation")))

    def __len__(self) -> int:
        return len(self.centre)

    def __getitem__(self, chosen: int | slice | Tensor) -> Cuboids:
        return Cuboids(self.centre[chosen], self.size[chosen], self.rotation[chosen])

    def checked(self) -> Cuboids:
        """The set itself.

        Raises:
            InputError: a length is negative, a number is not finite, or axes are not of a right-handed frame.
        """
        finite = self.centre.isfinite().all(-1) & self.size.isfinite().all(-1) & self.rotation.isfinite().all((-1, -2))
        if not bool(finite.all()):
            raise InputError(f"Cuboid {_first(~finite)} has a number that is not finite.")
        if bool((self.size < 0).any()):
            place = _first((self.size < 0).any(-1))
            size = self.size.reshape(-1, 3)[place].tolist()
            raise InputError(f"Cuboid {place} has the size {size}; lengths are not negative.")
        square = self.rotation.double().mT @ self.rotation.double() - torch.eye(3, dtype=torch.float64)
        wrong = (square.abs().amax((-1, -2)) > 1e-4) | (torch.linalg.det(self.rotation.double()) < 0)
        if bool(wrong.any()):
            raise InputError(
                f"Cuboid {_first(wrong)} has no rotation: its axes must be of unit length, at right angles and "
                "right-handed."
            )
        return self

    def corners(self) -> Float[Tensor, "*batch 8 3"]:
        """Corners in the world: four at the own bottom, counter-clockwise from the least, then the four above them.

        Corners 0 and 6 are opposite. Source: evaluation of arXiv 2109.04153 (solids_and_video.md A1).
        """
        own = _SIGNS.to(self.size) / 2 * self.size[..., None, :]
        return self.centre[..., None, :] + own @ self.rotation.mT

    def own(self, points: Float[Tensor, "*#batch points 3"]) -> Float[Tensor, "*batch points 3"]:
        """Points of the world in the own axes of each cuboid, from its centre."""
        return (points - self.centre[..., None, :]) @ self.rotation

    def contains(
        self, points: Float[Tensor, "*#batch points 3"], slack: float | Tensor = 0.0
    ) -> Bool[Tensor, "*batch points"]:
        """Whether each cuboid holds each point, faces included.

        Args:
            points: of the world.
            slack: how far outside a face a point may lie.
        """
        return (self.own(points).abs() <= self.size[..., None, :] / 2 + slack).all(-1)

    def volume(self) -> Float[Tensor, "*batch"]:
        """Of each cuboid."""
        return self.size.prod(-1)

    def reflected(self, plane: Plane) -> Cuboids:
        """Every cuboid's reflection.

        Args:
            plane: unit normal and offset: n·x = offset.
        """
        normal = self.centre.new_tensor(plane[:3])
        gap = self.centre @ normal - plane[3]
        flip = torch.eye(3, dtype=normal.dtype, device=normal.device) - 2 * torch.outer(normal, normal)
        # A reflection is no rotation, but a cuboid does not change when one of its axes is turned round.
        other = flip @ self.rotation * normal.new_tensor([-1.0, 1.0, 1.0])
        return Cuboids(self.centre - 2 * gap[..., None] * normal, self.size, other)

    def completed(self, plane: Plane) -> Cuboids:
        """The set and those reflections that are not in it.

        A cuboid that is its own reflection is not doubled. Source: mirror rule of arXiv 2109.04153, for any cuboid.
        """
        return Cuboids.cat([self, self.reflected(plane)[self.unpaired(plane)]])

    def unpaired(self, plane: Plane) -> Bool[Tensor, " cuboids"]:
        """Which cuboids of a flat set have no reflection in the set."""
        if not len(self):
            return torch.zeros(0, dtype=torch.bool)
        here, there = self.corners(), self.reflected(plane).corners()
        slack = _SAME * (here.amax((0, 1)) - here.amin((0, 1))).max().clamp(min=1e-300)
        # Corners as sets: each corner of one has a corner of the other beside it.
        gaps = (there[:, None, :, None] - here[None, :, None, :]).norm(dim=-1)
        return ~(gaps.amin(-1).amax(-1) <= slack).any(1)

    def moved(self, scale: float | int, shift: Float[Tensor, " 3"] | None = None) -> Cuboids:
        """The same cuboids in other units: points x become scale · x + shift."""
        centre = self.centre * scale
        return Cuboids(centre if shift is None else centre + shift, self.size * scale, self.rotation)

    def to(self, like: torch.dtype | torch.device | str) -> Cuboids:
        """The same numbers in another precision or on another device."""
        return Cuboids(self.centre.to(like), self.size.to(like), self.rotation.to(like))

    def to_solids(
        self,
        parts: Sequence[str | None] | None = None,
        scores: Sequence[float | None] | None = None,
        mirrors: Sequence[Plane | None] | None = None,
    ) -> tuple[Solid, ...]:
        """Records of a scene.

        Args:
            parts: name of each cuboid; scores: confidence of each; mirrors: mirror plane of each. None: of none.
        """
        none = (None,) * len(self)
        numbers = (value.detach().double().cpu() for value in (self.centre, self.size, self.rotation.reshape(-1, 9)))
        rows = zip(*(value.tolist() for value in numbers), parts or none, scores or none, mirrors or none, strict=True)
        return tuple(
            Solid(tuple(centre), tuple(size), tuple(turn), part, mirror, score)
            for centre, size, turn, part, score, mirror in rows
        )


def _first(where: Bool[Tensor, "*batch"]) -> int:
    return int(where.flatten().nonzero()[0])

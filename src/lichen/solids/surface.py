"""Points on the surface of a union of cuboids, and meshes of it."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from .cuboids import Cuboids

_SKIN = 1e-6
"""Shares of the largest edge that a point may lie inside another cuboid and still be on the surface."""
_ROUNDS = 64


def sample_surface(cuboids: Cuboids, count: int, generator: torch.Generator | None = None) -> Float[Tensor, "count 3"]:
    """Points spread evenly over the surface of the union: points strictly inside another cuboid are drawn again.

    Parts that overlap would otherwise count twice (solids_and_video.md A8). Where two faces lie in one plane over each
    other, points fall on both, and that piece is twice as dense.

    Args:
        cuboids: flat; those without a surface give no point.
        count: points.
        generator: of chance; None takes the global one.

    Raises:
        InputError: there is no cuboid with a surface.
    """
    size = cuboids.size
    areas = torch.stack([size[:, 1] * size[:, 2], size[:, 0] * size[:, 2], size[:, 0] * size[:, 1]], -1)
    if not len(cuboids) or not float(areas.sum()) > 0:
        raise InputError("There is no cuboid with a surface to take points from.")
    inner = Cuboids(cuboids.centre, size - 2 * _SKIN * size.max(), cuboids.rotation)
    solid = (inner.size > 0).all(-1)
    kept: list[Tensor] = []
    missing = count
    for _ in range(_ROUNDS):
        points, owner = _draw(cuboids, areas, max(2 * missing, 64), generator)
        hidden = inner.contains(points[None]) & solid[:, None]
        hidden[owner, torch.arange(len(points), device=owner.device)] = False
        free = points[~hidden.any(0)][:missing]
        kept.append(free)
        missing -= len(free)
        if not missing:
            return torch.cat(kept)
    raise InputError("The surface of these cuboids lies inside other cuboids almost everywhere.")


def _draw(
    cuboids: Cuboids, areas: Float[Tensor, "cuboids 3"], count: int, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """Points on faces by area, and the cuboid that each is of."""
    face = torch.multinomial(areas.flatten().double(), count, replacement=True, generator=generator)
    owner, axis = face // 3, face % 3
    place = torch.rand(count, 3, generator=generator, dtype=areas.dtype) - 0.5
    side = torch.randint(2, (count,), generator=generator).to(areas.dtype) - 0.5
    place = place.scatter(1, axis[:, None], side[:, None])
    own = place * cuboids.size[owner]
    return cuboids.centre[owner] + (cuboids.rotation[owner] @ own[..., None]).squeeze(-1), owner

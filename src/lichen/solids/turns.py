"""Rotations of cuboids: about one principal axis as published, and as any matrix.

A turn is the vector axis times angle in radians, of which at most one entry counts. The published files turn points as
rows, p' = (p - c) R + c with Rodrigues' R, so the columns of a cuboid's rotation are those of R transposed: a turn has
the opposite sign of the right-hand rule's. Source: code of arXiv 2109.04153 (solids_and_video.md A1).
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def decoded(turn: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
    """A turn with all but the entry of the largest absolute value set to zero; the first of equal ones stays."""
    axis = turn.abs().argmax(-1, keepdim=True)
    return torch.zeros_like(turn).scatter(-1, axis, turn.gather(-1, axis))


def to_rotation(turn: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """The rotation whose columns are the own axes, of a turn with the sign of the published files.

    Where several entries are not zero, the largest counts.
    """
    return about_axes(-decoded(turn))


def about_axes(turn: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Rodrigues' matrix of axis times angle by the right-hand rule, for any axis. Gradients are finite at no turn."""
    square = turn.square().sum(-1)[..., None, None]
    small = square < 1e-12
    angle = torch.where(small, torch.ones_like(square), square).sqrt()
    sine = torch.where(small, 1 - square / 6, angle.sin() / angle)
    cosine = torch.where(small, 0.5 - square / 24, (1 - angle.cos()) / angle.square())
    x, y, z = turn.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
    return torch.eye(3, dtype=turn.dtype, device=turn.device) + sine * cross + cosine * (cross @ cross)


def to_turn(rotation: Float[Tensor, "*batch 3 3"], slack: float = 1e-6) -> tuple[Tensor, Bool[Tensor, "*batch"]]:
    """A turn with the sign of the published files, and where there is one.

    Args:
        rotation: columns are the own axes.
        slack: entries that may differ from a rotation about one principal axis.

    Returns:
        Turns (batch, 3), each with at most one entry that is not zero; whether the rotation is one about a principal
        axis. Where it is not, the turn is that of the nearest such axis and must not be used silently.
    """
    rows = []
    for axis in range(3):
        one, two = (axis + 1) % 3, (axis + 2) % 3
        angle = torch.atan2(
            rotation[..., two, one] - rotation[..., one, two], rotation[..., one, one] + rotation[..., two, two]
        )
        rows.append(angle[..., None] * torch.eye(3, dtype=angle.dtype, device=angle.device)[axis])
    turns = torch.stack(rows, -2)
    gaps = (about_axes(turns) - rotation[..., None, :, :]).abs().amax((-1, -2))
    best = gaps.argmin(-1, keepdim=True)
    chosen = turns.gather(-2, best[..., None].expand(*best.shape, 3)).squeeze(-2)
    # Adding zero turns -0.0 into 0.0.
    return -chosen + 0.0, gaps.gather(-1, best).squeeze(-1) <= slack

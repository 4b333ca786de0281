"""Sizes and places as mixtures of Gaussians over (size, corner) of each axis, as 3D-PRNN has them.

Loss: -log Σ_k pi_k N((s, t); mu_k, sigma_k, rho_k), by log-sum-exp with bounded deviations. The release multiplies
densities and adds 1e-15. How PGN's flag packs the three axes into one step is not known: this form is our own.
Source: 3D-PRNN's density head (solids_and_video.md A7).
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

NUMBERS = 6
"""Of a Gaussian: weight, two means, two deviations, correlation."""
_LOG_LEAST, _LOG_MOST = -5.0, 3.0
_STRAIGHT = 0.99
"""Correlations stay below this."""


def parameters_of(raw: Float[Tensor, "*batch numbers"]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Log weights (batch, 3, k), means (batch, 3, k, 2), log deviations alike, correlations (batch, 3, k).

    Args:
        raw: 3 axes times 6 numbers times k, as a linear layer gives them.
    """
    shaped = raw.unflatten(-1, (3, NUMBERS, -1))
    weight = shaped[..., 0, :].log_softmax(-1)
    mean = shaped[..., 1:3, :].mT
    spread = shaped[..., 3:5, :].mT.clamp(_LOG_LEAST, _LOG_MOST)
    return weight, mean, spread, _STRAIGHT * shaped[..., 5, :].tanh()


def log_density(raw: Float[Tensor, "*batch numbers"], values: Float[Tensor, "*batch 6"]) -> Float[Tensor, "*batch"]:
    """Log density of sizes and corners, summed over the axes.

    Args:
        values: three sizes, then three corners.
    """
    weight, mean, spread, turn = parameters_of(raw)
    pairs = values.unflatten(-1, (2, 3)).mT[..., None, :]
    gap = (pairs - mean) * (-spread).exp()
    free = 1 - turn.square()
    distance = gap.square().sum(-1) - 2 * turn * gap.prod(-1)
    each = -distance / (2 * free) - spread.sum(-1) - 0.5 * free.log() - math.log(2 * math.pi)
    return torch.logsumexp(weight + each, -1).sum(-1)


def likeliest(raw: Float[Tensor, "*batch numbers"]) -> Float[Tensor, "*batch 6"]:
    """Mean of each axis's heaviest Gaussian: three sizes, then three corners."""
    weight, mean, _, _ = parameters_of(raw)
    place = weight.argmax(-1, keepdim=True)[..., None].expand(*weight.shape[:-1], 1, 2)
    return mean.gather(-2, place).squeeze(-2).mT.flatten(-2)

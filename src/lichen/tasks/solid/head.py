"""`BuildHead`: the networks of solids as tasks call them, and what they say as cuboids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ...backbones.features import Features
from ...heads.given import Given
from ...heads.solids import SolidsHead, Told
from ...heads.solids.head import part_of
from .config import BuildConfig


class BuildHead(nn.Module):
    """`SolidsHead` beside one backbone.

    Args:
        given: what reaches it.
        classes: of parts.
        config: settings.
        mean_count: of parts in training.
    """

    def __init__(self, given: Given, classes: int, config: BuildConfig, mean_count: float = 0.0) -> None:
        super().__init__()
        self.solids = SolidsHead(given, classes, config.head, mean_count)

    def forward(self, features: Mapping[str, Features], targets: Mapping[str, Any] | None = None) -> dict[str, Tensor]:
        """What `SolidsHead` returns; with targets in eval mode also `count_gap` (batch,), counted less true parts.

        Args:
            features: of the pictures.
            targets: `solids`, a `Told`.
        """
        given = part_of(features)
        if targets is None:
            found: dict[str, Tensor] = self.solids(given)
            return found
        told: Told = targets["solids"]
        found = self.solids(given, told)
        if not self.training:
            with torch.no_grad():
                found["count_gap"] = (found["counts"].round() - told.parts.count).abs()
        return found

"""Linear probe: no side network at all; the task head reads the frozen output."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from ..backbones.features import Features
from .base import Side, SideCache


class Probe(Side):
    """Passes the frozen features on. It has no parameters: a probe trains its task head alone."""

    def combine(
        self,
        reduced: list[Tensor],
        rest: Features,
        cache: SideCache | None = None,
        memory: Features | None = None,
    ) -> Features:
        """Return `rest` as it is: final (also as the only state) and pooled output, mask, grid and anchor."""
        return replace(rest, states=(rest.final,))

"""`PictureCode`: features of a picture as a map to look into, one vector, and a code of the whole picture."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from ...backbones.features import Features
from ...errors import InputError
from ..given import Given
from ..maps import as_map
from .config import SolidsConfig


@dataclass(frozen=True, eq=False)
class Seen:
    """What the networks see of a picture."""

    maps: Float[Tensor, "batch channels rows columns"]
    code: Float[Tensor, "batch code"]
    """Told in every step."""
    vector: Float[Tensor, "batch vector"]
    """From which the first step and the count are made."""


class PictureCode(nn.Module):
    """The final output of any backbone or side network that keeps places apart.

    The vector is the map pooled onto a coarse grid, beside the backbone's own summary where it has one. In the release
    it is the mean of ResNet-18's last map, which is its summary, and the map is the finest of a pyramid
    (`side.method = "pyramid"`).

    Args:
        given: what reaches the head.
        config: sizes.

    Raises:
        InputError: one vector a sample arrives, or features of a text.
    """

    def __init__(self, given: Given, config: SolidsConfig) -> None:
        super().__init__()
        if given.kind == "vector" or given.modality == "text":
            raise InputError(
                "Solids are looked at where they lie in a picture, but these features are one vector a sample or of a "
                "text. Choose a backbone for pictures, and a side network that keeps places apart, such as pyramid or "
                "unipt with form='generic'."
            )
        self.cells = config.cells
        self.pooled = given.pooled is not None
        self.width = given.width * config.cells**2 + (given.pooled or 0)
        self.reduce = nn.Conv2d(given.width, config.channels, 1) if config.local else None
        self.code = nn.Linear(self.width, config.code)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, features: Features) -> Seen:
        """Map, code and vector.

        Raises:
            InputError: features that hold no grid, or numbers that are not finite.
        """
        maps = as_map(features.final, features.grid).to(self.code.weight.dtype)
        finite = maps.isfinite().flatten(1).all(1)
        if not bool(finite.all()):
            raise InputError(
                f"The features of picture {int((~finite).nonzero()[0, 0])} of a batch hold NaN or infinity. Look at "
                "what the backbone is given, or compute in float32."
            )
        parts = [adaptive_avg_pool2d(maps, self.cells).flatten(1)]
        if self.pooled:
            assert features.pooled is not None
            parts.append(features.pooled.to(maps.dtype))
        vector = torch.cat(parts, 1)
        seen = maps if self.reduce is None else self.reduce(maps)
        return Seen(seen, self.code(self.dropout(vector)), vector)

"""SHERL for convolutional and hierarchical backbones: pooled stages fused into the input of the last frozen block.

Source: SHERL (ECCV 2024, arXiv 2407.07523); docs/papers.md section 2.3, row ResNeXt/VSE.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ..errors import pick
from .base import Layout
from .config import SHERLConfig
from .ops import LeanPointwise, side_width, spatial_ratio, to_maps, to_tokens
from .sherl import TEMPERATURE, Late, LateSide, anti_redundancy
from .unipt_maps import PointwiseNorm

EPS = 1e-8


def max_and_mean_pool(
    maps: Float[Tensor, "batch width rows columns"], size: tuple[int, int]
) -> Float[Tensor, "batch width r c"]:
    """Sum of max-pooling and average-pooling down to `size`; a map of that size is doubled, as published.

    Raises:
        InputError: the map does not divide into `size`.
    """
    ratio = spatial_ratio((maps.shape[2], maps.shape[3]), size)
    return F.max_pool2d(maps, ratio) + F.avg_pool2d(maps, ratio)


class SHERLMaps(LateSide):
    """SHERL over the maps of a CNN. The last map is the guide and the gated skip.

    Every map's rows and columns must be whole multiples of the last map's. `fuse` returns the input of the late block
    (batch, width, rows, columns); calling the module returns what `late` returns. Published: `embed` 1024, reduction 2.

    Raises:
        InputError: a form that is not for maps, fewer than two maps, or sizes that do not divide.
    """

    def __init__(self, config: SHERLConfig, widths: Sequence[int] | Layout, late: Late | None = None) -> None:
        super().__init__(config, widths, late)
        pick("SHERL form for maps", config.form, ("auto", "generic", "cnn"))
        out = self.layout.widths[-1]
        width = side_width(config.embed or out, config.reduction)
        self.down = nn.ModuleList(PointwiseNorm(LeanPointwise(each, width, config.keep)) for each in self.layout.widths)
        self.relevance = nn.Linear(width, 1)
        self.out = PointwiseNorm(nn.Conv2d(width, out, 1))
        self.dropout = nn.Dropout(config.dropout)
        self.skip = nn.Parameter(torch.zeros(1))

    def fuse(
        self, reduced: list[Tensor], last_state: Float[Tensor, "batch width rows columns"]
    ) -> Float[Tensor, "batch width rows columns"]:
        """Pool, go down, aggregate cell by cell, restore, add the gated last map (2.2 and 2.3).

        `reduced` holds the maps as they are: the size to pool to is known only when the last one is there.
        """
        size = (reduced[-1].shape[2], reduced[-1].shape[3])
        states = [to_tokens(down(max_and_mean_pool(maps, size))) for down, maps in zip(self.down, reduced, strict=True)]
        *shallow, guide = states
        fused = anti_redundancy(shallow, guide, self.relevance, EPS) + guide
        restored = self.dropout(self.out(to_maps(fused, size)).relu())
        return restored + (self.skip / TEMPERATURE).tanh() * last_state

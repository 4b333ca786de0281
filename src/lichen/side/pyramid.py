"""A feature pyramid beside a staged backbone: all stages as one fine map, for heads that look at places.

Each stage is brought to one width by a 1x1 convolution; from the coarsest to the finest, what is above is enlarged
bilinearly and added; a 3x3 convolution smooths the finest, which is all that is handed on.

Source: Lin et al., Feature Pyramid Networks, CVPR 2017, section 3, as arXiv 2109.04153 uses it on ResNet-18
(solids_and_video.md A4): width 256, the finest map alone. It is no answer to a task of the backbone's own head, so
`attach()` refuses it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor, nn
from torch.nn.functional import interpolate

from ..backbones.features import Features
from ..errors import InputError
from .base import Layout, Side, SideCache
from .config import PyramidConfig


class Pyramid(Side):
    """Stages in, their pyramid's finest map out.

    Features in: states (batch, width_i, rows_i, columns_i), the finest first. Features out: one map, also `final`,
    (batch, width, rows, columns) of the first chosen stage; the pooled output stays as it is.

    Raises:
        InputError: the backbone gives tokens.
    """

    def __init__(self, config: PyramidConfig, widths: Sequence[int] | Layout) -> None:
        super().__init__(config, widths)
        if self.layout.kind != "maps":
            raise InputError(
                "A pyramid is built of stages whose maps differ in size, and this backbone gives tokens. Use unipt "
                "with form='generic', or probe."
            )
        self.lateral = nn.ModuleList(nn.Conv2d(width, config.width, 1) for width in self.layout.widths)
        self.smooth = nn.Conv2d(config.width, config.width, 3, padding=1)

    def combine(
        self,
        reduced: list[Tensor],
        rest: Features,
        cache: SideCache | None = None,
        memory: Features | None = None,
    ) -> Features:
        """From the coarsest stage to the finest."""
        top: Tensor | None = None
        for layer, state in zip(reversed(self.lateral), reversed(reduced), strict=True):
            here = layer(state.to(self.smooth.weight.dtype))
            if top is not None:
                here = here + interpolate(top, size=here.shape[-2:], mode="bilinear", align_corners=False)
            top = here
        assert top is not None
        out = self.smooth(top)
        return replace(rest, states=(out,), final=out, grid=(out.shape[2], out.shape[3]))

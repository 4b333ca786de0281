"""UniPT for convolutional and hierarchical backbones: guided pooling brings every stage to the last map's size.

Source: UniPT (CVPR 2024, arXiv 2308.14316); docs/papers.md section 1.2. The published form is for four stages of
512 x 512 pictures; here the number of stages is free and the ratios come from the maps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from jaxtyping import Float
from torch import Tensor, nn

from ..backbones.features import Features
from ..errors import InputError, pick
from .base import Layout, Side, SideCache
from .config import UniPTConfig
from .interaction import Rule, confidence, interact
from .ops import LeanPointwise, at_least, init_zero, side_width, spatial_ratio, to_maps, to_tokens

RESIDUAL = {"auto": True, "generic": True, "cnn": False}
"""Forms for maps, and whether each may add its result to the frozen output."""


class PointwiseNorm(nn.Module):
    """1 x 1 convolution, then batch normalisation."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv
        self.norm = nn.BatchNorm2d(conv.out_channels)

    def forward(self, x: Float[Tensor, "batch width rows columns"]) -> Float[Tensor, "batch out rows columns"]:
        return self.norm(self.conv(x))


def guided_pool(
    maps: Float[Tensor, "batch width rows columns"], guide: Float[Tensor, "batch width r c"], eps: float = 1e-8
) -> Float[Tensor, "batch width r c"]:
    """Pool each cell of a map by its likeness to the guide, plus its mean (1.2, step 2).

    Raises:
        InputError: the map does not divide into the guide's cells.
    """
    size = (guide.shape[2], guide.shape[3])
    tall, broad = spatial_ratio((maps.shape[2], maps.shape[3]), size)
    cells = maps.unflatten(3, (size[1], broad)).unflatten(2, (size[0], tall))
    # sums over a product, not einsum: autograd then keeps the map itself and no reordered copy of it
    likeness = (guide[:, :, :, None, :, None] * cells).sum(1).relu()
    weights = likeness / (likeness.sum((2, 4), keepdim=True) + eps) + 1 / (tall * broad)
    return (weights.unsqueeze(1) * cells).sum((3, 5))


class UniPTMaps(Side):
    """UniPT over the stages of a CNN or a hierarchical transformer.

    The last map is the guide. Every stage's rows and columns must be whole multiples of the guide's.
    Forms `auto` and `generic` add the result to the frozen output, starting from zero (`UniPTConfig.residual`);
    `cnn` is the published form, which gives a joint space of width `embed` (1024 in the paper).

    Features in: states (batch, width_i, rows_i, columns_i). Features out: one map, also `final`,
    (batch, embed, rows, columns) of the guide's size.

    Raises:
        InputError: a form that is not for maps, fewer than two stages, sizes that do not divide, or `embed` together
            with `residual`.
    """

    def __init__(self, config: UniPTConfig, widths: Sequence[int] | Layout) -> None:
        super().__init__(config, widths)
        self.residual = RESIDUAL[pick("UniPT form for maps", config.form, RESIDUAL)] and config.residual
        at_least(2, self.layout.widths, "UniPT")
        *stages, last = self.layout.widths
        embed = config.embed or last
        if self.residual and embed != self.layout.width:
            raise InputError(
                f"A result of width {embed} cannot be added to a frozen output of width {self.layout.width}. "
                "Set residual=False, or leave embed=None and choose the last stage."
            )
        width = side_width(embed, config.reduction)
        self.down = nn.ModuleList(PointwiseNorm(nn.Conv2d(stage, width, 1)) for stage in stages)
        self.down.append(PointwiseNorm(LeanPointwise(last, width, config.keep)))
        self.saliency = nn.ModuleList(LeanPointwise(last, stage, config.keep) for stage in stages)
        self.gate = nn.Linear(width, 1)
        self.project = PointwiseNorm(nn.Conv2d(width, width, 1))
        self.up = nn.Conv2d(width, embed, 1)
        if self.residual:
            init_zero(self.up)

    def combine(
        self,
        reduced: list[Tensor],
        rest: Features,
        cache: SideCache | None = None,
        memory: Features | None = None,
    ) -> Features:
        """Pool by the guide, interact, aggregate, project, go up (1.2, steps 1 to 4).

        `reduced` holds the maps as they are: pooling them needs the last one, so nothing can shrink before it is there.
        """
        *stages, last = reduced
        size = (last.shape[2], last.shape[3])
        guide = self.down[-1](last)
        query = to_tokens(guide)
        targets = [
            to_tokens(self.down[index](guided_pool(stage, self.saliency[index](last).relu())))
            for index, stage in enumerate(stages)
        ]
        weights = confidence(query, targets, self.gate, None)
        mixed = interact(query, targets, weights, rule=Rule(eps=1e-8))
        out = self.up((guide + self.project(to_maps(mixed, size))).relu())
        if self.residual:
            self._check_final(rest.final, out)
            out = rest.final + out
        return replace(rest, states=(out,), final=out, pooled=None)

    @staticmethod
    def _check_final(final: Tensor, out: Tensor) -> None:
        if final.shape != out.shape:
            raise InputError(
                f"The frozen output {tuple(final.shape)} and the last chosen map {tuple(out.shape)} differ in size. "
                "Choose the last stage, or set residual=False."
            )

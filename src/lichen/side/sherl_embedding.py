"""SHERL for towers that end in one embedding, such as CLIP's. This form has no late layer.

Source: SHERL (ECCV 2024, arXiv 2407.07523), CLIP4Clip code; docs/papers.md section 2.3. A hybrid of both methods:
tokens are read by the frozen embedding as in UniPT, the layers are then fused as in SHERL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ..backbones.features import Features
from ..errors import pick
from .base import Layout, Side, SideCache
from .config import SHERLConfig
from .ops import Down, at_anchor, at_least, side_width
from .sherl import TEMPERATURE, anti_redundancy
from .unipt_embedding import embedding_width, frozen_embedding

EPS = 1e-6
GATED = {"auto": True, "clip": True, "clip-plain": False}
"""Forms for embeddings, and whether the anchor token of each state is gated (MSR-VTT) or added whole (MSVD)."""


class SHERLEmbedding(Side):
    """SHERL over the hidden states of a CLIP tower.

    The guide is the projected embedding `features.pooled`, to which the result is added. The published reduction is 1.

    Features in: states (batch, tokens, width_i) and pooled (batch, embed). Features out: (batch, embed) as `pooled`,
    `final` and the one state.

    Raises:
        InputError: a form without an embedding, or a layout or features without an embedding.
    """

    pooled_only = True
    anchor_gate: nn.Parameter | None

    def __init__(self, config: SHERLConfig, widths: Sequence[int] | Layout) -> None:
        super().__init__(config, widths)
        gated = GATED[pick("SHERL form for embeddings", config.form, GATED)]
        at_least(1, self.layout.widths, "SHERL")
        embed = embedding_width(config, self.layout)
        width = side_width(embed, config.reduction)
        self.down = nn.ModuleList(
            Down(each, width, keep=config.keep, activate=True, norm=False) for each in self.layout.widths
        )
        self.down_guide = Down(embed, width, keep=config.keep, activate=True, norm=False)
        self.spatial = nn.ModuleList(nn.Linear(width, 1) for _ in self.layout.widths)
        self.anchor_gate = nn.Parameter(torch.ones(len(self.layout.widths))) if gated else None
        self.relevance = nn.Linear(width, 1)
        self.out = nn.Linear(width, embed)

    def reduce(
        self, index: int, state: Float[Tensor, "batch tokens width"], mask: Bool[Tensor, "batch tokens"] | None
    ) -> Float[Tensor, "batch tokens side"]:
        """`F_i = W_i R(H_i) + b_i`."""
        return self.down[index](state)

    def combine(
        self,
        reduced: list[Tensor],
        rest: Features,
        cache: SideCache | None = None,
        memory: Features | None = None,
    ) -> Features:
        """Read each state by the embedding, fuse the layers, restore, add the frozen embedding."""
        embedding = frozen_embedding(rest)
        guide = self.down_guide(embedding)
        vectors = []
        for index, state in enumerate(reduced):
            anchor = at_anchor(state, rest.anchor)
            if self.anchor_gate is not None:
                anchor = (self.anchor_gate[index] / TEMPERATURE).sigmoid() * anchor
            vectors.append(self._read(index, state, guide, rest.mask) + anchor)
        fused = anti_redundancy(vectors, guide, self.relevance, EPS) + guide
        out = embedding + self.out(fused.relu())
        return replace(rest, states=(out,), final=out, pooled=out)

    def _read(self, index: int, state: Tensor, guide: Tensor, mask: Tensor | None) -> Tensor:
        """Sum of the tokens by `L1(R(u^T(F (.) q) + b))`; a padded token weighs nothing."""
        spatial: nn.Linear = self.spatial[index]  # type: ignore[assignment]
        scores = (state @ (guide * spatial.weight).unsqueeze(-1)).squeeze(-1) + spatial.bias
        if mask is not None:
            scores = scores * mask
        scores = scores.relu()
        weights = scores / (scores.sum(1, keepdim=True) + EPS)
        return (weights.unsqueeze(1) @ state).squeeze(1)

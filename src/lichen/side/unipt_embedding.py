"""UniPT for towers that end in one embedding, such as CLIP's: the frozen embedding is guide and residual.

Source: UniPT (CVPR 2024, arXiv 2308.14316); docs/papers.md section 1.4. Differs from the token forms in almost every
detail: ReLU before the down-projections, no norms, one query, the anchor token in place of the identity term.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ..backbones.features import Features
from ..errors import InputError, pick
from .base import Layout, Side, SideCache
from .config import SHERLConfig, UniPTConfig
from .interaction import Rule, confidence, interact
from .ops import Down, at_anchor, at_least, side_width


def embedding_width(config: UniPTConfig | SHERLConfig, layout: Layout) -> int:
    """Width of the frozen embedding that an embedding form refines.

    Raises:
        InputError: the backbone has no embedding, or `embed` asks for another width than it has.
    """
    width = layout.embed or config.embed
    if width is None:
        raise InputError("This backbone gives no pooled embedding. Use form='generic', or give Layout(embed=…).")
    if config.embed not in (None, width):
        raise InputError(f"embed={config.embed}, but the frozen embedding has width {width}. Leave embed=None.")
    return width


def frozen_embedding(rest: Features) -> Tensor:
    """The pooled embedding of the features.

    Raises:
        InputError: there is none.
    """
    if rest.pooled is None:
        raise InputError("These features hold no pooled embedding. Read them from a tower with a projection.")
    return rest.pooled


class UniPTEmbedding(Side):
    """UniPT over the hidden states of a CLIP tower.

    All chosen states are targets, taken without the tower's final norm; the guide is the projected embedding
    `features.pooled`. The anchor is the position of [CLS] or of the end of text; None stands for token 0.
    The published reduction is 1.

    Features in: states (batch, tokens, width_i) and pooled (batch, embed). Features out: (batch, embed) as `pooled`,
    `final` and the one state.

    Raises:
        InputError: a form without an embedding, or a layout or features that have none.
    """

    pooled_only = True

    def __init__(self, config: UniPTConfig, widths: Sequence[int] | Layout) -> None:
        super().__init__(config, widths)
        pick("UniPT form for embeddings", config.form, ("auto", "clip"))
        at_least(1, self.layout.widths, "UniPT")
        embed = embedding_width(config, self.layout)
        width = side_width(embed, config.reduction)
        self.rule = Rule(identity=False, eps=1e-6, clamp=True)
        self.down = nn.ModuleList(
            Down(each, width, keep=config.keep, activate=True, norm=False) for each in self.layout.widths
        )
        self.down_guide = Down(embed, width, keep=config.keep, activate=True, norm=False)
        self.gate = nn.Linear(width, 1)
        self.up = nn.Linear(width, embed)

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
        """One query over the tokens of every state, confidence, sum, up, plus the frozen embedding."""
        embedding = frozen_embedding(rest)
        query = self.down_guide(embedding).unsqueeze(1)
        weights = confidence(query, reduced, self.gate, rest.mask)
        read = interact(query, reduced, weights, rest.mask, self.rule).squeeze(1)
        anchors = torch.stack([at_anchor(state, rest.anchor) for state in reduced], 1)
        mixed = read + (weights.unsqueeze(-1) * anchors).sum(1)
        out = embedding + self.up(mixed.relu())
        return replace(rest, states=(out,), final=out, pooled=out)

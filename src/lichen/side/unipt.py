"""UniPT for token backbones: parallel interaction with all hidden states, weighted by confidence.

Source: UniPT (CVPR 2024, arXiv 2308.14316); docs/papers.md sections 1.1 (bert), 1.5 (joint) and 1.8 (generic, a preset
of this library that neither published repository has). Read top-down: a table of forms, then the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from jaxtyping import Bool, Float
from torch import Tensor, nn

from ..backbones.features import Features
from ..errors import InputError, pick
from .base import Layout, Side, SideCache
from .config import UniPTConfig
from .interaction import Rule, all_tokens, confidence, interact
from .ops import Down, FeedForward, LinearNorm, at_least, init_normal, init_zero, side_width


@dataclass(frozen=True)
class Form:
    """What tells one published form for tokens from another (table in docs/papers.md 1.8)."""

    projection: Literal["linear", "feed-forward"] = "linear"
    """What the aggregated tokens pass before they join the guide: LN(W x), or LN(W2 R(W1 x))."""
    activate_up: bool = True
    """ReLU before the up-projection."""
    eps: float = 1e-8
    """Added to the sum of the scores."""
    joint_space: bool = False
    """The side width is `embed / reduction` rather than the backbone's width / reduction."""
    residual: bool = False
    """The result may be added to the frozen output, from zero (`UniPTConfig.residual`)."""
    std: float | None = None
    """Linear layers start from N(0, std) with zero bias; None keeps PyTorch's defaults."""


FORMS = {
    "generic": Form(residual=True),
    "bert": Form(joint_space=True),
    "joint": Form(projection="feed-forward", activate_up=False, eps=1e-6, std=0.02),
}
FORMS["auto"] = FORMS["generic"]


class UniPT(Side):
    """UniPT over the tokens of an encoder or a decoder.

    All chosen hidden states but the last are targets, the last is the guide. With a causal layout every token's result
    depends on itself and earlier tokens only, so text can be generated with a cache of the reduced states.

    Features in: states (batch, tokens, width_i). Features out: one state, also `final`, (batch, tokens, embed).

    Raises:
        InputError: a form that is not for tokens, fewer than two states, or `embed` together with `residual`.
    """

    def __init__(self, config: UniPTConfig, widths: Sequence[int] | Layout) -> None:
        super().__init__(config, widths)
        form = self.form = FORMS[pick("UniPT form for tokens", config.form, FORMS)]
        at_least(2, self.layout.widths, "UniPT")
        full = self.layout.width
        embed = config.embed or full
        self.residual = form.residual and config.residual
        if self.residual and embed != full:
            raise InputError(
                f"embed={embed} cannot be added to a frozen output of width {full}. Set residual=False or embed=None."
            )
        width = side_width(embed if form.joint_space else full, config.reduction)
        self.rule = Rule(causal=self.layout.causal, eps=form.eps)
        self.down = nn.ModuleList(Down(each, width, keep=config.keep) for each in self.layout.widths)
        self.gate = nn.Linear(width, 1)
        self.project = FeedForward(width, full) if form.projection == "feed-forward" else LinearNorm(width, width)
        self.up = nn.Linear(width, embed)
        if form.std is not None:
            init_normal(self, form.std)
        if self.residual:
            init_zero(self.up)

    def reduce(
        self, index: int, state: Float[Tensor, "batch tokens width"], mask: Bool[Tensor, "batch all"] | None
    ) -> Float[Tensor, "batch tokens side"]:
        """`F_i = LN(W_i H_i + b_i)` (1.1, step 1)."""
        return self.down[index](state)

    def combine(
        self,
        reduced: list[Tensor],
        rest: Features,
        cache: SideCache | None = None,
        memory: Features | None = None,
    ) -> Features:
        """Interact, aggregate, project, add the guide, go up (1.1, steps 2 to 6). See `Side.combine`."""
        new = reduced[-1].shape[1]
        causal = self.layout.causal
        *targets, guide = all_tokens(reduced, cache, causal)
        weights = confidence(guide, targets, self.gate, rest.mask, new if causal else None)
        query = guide[:, guide.shape[1] - new :]
        side = query + self.project(interact(query, targets, weights, rest.mask, self.rule))
        out = self.up(side.relu() if self.form.activate_up else side)
        if self.residual:
            out = rest.final + out
        return replace(rest, states=(out,), final=out, pooled=None)

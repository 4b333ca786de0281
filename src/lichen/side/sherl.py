"""SHERL for token backbones: fuse early layers without redundancy, then run one frozen late layer with gradients.

Source: SHERL (ECCV 2024, arXiv 2407.07523); docs/papers.md sections 2.1 to 2.3. `anti_redundancy` is the published
aggregation, `MTSA` the trained fusion (multi-tiered sensing adapter) and `SHERL` the side network around it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ..backbones.features import Features
from ..backbones.late import Late
from ..errors import InputError, pick
from .base import Layout, Side, SideCache
from .config import Keep, SHERLConfig
from .lean import LeanLinear
from .ops import (
    Down,
    FeedForward,
    at_least,
    init_normal,
    l2_normalise,
    recompute,
    side_width,
    wide,
    without_autocast,
)

TEMPERATURE = 0.1
"""Divides the scalar behind the skip connection, so that its slope at zero is 10."""


@dataclass(frozen=True)
class Form:
    """What tells one published form for tokens from another (table in docs/papers.md 2.3)."""

    down: Literal["norm", "gated"] = "gated"
    """LN(W x), or the gated residual block of CLIP-ViL and T5."""
    feed_forward: bool = False
    """The aggregate passes LN(W2 R(W1 a)) before the guide is added."""
    out_norm: float | None = None
    """eps of the LayerNorm after restoring the width; None for no norm."""
    eps: float = 1e-6
    """eps of both normalisations."""
    joint_space: bool = False
    """The fusion's width is `embed / reduction` rather than the backbone's width / reduction."""
    std: float | None = None
    """Linear layers start from N(0, std) with zero bias; None keeps PyTorch's defaults."""


FORMS = {
    "generic": Form(),
    "bert": Form(down="norm", out_norm=1e-12, eps=1e-8, joint_space=True),
    "joint": Form(),
    "detr": Form(down="norm", feed_forward=True, out_norm=1e-5),
    "t5": Form(std=0.01),
}
FORMS["auto"] = FORMS["generic"]


def _aggregate(eps: float, guide: Tensor, weight: Tensor, bias: Tensor, *shallow: Tensor) -> Tensor:
    with without_autocast(guide.device):
        dtype = wide(guide.dtype)
        states = torch.stack([state.to(dtype) for state in shallow], -2)
        unit = l2_normalise(states, eps)
        redundancy = (unit @ unit.transpose(-1, -2)).relu().sum(-1)
        # A zero vector is like nothing, not even itself; published code would divide by zero here.
        redundancy = redundancy.masked_fill(redundancy == 0, 1)
        relevance = ((states * (guide.to(dtype) * weight[0].to(dtype)).unsqueeze(-2)).sum(-1) + bias).relu()
        share = relevance / redundancy
        share = share / (share.sum(-1, keepdim=True) + eps)
        return (share.unsqueeze(-1) * states).sum(-2).to(guide.dtype)


def anti_redundancy(
    shallow: Sequence[Float[Tensor, "*tokens width"]],
    guide: Float[Tensor, "*tokens width"],
    relevance: nn.Linear,
    eps: float,
) -> Float[Tensor, "*tokens width"]:
    """Weighted sum of the shallow states, token by token: relevant to the guide, unlike each other (2.2, steps 2 to 5).

    Keeps only the states for backward. Where no state is relevant the sum is zero and its weights get no gradient.
    """
    return recompute(partial(_aggregate, eps), guide, relevance.weight, relevance.bias, *shallow)


def _gated(hidden: Tensor, fc2: Tensor, bias2: Tensor, fc3: Tensor, bias3: Tensor) -> Tensor:
    return (F.linear(hidden, fc2, bias2) + hidden) * F.linear(hidden, fc3, bias3).sigmoid()


class GatedDown(nn.Module):
    """Down-projection with a gated residual: `u = R(W1 x)`, then `(W2 u + u) (.) sigmoid(W3 u)`. Keeps `u` only."""

    def __init__(self, width: int, out: int, keep: Keep) -> None:
        super().__init__()
        self.linear = LeanLinear(width, out, keep=keep)
        self.residual = nn.Linear(out, out)
        self.gate = nn.Linear(out, out)

    def forward(self, x: Float[Tensor, "... width"]) -> Float[Tensor, "... out"]:
        hidden = self.linear(x).relu()
        return recompute(_gated, hidden, self.residual.weight, self.residual.bias, self.gate.weight, self.gate.bias)


class MTSA(nn.Module):
    """The trained fusion of hidden states, token by token across layers (docs/papers.md 2.2).

    Args:
        widths: widths of the hidden states, shallow to deep; the last is the guide.
        out: width of the fused state.
        width: width of the bottleneck.
        form: row of `FORMS`.
        keep: how hidden states are kept for the weight gradient.
        dropout: after restoring the width.
    """

    def __init__(
        self, widths: Sequence[int], out: int, width: int, form: Form, keep: Keep = "exact", dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.form = form
        self.down = nn.ModuleList(
            GatedDown(each, width, keep) if form.down == "gated" else Down(each, width, keep=keep) for each in widths
        )
        self.relevance = nn.Linear(width, 1)
        self.project = FeedForward(width, out) if form.feed_forward else nn.Identity()
        self.out = nn.Linear(width, out)
        self.norm = nn.Identity() if form.out_norm is None else nn.LayerNorm(out, eps=form.out_norm)
        self.dropout = nn.Dropout(dropout)
        self.skip = nn.Parameter(torch.zeros(1))
        if form.std is not None:
            init_normal(self, form.std)

    def forward(
        self, reduced: Sequence[Float[Tensor, "batch tokens side"]], last_state: Float[Tensor, "batch tokens width"]
    ) -> Float[Tensor, "batch tokens width"]:
        """Fuse down-projected states (2.2, steps 2 to 7); `last_state` re-enters through a gate that starts at zero."""
        *shallow, guide = reduced
        fused = self.project(anti_redundancy(shallow, guide, self.relevance, self.form.eps)) + guide
        restored = self.dropout(self.norm(self.out(fused.relu())))
        return restored + (self.skip / TEMPERATURE).tanh() * last_state


def last_of(rest: Features) -> Tensor:
    """The raw last hidden state that a fusion needs.

    Raises:
        InputError: `rest.states` is empty.
    """
    if not rest.states:
        raise InputError("SHERL needs the raw last hidden state: give combine() features whose states end with it.")
    return rest.states[-1]


class LateSide(Side):
    """A side network whose fused state goes through frozen late layers. Subclasses give `fuse`.

    `late` is called, never owned: its weights are no part of this module.
    """

    def __init__(self, config: SHERLConfig, widths: Sequence[int] | Layout, late: Late | None = None) -> None:
        super().__init__(config, widths)
        at_least(2, self.layout.widths, "SHERL")
        # In a tuple, so that a frozen layer handed over as it is does not become a submodule.
        self._late = (late,)

    @property
    def late(self) -> Late | None:
        """The callable that re-runs the frozen late layers; None where attach() does it."""
        return self._late[0]

    @abstractmethod
    def fuse(self, reduced: list[Tensor], last_state: Tensor) -> Tensor:
        """Turn reduced states and the raw last one into the late layer's input, of the last state's shape."""

    def combine(
        self,
        reduced: list[Tensor],
        rest: Features,
        cache: SideCache | None = None,
        memory: Features | None = None,
    ) -> Features:
        """Fuse, then run the late layers. Unlike in other networks `rest.states` must hold the raw last state.

        Raises:
            InputError: `rest.states` is empty, or the network was built without `late`.
        """
        fused = self.fuse(reduced, last_of(rest))
        if self.late is None:
            raise InputError(
                "SHERL needs the frozen late layers to finish. Use lichen.attach(), or build it with "
                "late=a function (fused state, features) -> Features that runs them."
            )
        return self.late(fused, replace(rest, states=()))

    def forward(self, features: Features) -> Features:
        """Adapt features. See `Side.forward`."""
        return self.combine(self.reduce_all(features), replace(features, states=features.states[-1:], indices=None))


class SHERL(LateSide):
    """SHERL over the tokens of an encoder: fused early states into the frozen late layer.

    The chosen states should end with the late layer's own input; the last is the guide and the gated skip.
    `fuse` returns the late layer's input (batch, tokens, width); calling the module returns what `late` returns.

    Raises:
        InputError: a form that is not for tokens, or fewer than two states.
    """

    def __init__(self, config: SHERLConfig, widths: Sequence[int] | Layout, late: Late | None = None) -> None:
        super().__init__(config, widths, late)
        form = FORMS[pick("SHERL form for tokens", config.form, FORMS)]
        out = self.layout.widths[-1]
        width = side_width((config.embed or out) if form.joint_space else out, config.reduction)
        self.mtsa = MTSA(self.layout.widths, out, width, form, config.keep, config.dropout)

    def reduce(
        self, index: int, state: Float[Tensor, "batch tokens width"], mask: Bool[Tensor, "batch all"] | None
    ) -> Float[Tensor, "batch tokens side"]:
        """`E_i = Down_i(H_i)` (2.2, step 1)."""
        return self.mtsa.down[index](state)

    def fuse(
        self, reduced: list[Tensor], last_state: Float[Tensor, "batch tokens width"]
    ) -> Float[Tensor, "batch tokens width"]:
        """`Z = Y + tanh(p / 0.1) H_last`: what the late layer gets in place of its own input (2.2, steps 2 to 7)."""
        return self.mtsa(reduced, last_state)

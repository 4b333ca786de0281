"""Pooled: the library's own side network. Pool each hidden state by learned queries, then project the few vectors.

    x^_n = standardise(h_n) over the width, without parameters
    p_qn = softmax over the real tokens n of  s_q . x^_n
    u_q  = sum_n p_qn x^_n                  -> LN(W_q u_q), concatenated over states and queries -> two-layer network

A projection of every token, which UniPT, SHERL and LST pay for at each state, is never made, and for the backward pass
each state leaves only a copy of itself (exact, bfloat16 or int8) and a few numbers a token.
Source: own design; docs/papers.md, "Pooled".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ..backbones.features import Features
from ..errors import InputError
from .base import Layout, Side, SideCache
from .config import Keep, PooledConfig
from .lean import compress, expand

EPS = 1e-5
"""Added to a token's variance."""

TokenMask = Bool[Tensor, "batch tokens"] | None


def statistics(x: Float[Tensor, "batch tokens width"]) -> tuple[Tensor, Tensor]:
    """Mean and inverse standard deviation of every token, (batch, tokens, 1) each."""
    mean = x.mean(-1, keepdim=True)
    # Not torch.var_mean, which takes ten times as long on a CPU.
    power = torch.linalg.vector_norm(x, dim=-1, keepdim=True).square() / x.shape[-1]
    return mean, ((power - mean.square()).clamp_min(0) + EPS).rsqrt()


def attend(
    x: Float[Tensor, "batch tokens width"],
    scores: Float[Tensor, "queries width"],
    mask: TokenMask,
    mean: Float[Tensor, "batch tokens 1"],
    rstd: Float[Tensor, "batch tokens 1"],
) -> tuple[Float[Tensor, "batch tokens queries"], Float[Tensor, "batch queries width"]]:
    """Weights of the tokens and the pooled vectors. Standardised tokens are never stored: sums are shifted instead."""
    logits = rstd * (x @ scores.T - mean * scores.sum(1))
    if mask is not None:
        logits = logits.masked_fill(~mask.unsqueeze(-1), torch.finfo(logits.dtype).min)
    weights = logits.softmax(1)
    scaled = weights * rstd
    return weights, scaled.mT @ x - (scaled * mean).sum(1).unsqueeze(-1)


class _Pool(torch.autograd.Function):
    """Pools one state that needs no gradient; keeps its compressed copy, mean, deviation and weights of the tokens."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scores: Tensor, mask: Tensor | None, keep: Keep) -> Tensor:
        values = x.to(scores.dtype)
        mean, rstd = statistics(values)
        weights, pooled = attend(values, scores, mask, mean, rstd)
        ctx.keep = keep
        ctx.save_for_backward(mean, rstd, weights, *compress(x, keep))
        return pooled

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor, None, None]:
        mean, rstd, weights, *parts = ctx.saved_tensors
        with torch.autocast(grad.device.type, enabled=False):
            x = expand(tuple(parts), ctx.keep, grad.dtype)
            along = rstd * (x @ grad.mT - mean * grad.sum(-1).unsqueeze(1))
            slope = weights * (along - (weights * along).sum(1, keepdim=True)) * rstd
            scores_grad = slope.flatten(0, 1).mT @ x.flatten(0, 1) - (slope * mean).sum((0, 1)).unsqueeze(-1)
        return None, scores_grad, None, None


def pool(
    x: Float[Tensor, "batch tokens width"],
    scores: Float[Tensor, "queries width"],
    mask: Bool[Tensor, "batch all"] | None = None,
    keep: Keep = "exact",
) -> Float[Tensor, "batch queries width"]:
    """Pool the standardised tokens of one state by the softmax of their products with `scores`.

    The forward is exact whatever `keep` says; the gradient of `scores` comes from the kept copy. An `x` that needs a
    gradient itself takes the plain autograd path. A sample without a real token gets the mean of its padding.

    Raises:
        InputError: the mask covers another number of tokens.
    """
    if mask is not None and mask.shape != x.shape[:2]:
        raise InputError(f"The mask has shape {list(mask.shape)}, the state {list(x.shape)}. Give one entry a token.")
    with torch.autocast(x.device.type, enabled=False):
        if not x.requires_grad and scores.requires_grad and torch.is_grad_enabled():
            return _Pool.apply(x, scores, mask, keep)
        values = x.to(scores.dtype)
        return attend(values, scores, mask, *statistics(values))[1]


class Pooled(Side):
    """Side network that gives one vector a sample, for tasks that need one: classification, retrieval, regression.

    The vector is added to the backbone's pooled output (or stands for it where there is none of its width) and, for
    heads that pool by themselves, to every token or map position of the final output. It starts at zero, so that step
    0 is the frozen model.
    """

    pooled_only = True
    config: PooledConfig

    def __init__(self, config: PooledConfig, widths: Sequence[int] | Layout) -> None:
        super().__init__(config, widths)
        layout, queries, rank = self.layout, config.queries, config.rank
        self.scores = nn.ParameterList(nn.Parameter(0.02 * torch.randn(queries, width)) for width in layout.widths)
        self.projections = nn.ParameterList(
            nn.Parameter(torch.randn(queries, width, rank) * width**-0.5) for width in layout.widths
        )
        self.norms = nn.ModuleList(nn.LayerNorm(rank) for _ in layout.widths)
        self.mix = nn.Linear(len(layout.widths) * queries * rank, 2 * rank)
        self.dropout = nn.Dropout(config.dropout)
        # A summary vector with a width of its own (CLIP, EfficientNet) is all that such models' heads read.
        self.summary_only = layout.embed not in (None, layout.width)
        self.out = nn.Linear(2 * rank, layout.embed or layout.width)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def reduce(
        self, index: int, state: Float[Tensor, "batch ..."], mask: TokenMask
    ) -> Float[Tensor, "batch queries width"]:
        """Pool hidden state `index`. Maps (batch, width, rows, columns) are read as rows * columns tokens."""
        if state.ndim == 4:
            state, mask = state.flatten(2).mT, None
        return pool(state, self.scores[index], mask, self.config.keep)

    def combine(
        self,
        reduced: list[Tensor],
        rest: Features,
        cache: SideCache | None = None,
        memory: Features | None = None,
    ) -> Features:
        """Project the pooled vectors and mix them into the vector v.

        Returns:
            `pooled`: rest.pooled + v, or v where the backbone has no pooled output of v's width.
            `final` (also the only state): rest.final + v at every token or map position; unchanged where the pooled
            output has a width of its own.
        """
        vectors = [
            norm(torch.einsum("bqd,qdr->bqr", vector, weight))
            for vector, weight, norm in zip(reduced, self.projections, self.norms, strict=True)
        ]
        hidden = self.dropout(nn.functional.gelu(self.mix(torch.stack(vectors, 1).flatten(1))))
        vector = self.out(hidden)
        summary = vector
        if rest.pooled is not None and rest.pooled.shape == summary.shape:
            summary = rest.pooled + summary.to(rest.pooled.dtype)
        if self.summary_only:
            return replace(rest, states=(rest.final,), pooled=summary)
        spread = vector[:, :, None, None] if rest.is_maps else vector[:, None, :]
        final = rest.final + spread.to(rest.final.dtype)
        return replace(rest, states=(final,), final=final, pooled=summary)

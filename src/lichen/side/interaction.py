"""UniPT's parallel interaction and confidence aggregation, without keeping a single token-by-token map.

Source: UniPT (arXiv 2308.14316); docs/papers.md section 1.1, steps 3 and 4.

For a guide `Q` and targets `F_i` the interaction is `F'_i = (L1(R(Q F_i^T)) + I) F_i`, and the result is the sum
`S = sum_i C_i F'_i`. Plain autograd would keep several maps of queries x keys for every target. Here only `Q`, `F_i`
and `C` are kept; backward builds the maps again, one target at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ..errors import InputError
from .base import SideCache
from .ops import masked_mean, recompute, running_mean, wide, without_autocast


class Rule(NamedTuple):
    """The switches of an interaction."""

    causal: bool = False
    """Query number i sees keys up to i + (keys - queries) only."""
    identity: bool = True
    """Add the target's own row at the query's position (the `+ I` term)."""
    eps: float = 1e-8
    clamp: bool = False
    """False: divide by the sum plus eps. True: divide by the larger of the sum and eps."""


def _allowed(guide: Tensor, keys: int, mask: Tensor | None, causal: bool) -> Tensor | None:
    """Which key each query may see, broadcast against `(batch, queries, keys)`; None when all."""
    allowed = None if mask is None else mask.unsqueeze(1)
    if causal:
        queries = guide.shape[1]
        square = torch.ones(queries, keys, dtype=torch.bool, device=guide.device).tril(keys - queries)
        allowed = square if allowed is None else allowed & square
    return allowed


def _read(guide: Tensor, target: Tensor, allowed: Tensor | None, rule: Rule) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Rectified scores, their sum, the divisor, and what is read from one target (identity term excluded)."""
    scores = (guide @ target.transpose(1, 2)).relu_()
    if allowed is not None:
        scores = scores.masked_fill_(~allowed, 0)
    total = scores.sum(-1, keepdim=True)
    divisor = total.clamp(min=rule.eps) if rule.clamp else total + rule.eps
    return scores, total, divisor, (scores @ target) / divisor


def _column(weights: Tensor, index: int) -> Tensor:
    """Weight number `index`, broadcast against `(batch, queries, width)`."""
    return weights[..., index, None, None] if weights.ndim == 2 else weights[..., index, None]


class _Interaction(torch.autograd.Function):
    """Weighted sum of the interactions of one guide with many targets. Keeps its inputs only."""

    @staticmethod
    def forward(ctx: Any, rule: Rule, mask: Tensor | None, guide: Tensor, weights: Tensor, *targets: Tensor) -> Tensor:
        ctx.rule = rule
        ctx.save_for_backward(mask, guide, weights, *targets)
        dtype, queries = wide(guide.dtype), guide.shape[1]
        with without_autocast(guide.device):
            query, factor = guide.to(dtype), weights.to(dtype)
            allowed = _allowed(guide, targets[0].shape[1], mask, rule.causal)
            result = torch.zeros_like(query)
            for index, target in enumerate(targets):
                value = target.to(dtype)
                read = _read(query, value, allowed, rule)[-1]
                if rule.identity:
                    read = read + value[:, value.shape[1] - queries :]
                result += _column(factor, index) * read
        return result.to(guide.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        mask, guide, weights, *targets = ctx.saved_tensors
        rule: Rule = ctx.rule
        needs_weights, needs_targets = ctx.needs_input_grad[3], ctx.needs_input_grad[4:]
        dtype, queries, keys = wide(guide.dtype), guide.shape[1], targets[0].shape[1]
        axes = (1, 2) if weights.ndim == 2 else (2,)
        with without_autocast(guide.device):
            query, factor, grad = guide.to(dtype), weights.to(dtype), grad.to(dtype)
            allowed = _allowed(guide, keys, mask, rule.causal)
            grad_guide, grad_weights, grad_targets = torch.zeros_like(query), [], []
            for index, target in enumerate(targets):
                value = target.to(dtype)
                scores, total, divisor, read = _read(query, value, allowed, rule)
                weighted = _column(factor, index) * grad
                # d read / d scores: one part through the product, one through the divisor
                through = (weighted * read).sum(-1, keepdim=True)
                if rule.clamp:
                    through = torch.where(total >= rule.eps, through, 0)
                grad_scores = (weighted @ value.transpose(1, 2) - through) / divisor
                grad_scores.masked_fill_(scores <= 0, 0)
                grad_guide += grad_scores @ value
                if needs_targets[index]:
                    part = scores.transpose(1, 2) @ (weighted / divisor) + grad_scores.transpose(1, 2) @ query
                    if rule.identity:
                        part[:, keys - queries :] += weighted
                    grad_targets.append(part.to(target.dtype))
                else:
                    grad_targets.append(None)
                if needs_weights:
                    tail = value[:, keys - queries :] if rule.identity else 0
                    grad_weights.append((grad * (read + tail)).sum(axes))
        stacked = torch.stack(grad_weights, -1).to(weights.dtype) if needs_weights else None
        return None, None, grad_guide.to(guide.dtype), stacked, *grad_targets


def interact(
    guide: Float[Tensor, "batch queries width"],
    targets: Sequence[Float[Tensor, "batch keys width"]],
    weights: Float[Tensor, "batch *queries targets"] | None = None,
    mask: Bool[Tensor, "batch all"] | None = None,
    rule: Rule = Rule(),
) -> Float[Tensor, "batch queries width"]:
    """Sum over targets of `weights * (L1(R(guide target^T)) + I) target` (docs/papers.md 1.1, steps 3 and 4).

    Args:
        guide: queries. They may be fewer than the keys: then they are the last tokens (generation).
        targets: keys, which are the values too.
        weights: confidence of each target, a sample (batch, targets) or a token (batch, queries, targets);
            None weighs every target by one.
        mask: True where a key is real.
        rule: causal order, identity term, eps.

    Raises:
        InputError: no target, or sizes that do not fit together.
    """
    if not targets:
        raise InputError("interact() needs at least one target.")
    batch, queries, _ = guide.shape
    keys = targets[0].shape[1]
    if mask is not None and mask.shape != (batch, keys):
        raise InputError(f"The mask must have shape {(batch, keys)}, one entry a key; got {tuple(mask.shape)}.")
    if (rule.identity or rule.causal) and queries > keys:
        raise InputError(f"{queries} queries cannot be the last of {keys} keys. Give at most as many queries as keys.")
    if weights is None:
        weights = guide.new_ones(batch, len(targets))
    if weights.shape not in ((batch, len(targets)), (batch, queries, len(targets))):
        raise InputError(
            f"weights must be (batch, targets) or (batch, queries, targets) with {len(targets)} targets; "
            f"got {tuple(weights.shape)}."
        )
    return _Interaction.apply(rule, mask, guide, weights, *targets)


def _causal_scores(
    queries: int, mask: Tensor | None, guide: Tensor, weight: Tensor, bias: Tensor, *targets: Tensor
) -> Tensor:
    """`w^T(g (.) t_i) + b` of the last tokens, with g and t_i running means."""
    start = guide.shape[1] - queries
    with without_autocast(guide.device):
        factor = running_mean(guide, mask)[:, start:] * weight
        scores = [(running_mean(target, mask)[:, start:] * factor).sum(-1) for target in targets]
        return torch.stack(scores, -1) + bias


def confidence(
    guide: Float[Tensor, "batch guides width"],
    targets: Sequence[Float[Tensor, "batch tokens width"]],
    gate: nn.Linear,
    mask: Bool[Tensor, "batch tokens"] | None,
    queries: int | None = None,
) -> Float[Tensor, "batch *queries targets"]:
    """Weights of the targets, summing to one (docs/papers.md 1.1, step 4).

    With `queries` given the network is causal: the summaries are running means, so that no later token leaks, and
    there is one set of weights for each of the last `queries` tokens. Otherwise there is one set a sample.
    The gate's bias is inert: softmax does not see it. `guides` equals `tokens`, or is 1 where one embedding guides.
    """
    if queries is None:
        means = torch.stack([masked_mean(target, mask) for target in targets], 1)
        summary = guide[:, 0] if guide.shape[1] == 1 else masked_mean(guide, mask)
        return gate(summary.unsqueeze(1) * means).squeeze(-1).softmax(-1)

    def scores(mask: Tensor | None, *rest: Tensor) -> Tensor:
        return _causal_scores(queries, mask, *rest)

    return recompute(scores, mask, guide, gate.weight, gate.bias, *targets).softmax(-1).to(guide.dtype)


def all_tokens(reduced: Sequence[Tensor], cache: SideCache | None, causal: bool) -> list[Tensor]:
    """Reduced states of all tokens so far: the new ones, after those that the cache holds.

    Raises:
        InputError: a cache came with a network that is not causal, whose earlier tokens depend on later ones.
    """
    if cache is None:
        return list(reduced)
    if not causal:
        raise InputError("This side network is not causal, so it cannot continue from a cache. Run the whole sequence.")
    return [cache.extend(index, state) for index, state in enumerate(reduced)]

"""Which tokens of a pass are kept: all, their mean, the summary token and the mean, or every k-th.

What is chosen for a sample depends on that sample alone, not on how far its batch was padded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..backbones.features import Features
from ..errors import InputError
from .config import StoreConfig


def choose_tokens(features: Features, config: StoreConfig, *, causal: bool = False) -> Features:
    """Features of the chosen tokens only; hidden states and final output alike.

    Args:
        features: as `reading.read` gives them: real tokens first, then padding.
        config: its `tokens` says which.
        causal: True where a token only sees those before it; the last one then sums up the sequence.

    Returns:
        `grid` is None where the patches no longer fill it, and (1, 1) for the mean of maps. `anchor` points to the
        token that now stands for the old one (the mean, where there is nothing else).

    Raises:
        InputError: maps have no such choice.
    """
    if config.tokens == "all":
        return features
    if features.is_maps:
        return _mean_of_maps(features, config)
    lengths = lengths_of(features)
    if config.stride is not None:
        return _every(features, lengths, config.stride)
    first = None if config.tokens == "pooled" else _summary_position(features, lengths, causal)
    counts = lengths.tolist()

    def pool(state: Tensor) -> Tensor:
        # One sample at a time: a sum over padding, too, would round differently in another batch.
        mean = torch.stack([row[:count].float().mean(0) for row, count in zip(state, counts, strict=True)])
        return mean[:, None] if first is None else torch.stack([_at(state, first).float(), mean], 1)

    anchor = None if features.anchor is None else torch.zeros_like(features.anchor)
    return replace(_map(features, pool), mask=None, grid=None, anchor=anchor)


def lengths_of(features: Features) -> Int[Tensor, " batch"]:
    """Real tokens of each sample of a batch.

    Raises:
        InputError: padding stands before or between real tokens.
    """
    final, mask = features.final, features.mask
    if mask is None:
        return torch.full((len(final),), final.shape[1], device=final.device)
    lengths = mask.sum(1)
    if not bool((mask == (torch.arange(mask.shape[1], device=mask.device) < lengths[:, None])).all()):
        raise InputError("Padding stands before or between real tokens. Give texts without padding, or pad them right.")
    return lengths


def _map(features: Features, change: Callable[[Tensor], Tensor]) -> Features:
    """Apply a function to every state and to the final output; once where these are the same tensor."""
    states = tuple(change(state) for state in features.states)
    same = bool(states) and features.final is features.states[-1]
    return replace(features, states=states, final=states[-1] if same else change(features.final))


def _mean_of_maps(features: Features, config: StoreConfig) -> Features:
    if config.tokens != "pooled":
        raise InputError(f"Convolutional maps have no tokens={config.tokens!r}. Choose all or pooled.")
    pooled = _map(features, lambda state: state.float().mean((2, 3), keepdim=True))
    return replace(pooled, grid=(1, 1))


def _summary_position(features: Features, lengths: Int[Tensor, " batch"], causal: bool) -> Int[Tensor, " batch"]:
    if features.anchor is not None:
        return features.anchor
    return lengths - 1 if causal else torch.zeros_like(lengths)


def _at(state: Float[Tensor, "batch tokens width"], position: Int[Tensor, " batch"]) -> Float[Tensor, "batch width"]:
    return state[torch.arange(len(state), device=state.device), position]


def _every(features: Features, lengths: Int[Tensor, " batch"], stride: int) -> Features:
    keep = _kept(features, lengths, stride)
    counts = keep.sum(1)
    # A stable sort brings the kept positions to the front and leaves them in order.
    order = (~keep).long().argsort(dim=1, stable=True)[:, : int(counts.max())]
    mask = torch.arange(order.shape[1], device=order.device) < counts[:, None]

    def gather(state: Tensor) -> Tensor:
        index = order.unsqueeze(-1).expand(-1, -1, state.shape[-1])
        return state.gather(1, index).masked_fill(~mask.unsqueeze(-1), 0)

    anchor = features.anchor
    if anchor is not None:
        anchor = (order == anchor[:, None]).int().argmax(1).to(anchor.dtype)
    return replace(_map(features, gather), mask=None if bool(mask.all()) else mask, grid=None, anchor=anchor)


def _kept(features: Features, lengths: Int[Tensor, " batch"], stride: int) -> Bool[Tensor, "batch tokens"]:
    tokens = features.final.shape[1]
    position = torch.arange(tokens, device=lengths.device)
    before = 0
    if features.grid is not None:
        before = tokens - features.grid[0] * features.grid[1]
        if before < 0:
            raise InputError(f"A picture has {tokens} tokens, too few for its grid of {features.grid}.")
    keep = (position < before) | ((position - before) % stride == 0)
    keep = keep & (position < lengths[:, None])
    return keep if features.anchor is None else keep | (position == features.anchor[:, None])

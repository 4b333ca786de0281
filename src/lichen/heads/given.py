"""`Given`: what reaches a head from a backbone, through a side network or not. A head is built from it alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch

from ..backbones.features import Features
from ..backbones.outline import Outline
from ..side.base import Side
from ..side.sherl import LateSide

_CELLS = 8
"""Rows and columns of the maps of a trial run; no published stage is coarser than its whole map."""
_WITHOUT_SUMMARY_TOKEN = ("siglip_vision_model", "siglip2_vision_model")
"""Picture models whose first token is a patch like any other."""


@dataclass(frozen=True)
class Given:
    """Kind and widths of the features that a head reads."""

    kind: Literal["tokens", "maps", "vector"]
    """final is (batch, tokens, width), (batch, width, rows, columns), or, for vector, (batch, width)."""
    width: int
    """Width of the final output."""
    pooled: int | None = None
    """Width of the pooled output; None where it has none."""
    modality: Literal["text", "image"] = "text"
    """What the backbone reads."""
    causal: bool = False
    """True when a token only sees those before it."""
    summary_token: bool = True
    """False where no token sums up the sequence."""
    projected: bool = False
    """True where the pooled output lies in the joint space of two towers (CLIP)."""
    adapted: tuple[str, ...] = ()
    """What the side network changes: final, pooled or both; empty for frozen features, where nothing does."""

    @classmethod
    def of(cls, outline: Outline, side: Side | None = None) -> Given:
        """What a side network beside a backbone hands on; without one, what the backbone itself gives.

        The network is asked: one small batch of zeros goes through it, without gradients and in eval mode.
        """
        frozen = cls(
            kind=outline.kind,
            width=outline.width,
            pooled=outline.pooled,
            modality=outline.modality,
            causal=outline.causal,
            summary_token=outline.model_type not in _WITHOUT_SUMMARY_TOKEN,
            projected=outline.projected,
        )
        if side is None:
            return frozen
        if isinstance(side, LateSide):
            # Late layers end in the backbone's own output; a projection into a joint space lies beyond them.
            pooled = None if outline.projected else outline.pooled
            return replace(frozen, pooled=pooled, projected=False, adapted=("final",) if pooled is None else _BOTH)
        before = _zeros(outline, side)
        after = _trial(side, before)
        kind: Literal["tokens", "maps", "vector"] = "maps" if after.is_maps else "tokens"
        changed = [name for name in _BOTH if getattr(after, name) is not getattr(before, name)]
        return replace(
            frozen,
            kind="vector" if after.final.ndim == 2 else kind,
            width=after.final.shape[1 if after.is_maps else -1],
            pooled=None if after.pooled is None else after.pooled.shape[-1],
            projected=outline.projected and after.pooled is not None,
            adapted=tuple(name for name in changed if getattr(after, name) is not None),
        )


_BOTH = ("final", "pooled")


def _zeros(outline: Outline, side: Side) -> Features:
    """Features of one sample, on the device and in the dtype of the side network."""
    example = next(side.parameters(), torch.empty(0))

    def zeros(*shape: int) -> torch.Tensor:
        return torch.zeros(shape, device=example.device, dtype=example.dtype)

    pooled = None if outline.pooled is None else zeros(1, outline.pooled)
    layout = side.layout
    if outline.kind == "maps":
        states = tuple(zeros(1, width, _CELLS, _CELLS) for width in layout.widths)
        return Features(states, zeros(1, layout.width, _CELLS, _CELLS), grid=(_CELLS, _CELLS), pooled=pooled)
    states = tuple(zeros(1, 2, width) for width in layout.widths)
    anchor = torch.zeros(1, dtype=torch.long, device=example.device)
    return Features(states, zeros(1, 2, layout.width), pooled=pooled, anchor=anchor)


def _trial(side: Side, features: Features) -> Features:
    """One pass that leaves the network as it was."""
    modes = [(module, module.training) for module in side.modules()]
    side.eval()
    try:
        with torch.no_grad():
            return side(features)
    finally:
        for module, training in modes:
            module.training = training

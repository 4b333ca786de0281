"""T5 attention as the authors' code has it: the softmax runs in float32 even for float64 (docs/papers.md)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, T5Config
from transformers.masking_utils import AttentionMaskInterface, eager_mask


def published_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float = 1.0,
    position_bias: Tensor | None = None,
    **_: Any,
) -> tuple[Tensor, Tensor]:
    scores = query @ key.transpose(2, 3) * scaling
    if position_bias is not None:
        scores = scores + position_bias
    if attention_mask is not None and attention_mask.dtype == torch.bool:
        scores = scores.masked_fill(~attention_mask, -1e9)
    elif attention_mask is not None:
        scores = scores + attention_mask
    weights = scores.float().softmax(-1).to(scores.dtype)
    return (weights @ value).transpose(1, 2).contiguous(), weights


AttentionInterface.register("published", published_attention)
AttentionMaskInterface.register("published", eager_mask)


def use_attention(model: nn.Module, name: str) -> None:
    """Let every T5 layer in a model, side networks included, attend in this way."""
    for module in model.modules():
        if isinstance(getattr(module, "config", None), T5Config):
            module.config._attn_implementation = name

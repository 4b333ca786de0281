"""Vectors of texts by a frozen model: in the space that it shares with pictures, or the mean of the tokens."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from ..backbones.backbone import Backbone
from ..errors import InputError


@torch.no_grad()
def text_vectors(backbone: Backbone, texts: Sequence[str], batch: int = 256) -> Float[Tensor, "texts width"]:
    """What a frozen model makes of each text by itself; not normalised.

    Args:
        backbone: of two towers in one space, or any that reads texts.
        texts: at least one.

    Raises:
        InputError: no texts, or a backbone without a tokenizer.
    """
    tokenizer = getattr(backbone.processor, "tokenizer", backbone.processor)
    if not texts or not callable(tokenizer) or not hasattr(tokenizer, "encode"):
        raise InputError(
            "Vectors of texts need at least one text, and a backbone that reads texts, such as embedded:minilm."
        )
    device = next(backbone.model.parameters()).device
    projected = "text" in backbone.trunks and backbone.outline("text").projected
    found = []
    for start in range(0, len(texts), batch):
        some = list(texts[start : start + batch])
        inputs = tokenizer(some, padding=True, truncation=True, return_tensors="pt").to(device)
        inputs.pop("token_type_ids", None)
        features = backbone(layers=1, **inputs)
        if projected and features.pooled is not None:
            found.append(features.pooled)
        else:
            mask = inputs["attention_mask"][..., None].to(features.final.dtype)
            found.append((features.final * mask).sum(1) / mask.sum(1))
    return torch.cat(found).float().cpu()

"""Which frozen trunks a transformers model is made of: one, two towers, or an encoder and a decoder."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from torch import nn

from .trunk import Trunk

PROJECTIONS = {"vision": "visual_projection", "text": "text_projection"}
"""Where CLIP keeps the matrix that takes a tower's pooled output into the joint space."""


def parts_of(model: nn.Module) -> dict[str, str]:
    """Part name to dotted path of its trunk in `model`.

    One trunk is called "backbone"; CLIP and SigLIP give "vision" and "text"; T5 and BART "encoder" and "decoder".
    """
    base = getattr(model, "base_model", model)
    if getattr(base, "main_input_name", "") not in inspect.signature(base.forward).parameters:
        # DINOv3's prefix names its stack of layers, which does not read pictures.
        base = model
    prefix = "" if base is model else f"{model.base_model_prefix}."
    if hasattr(base, "vision_model") and hasattr(base, "text_model"):
        return {"vision": f"{prefix}vision_model", "text": f"{prefix}text_model"}
    config: Any = getattr(model, "config", None)
    if getattr(config, "is_encoder_decoder", False) and hasattr(base, "encoder") and hasattr(base, "decoder"):
        return {"encoder": f"{prefix}encoder", "decoder": f"{prefix}decoder"}
    if base is model:
        # Models such as CLIPForImageClassification or CLIPVisionModelWithProjection name a prefix that they lack.
        for name in ("vision_model", "text_model"):
            child = getattr(model, name, None)
            if hasattr(child, "config") and hasattr(child, "get_input_embeddings"):
                return {"backbone": name}
    return {"backbone": prefix.rstrip(".")}


def frozen_modules(model: nn.Module, trunks: Mapping[str, Trunk]) -> dict[str, nn.Module]:
    """What a backbone's identity is made of: trunks by part, and projections by path."""
    modules = {part: trunk.module for part, trunk in trunks.items()}
    paths = [path for part in trunks if (path := projection_of(model, part)) is not None]
    return modules | {path: model.get_submodule(path) for path in paths}


def projection_of(model: nn.Module, part: str) -> str | None:
    """Dotted path of the frozen projection behind a tower, or None where its pooled output is the embedding."""
    names = [PROJECTIONS[part]] if part in PROJECTIONS else list(PROJECTIONS.values())
    for name in names:
        if isinstance(getattr(model, name, None), nn.Linear):
            return name
    return None

"""What side networks are compared with: LoRA from PEFT, on all layers or the last few."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from ..errors import InputError, MissingPackageError

QUERY_AND_VALUE = (("q_proj", "v_proj"), ("query", "value"), ("q_lin", "v_lin"), ("q", "v"), ("c_attn",))
"""What transformers models call their query and value projections, in the order tried."""


def lora(model: Any, rank: int = 8, layers: Sequence[int] | None = None) -> Any:
    """LoRA of a rank on queries and values, with the task's head trained too. The model is changed in place.

    Args:
        model: a transformers task model.
        rank: of the update; scaled by PEFT's defaults.
        layers: numbers of the layers to adapt; None adapts all.

    Raises:
        MissingPackageError: PEFT is not installed.
        InputError: the model's query and value projections have none of the known names.
    """
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise MissingPackageError("LoRA comes from PEFT, which is missing. Install it: pip install peft") from error
    last_parts = {name.rpartition(".")[2] for name, _ in model.named_modules()}
    targets = next((names for names in QUERY_AND_VALUE if last_parts.issuperset(names)), None)
    if targets is None:
        raise InputError(f"{type(model).__name__} has no query and value projections that LoRA could find by name.")
    heads = [name for name in ("classifier", "score") if hasattr(model, name)]
    settings = LoraConfig(
        r=rank,
        target_modules=list(targets),
        modules_to_save=heads or None,
        layers_to_transform=None if layers is None else list(layers),
    )
    with warnings.catch_warnings():
        # PEFT 0.21 asks transformers 5.23 for a property under its old name.
        warnings.filterwarnings("ignore", category=FutureWarning, message=".*is_gradient_checkpointing.*")
        return get_peft_model(model, settings)

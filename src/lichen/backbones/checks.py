"""Looks at a batch before it costs a pass: what is wrong is said in words, not by an index error deep inside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from ..errors import InputError

_FLOATS = ("pixel_values", "inputs_embeds", "decoder_inputs_embeds")
_IDS = ("input_ids", "decoder_input_ids")
_POSITIONS = ("start_positions", "end_positions")
_MASKS = ("attention_mask", "decoder_attention_mask")


def check_batch(config: Any, batch: Mapping[str, Any], labels: Literal["tokens", "classes"] | None = None) -> None:
    """Refuse a batch that cannot give a meaningful answer.

    Args:
        config: the model's transformers config.
        batch: arguments of the model's forward by name.
        labels: what the batch's `labels` are: token ids (language-model heads), classes, or None to leave them alone.

    Raises:
        InputError: NaN or infinity in floating inputs, a row without any real token, an id outside the vocabulary, a
            label outside the classes, or a negative position of an answer.
    """
    for name in _FLOATS:
        value = batch.get(name)
        if isinstance(value, Tensor) and not bool(torch.isfinite(value).all()):
            rows = (~torch.isfinite(value).flatten(1).all(dim=1)).nonzero().flatten().tolist()
            raise InputError(f"{name} holds NaN or infinite values in row(s) {rows[:8]}. Check how they are prepared.")
    for name in _MASKS:
        value = batch.get(name)
        if isinstance(value, Tensor) and value.ndim == 2:
            empty = (~value.bool().any(dim=1)).nonzero().flatten().tolist()
            if empty:
                raise InputError(
                    f"{name} marks every token of row(s) {empty[:8]} as padding, so there is nothing to read. "
                    "Remove these samples or give them at least one token."
                )
    size = getattr(config.get_text_config(), "vocab_size", None)
    for name in _IDS:
        value = batch.get(name)
        if isinstance(value, Tensor) and size is not None and not value.is_floating_point():
            _check_range(name, value, size, "token id", ignored=None)
    for name in _POSITIONS:
        value = batch.get(name)
        if isinstance(value, Tensor) and bool((value < 0).any()):
            raise InputError(
                f"{name} holds {int(value.min())}, but a position must be at least 0. Mark a question without an "
                "answer by position 0, and one whose answer was cut off by a position behind the last token."
            )
    targets = batch.get("labels")
    if labels is None or not isinstance(targets, Tensor) or targets.is_floating_point():
        return
    if labels == "tokens":
        if size is not None:
            _check_range("labels", targets, size, "token id", ignored=-100)
        return
    count = getattr(config, "num_labels", None) or 1
    if count > 1 and getattr(config, "problem_type", None) not in ("regression", "multi_label_classification"):
        _check_range("labels", targets, count, "class", ignored=-100)


def _check_range(name: str, value: Tensor, count: int, what: str, ignored: int | None) -> None:
    wrong = (value < 0) | (value >= count)
    if ignored is not None:
        wrong &= value != ignored
    if bool(wrong.any()):
        found = value[wrong].unique()[:5].tolist()
        allowed = "" if ignored is None else f" (or {ignored} to leave a position out)"
        raise InputError(f"{name} holds {found}, but a {what} must lie in 0 to {count - 1}{allowed}.")

"""The one way to run a frozen backbone over samples, for the store's writer and for live training alike.

What a backbone answers for a text depends, in the last bits, on how far it was padded, but not on the others in its
batch. So each sample is padded to a length that follows from itself alone, and samples of one such length run
together. Convolutional networks read a fixed number of pictures at a time. Features read today in a batch of eight
equal those that were stored from a batch of sixty-four.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ..backbones.backbone import Backbone
from ..backbones.features import Features
from ..errors import InputError, LichenError

STEP = 8
"""Texts are padded to the next multiple of this many tokens."""
_ROWS = 8
"""Summaries are computed for this many samples at a time."""
_MAPS = 16
"""Pictures in each pass of a convolutional network. PyTorch computes fewer than 16 by other routines."""
Sample = Mapping[str, Tensor]
"""Model inputs of one sample, without batch axis and padding."""


def padded_length(backbone: Backbone, part: str, length: int) -> int:
    """To how many tokens a text of `length` tokens is padded; a function of the text alone."""
    config = backbone.trunks[part].config
    most = getattr(config, "max_position_embeddings", None)
    rounded = -(-length // STEP) * STEP
    if most is None:
        return rounded
    return max(length, int(most) if _is_fixed(config) else min(rounded, int(most)))


def _is_fixed(config: Any) -> bool:
    """Whether a text model was trained on texts of full length only, their padding read like words (SigLIP)."""
    return getattr(config, "model_type", "") == "siglip_text_model"


def read(backbone: Backbone, samples: Sequence[Sample], layers: int | Sequence[int] | None = None) -> Features:
    """Features of some samples as one batch, in their order.

    Args:
        backbone: frozen.
        samples: `input_ids` (tokens) and what goes with them, or `pixel_values` (channels, rows, columns). Without an
            `attention_mask` all tokens of a text are real; SigLIP's texts have none.
        layers: hidden states to keep, by timm's rules.

    Returns:
        Texts come padded on the right to the longest among them; padding holds zeros and is False in `mask`.

    Raises:
        InputError: no samples, samples that do not go together, or ones that the backbone cannot read.
    """
    if not samples:
        raise InputError("There are no samples to read.")
    groups = _groups(backbone, samples)
    parts = [_run(backbone, [samples[row] for row in rows], length, layers) for length, rows in groups]
    order = torch.tensor([row for _, rows in groups for row in rows])
    together = Features.cat(parts)
    return _trim(together[order.argsort()])


def _groups(backbone: Backbone, samples: Sequence[Sample]) -> list[tuple[int, list[int]]]:
    """Rows that are run together, with their padded length (0 for pictures), shortest first."""
    texts = ["input_ids" in sample for sample in samples]
    if any(texts) != all(texts):
        raise InputError("Samples that are read together must all be texts or all be pictures.")
    if not texts[0]:
        shapes = {tuple(sample["pixel_values"].shape) for sample in samples if "pixel_values" in sample}
        if len(shapes) != 1:
            raise InputError(f"Pictures read together must have one size; got {sorted(shapes) or 'no pixel_values'}.")
        together = _MAPS if _gives_maps(backbone) else len(samples)
        return [(0, rows.tolist()) for rows in torch.arange(len(samples)).split(together)]
    part = _text_part(backbone)
    groups: dict[int, list[int]] = {}
    for row, sample in enumerate(samples):
        if not len(sample["input_ids"]):
            raise InputError(f"Text number {row} has no token. Leave it out.")
        groups.setdefault(padded_length(backbone, part, len(sample["input_ids"])), []).append(row)
    return sorted(groups.items())


def _gives_maps(backbone: Backbone) -> bool:
    """Whether pictures are read by a staged or convolutional network; towers are none."""
    return next(iter(backbone.trunks.values())).kind == "maps"


def _text_part(backbone: Backbone) -> str:
    """Which part of a backbone reads texts."""
    part = backbone.part or next((name for name in ("text", "encoder") if name in backbone.paths), None)
    return part or next(iter(backbone.paths))


def _run(backbone: Backbone, samples: list[Sample], length: int, layers: int | Sequence[int] | None) -> Features:
    """One pass over samples of one padded length."""
    # Matrix products of a single row, too, take other routines, whose sums differ in the last bits.
    least = _MAPS if length == 0 and _gives_maps(backbone) else 2
    rows = samples if len(samples) >= least else (samples * least)[:least]
    device = next(backbone.model.parameters()).device
    inputs = _texts(backbone, rows, length) if length else _pictures(rows)
    try:
        features = backbone(layers=layers, **{name: value.to(device) for name, value in inputs.items()})
    except (ValueError, IndexError, RuntimeError) as error:
        if isinstance(error, LichenError) or "memory" in str(error).lower():
            raise
        raise InputError(_unreadable(backbone, samples[0], error)) from error
    features = _with_summary(backbone, features)[: len(samples)]
    if length == 0:
        return features
    real = torch.tensor([len(sample["input_ids"]) for sample in samples], device=device)
    mask = torch.arange(features.final.shape[1], device=device) < real[:, None]
    if features.mask is None:
        return replace(features, mask=torch.ones_like(mask))
    blank = ~mask.unsqueeze(-1)
    return replace(
        features,
        states=tuple(state.masked_fill(blank, 0) for state in features.states),
        final=features.final.masked_fill(blank, 0),
        mask=mask & features.mask,
    )


def _unreadable(backbone: Backbone, sample: Sample, error: Exception) -> str:
    """What to say of inputs at which a model of transformers failed: mostly of a size that it was not made for."""
    if "pixel_values" in sample:
        rows, columns = sample["pixel_values"].shape[-2:]
        what, advice = f"a picture of {columns} x {rows} pixels", "Choose another size of the backbone's pictures."
    else:
        what, advice = f"a text of {len(sample['input_ids'])} tokens", "Lower max_tokens of the backbone."
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
    return f"{type(backbone.model).__name__} cannot read {what}: {reason}. {advice}"


def _pictures(samples: Sequence[Sample]) -> dict[str, Tensor]:
    """Model inputs of pictures of one size."""
    return {name: torch.stack([sample[name] for sample in samples]) for name in samples[0]}


def _texts(backbone: Backbone, samples: Sequence[Sample], length: int) -> dict[str, Tensor]:
    """Model inputs of texts, padded to `length`. What some samples lack and others have is filled in."""
    trunk = backbone.trunks[_text_part(backbone)]
    names = list(dict.fromkeys(name for sample in samples for name in sample))
    if "attention_mask" not in names and "attention_mask" in trunk.signature.parameters:
        names.append("attention_mask")
    if _is_fixed(trunk.config):
        names.remove("attention_mask")
    pad = getattr(backbone.model.config.get_text_config(), "pad_token_id", None)
    fills = {"input_ids": pad if isinstance(pad, int) else 0}
    return {
        name: torch.stack([_fill(sample, name, length, fills.get(name, 0)) for sample in samples]) for name in names
    }


def _fill(sample: Sample, name: str, length: int, fill: int) -> Tensor:
    """One field of a text, padded to `length`."""
    ids = sample["input_ids"]
    absent = torch.ones_like(ids) if name == "attention_mask" else torch.zeros_like(ids)
    value = sample.get(name, absent)
    if len(value) == length:
        return value
    padded = value.new_full((length,), fill)
    padded[: len(value)] = value
    return padded


def _with_summary(backbone: Backbone, features: Features) -> Features:
    """The same features, their summary vectors computed a fixed number of rows at a time.

    A pooler multiplies a matrix of one row a sample, and the sums of so small a product depend on its number of rows.
    """
    if features.pooled is None or features.is_maps:
        return features
    rows = torch.arange(-(-len(features.final) // _ROWS) * _ROWS) % len(features.final)
    parts = [backbone.summarise(features[chunk]) for chunk in rows.split(_ROWS)]
    return replace(features, pooled=torch.cat(parts)[: len(features.final)])


def _trim(features: Features) -> Features:
    """Without the columns that are padding in every row; without a mask where none is left."""
    if features.mask is None:
        return features
    longest = int(features.mask.sum(1).max())
    mask = features.mask[:, :longest]
    return replace(
        features,
        states=tuple(state[:, :longest].contiguous() for state in features.states),
        final=features.final[:, :longest].contiguous(),
        mask=None if bool(mask.all()) else mask.contiguous(),
    )

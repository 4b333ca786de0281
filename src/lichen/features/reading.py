"""The one way to run a frozen backbone over samples, for the store's writer and for live training alike.

What a backbone answers for a text depends, in the last bits, on how far it was padded, but not on the others in its
batch. So each sample is padded to a length that follows from itself alone, and samples of one such length run
together. Features read today in a batch of eight equal those that were stored from a batch of sixty-four.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..backbones.backbone import Backbone
from ..backbones.features import Features
from ..errors import InputError

STEP = 8
"""Texts are padded to the next multiple of this many tokens."""
_ROWS = 8
"""Summaries are computed for this many samples at a time."""
Sample = Mapping[str, Tensor]
"""Model inputs of one sample, without batch axis and padding."""


def padded_length(backbone: Backbone, part: str, length: int) -> int:
    """To how many tokens a text of `length` tokens is padded; a function of the text alone."""
    config = backbone.trunks[part].config
    most = getattr(config, "max_position_embeddings", None)
    if getattr(config, "model_type", "") == "siglip_text_model":
        # SigLIP was trained on texts of full length only, and reads its summary at the last position.
        return int(config.max_position_embeddings)
    rounded = -(-length // STEP) * STEP
    return rounded if most is None else max(length, min(rounded, int(most)))


def read(backbone: Backbone, samples: Sequence[Sample], layers: int | Sequence[int] | None = None) -> Features:
    """Features of some samples as one batch, in their order.

    Args:
        backbone: frozen.
        samples: `input_ids` (tokens) and what goes with them, or `pixel_values` (channels, rows, columns).
        layers: hidden states to keep, by timm's rules.

    Returns:
        Texts come padded on the right to the longest among them; padding holds zeros and is False in `mask`.

    Raises:
        InputError: no samples, or the backbone cannot read them.
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
    if "input_ids" not in samples[0]:
        shapes = {tuple(sample["pixel_values"].shape) for sample in samples if "pixel_values" in sample}
        if len(shapes) != 1:
            raise InputError(f"Pictures read together must have one size; got {sorted(shapes) or 'no pixel_values'}.")
        return [(0, list(range(len(samples))))]
    part = backbone.part or next((name for name in ("text", "encoder") if name in backbone.paths), None)
    part = part or next(iter(backbone.paths))
    groups: dict[int, list[int]] = {}
    for row, sample in enumerate(samples):
        groups.setdefault(padded_length(backbone, part, len(sample["input_ids"])), []).append(row)
    return sorted(groups.items())


def _run(backbone: Backbone, samples: list[Sample], length: int, layers: int | Sequence[int] | None) -> Features:
    """One pass over samples of one padded length."""
    # Matrix products of a single row take other routines, whose sums differ in the last bits.
    rows = samples * 2 if len(samples) == 1 else samples
    device = next(backbone.model.parameters()).device
    inputs = {name: torch.stack([_fill(backbone, name, row[name], length) for row in rows]) for name in rows[0]}
    features = backbone(layers=layers, **{name: value.to(device) for name, value in inputs.items()})
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


def _with_summary(backbone: Backbone, features: Features) -> Features:
    """The same features, their summary vectors computed a fixed number of rows at a time.

    A pooler multiplies a matrix of one row a sample, and the sums of so small a product depend on its number of rows.
    """
    if features.pooled is None or features.is_maps:
        return features
    rows = torch.arange(-(-len(features.final) // _ROWS) * _ROWS) % len(features.final)
    parts = [backbone.summarise(features[chunk]) for chunk in rows.split(_ROWS)]
    return replace(features, pooled=torch.cat(parts)[: len(features.final)])


def _fill(backbone: Backbone, name: str, value: Tensor, length: int) -> Tensor:
    """One field of a text, padded to `length`; pictures as they are."""
    if length == 0 or len(value) == length:
        return value
    pad = getattr(backbone.model.config.get_text_config(), "pad_token_id", None) if name == "input_ids" else 0
    padded = value.new_full((length,), pad if isinstance(pad, int) else 0)
    padded[: len(value)] = value
    return padded


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

"""What is found out before anything is stored: that data and backbone repeat themselves, and what they leave."""

from __future__ import annotations

import copy
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ..backbones.backbone import Backbone
from ..backbones.features import Features
from ..backbones.fingerprint import Fingerprint, digest_of, digests_of
from ..errors import BadSample, InputError, pick
from .config import StoreConfig
from .reading import Sample, read
from .record import Record
from .tokens import choose_tokens, lengths_of

_READ_TWICE = 8
"""Samples that are read twice: a random flip passes once in two to this power."""
_RUN_TWICE = 2
"""Samples that the backbone reads twice."""


def names_of(dataset: Sequence[Any], ids: Sequence[str] | None, views: int) -> tuple[str, ...]:
    """A name for every row of a store.

    Args:
        dataset: its `ids` are taken where none are given; row numbers where it has none either.
        ids: one a row; or one a sample, to which `#v` is added for view v.
        views: of each sample.

    Raises:
        InputError: no rows, too many or too few names, or one that occurs twice.
    """
    total = len(dataset)
    if not total or total % views:
        raise InputError(
            f"A store of {views} view(s) a sample needs a data set of samples * views items, at least one; got {total}."
        )
    given = ids if ids is not None else getattr(dataset, "ids", None)
    names = [str(name) for name in (range(total // views) if given is None else given)]
    if views > 1 and len(names) * views == total:
        names = [f"{name}#{view}" for name in names for view in range(views)]
    if len(names) != total:
        raise InputError(f"{len(names)} ids were given for {total} items with {views} view(s) a sample.")
    if len(set(names)) < total:
        seen: set[str] = set()
        double = next(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise InputError(f"The id {double!r} occurs more than once. Each sample needs one of its own.")
    return tuple(names)


def digest_of_names(names: Sequence[str]) -> str:
    """SHA-256 over ids in order."""
    return hashlib.sha256(json.dumps(list(names)).encode()).hexdigest()


def fetch(dataset: Sequence[Any], row: int, name: str) -> Sample:
    """One item as tensors.

    Raises:
        BadSample: the item cannot be used; under the id that the store knows it by.
        InputError: it is no model input, or comes padded.
    """
    try:
        item = dataset[row]
    except BadSample as bad:
        raise BadSample(name, bad.reason) from bad
    if not isinstance(item, Mapping) or not {"input_ids", "pixel_values"} & set(item):
        raise InputError(
            f"Item {row} ({name!r}) is a {type(item).__name__}; expected a dict of unbatched model inputs with "
            "input_ids or pixel_values."
        )
    sample = {key: torch.as_tensor(value) for key, value in item.items()}
    axes = 1 if "input_ids" in sample else 3
    main = sample["input_ids" if axes == 1 else "pixel_values"]
    if main.ndim != axes:
        raise InputError(
            f"Item {row} ({name!r}) has inputs of shape {list(main.shape)}; expected no batch axis: "
            + ("(tokens)." if axes == 1 else "(channels, rows, columns).")
        )
    if axes == 1 and not len(main):
        raise BadSample(name, "it has no token")
    if "attention_mask" in sample and not bool(sample["attention_mask"].all()):
        raise InputError(
            f"Item {row} ({name!r}) comes padded: its attention_mask holds zeros. Tokenise each text by itself, "
            "without padding; batches are padded when they are read."
        )
    return sample


def reader_of(backbone: Backbone, part: str | None, sample: Sample) -> Backbone:
    """The same backbone with its part fixed: the one asked for, or the one that reads such a sample.

    Raises:
        InputError: no such part, or a decoder, whose states are not those of a sample alone.
    """
    if part is not None:
        pick("part", part, backbone.paths)
    chosen = part or backbone.part
    if chosen is None and "vision" in backbone.paths:
        chosen = "text" if "input_ids" in sample else "vision"
    chosen = chosen or next(iter(backbone.paths))
    if chosen == "decoder":
        raise InputError("The states of a decoder depend on its target text, so no store can hold them. Train live.")
    fixed = copy.copy(backbone)
    fixed.part = chosen
    return fixed


def passed(backbone: Backbone, samples: Sequence[Sample], config: StoreConfig) -> Features:
    """Features as a store keeps them. Where the final output is the last of the states, it is the same tensor."""
    features = read(backbone, samples, config.layers)
    if features.final.dtype == torch.float64:
        raise InputError("The backbone runs in float64, which no store keeps. Move it: backbone.to(torch.float32).")
    if features.states and same_bits(features.states[-1], features.final):
        features = replace(features, final=features.states[-1])
    return choose_tokens(features, config, causal=backbone.trunks[str(backbone.part)].causal)


def same_bits(one: Tensor, other: Tensor) -> bool:
    """Equal in every bit: NaN equals itself, and zero is not minus zero."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    bits = {2: torch.int16, 4: torch.int32, 8: torch.int64}[one.dtype.itemsize]
    return torch.equal(one.contiguous().view(bits), other.contiguous().view(bits))


def examine(
    backbone: Backbone, dataset: Sequence[Any], names: Sequence[str], config: StoreConfig, part: str | None
) -> tuple[Record, Backbone]:
    """Description of the store that these would make, and the backbone with its part fixed.

    Raises:
        InputError: the first items differ when read twice, the backbone answers differently when asked twice, or
            nothing can be used.
    """
    samples = _repeatable(dataset, names)
    backbone = reader_of(backbone, part, samples[0])
    features, again = (passed(backbone, samples[:_RUN_TWICE], config) for _ in range(2))
    pairs = zip(_tensors(features), _tensors(again), strict=True)
    if not all(same_bits(one, other) for one, other in pairs):
        raise InputError(
            f"{type(backbone.model).__name__} answers differently when it reads the same batch twice: dropout or noise "
            "is active inside it. Switch it off (model.eval() on every module); random features cannot be stored."
        )
    lengths_of(features)
    chosen = str(backbone.part)
    record = Record.of(
        features,
        fingerprint=_without_place(backbone.fingerprint),
        part=chosen,
        outline=backbone.outline(chosen),
        config=config,
        samples=len(names),
        ids=digest_of_names(names),
        items=digest_of({f"{row}.{key}": value for row, item in enumerate(samples) for key, value in item.items()}),
        inputs=json.loads(json.dumps(getattr(dataset, "settings", None), default=str)),
        digests=digests_of(backbone.trunks[chosen].module),
    )
    return record, backbone


def _repeatable(dataset: Sequence[Any], names: Sequence[str]) -> list[Sample]:
    samples: list[Sample] = []
    reason = ""
    for row, name in enumerate(names):
        try:
            first, second = fetch(dataset, row, name), fetch(dataset, row, name)
        except BadSample as bad:
            reason = f" The last: {bad}."
            continue
        if set(first) != set(second) or not all(torch.equal(first[key], second[key]) for key in first):
            raise InputError(
                f"Item {row} ({name!r}) differs when it is read twice, as with a random crop or flip. What is stored "
                "is stored once: leave the augmentation out, or enumerate fixed views: a data set of samples * K "
                "items, in which item row * K + v is always the same view v of sample `row`, and StoreConfig(views=K)."
            )
        samples.append(first)
        if len(samples) == _READ_TWICE:
            break
    if not samples:
        raise InputError(f"None of the {len(names)} samples can be used.{reason}")
    return samples


def _tensors(features: Features) -> list[Tensor]:
    return [*features.states, features.final, *(() if features.pooled is None else (features.pooled,))]


def _without_place(fingerprint: Fingerprint) -> Fingerprint:
    """Where weights lie on this machine is no part of what they are: stores of equal contents are equal files."""
    return replace(fingerprint, model_id="") if os.path.isabs(fingerprint.model_id) else fingerprint

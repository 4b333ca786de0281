"""Tiny data sets and backbones for the tests of this folder."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lichen.backbones.backbone import Backbone
from lichen.backbones.features import Features
from lichen.errors import BadSample

from ..families import make_trunk

CODECS = ("float32", "bfloat16", "float16", "int8", "int8-channel", "pca")


@cache
def backbone(family: str = "bert") -> Backbone:
    """A tiny random model of a family; shared, since nothing changes it."""
    return Backbone(make_trunk(family))


class Texts(Sequence[Any]):
    """Random token ids of uneven lengths; some rows are bad."""

    def __init__(self, count: int = 21, bad: Sequence[int] = (), longest: int = 18, end: int = 49) -> None:
        random = torch.Generator().manual_seed(7)
        lengths = torch.randint(1, longest + 1, (count,), generator=random).tolist()
        self.items = [torch.randint(3, 48, (length,), generator=random) for length in lengths]
        for item in self.items:
            item[-1] = end
        self.bad = set(bad)
        self.ids = tuple(f"text {row}" for row in range(count))
        self.read = 0

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, row: Any) -> dict[str, Tensor]:
        self.read += 1
        if row in self.bad:
            raise BadSample("named otherwise", "it is empty")
        return {"input_ids": self.items[row], "attention_mask": torch.ones_like(self.items[row])}


class Pictures(Sequence[Any]):
    """Random pictures of one size."""

    def __init__(self, count: int = 9, size: int = 32, bad: Sequence[int] = ()) -> None:
        self.pixels = torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(3))
        self.bad = set(bad)

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, row: Any) -> dict[str, Tensor]:
        if row in self.bad:
            raise BadSample("named otherwise", "it is torn")
        return {"pixel_values": self.pixels[row]}


def inputs_for(family: str, count: int = 9) -> Sequence[Any]:
    """Samples that a family reads."""
    if family in ("bert", "roberta", "deberta-v2", "llama", "gpt2", "t5", "bart", "clip-text"):
        return Texts(count, longest=14)
    sizes = {"dinov2": 28, "resnet": 64, "convnext": 64}
    return Pictures(count, sizes.get(family, 32))


def files_of(folder: Path) -> dict[str, bytes]:
    """Contents of all files of a store, without temporary ones."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if not path.name.startswith(".")}


def tensors_of(features: Features) -> dict[str, Tensor]:
    """Every tensor of some features, by name."""
    found = {f"state {place}": state for place, state in enumerate(features.states)} | {"final": features.final}
    for name in ("mask", "pooled", "anchor"):
        value = getattr(features, name)
        if value is not None:
            found[name] = value
    return found


def assert_equal(one: Features, other: Features) -> None:
    """Equal in every bit and in all that is no tensor."""
    assert (one.grid, one.indices, one.is_maps) == (other.grid, other.indices, other.is_maps)
    mine, theirs = tensors_of(one), tensors_of(other)
    assert set(mine) == set(theirs)
    for name, value in mine.items():
        assert value.dtype == theirs[name].dtype and torch.equal(value, theirs[name]), name

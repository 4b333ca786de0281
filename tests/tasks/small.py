"""Small data sets without files, and features by row, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lichen.backbones.features import Features
from lichen.backbones.outline import Outline
from lichen.data.config import DataConfig
from lichen.data.dataset import Dataset
from lichen.heads.given import Given
from lichen.scene import Label, Scene

WIDTH = 6
TEXT = Given("tokens", WIDTH, modality="text")
PICTURE = Given("tokens", WIDTH, modality="image", summary_token=False)
OUTLINE = Outline("bert", "tokens", "text", (WIDTH,) * 3, heads=2, intermediate=12, late_blocks=2)
SPLITS = {"train": (0, 1, 2, 3), "dev": (4, 5), "test": (6,)}
TABLE, PAIRS = DataConfig("table", path="texts.csv"), DataConfig("image-pairs", path="pairs.csv")
TEXT_PAIRS = DataConfig("pairs", path="pairs.csv")


def labelled(labels: Sequence[Sequence[str]], *, several: bool = False, classes: Sequence[str] = ("a", "b")) -> Dataset:
    """Texts with labels; rows 0 to 3 train, 4 and 5 are dev, 6 is test."""
    scenes = [Scene(f"t{row}", text=f"text {row}", labels=tuple(map(Label, names))) for row, names in enumerate(labels)]
    return Dataset(tuple(scenes), SPLITS, tuple(classes), multi_label=several)


def captioned(counts: Sequence[int] = (2, 1, 3, 1, 2, 1, 1), *, pictures: bool = True) -> Dataset:
    """Pictures, or texts, with so many captions each."""
    scenes = [
        Scene(f"p{row}", text=None if pictures else f"query {row}", captions=tuple(f"{row} {n}" for n in range(count)))
        for row, count in enumerate(counts)
    ]
    pixels = np.random.default_rng(0).integers(0, 256, (len(counts), 8, 8, 3), dtype=np.uint8)
    return Dataset(tuple(scenes), SPLITS, pixels=pixels if pictures else None)


def features_of(rows: Tensor, seed: int = 0) -> Features:
    """Features of three tokens; what a row holds depends on its number alone."""
    states = [torch.randn(3, WIDTH, generator=torch.Generator().manual_seed(100 * seed + row)) for row in rows.tolist()]
    final = torch.stack(states)
    return Features((final * 0.5, final), final, indices=(1, 2))


class Fetch:
    """Gives features, and remembers which rows were asked for."""

    def __init__(self) -> None:
        self.asked: dict[str, list[int]] = {}

    def __call__(self, part: str, rows: Tensor) -> Features:
        self.asked.setdefault(part, []).extend(rows.tolist())
        return features_of(rows, seed=len(part))


def heads_match(one: Any, other: Any) -> bool:
    """Whether two modules have weights of one name and shape."""
    shapes = [{name: value.shape for name, value in head.state_dict().items()} for head in (one, other)]
    return shapes[0] == shapes[1]

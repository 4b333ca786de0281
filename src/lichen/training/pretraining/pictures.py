"""The playground's pictures as a model is trained on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from ...backbones.embedded.pooled_resnet import PooledResNetConfig
from ...data.playground.dataset import Playground
from ...data.playground.kept import Kept, Progress, kept

MEAN, STD = 0.5, 0.25
"""Of all channels: models see (value / 255 - MEAN) / STD."""


@dataclass(frozen=True)
class Drawn(Kept):
    """Pictures of one split with what is known of them, in batches."""

    def batch(self, rows: np.ndarray) -> Float[Tensor, "pictures 3 height width"]:
        """Some pictures as a model sees them."""
        return to_model(torch.from_numpy(self.pixels[rows]))


def shuffled(count: int, size: int, steps: int, chance: np.random.Generator) -> Iterator[Int64[np.ndarray, " batch"]]:
    """Rows of `steps` batches, in ever new orders; what is left of an order when it no longer fills a batch is dropped.

    Args:
        count: rows there are, at least `size`.
        size: of a batch. Its rows come sorted, as a mapped file is read fastest.
        steps: batches.
        chance: shuffles; whoever takes a batch may draw from it in between.
    """
    order = np.empty(0, dtype=np.int64)
    for _ in range(steps):
        if len(order) < size:
            order = chance.permutation(count)
        rows, order = np.sort(order[:size]), order[size:]
        yield rows


def encoder_config(channels: Sequence[int], depths: Sequence[int], size: int) -> PooledResNetConfig:
    """The convolutional network that all pre-training here starts from: basic blocks, a stem of the first width.

    Args:
        channels: of the stages, at strides 4, 8, 16 and so on.
        depths: blocks of two convolutions in each stage.
        size: edge of the pictures in pixels.
    """
    return PooledResNetConfig(
        embedding_size=channels[0],
        hidden_sizes=list(channels),
        depths=list(depths),
        layer_type="basic",
        image_size=size,
    )


def to_model(pixels: UInt8[Tensor, "pictures height width 3"]) -> Float[Tensor, "pictures 3 height width"]:
    """Bytes to the values that models see."""
    return (pixels.permute(0, 3, 1, 2).float() / 255 - MEAN) / STD


def drawn(playground: Playground, progress: Progress | None = None) -> Drawn:
    """All pictures of a playground; those that were drawn before come from the cache.

    Args:
        playground: which.
        progress: told how many of how many pictures are there.
    """
    found = kept(playground, progress)
    return Drawn(found.pixels, found.scenes)

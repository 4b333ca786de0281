"""Scikit-learn's 1,797 handwritten digits (8 x 8 grey levels), which come inside the package: no download.

Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..errors import MissingPackageError

CLASSES = 10
LEVELS = 16
"""Grey levels run from 0 to this."""


@dataclass(frozen=True)
class Digits:
    """The digits with a fixed shuffled split."""

    images: Float[Tensor, "samples 8 8"]
    """Ink from 0 (none) to 1."""
    labels: Int[Tensor, " samples"]
    """Digit, 0 to 9."""
    train: Int[Tensor, " train"]
    """Sample numbers of the training side."""
    test: Int[Tensor, " test"]
    """Sample numbers of the test side."""


def load_digits(train: int = 1000, seed: int = 0) -> Digits:
    """Read the digits and split them.

    Args:
        train: number of training samples; the rest are test samples.
        seed: of the shuffle.

    Raises:
        MissingPackageError: scikit-learn is not installed.
    """
    try:
        from sklearn import datasets
    except ImportError as error:
        raise MissingPackageError(
            "The handwritten digits come with scikit-learn, which is missing. Install it: pip install scikit-learn"
        ) from error
    bunch = datasets.load_digits()
    order = torch.randperm(len(bunch.target), generator=torch.Generator().manual_seed(seed))
    return Digits(
        images=torch.tensor(bunch.images, dtype=torch.float32) / LEVELS,
        labels=torch.tensor(bunch.target),
        train=order[:train],
        test=order[train:],
    )


def to_pixels(
    images: Float[Tensor, "samples 8 8"], size: int, mean: Sequence[float], std: Sequence[float]
) -> Float[Tensor, "samples 3 size size"]:
    """Enlarge to `size` x `size`, repeat over three channels and normalise as a backbone expects.

    Args:
        images: ink from 0 to 1.
        size: of the square picture, in pixels.
        mean, std: of each channel, from the backbone's preprocessing.
    """
    large = torch.nn.functional.interpolate(images[:, None], size=(size, size), mode="bicubic", align_corners=False)
    shift, scale = torch.tensor(mean)[:, None, None], torch.tensor(std)[:, None, None]
    return (large.clamp(0, 1).expand(-1, 3, -1, -1) - shift) / scale

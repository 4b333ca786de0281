"""Scikit-learn's 1,797 handwritten digits (8 x 8 grey levels), which come inside the package: no download.

Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998.
"""

from __future__ import annotations

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

"""Layers that several parts of the scene graph head share."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import linear


def dense(width: int, out: int) -> nn.Linear:
    """A linear layer that starts as those of maskrcnn-benchmark: uniform in ±sqrt(3 / width), bias 0."""
    layer = nn.Linear(width, out)
    nn.init.kaiming_uniform_(layer.weight, a=1)
    nn.init.zeros_(layer.bias)
    return layer


def xavier(width: int, out: int) -> nn.Linear:
    """A linear layer with Xavier-normal weights and bias 0."""
    layer = nn.Linear(width, out)
    nn.init.xavier_normal_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def of_both(
    layer: nn.Linear, codes: Float[Tensor, "boxes width"], pairs: Int[Tensor, "pairs 2"]
) -> Float[Tensor, "pairs out"]:
    """A linear layer on the codes of subject and object side by side, each multiplied once a box, not once a pair."""
    half = codes.shape[1]
    subject = linear(codes, layer.weight[:, :half], layer.bias)
    thing = linear(codes, layer.weight[:, half:])
    return subject.index_select(0, pairs[:, 0]) + thing.index_select(0, pairs[:, 1])


class ClassVectors(nn.Module):
    """A vector for each class, and one for "nothing" (row 0).

    Args:
        classes: how many there are.
        width: of the vectors.
        words: where the classes' vectors start, such as word vectors of their names; None draws them from N(0, 1).
    """

    def __init__(self, classes: int, width: int, words: Float[Tensor, "classes width"] | None = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(classes + 1, width))
        if words is not None:
            with torch.no_grad():
                self.weight[1:] = words

    def mixed(self, shares: Float[Tensor, "boxes one_more"]) -> Float[Tensor, "boxes width"]:
        """Vectors weighted by probabilities, that of "nothing" first."""
        return shares.to(self.weight.dtype) @ self.weight

    def named(self, labels: Int[Tensor, " boxes"]) -> Float[Tensor, "boxes width"]:
        """The vector of each label; -1 is nothing."""
        return self.weight.index_select(0, labels + 1)


class SteadyBatchNorm(nn.BatchNorm1d):
    """Batch norm that uses its running statistics where a training batch has too few rows to have any of its own."""

    def forward(self, x: Float[Tensor, "rows width"]) -> Float[Tensor, "rows width"]:
        if self.training and len(x) < 2:
            return nn.functional.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps
            )
        return super().forward(x)

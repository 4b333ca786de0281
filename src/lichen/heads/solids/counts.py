"""`CountRegressor`: how many parts a half model has, from the picture's vector alone."""

from __future__ import annotations

from jaxtyping import Float, Int64
from torch import Tensor, nn

from .layers import perceptron


class CountRegressor(nn.Module):
    """A perceptron 256-64-32-1 on a vector; mean squared error, rounded where a number is needed.

    Source: arXiv 2109.04153 (solids_and_video.md A4, stage of counts).

    Args:
        width: of the vector.
        start: where it begins: the mean count of the training side.
    """

    def __init__(self, width: int, start: float = 0.0) -> None:
        super().__init__()
        self.layers = perceptron(width, 256, 64, 32, 1)
        last = self.layers[-1]
        assert isinstance(last, nn.Linear)
        nn.init.constant_(last.bias, start)

    def forward(self, vector: Float[Tensor, "batch width"]) -> Float[Tensor, " batch"]:
        """Counts, not rounded."""
        return self.layers(vector).squeeze(-1)


def rounded(counts: Float[Tensor, " batch"], most: int) -> Int64[Tensor, " batch"]:
    """Whole numbers from 1 to `most`."""
    return counts.round().long().clamp(1, most)

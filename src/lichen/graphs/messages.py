"""One message along an edge, and what a node makes of the messages that reach it.

Source: BGNN, CVPR 2021, as its authors' code has it (graphs.md 1.4).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


class MessageGate(nn.Module):
    """How much of a source its target wants to hear: one number for each edge, times the source.

    M(target, source) = mean over channels of sigmoid(W R(LN([target, source]))) · source, R the ReLU.

    Args:
        width: of targets and sources.
        channels: votes whose mean is the number.
    """

    def __init__(self, width: int, channels: int = 128) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(2 * width)
        self.votes = nn.Linear(2 * width, channels)

    def forward(
        self, target: Float[Tensor, "edges width"], source: Float[Tensor, "edges width"]
    ) -> Float[Tensor, "edges width"]:
        """The message of each edge."""
        votes = self.votes(self.norm(torch.cat([target, source], -1)).relu())
        return votes.sigmoid().mean(-1, keepdim=True) * source


class Fusion(nn.Module):
    """What is added to a node: W_m R(message) + W_h R(own feature), each with a bias."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.message = nn.Linear(width, width)
        self.own = nn.Linear(width, width)

    def forward(
        self, message: Float[Tensor, "nodes width"], own: Float[Tensor, "nodes width"]
    ) -> Float[Tensor, "nodes width"]:
        """The update of each node."""
        return self.message(message.relu()) + self.own(own.relu())

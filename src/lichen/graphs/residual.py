"""One round of messages between all nodes of a picture, added to what they are.

w_ij = <g3(n_i), g4(n_j)>; m_i = mean over j ≠ i of w_ij g2(n_j); n_i becomes n_i + g5(m_i). A node that is alone stays.

Source: graph reasoning of arXiv 2109.04153 (solids_and_video.md A4, A13.1).
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


class ResidualMessages(nn.Module):
    """Messages over a fully connected graph without self edges; padded batches.

    Args:
        width: of nodes.
        scale: divide edge weights by the root of the width, without which they explode at usual widths; the release
            does not.
        weights: dot: plain products, as published; softmax: over the senders of each node, an alternative in the
            release's code.
    """

    def __init__(self, width: int, scale: bool = True, weights: Literal["dot", "softmax"] = "dot") -> None:
        super().__init__()
        self.content, self.receiver, self.sender, self.update = (nn.Linear(width, width) for _ in range(4))
        self.factor = width**-0.5 if scale else 1.0
        self.weights = weights

    def forward(
        self, nodes: Float[Tensor, "batch nodes width"], there: Bool[Tensor, "batch nodes"]
    ) -> Float[Tensor, "batch nodes width"]:
        """Nodes after one round.

        Args:
            nodes: padded.
            there: which are no padding.
        """
        weight = self.receiver(nodes) @ self.sender(nodes).mT * self.factor
        count = nodes.shape[1]
        edge = there[:, :, None] & there[:, None] & ~torch.eye(count, dtype=torch.bool, device=nodes.device)
        senders = edge.sum(-1, keepdim=True)
        if self.weights == "softmax":
            weight = weight.masked_fill(~edge, -1e9).softmax(-1) * edge
        else:
            weight = weight * edge / senders.clamp(min=1)
        message = self.update(weight @ self.content(nodes))
        return nodes + message * (senders > 0)

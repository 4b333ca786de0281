"""How sure a pair is to have a relation at all, and how wide that opens the gate of its messages.

Source: BGNN, CVPR 2021, as its authors' code has it (graphs.md 1.3): relation confidence estimation with "hybrid"
fusion, and the learnable linear gate.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from .layers import ClassVectors, dense, of_both
from .representation import GEOMETRY

_PLACE = 128


class ConfidenceEstimator(nn.Module):
    """Logits of each predicate, and one that there is any, for every pair.

    What it reads is detached: it judges features, it does not shape them.

    Args:
        channels: of the pairs' features.
        classes: of boxes.
        predicates: how many there are.
        embedding: width of the classes' vectors.
        hidden: width inside.
        words: where the vectors of the classes start; see `ClassVectors`.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        predicates: int,
        embedding: int,
        hidden: int = 512,
        words: Float[Tensor, "classes width"] | None = None,
    ) -> None:
        super().__init__()
        self.seeming = ClassVectors(classes, embedding, words)
        self.place = nn.Sequential(nn.Linear(GEOMETRY, _PLACE), nn.ReLU(), nn.Linear(_PLACE, _PLACE))
        self.boxes = dense(2 * (_PLACE + embedding), hidden)
        self.seen = dense(channels, hidden)
        self.joined_norm = nn.LayerNorm(2 * hidden)
        self.joined = dense(2 * hidden, hidden)
        self.each_norm = nn.LayerNorm(hidden)
        self.each = dense(hidden, predicates)
        self.any = nn.Linear(predicates, 1)

    def forward(
        self,
        predicates: Float[Tensor, "pairs channels"],
        geometry: Float[Tensor, "boxes 9"],
        shares: Float[Tensor, "boxes one_more"],
        pairs: Int[Tensor, "pairs 2"],
    ) -> Float[Tensor, "pairs logits"]:
        """Logits of the predicates, and in the last column that of any relation."""
        seen = self.seen(predicates.detach().relu())
        codes = torch.cat([self.place(geometry.detach()), self.seeming.mixed(shares.detach())], 1).relu()
        both = torch.cat([seen, of_both(self.boxes, codes, pairs)], 1)
        each = self.each(self.each_norm(self.joined(self.joined_norm(both).relu())).relu())
        return torch.cat([each, self.any(each)], 1)


class Gate(nn.Module):
    """clamp(alpha · (confidence - beta), 0, 1): closed up to beta, open from beta + 1 / alpha on; alpha is learnt.

    Args:
        slope: where alpha starts.
        offset: beta.
    """

    def __init__(self, slope: float = 3.12, offset: float = 0.06) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor([slope]))
        self.offset = offset

    def forward(self, confidence: Float[Tensor, "*pairs"]) -> Float[Tensor, "*pairs"]:
        """How far each gate is open, from 0 to 1."""
        return (self.slope * (confidence - self.offset)).clamp(0, 1)

"""`Matcher`: how well a box suits a phrase, and how it should be moved to suit it better.

The released score is a linear layer on phrase and box side by side. That is a number of the phrase plus a number of the
box, so all phrases of a picture would rank its boxes alike: only what the detector's class says of a phrase tells them
apart. Therefore the score here has a product of phrase and box as well, unless it is to be the released one.

A linear layer on two vectors side by side is the sum of a layer on each, so every phrase and every box goes through it
once, and pairs only add.

Source: graphs.md 2.3, but for the product.
"""

from __future__ import annotations

import math

from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import linear


class Matcher(nn.Module):
    """One set of weights, for both stages.

    Args:
        width: of phrases and of boxes.
        hidden: width inside the network that moves boxes; None moves none.
        product: whether the score has a product of phrase and box.
    """

    def __init__(self, width: int, hidden: int | None, product: bool = True) -> None:
        super().__init__()
        self.width = width
        self.score = nn.Linear(2 * width, 1)
        self.phrase = nn.Linear(width, width, bias=False) if product else None
        self.box = nn.Linear(width, width, bias=False) if product else None
        self.enter = None if hidden is None else nn.Linear(2 * width, hidden)
        self.leave = None if hidden is None else nn.Linear(hidden, 4)
        if self.leave is not None:
            # What has learnt nothing yet moves nothing.
            nn.init.zeros_(self.leave.weight)
            nn.init.zeros_(self.leave.bias)

    def scores(
        self,
        phrases: Float[Tensor, "phrases width"],
        boxes: Float[Tensor, "boxes width"],
        phrase: Int[Tensor, " pairs"],
        box: Int[Tensor, " pairs"],
    ) -> Float[Tensor, " pairs"]:
        """How well the boxes of pairs suit their phrases; any number.

        Args:
            phrase, box: rows of the two tables.
        """
        scores = self._both(self.score, phrases, boxes, phrase, box)[:, 0]
        if self.phrase is None or self.box is None:
            return scores
        product = (self.phrase(phrases)[phrase] * self.box(boxes)[box]).sum(1)
        return scores + product / math.sqrt(self.width)

    def table(
        self, phrases: Float[Tensor, "phrases width"], boxes: Float[Tensor, "boxes width"]
    ) -> Float[Tensor, "phrases boxes"]:
        """How alike all phrases and all boxes are, of whatever picture: the product alone."""
        assert self.phrase is not None and self.box is not None
        return self.phrase(phrases) @ self.box(boxes).T / math.sqrt(self.width)

    def deltas(
        self,
        phrases: Float[Tensor, "phrases width"],
        boxes: Float[Tensor, "boxes width"],
        phrase: Int[Tensor, " pairs"],
        box: Int[Tensor, " pairs"],
    ) -> Float[Tensor, "pairs 4"] | None:
        """How the boxes of pairs should be moved, see `regions.decode_deltas`; None in a network that moves none."""
        if self.enter is None or self.leave is None:
            return None
        return self.leave(self._both(self.enter, phrases, boxes, phrase, box).relu())

    def _both(self, layer: nn.Linear, phrases: Tensor, boxes: Tensor, phrase: Tensor, box: Tensor) -> Tensor:
        first, second = layer.weight.split(self.width, 1)
        return linear(phrases, first, layer.bias)[phrase] + linear(boxes, second)[box]

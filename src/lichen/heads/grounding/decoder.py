"""`PhraseDecoder`: rebuilds the words of a phrase from what was seen of it. What the network attends to must tell them.

Source: graphs.md 2.5 and 2.6.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from .captions import END


class PhraseDecoder(nn.Module):
    """A GRU that begins with the visual vector and reads the words that it should say, one step behind.

    Args:
        width: of visual vectors and words.
        vocabulary: words of phrases, 0 (the end) included.
    """

    def __init__(self, width: int, vocabulary: int) -> None:
        super().__init__()
        self.gru = nn.GRU(width, width, batch_first=True)
        self.out = nn.Linear(width, vocabulary)

    def forward(
        self,
        visual: Float[Tensor, "phrases width"],
        words: Float[Tensor, "phrases words width"],
        spoken: Int[Tensor, "phrases words"],
    ) -> tuple[Float[Tensor, " phrases"], Int[Tensor, " phrases"]]:
        """How badly each phrase is rebuilt.

        Args:
            visual: what was seen of each phrase.
            words: vectors of its words; what stands behind the last is not read.
            spoken: ids of the words that should be said, padded with 0.

        Returns:
            Sum of the cross-entropy over the words and the end of each phrase, and over how many it is.
        """
        states = self.gru(torch.cat([visual[:, None], words], 1))[0]
        lengths = (spoken != END).sum(1)
        counted = torch.arange(states.shape[1], device=states.device) <= lengths[:, None]
        targets = torch.cat([spoken, spoken.new_full((len(spoken), 1), END)], 1)
        # Only what counts goes through the output layer, which is as wide as the vocabulary.
        losses = cross_entropy(self.out(states[counted]), targets[counted], reduction="none")
        row = torch.arange(len(spoken), device=spoken.device)[:, None].expand_as(counted)[counted]
        return losses.new_zeros(len(spoken)).index_add(0, row, losses), lengths + 1

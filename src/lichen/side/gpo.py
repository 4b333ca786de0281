"""GPO: a pooling head that learns how much the largest, second largest, ... value of a feature counts.

Source: VSE-infinity, as trained together with UniPT and SHERL in their image-text experiments; docs/papers.md 1.3.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ..errors import InputError

TEMPERATURE = 0.1
HIDDEN = -1e4
"""Score of a position beyond the length: its weight is exactly zero after the softmax."""


def position_codes(count: int, width: int, device: torch.device) -> Float[Tensor, "count width"]:
    """Sines and cosines of positions 0 to count - 1, interleaved, in float32 as published."""
    rates = torch.exp(torch.arange(0, width, 2, device=device).float() * (-math.log(10000.0) / width))
    angles = torch.arange(count, device=device).float().unsqueeze(1) * rates
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


class GPO(nn.Module):
    """Generalised pooling operator: (batch, tokens, width) to (batch, width).

    Each channel is sorted in descending order over the valid tokens; the result is the sum over ranks weighted by what
    a bidirectional GRU says of the rank's position code. The result is not normalised; retrieval normalises it to
    length one afterwards.

    Args:
        code: width of the position codes, an even number.
        hidden: width of the GRU.
    """

    def __init__(self, code: int = 32, hidden: int = 32) -> None:
        super().__init__()
        if code < 2 or code % 2:
            raise InputError(f"code must be an even number of at least 2; got {code}.")
        self.code = code
        self.gru = nn.GRU(code, hidden, batch_first=True, bidirectional=True)
        self.score = nn.Linear(hidden, 1, bias=False)

    def weights(self, lengths: Int[Tensor, " batch"], tokens: int) -> Float[Tensor, "batch tokens"]:
        """Weight of every rank, summing to one over the first `length` ranks of each sample."""
        # The codes are the same for all samples, so one run a distinct length is enough.
        sizes, which = lengths.clamp(min=1).unique(return_inverse=True)
        codes = position_codes(tokens, self.code, lengths.device).to(self.score.weight.dtype)
        codes = codes.expand(len(sizes), -1, -1)
        packed = pack_padded_sequence(codes, sizes.cpu(), batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.gru(packed)[0], batch_first=True, total_length=tokens)
        forward, backward = states.chunk(2, -1)
        scores = self.score((forward + backward) / 2).squeeze(-1)
        beyond = torch.arange(tokens, device=lengths.device) >= sizes.unsqueeze(1)
        return (scores.masked_fill(beyond, HIDDEN) / TEMPERATURE).softmax(-1)[which]

    def forward(
        self, features: Float[Tensor, "batch tokens width"], mask: Bool[Tensor, "batch tokens"] | None = None
    ) -> Float[Tensor, "batch width"]:
        """Pool the valid tokens; a sample without any gives zeros.

        Args:
            mask: True where a token is real; None when all are.
        """
        batch, tokens, _ = features.shape
        if mask is None:
            mask = torch.ones(batch, tokens, dtype=torch.bool, device=features.device)
        lengths = mask.sum(1)
        ranked = features.masked_fill(~mask.unsqueeze(-1), -math.inf).sort(1, descending=True).values
        beyond = torch.arange(tokens, device=features.device) >= lengths.unsqueeze(1)
        ranked = ranked.masked_fill(beyond.unsqueeze(-1), 0)
        return (self.weights(lengths, tokens).to(features.dtype).unsqueeze(-1) * ranked).sum(1)

"""`Embedder`: a sample as a point of length one in a space where likeness is a dot product."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ..backbones.features import Features
from ..errors import InputError
from ..side.ops import l2_normalise, wide
from .summary import Summary

EPS = 1e-8
"""Added to the length that a vector is divided by, as published with GPO."""


class Embedder(nn.Module):
    """A linear projection of a sample, normalised to length one.

    With pooling="gpo" every token is projected and the projected tokens are pooled, as published (VSE-infinity; see
    `side.gpo`). Other summaries are pooled first, then standardised as in `Classifier`, then projected.

    Args:
        summary: makes the vector, or the tokens for gpo.
        width: of the embedding; None takes the summary as it is, for side networks that already give a joint space and
            for CLIP's own.
        token_dropout: gpo only: share of the tokens that training leaves out at random; published: 0.2 for pictures.

    Raises:
        InputError: a setting out of range.
    """

    def __init__(self, summary: Summary, width: int | None = 512, token_dropout: float = 0.0) -> None:
        super().__init__()
        if width is not None and width < 1:
            raise InputError(f"width must be None or at least 1; got {width}.")
        if not 0 <= token_dropout < 1:
            raise InputError(f"token_dropout must lie in [0, 1); got {token_dropout}.")
        if token_dropout and summary.gpo is None:
            raise InputError(f"token_dropout is for pooling='gpo'; this embedder pools by {summary.pooling!r}.")
        self.summary = summary
        self.width = width or summary.width
        self.token_dropout = token_dropout
        self.project = None if width is None else nn.Linear(summary.width, width)

    def forward(self, features: Features) -> Float[Tensor, "batch width"]:
        """Embed a batch; see the class."""
        if self.summary.gpo is not None:
            tokens, mask = self.summary.tokens(features)
            vector = self.summary.gpo(self._projected(tokens), self._drop(tokens, mask))
        else:
            vector = self._projected(self.summary(features, standardise=self.project is not None))
        return l2_normalise(vector.to(wide(vector.dtype)), EPS)

    def _projected(self, x: Tensor) -> Tensor:
        if self.project is None:
            return x.to(wide(x.dtype))
        return self.project(x.to(self.project.weight.dtype))

    def _drop(
        self, tokens: Float[Tensor, "batch tokens width"], mask: Bool[Tensor, "batch tokens"] | None
    ) -> Bool[Tensor, "batch tokens"] | None:
        """The mask without the tokens left out; a sample that would lose all keeps all."""
        if not self.token_dropout or not self.training:
            return mask
        kept = torch.rand(tokens.shape[:2], device=tokens.device) >= self.token_dropout
        if mask is None:
            mask = torch.ones_like(kept)
        kept = kept & mask
        return torch.where(kept.any(1, keepdim=True), kept, mask)

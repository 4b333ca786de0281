"""The loss of texts: cross-entropy of their tokens, averaged over each text before it is averaged over texts.

A label of one token and a caption of twelve then weigh alike, which a mean over all tokens of a batch would not give.

Source: decoders.md 1.6 and pitfall 11.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy

from ...errors import InputError

Labels = Int[Tensor, "rows length"]
Weights = Float[Tensor, "rows length"]


def shift_right(labels: Labels, start: int) -> Labels:
    """Inputs that predict labels: `start`, then all labels but the last."""
    return torch.cat([torch.full_like(labels[:, :1], start), labels[:, :-1]], 1)


def token_weights(labels: Labels, weights: Weights | None, pad: int) -> Weights:
    """What each token counts for: nothing where it is padding, else its weight or 1.

    Raises:
        InputError: weights that do not belong to these labels.
    """
    real = labels != pad
    if weights is None:
        return real.to(torch.float32)
    if weights.shape != labels.shape:
        raise InputError(f"Weights of shape {list(labels.shape)} are expected; got {list(weights.shape)}.")
    return weights * real


def token_losses(
    logits: Float[Tensor, "tokens vocabulary"], labels: Int[Tensor, " tokens"], smoothing: float = 0.0
) -> Float[Tensor, " tokens"]:
    """Cross-entropy of each token.

    Args:
        logits: scores.
        labels: what should have been written.
        smoothing: share of the target that goes to the V - 1 other tokens, as in big_vision. torch's own setting
            spreads over all V, so it is given V / (V - 1) of this.
    """
    vocabulary = logits.shape[-1]
    spread = min(1.0, smoothing * vocabulary / (vocabulary - 1)) if smoothing else 0.0
    return cross_entropy(logits, labels, reduction="none", label_smoothing=spread)


def text_means(values: Float[Tensor, "rows length"], weights: Weights) -> Float[Tensor, " rows"]:
    """Weighted mean over the tokens of each text; 0 for a text of which nothing counts."""
    weights = weights.to(values.dtype)
    return (values * weights).sum(1) / weights.sum(1).clamp(min=torch.finfo(values.dtype).tiny)


def text_losses(
    logits: Float[Tensor, "rows length vocabulary"],
    labels: Labels,
    weights: Weights | None = None,
    *,
    smoothing: float = 0.0,
    pad: int = 0,
) -> Float[Tensor, " rows"]:
    """Mean cross-entropy of each text; the loss of a batch is their mean.

    Args:
        logits: scores of the token at each position.
        labels: what should have been written, padded on the right.
        weights: what each token counts for; None: 1. Padding counts for nothing.
        smoothing: see `token_losses`.
        pad: id of padding.

    Raises:
        InputError: weights that do not belong to these labels.
    """
    counted = token_weights(labels, weights, pad)
    losses = token_losses(logits.flatten(0, 1), labels.flatten(), smoothing).unflatten(0, labels.shape)
    return text_means(losses, counted)

"""Teacher forcing: what a decoder makes of texts that are given to it, for training and for validation.

The output matrix is the largest of a small decoder, so scores are made only where a token counts: neither for padding
nor for a prompt that is not learnt.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy

from ...errors import InputError
from .decoder import TextDecoder
from .loss import Labels, Weights, shift_right, text_means, token_losses, token_weights
from .memory import Memory

Rows = Int[Tensor, " rows"]


def teach(
    decoder: TextDecoder,
    memory: Memory,
    labels: Labels,
    weights: Weights | None = None,
    *,
    picture: Rows | None = None,
    parallel: Bool[Tensor, " rows"] | None = None,
) -> Float[Tensor, " rows"]:
    """The loss of each text, with the decoder's label smoothing; train on the mean.

    Args:
        decoder: in train mode for dropout.
        memory: of the pictures.
        labels: texts with their prompts and ends, padded on the right.
        weights: what each token counts for, such as 0 on a prompt; None: 1. Padding counts for nothing.
        picture: which picture each text is about; None: text i is about picture i.
        parallel: texts whose tokens are all predicted at once, from nothing but the picture: every input of the
            context is hidden and every position looks at all. Rows of both kinds go through two passes, so that
            causal ones keep the fast attention. Source: CapPa; decoders.md 2.4 and pitfall 12.

    Raises:
        InputError: texts that are longer than the context, or without a picture.
    """
    counted = token_weights(labels, weights, decoder.config.pad)
    if parallel is None or not bool(parallel.any()):
        return _losses(decoder, _causal(decoder, memory, labels, picture), labels, counted)
    if picture is None:
        picture = torch.arange(len(labels), device=labels.device)
    found = counted.new_zeros(len(labels))
    for rows, pass_over in ((parallel, _parallel), (~parallel, _causal)):
        places = rows.nonzero()[:, 0]
        if len(places):
            hidden = pass_over(decoder, memory, labels[places], picture[places])
            losses = _losses(decoder, hidden, labels[places], counted[places])
            found = found.to(losses.dtype).index_copy(0, places, losses)
    return found


def log_likelihood(
    decoder: TextDecoder,
    memory: Memory,
    labels: Labels,
    weights: Weights | None = None,
    *,
    picture: Rows | None = None,
) -> Float[Tensor, " rows"]:
    """Sum of the log-probabilities of each text's tokens, weighted; the arguments are those of `teach`.

    Its negative is the log-perplexity that ranks encoders with little noise (decoders.md 1.3).
    """
    counted = token_weights(labels, weights, decoder.config.pad)
    hidden = _causal(decoder, memory, labels, picture)
    places = counted.nonzero(as_tuple=True)
    losses = cross_entropy(decoder.logits(hidden[places]), labels[places], reduction="none")
    return -(_spread(losses, places, labels) * counted).sum(1)


def _causal(decoder: TextDecoder, memory: Memory, labels: Labels, picture: Rows | None) -> Tensor:
    return decoder.hidden(shift_right(labels, decoder.config.pad), memory, picture)


def _parallel(decoder: TextDecoder, memory: Memory, labels: Labels, picture: Rows | None) -> Tensor:
    """All of the context is hidden, whatever the batch holds: neither the text's length nor its neighbours' shows."""
    config = decoder.config
    if labels.shape[1] > config.context:
        raise InputError(f"A text of {labels.shape[1]} tokens does not fit into a context of {config.context}.")
    hidden = torch.full((len(labels), config.context), config.mask, device=labels.device)
    return decoder.hidden(hidden, memory, picture, causal=False)[:, : labels.shape[1]]


def _losses(decoder: TextDecoder, hidden: Tensor, labels: Labels, counted: Weights) -> Float[Tensor, " rows"]:
    places = counted.nonzero(as_tuple=True)
    losses = token_losses(decoder.logits(hidden[places]), labels[places], decoder.config.label_smoothing)
    return text_means(_spread(losses, places, labels), counted)


def _spread(values: Tensor, places: tuple[Tensor, ...], labels: Labels) -> Float[Tensor, "rows length"]:
    """Values back at their places; 0 elsewhere."""
    return values.new_zeros(labels.shape).index_put(places, values)

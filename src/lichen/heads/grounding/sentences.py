"""Sentence encoders: captions to vectors of words, phrases and whole sentences.

`GRUSentences` is the published one, trained from nothing. `FrozenSentences` reads the features of a frozen text
backbone instead, adapted by a side network or not.

Source: graphs.md 2.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ...backbones.features import Features
from ...errors import InputError
from ...side.ops import masked_mean
from .captions import END, Captions


@dataclass(frozen=True, eq=False)
class Sentences:
    """What an encoder makes of captions."""

    words: Float[Tensor, "phrases words width"]
    """A vector of each word of each phrase that knows nothing of its neighbours: what the phrase is rebuilt from."""
    phrases: Float[Tensor, "phrases width"]
    """Mean over the words of each phrase, read in their sentence."""
    whole: Float[Tensor, "captions width"]
    """Mean over the words of each caption."""


class GRUSentences(nn.Module):
    """Embedding and one GRU, left to right.

    Args:
        vocabulary: ids of words, 0 (padding) included.
        width: of words, phrases and sentences.
    """

    def __init__(self, vocabulary: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.gru = nn.GRU(width, width, batch_first=True)

    def forward(self, captions: Captions, text: Features | None = None) -> Sentences:
        """Read captions.

        Args:
            text: None.

        Raises:
            InputError: captions without words, a word that the vocabulary lacks, or features of a text backbone, which
                this encoder does not read.
        """
        tokens = captions.tokens
        if tokens is None or text is not None:
            raise InputError(
                "A GRU reads the words of the captions themselves: give Captions with tokens and no features of a text "
                "backbone, or build the head with a frozen text backbone."
            )
        if tokens.numel() and int(tokens.max()) >= self.embedding.num_embeddings:
            raise InputError(
                f"Word {int(tokens.max())} is not in the vocabulary of {self.embedding.num_embeddings}, numbered from "
                "0: encode captions with the vocabulary that the head was built for."
            )
        # Padding stands behind the words, so it changes no state that is read.
        embedded = self.embedding(tokens)
        states = self.gru(embedded)[0] if tokens.numel() else embedded
        phrase, token = captions.places
        inside = token - captions.spans[phrase, 0]
        words = embedded.new_zeros(captions.phrases, captions.spoken.shape[1], embedded.shape[2])
        words = words.index_put((phrase, inside), embedded[captions.caption[phrase], token])
        return Sentences(words, _spans(states, captions), masked_mean(states, tokens != END))


class FrozenSentences(nn.Module):
    """Features of a frozen text backbone, each token mapped to the width of the head.

    Words to rebuild phrases from have an embedding of their own: a token of a text backbone may know what comes behind
    it, and a phrase could be rebuilt without looking at the picture.

    Args:
        features: width of the backbone's tokens.
        phrase_vocabulary: ids of words in phrases, 0 (the end) included.
        width: of words, phrases and sentences.
    """

    def __init__(self, features: int, phrase_vocabulary: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(phrase_vocabulary, width)
        self.norm = nn.LayerNorm(features)
        self.linear = nn.Linear(features, width)

    def forward(self, captions: Captions, text: Features | None = None) -> Sentences:
        """Read captions.

        Args:
            text: tokens of each caption, in the order of the captions.

        Raises:
            InputError: no features, of another width, or not one row a caption.
        """
        if text is None or text.final.ndim != 3:
            raise InputError("This head reads captions through a text backbone: give the features of their tokens.")
        if text.final.shape[-1] != self.linear.in_features or len(text.final) != len(captions):
            raise InputError(
                f"Tokens of {len(captions)} captions, {self.linear.in_features} wide, are expected; got features of "
                f"shape {tuple(text.final.shape)}."
            )
        states = self.linear(self.norm(text.final.to(self.linear.weight.dtype)))
        return Sentences(self.embedding(captions.spoken), _spans(states, captions), masked_mean(states, text.mask))


def _spans(states: Float[Tensor, "captions tokens width"], captions: Captions) -> Float[Tensor, "phrases width"]:
    """Mean state over the tokens of each phrase."""
    phrase, token = captions.places
    total = states.new_zeros(captions.phrases, states.shape[2])
    total = total.index_add(0, phrase, states[captions.caption[phrase], token])
    return total / torch.bincount(phrase, minlength=captions.phrases).clamp(min=1)[:, None]


def spoken_lengths(captions: Captions) -> Int[Tensor, " phrases"]:
    """Words of each phrase."""
    return (captions.spoken != END).sum(1)

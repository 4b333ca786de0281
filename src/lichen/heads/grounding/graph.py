"""`PhraseGraph`: phrases of a caption tell their boxes what they are related to.

Two phrases that a relation ties are neighbours, as strongly as their contexts agree: the gate. A phrase gathers the
contexts of its neighbours and adds what it learnt to each of its boxes, by how much attention the box has.

Source: graphs.md 2.4.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from .candidates import Candidates


class PhraseGraph(nn.Module):
    """One round of messages between related phrases.

    Args:
        width: of contexts.
        joint: width in which two contexts are compared.
    """

    def __init__(self, width: int, joint: int) -> None:
        super().__init__()
        self.compare = nn.Linear(width, joint)
        self.learn = nn.Linear(width, width)

    def forward(
        self,
        contexts: Float[Tensor, "phrases width"],
        relations: Int[Tensor, "relations 2"],
        caption: Int[Tensor, " phrases"],
        captions: int,
        released: bool = False,
    ) -> Float[Tensor, "phrases width"]:
        """What each phrase learns from the phrases that it is related to.

        Zero for the phrases of captions without relations. In a caption with relations a phrase that has none itself
        still gets the layer's bias, as released.

        Args:
            contexts: what is seen of each phrase so far.
            relations: pairs of phrases; the way round and repetitions do not matter.
            caption: of each phrase.
            captions: how many there are.
            released: softmax as in the released code, see `Candidates.softmax`.
        """
        if not len(relations):
            return torch.zeros_like(contexts)
        both = torch.cat([relations, relations.flip(1)])
        edges = torch.unique(both[:, 0] * len(contexts) + both[:, 1])
        row, neighbour = edges // len(contexts), edges % len(contexts)
        seen = self.compare(contexts)
        gates = ((seen[row] * seen[neighbour]).sum(1) / math.sqrt(seen.shape[1])).relu()
        rows = Candidates(row, neighbour, len(contexts))
        weights = rows.softmax(gates, gates > 0, released)
        learnt = self.learn(rows.sum(weights[:, None] * contexts[neighbour])).relu()
        return learnt * _in_graph(relations, caption, captions)[:, None]


def _in_graph(relations: Tensor, caption: Tensor, captions: int) -> Bool[Tensor, " phrases"]:
    """Which phrases belong to a caption that has relations."""
    return (torch.bincount(caption[relations[:, 0]], minlength=captions) > 0)[caption]

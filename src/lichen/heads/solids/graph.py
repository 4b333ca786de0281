"""`PrimitiveGraph`: all proposals of a picture reason together: which exist, what they are, where exactly.

Source: arXiv 2109.04153 (solids_and_video.md A4). A proposal that is none is of the class "background", the last one.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from ...graphs.residual import ResidualMessages
from .config import SolidsConfig
from .layers import ClassPerceptrons, perceptron
from .proposals import LENGTHS, TURNS


@dataclass(frozen=True, eq=False)
class Refined:
    """What the graph says of every proposal."""

    logits: Float[Tensor, "batch nodes all_classes"]
    """The last class is background."""
    shared_lengths: Float[Tensor, "batch nodes 6"]
    """Of the heads that all classes share."""
    shared_turns: Float[Tensor, "batch nodes 3"]
    lengths: Float[Tensor, "batch nodes 6"]
    """Of the heads of one class: the true one in training, the predicted one otherwise."""
    turns: Float[Tensor, "batch nodes 3"]
    nodes: Float[Tensor, "batch nodes width"]
    """After the messages."""
    embedded: Float[Tensor, "batch nodes width"]
    """Before them."""


class PrimitiveGraph(nn.Module):
    """Residual messages between the proposals of a picture, then new classes, sizes, places and turns.

    Args:
        classes: of parts, without background.
        states: width of a proposal's hidden states.
        config: sizes; `messages`, `scale` and `residual`.
    """

    def __init__(self, classes: int, states: int, config: SolidsConfig) -> None:
        super().__init__()
        self.classes, self.residual = classes, config.residual
        most = int(0.9 * config.node)
        self.embed_hidden = nn.Linear(states, most)
        self.embed_class = nn.Linear(classes + 1, config.node - most)
        self.messages = ResidualMessages(config.node, config.scale) if config.messages else None
        width = config.graph_width
        self.classify = nn.Linear(config.node, classes + 1)
        self.length = perceptron(config.node, width, 64, 32, LENGTHS)
        self.turn = perceptron(config.node, width, TURNS)
        self.class_length = ClassPerceptrons(classes + 1, (config.node, width, 64, 32, LENGTHS))
        self.class_turn = ClassPerceptrons(classes + 1, (config.node, width, TURNS))
        if config.residual:
            # The graph begins as the proposals are.
            for last in (self.length[-1], self.turn[-1]):
                for parameter in last.parameters():
                    nn.init.zeros_(parameter)
            for layers in (self.class_length, self.class_turn):
                nn.init.zeros_(layers.weights[-1])
                nn.init.zeros_(layers.biases[-1])

    def forward(
        self,
        hidden: Float[Tensor, "batch nodes states"],
        logits: Float[Tensor, "batch nodes classes"],
        there: Bool[Tensor, "batch nodes"],
        start: tuple[Tensor, Tensor],
        classes: Int64[Tensor, "batch nodes"] | None = None,
    ) -> Refined:
        """Refine proposals.

        Args:
            hidden: their states.
            logits: their classes, without background.
            there: which are no padding.
            start: their lengths and turns, to which residual heads add.
            classes: whose heads answer; None: those of the class predicted here.
        """
        hot = nn.functional.one_hot(logits.argmax(-1), self.classes + 1).to(hidden)
        embedded = torch.cat([self.embed_hidden(hidden), self.embed_class(hot)], -1).relu()
        nodes = embedded if self.messages is None else self.messages(embedded, there)
        found = self.classify(nodes)
        chosen = found.argmax(-1) if classes is None else classes
        lengths, turns = self.length(nodes), self.turn(nodes)
        own_lengths, own_turns = self.class_length(nodes, chosen), self.class_turn(nodes, chosen)
        if self.residual:
            lengths, own_lengths = lengths + start[0], own_lengths + start[0]
            turns, own_turns = turns + start[1], own_turns + start[1]
        return Refined(found, lengths, turns, own_lengths, own_turns, nodes, embedded)

"""Contexts: how the features of boxes and pairs learn of the rest of their picture. All share inputs and outputs.

`MessageContext` is BGNN's; the others are what it is compared with on the same harness. Source: graphs.md 1.4.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from ...graphs.bipartite import BipartiteMessages
from ...regions.groups import starts_of
from ...regions.regions import Regions
from .confidence import ConfidenceEstimator, Gate
from .config import SceneGraphConfig
from .inputs import GraphInputs
from .layers import dense, of_both
from .representation import Represented

_ACTIVE = 1e-4
"""Confidence above which the released code lets a predicate speak."""


@dataclass(frozen=True, eq=False)
class Contextual:
    """A batch after its context."""

    entities: Float[Tensor, "boxes graph"] | None
    """None where only pairs are wanted."""
    predicates: Float[Tensor, "pairs graph"]
    confidence: Float[Tensor, "stages pairs logits"] | None = None
    """Logits of the predicates and, last, of any relation, from each stage; None where nothing is estimated."""
    gates: Float[Tensor, "stages pairs"] | None = None
    """How far each stage's gates were open."""


class PlainContext(nn.Module):
    """No context: only brought to the width of the others."""

    def __init__(self, config: SceneGraphConfig) -> None:
        super().__init__()
        self.entities = dense(config.pooled, config.graph) if config.entities != "given" else None
        self.predicates = dense(config.pooled, config.graph)

    def forward(self, given: Represented, inputs: GraphInputs, pretraining: bool = False) -> Contextual:
        """Features as they are, for boxes and pairs."""
        entities = None
        if self.entities is not None:
            assert given.entities is not None
            entities = self.entities(given.entities).relu()
        return Contextual(entities, self.predicates(given.predicates).relu())


class MessageContext(nn.Module):
    """Stages of confidence estimation and gated messages both ways.

    Args:
        config: sizes, stages and rounds.
        classes: of boxes.
        predicates: how many there are.
        words: where the vectors of the classes start; see `layers.ClassVectors`.
    """

    def __init__(
        self,
        config: SceneGraphConfig,
        classes: int,
        predicates: int,
        words: Float[Tensor, "classes width"] | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.entities = dense(config.pooled, config.graph)
        self.predicates = dense(config.pooled, config.graph)
        self.messages = BipartiteMessages(
            config.graph,
            config.rounds,
            last_entities=config.released or config.entities != "given",
            weighting="count" if config.released else "confidence",
            least=_ACTIVE if config.released else 0.0,
        )
        self.estimators = nn.ModuleList(
            ConfidenceEstimator(
                config.graph if stage else config.pooled,
                classes,
                predicates,
                config.embedding,
                config.confidence,
                words,
            )
            for stage in range(config.stages if config.gates else 0)
        )
        self.gate = Gate(config.slope, config.offset) if config.gates else None

    def forward(self, given: Represented, inputs: GraphInputs, pretraining: bool = False) -> Contextual:
        """Features after all stages.

        Args:
            pretraining: whether messages are left out, while the confidence estimation finds its feet.
        """
        assert given.entities is not None
        start = self.entities(given.entities).relu(), self.predicates(given.predicates).relu()
        sure = inputs.regions.scores > self.config.least_score
        hearing = sure[inputs.pairs].all(1)
        if self.gate is None:
            entities, predicates = start if pretraining else self.messages(*start, inputs.pairs, hearing=hearing)
            return Contextual(entities, predicates)
        entities, predicates = start[0], given.predicates
        logits, gates = [], []
        for estimator in self.estimators:
            logits.append(estimator(predicates, given.geometry, given.shares, inputs.pairs))
            gates.append(self.gate(logits[-1][:, -1].sigmoid()))
            entities, predicates = start
            if not pretraining and not self._silent(gates[-1], sure):
                entities, predicates = self.messages(*start, inputs.pairs, gates[-1], hearing)
        return Contextual(entities, predicates, torch.stack(logits), torch.stack(gates))

    def _silent(self, gates: Tensor, sure: Tensor) -> bool:
        """Whether the released code passes no messages in the whole batch."""
        return self.config.released and not bool((gates > _ACTIVE).any() & sure.any())


class SequenceContext(nn.Module):
    """The boxes of a picture as a sequence from left to right, read both ways; a pair is what both say, times its own.

    What Neural Motifs (CVPR 2018) does, without its decoding of classes; the order and the product are theirs.
    """

    def __init__(self, config: SceneGraphConfig) -> None:
        super().__init__()
        half = -(-config.graph // 2)
        self.reader = nn.LSTM(config.pooled, half, num_layers=2, bidirectional=True)
        self.entities = dense(2 * half, config.graph)
        self.both = dense(2 * config.graph, config.graph)
        self.predicates = dense(config.pooled, config.graph)

    def forward(self, given: Represented, inputs: GraphInputs, pretraining: bool = False) -> Contextual:
        """Features of boxes that know their neighbours, and of pairs."""
        assert given.entities is not None
        read = self._read(given.entities, inputs.regions)
        entities = self.entities(read).relu()
        predicates = self.predicates(given.predicates).relu()
        return Contextual(entities, of_both(self.both, entities, inputs.pairs) * predicates)

    def _read(self, entities: Tensor, regions: Regions) -> Float[Tensor, "boxes twice_half"]:
        if not len(regions):
            return entities.new_zeros(0, 2 * self.reader.hidden_size)
        steps, sizes = packed_order(regions)
        read = self.reader(PackedSequence(entities.index_select(0, steps), sizes))[0].data
        return torch.empty_like(read).index_copy(0, steps, read)


def packed_order(regions: Regions) -> tuple[Int[Tensor, " boxes"], Int[Tensor, " steps"]]:
    """Rows of the regions as recurrent layers read many pictures at once: the first box of each, then the second ….

    The boxes of a picture come from left to right by their centres, the longest pictures first.

    Returns:
        The rows, and how many pictures have a box at each step (on the CPU, as PyTorch wants them).
    """
    centre = regions.boxes[:, 0] + regions.boxes[:, 2]
    order = centre.argsort(stable=True)
    order = order[regions.picture[order].argsort(stable=True)]
    counts = regions.counts
    step = torch.arange(len(order), device=order.device) - starts_of(counts)[regions.picture]
    length = counts[regions.picture]
    # Of each step the pictures by descending length, so that those which end first stand last.
    ranked = length.argsort(descending=True, stable=True)
    ranked = ranked[step[ranked].argsort(stable=True)]
    return order[ranked], torch.bincount(step).cpu()

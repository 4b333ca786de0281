"""`SceneGraphHead`: boxes, their features and pairs in; logits of predicates, confidences and losses out.

The head does not know where boxes or features come from: an annotation, any detector, a store, random numbers.

    inputs → representation.py (boxes and pairs by themselves) → contexts.py (what the rest of the picture says)
           → a linear layer, plus how often these classes are so joined (frequency.py) → logits
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ...errors import InputError
from .config import SceneGraphConfig
from .contexts import Contextual, MessageContext, PlainContext, SequenceContext
from .frequency import FrequencyBias, log_shares
from .inputs import GraphInputs
from .losses import confidence_loss, entity_loss, relation_loss
from .representation import Representation, Represented
from .targets import GraphTargets

_LEAST_SHARE = 1e-6
"""Where given classes are added to what a context says, none is taken to be less likely."""


class SceneGraphHead(nn.Module):
    """Which predicate joins two boxes.

    Args:
        config: method and sizes.
        classes: how many there are of boxes.
        predicates: how many there are.
        channels: of the boxes' features; not read by context="frequency".
        union_channels: of the features of the boxes around pairs; None where there are none.
        counts: what `count_triples` says of the training side; None starts the bias at zero, for weights to be loaded.
        words: a vector for each class name, from which the vectors of the classes start, as wide as
            `config.embedding`.

    Raises:
        InputError: numbers that do not fit together.
    """

    def __init__(
        self,
        config: SceneGraphConfig,
        classes: int,
        predicates: int,
        channels: int | None,
        union_channels: int | None = None,
        counts: Int[Tensor, "subjects objects columns"] | None = None,
        words: Float[Tensor, "classes width"] | None = None,
    ) -> None:
        super().__init__()
        _check(config, classes, predicates, channels, counts, words)
        self.config, self.classes, self.predicates = config, classes, predicates
        self.channels = self.union_channels = None
        self.representation: Representation | None = None
        self.context: Any = None
        self.classify: nn.Linear | None = None
        self.classify_entity: nn.Linear | None = None
        if config.context != "frequency":
            assert channels is not None
            self.channels, self.union_channels = channels, union_channels
            self.context = _context(config, classes, predicates, words)
            self.representation = Representation(
                config, classes, channels, union_channels, words, entities=self.context.entities is not None
            )
            self.classify = nn.Linear(config.graph, predicates + 1)
            if config.entities != "given":
                self.classify_entity = nn.Linear(config.graph, classes + 1)
        self.bias: FrequencyBias | None = None
        if config.bias:
            empty = torch.zeros(classes + 1, classes + 1, predicates + 1)
            self.bias = FrequencyBias(empty if counts is None else log_shares(counts))

    def forward(
        self, inputs: GraphInputs, targets: GraphTargets | None = None, *, pretraining: bool = False
    ) -> dict[str, Tensor]:
        """Judge the pairs of a batch.

        Args:
            inputs: boxes, features, pairs. Neither boxes nor pairs are needed: without them all answers are empty.
            targets: what the pairs teach.
            pretraining: of bgnn: pass no messages yet. The released training does so for its first 2000 steps.

        Returns:
            `logits`: (pairs, 1 + predicates), column 0 for no relation.
            `features`, `entity_features`: (pairs, graph) and (boxes, graph) after the context, where there are any.
            `entity_logits`: (boxes, 1 + classes), column 0 for nothing, where boxes are classified anew.
            `confidence`: (stages, pairs, predicates + 1), logits with that of any relation last; `gates`: (stages,
            pairs), from 0 to 1; of bgnn with gates.
            With targets `loss`, the sum of `loss_relation`, `loss_confidence` (stages), and `loss_entity`.

        Raises:
            InputError: what does not fit together or is not finite; see `GraphInputs.check`.
        """
        inputs.check(self.classes, self.channels, self.union_channels)
        found: dict[str, Tensor] = {}
        labels = inputs.regions.labels
        logits: Tensor | None = None
        if self.representation is not None and self.classify is not None:
            given = self.representation(inputs)
            context: Contextual = self.context(given, inputs, pretraining)
            logits = self.classify(context.predicates)
            found = _outputs(context)
            if self.classify_entity is not None:
                found["entity_logits"] = self._entity_logits(context, given)
                labels = labels if inputs.labels_known else found["entity_logits"][:, 1:].argmax(1)
        if self.bias is not None:
            often = self.bias(labels, inputs.pairs)
            logits = often if logits is None else logits + often
        assert logits is not None
        found["logits"] = logits
        if targets is not None:
            targets.check(len(labels), len(inputs.pairs), self.classes, self.predicates)
            found |= self._losses(found, targets)
        return found

    def _entity_logits(self, context: Contextual, given: Represented) -> Tensor:
        assert self.classify_entity is not None and context.entities is not None
        logits = self.classify_entity(context.entities)
        if self.config.entities == "replace":
            return logits
        return logits + given.shares.to(logits.dtype).clamp(min=_LEAST_SHARE).log()

    def _losses(self, found: dict[str, Tensor], targets: GraphTargets) -> dict[str, Tensor]:
        losses = {"loss_relation": relation_loss(found["logits"], targets.labels)}
        total = losses["loss_relation"]
        if "confidence" in found:
            sure = targets.labels if targets.confidence is None else targets.confidence
            losses["loss_confidence"] = torch.stack([confidence_loss(each, sure) for each in found["confidence"]])
            total = total + losses["loss_confidence"].sum()
        if "entity_logits" in found:
            if targets.entities is None:
                raise InputError("This head classifies boxes, so its targets need `entities`, a class for each box.")
            losses["loss_entity"] = entity_loss(found["entity_logits"], targets.entities)
            total = total + losses["loss_entity"]
        return losses | {"loss": total}


def _outputs(context: Contextual) -> dict[str, Tensor]:
    named = {
        "features": context.predicates,
        "entity_features": context.entities,
        "confidence": context.confidence,
        "gates": context.gates,
    }
    return {name: value for name, value in named.items() if value is not None}


def _context(
    config: SceneGraphConfig, classes: int, predicates: int, words: Tensor | None
) -> MessageContext | PlainContext | SequenceContext:
    if config.context == "bgnn":
        return MessageContext(config, classes, predicates, words)
    return SequenceContext(config) if config.context == "sequence" else PlainContext(config)


def _check(
    config: SceneGraphConfig,
    classes: int,
    predicates: int,
    channels: int | None,
    counts: Tensor | None,
    words: Tensor | None,
) -> None:
    if classes < 1 or predicates < 1:
        raise InputError(f"A scene graph needs classes and predicates; got {classes} and {predicates}.")
    if channels is None and config.context != "frequency":
        raise InputError(f"context={config.context!r} reads features of boxes: say how many channels they have.")
    shape = (classes + 1, classes + 1, predicates + 1)
    if counts is not None and tuple(counts.shape) != shape:
        raise InputError(f"The counts of training must have shape {shape}; got {tuple(counts.shape)}.")
    if words is not None and tuple(words.shape) != (classes, config.embedding):
        raise InputError(
            f"Word vectors must be {classes} by {config.embedding}, as config.embedding says; got {tuple(words.shape)}."
        )

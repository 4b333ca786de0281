"""Messages both ways between entities and the predicates of their pairs, gated by how sure a relation is.

A predicate is a node for an ordered pair of entities, so it has two edges, to its subject and to its object. Messages
to entities count by the confidence of the predicate that sends them; messages to predicates do not.

Source: BGNN, CVPR 2021, as its authors' code has it (graphs.md 1.4).
"""

from __future__ import annotations

from typing import Literal

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ..errors import InputError, pick
from .aggregate import mean_at
from .messages import Fusion, MessageGate

Weighting = Literal["confidence", "count"]
"""How an entity averages over its predicates, each with confidence c and message m: confidence divides the sum of c·m
by the sum of c, but by no less than one; count by the number of predicates that are active at all, as released."""


class BipartiteRound(nn.Module):
    """One exchange: all messages are made from the features before it.

    Args:
        width: of entities and predicates.
        channels: of the message gates.
        to_entities: whether entities are updated; without it only predicates are.
        weighting: see `Weighting`.
    """

    def __init__(
        self, width: int, channels: int = 128, *, to_entities: bool = True, weighting: Weighting = "confidence"
    ) -> None:
        super().__init__()
        pick("weighting", weighting, ("confidence", "count"))
        self.weighting = weighting
        self.from_subject = MessageGate(width, channels)
        self.from_object = MessageGate(width, channels)
        self.predicate_fusion = Fusion(width)
        self.to_subject = MessageGate(width, channels) if to_entities else None
        self.to_object = MessageGate(width, channels) if to_entities else None
        self.entity_fusion = Fusion(width) if to_entities else None

    def forward(
        self,
        entities: Float[Tensor, "entities width"],
        predicates: Float[Tensor, "pairs width"],
        pairs: Int[Tensor, "pairs 2"],
        confidence: Float[Tensor, " pairs"] | None = None,
        *,
        sending: Int[Tensor, " sending"] | None = None,
        hearing: Int[Tensor, " hearing"] | None = None,
    ) -> tuple[Float[Tensor, "entities width"], Float[Tensor, "pairs width"]]:
        """Both sides after the exchange.

        Args:
            pairs: subject and object of each predicate, as rows of the entities.
            confidence: from 0 to 1, for each predicate; None for one everywhere.
            sending: predicates that send messages to entities; None for all.
            hearing: predicates that are updated; None for all.
        """
        subject, thing = (entities.index_select(0, side) for side in pairs.unbind(1))
        updated = self._predicates(predicates, subject, thing, hearing)
        if self.entity_fusion is None or self.to_subject is None or self.to_object is None:
            return entities, updated
        ends, sent = pairs, predicates
        if sending is not None:
            ends, sent, subject, thing = (each.index_select(0, sending) for each in (pairs, predicates, subject, thing))
            confidence = None if confidence is None else confidence.index_select(0, sending)
        incoming = [
            self._arrived(gate(target, sent), ends[:, side], len(entities), confidence)
            for side, (gate, target) in enumerate(((self.to_subject, subject), (self.to_object, thing)))
        ]
        return entities + self.entity_fusion((incoming[0] + incoming[1]) / 2, entities), updated

    def _predicates(self, own: Tensor, subject: Tensor, thing: Tensor, hearing: Tensor | None) -> Tensor:
        target = own
        if hearing is not None:
            target, subject, thing = (each.index_select(0, hearing) for each in (own, subject, thing))
        heard = (self.from_subject(target, subject) + self.from_object(target, thing)) / 2
        change = self.predicate_fusion(heard, target)
        return own + change if hearing is None else own.index_add(0, hearing, change.to(own.dtype))

    def _arrived(self, message: Tensor, node: Tensor, nodes: int, confidence: Tensor | None) -> Tensor:
        if confidence is None:
            return mean_at(message, node, nodes)
        confidence = confidence.to(message.dtype)
        if self.weighting == "confidence":
            return mean_at(message, node, nodes, confidence)
        return mean_at(message * confidence[:, None], node, nodes)


class BipartiteMessages(nn.Module):
    """Several rounds with weights of their own.

    Args:
        width: of entities and predicates.
        rounds: how many.
        channels: of the message gates.
        last_entities: whether the last round updates entities too. Without it their last update, which no predicate
            hears of, is left out.
        weighting: see `Weighting`.
        least: confidence above which a predicate sends messages. At 0 this changes nothing but the cost.

    Raises:
        InputError: no round, or a threshold outside 0 to 1.
    """

    def __init__(
        self,
        width: int,
        rounds: int = 3,
        channels: int = 128,
        *,
        last_entities: bool = True,
        weighting: Weighting = "confidence",
        least: float | int = 0.0,
    ) -> None:
        super().__init__()
        if rounds < 1:
            raise InputError(f"Messages pass in at least one round; got {rounds}.")
        if not 0 <= least < 1:
            raise InputError(f"The least confidence lies in [0, 1); got {least}.")
        self.least = least
        self.rounds = nn.ModuleList(
            BipartiteRound(width, channels, to_entities=last_entities or number + 1 < rounds, weighting=weighting)
            for number in range(rounds)
        )

    def forward(
        self,
        entities: Float[Tensor, "entities width"],
        predicates: Float[Tensor, "pairs width"],
        pairs: Int[Tensor, "pairs 2"],
        confidence: Float[Tensor, " pairs"] | None = None,
        hearing: Bool[Tensor, " pairs"] | None = None,
    ) -> tuple[Float[Tensor, "entities width"], Float[Tensor, "pairs width"]]:
        """Both sides after all rounds.

        Args:
            pairs: subject and object of each predicate, as rows of the entities; none and one are fine.
            confidence: from 0 to 1, for each predicate; None for one everywhere.
            hearing: which predicates are updated; None for all.
        """
        sending = None if confidence is None else _chosen(confidence > self.least)
        listeners = None if hearing is None else _chosen(hearing)
        for exchange in self.rounds:
            entities, predicates = exchange(entities, predicates, pairs, confidence, sending=sending, hearing=listeners)
        return entities, predicates


def _chosen(mask: Tensor) -> Int[Tensor, " rows"] | None:
    """Rows where the mask is True; None where that is everywhere, so that nothing is copied."""
    rows = mask.nonzero()[:, 0]
    return None if len(rows) == len(mask) else rows

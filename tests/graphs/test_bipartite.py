"""Messages equal those of a loop over entities and predicates, picture by picture, for any number of either."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lichen.errors import InputError
from lichen.graphs import BipartiteMessages, BipartiteRound
from lichen.graphs.bipartite import Weighting
from lichen.graphs.messages import MessageGate

WIDTH = 4


def naive_gate(gate: MessageGate, target: Tensor, source: Tensor) -> Tensor:
    joined = torch.cat([target, source])
    spread = joined.var(unbiased=False)
    even = (joined - joined.mean()) / (spread + 1e-5).sqrt() * gate.norm.weight + gate.norm.bias
    return (gate.votes.weight @ even.clamp(min=0) + gate.votes.bias).sigmoid().mean() * source


def naive_round(
    layer: BipartiteRound,
    entities: Tensor,
    predicates: Tensor,
    pairs: list[list[int]],
    confidence: Tensor,
    hearing: list[bool],
    least: float,
    by_count: bool,
) -> tuple[Tensor, Tensor]:
    """The round as graphs.md 1.4 words it, one entity and one predicate at a time."""
    assert layer.to_subject is not None and layer.to_object is not None and layer.entity_fusion is not None
    new_entities, new_predicates = entities.clone(), predicates.clone()
    for number in range(len(entities)):
        means = []
        for side, gate in enumerate((layer.to_subject, layer.to_object)):
            own = [k for k, pair in enumerate(pairs) if pair[side] == number and confidence[k] > least]
            messages = [confidence[k] * naive_gate(gate, entities[number], predicates[k]) for k in own]
            total = torch.stack(messages).sum(0) if own else torch.zeros(WIDTH, dtype=torch.float64)
            weight = float(len(own)) if by_count else float(sum(confidence[k] for k in own))
            means.append(total / max(weight, 1.0))
        fusion = layer.entity_fusion
        message = (means[0] + means[1]) / 2
        new_entities[number] = (
            entities[number] + fusion.message(message.clamp(min=0)) + fusion.own(entities[number].clamp(min=0))
        )
    for k, (i, j) in enumerate(pairs):
        if hearing[k]:
            heard = naive_gate(layer.from_subject, predicates[k], entities[i])
            heard = (heard + naive_gate(layer.from_object, predicates[k], entities[j])) / 2
            fusion = layer.predicate_fusion
            new_predicates[k] = (
                predicates[k] + fusion.message(heard.clamp(min=0)) + fusion.own(predicates[k].clamp(min=0))
            )
    return new_entities, new_predicates


@settings(max_examples=12, deadline=None)
@given(boxes=st.integers(0, 4), seed=st.integers(0, 99), by_count=st.booleans())
def test_rounds_by_a_loop(boxes: int, seed: int, by_count: bool) -> None:
    torch.manual_seed(seed)
    weighting: Weighting = "count" if by_count else "confidence"
    least = 1e-4 if by_count else 0.0
    layer = BipartiteMessages(WIDTH, rounds=2, channels=3, weighting=weighting, least=least).double()
    entities = torch.randn(boxes, WIDTH, dtype=torch.float64)
    all_pairs = [[i, j] for i in range(boxes) for j in range(boxes) if i != j]
    pairs = [pair for pair in all_pairs if torch.rand(()) < 0.7]
    predicates = torch.randn(len(pairs), WIDTH, dtype=torch.float64)
    confidence = (torch.rand(len(pairs), dtype=torch.float64) * 1.4 - 0.3).clamp(0, 1)
    hearing = torch.rand(len(pairs)) < 0.6
    table = torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)
    with torch.no_grad():
        found = layer(entities, predicates, table, confidence, hearing)
        expected = (entities, predicates)
        for exchange in layer.rounds:
            assert isinstance(exchange, BipartiteRound)
            expected = naive_round(exchange, *expected, pairs, confidence, hearing.tolist(), least, by_count)
    for mine, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, wanted, rtol=0, atol=1e-12)


def test_pictures_of_a_batch_do_not_hear_each_other() -> None:
    torch.manual_seed(0)
    layer = BipartiteMessages(WIDTH, channels=3).double()
    entities = torch.randn(5, WIDTH, dtype=torch.float64)
    pairs = torch.tensor([[0, 1], [1, 0], [2, 3], [3, 4], [4, 2]])
    predicates, confidence = torch.randn(5, WIDTH, dtype=torch.float64), torch.rand(5, dtype=torch.float64)
    whole = layer(entities, predicates, pairs, confidence)
    alone = layer(entities[2:], predicates[2:], pairs[2:] - 2, confidence[2:])
    torch.testing.assert_close(whole[0][2:], alone[0])
    torch.testing.assert_close(whole[1][2:], alone[1])


def test_without_confidence_all_count_alike() -> None:
    torch.manual_seed(0)
    layer = BipartiteMessages(WIDTH, rounds=1, channels=3)
    entities, predicates = torch.randn(3, WIDTH), torch.randn(2, WIDTH)
    pairs = torch.tensor([[0, 1], [0, 2]])
    open_ = layer(entities, predicates, pairs, torch.ones(2))
    for mine, wanted in zip(layer(entities, predicates, pairs), open_, strict=True):
        torch.testing.assert_close(mine, wanted)


def test_the_last_update_of_entities_can_be_left_out() -> None:
    torch.manual_seed(0)
    layer = BipartiteMessages(WIDTH, rounds=2, channels=3, last_entities=False)
    entities, predicates = torch.randn(3, WIDTH), torch.randn(2, WIDTH)
    pairs = torch.tensor([[0, 1], [1, 2]])
    layer(entities, predicates, pairs, torch.tensor([0.5, 1.0]))[1].sum().backward()
    unreached = [name for name, each in layer.named_parameters() if each.grad is None]
    assert not unreached
    assert layer.rounds[1].entity_fusion is None


def test_confidence_gets_a_gradient() -> None:
    torch.manual_seed(0)
    layer = BipartiteMessages(WIDTH, rounds=2, channels=3)
    confidence = torch.full((4,), 0.5, requires_grad=True)
    pairs = torch.tensor([[0, 1], [1, 2], [2, 0], [1, 0]])
    layer(torch.randn(3, WIDTH), torch.randn(4, WIDTH), pairs, confidence)[1].square().sum().backward()
    assert confidence.grad is not None and bool(confidence.grad.any())


def test_settings_that_are_refused() -> None:
    with pytest.raises(InputError, match="at least one round"):
        BipartiteMessages(WIDTH, rounds=0)
    with pytest.raises(InputError, match="least confidence"):
        BipartiteMessages(WIDTH, least=1)

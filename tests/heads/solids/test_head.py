"""The whole head: stages, what gradients reach, independence of a batch, variants, bad input."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from lichen.errors import InputError
from lichen.heads.given import Given
from lichen.heads.solids import SolidsConfig, SolidsHead

from .tiny import GIVEN, features, make_head, told

VARIANTS: list[dict[str, Any]] = [
    {},
    {"directions": "forward"},
    {"directions": "backward", "graph": False},
    {"local": False},
    {"messages": False},
    {"residual": True},
    {"output": "mixture"},
    {"graph": False},
    {"merge": "near"},
    {"merge": "pairs"},
    {"folds": False, "copies": 1},
    {"cells": 1, "scale": False, "centres": "released"},
]


@pytest.mark.parametrize("settings", VARIANTS)
def test_a_step_and_an_answer(settings: dict[str, Any]) -> None:
    head = make_head(**settings).train()
    found = head(features(), told())
    assert all(value.ndim == 0 and bool(value.isfinite()) for value in found.values())
    found["loss"].backward()
    idle = [name for name, value in head.named_parameters() if value.grad is None]
    # A graph that sees nothing but itself has no messages; heads of classes that do not occur still get zeros.
    assert not idle, idle
    answer = head.eval()(features())
    nodes = 4 * len(head.config.ways)
    assert answer["lengths"].shape == (3, nodes, 6) and answer["turns"].shape == (3, nodes, 3)
    torch.testing.assert_close(answer["probabilities"].sum(-1), torch.ones(3, nodes).double())
    kept = answer["kept"].bool()
    assert bool(kept.any(1).all())
    counts = answer["counts"].round().clamp(1, 4)
    assert bool((kept.sum(1) <= counts).all())


def test_the_rest_of_the_batch_changes_nothing() -> None:
    head = make_head().eval()
    whole, alone = head(features(3)), head(features(3)[slice(1, 2)])
    for name, value in alone.items():
        torch.testing.assert_close(value[0], whole[name][1], rtol=1e-9, atol=1e-9)


def test_stages_freeze_what_they_do_not_learn() -> None:
    head = make_head(graph_from=1).train()
    search = torch.optim.AdamW(head.parameters(), lr=0.1)

    def step() -> set[str]:
        before = {name: value.clone() for name, value in head.state_dict().items()}
        search.zero_grad()
        head(features(), told())["loss"].backward()
        search.step()
        return {name for name, value in head.state_dict().items() if not torch.equal(value, before[name])}

    assert head.stage == "proposals"
    assert not any(name.startswith("graph.") for name in step())
    assert head.stage == "graph"
    changed = step()
    assert all(name.startswith("graph.") or name == "steps" for name in changed) and len(changed) > 5


def test_the_graph_teaches_no_proposals() -> None:
    head = make_head().train()
    found = head(features(), told())
    found["loss_graph"].backward()
    reached = {name.split(".")[0] for name, value in head.named_parameters() if value.grad is not None}
    assert reached == {"graph"}


def test_counts_of_each_half_are_learnt_on_it_alone() -> None:
    head = make_head().train()
    first = told((3, 1, 2))
    found = head(features(), first)
    same = told((3, 2, 2))
    again = head(features(), replace(same, parts=replace(first.parts, count=torch.tensor([3, 2, 2]))))
    assert torch.equal(found["loss_count_0"], again["loss_count_0"])
    assert not torch.equal(found["loss_count_1"], again["loss_count_1"])


def test_step_0_looks_at_the_whole_picture_only() -> None:
    head = make_head().eval()
    network = head.proposals[0]
    seen = head.encoder(features())
    first = network(seen.maps, seen.code, seen.vector, 3)
    other = network(seen.maps + 1.0, seen.code + 1.0, seen.vector, 3)
    assert torch.equal(first.lengths[:, 0], other.lengths[:, 0])
    assert not torch.allclose(first.lengths[:, 1], other.lengths[:, 1])


def test_without_local_attention_the_map_is_not_looked_at() -> None:
    head = make_head(local=False).eval()
    seen = head.encoder(features())
    network = head.proposals[0]
    first, other = (network(maps, seen.code, seen.vector, 3) for maps in (seen.maps, seen.maps + 1.0))
    assert torch.equal(first.lengths, other.lengths)


def test_the_backward_direction_is_taught_from_the_end() -> None:
    parts = told((3, 1, 2)).parts
    turned = parts.turned_round()
    assert torch.equal(turned.lengths[0], parts.lengths[0].flip(0))
    assert torch.equal(turned.classes[2, :2], parts.classes[2, :2].flip(0))
    assert torch.equal(turned.turned_round().boxes, parts.boxes)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"hidden": 0}, "hidden must be at least 1"),
        ({"node": 5}, "node must be at least 10"),
        ({"near": 0.0}, "near is above 0"),
        ({"dropout": 1.0}, "dropout"),
        ({"merge": "pair"}, "Did you mean 'pairs'"),
        ({"directions": "up"}, "Choose one of"),
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, Any], words: str, unchecked: None) -> None:
    with pytest.raises(InputError, match=words):
        SolidsConfig(**settings)


def test_features_that_cannot_be_looked_at() -> None:
    for given in (Given("vector", 8), Given("tokens", 8, modality="text")):
        with pytest.raises(InputError, match="keeps places apart"):
            SolidsHead(given, 3)
    bad = features()
    bad.final[1, 0, 0, 0] = torch.nan
    with pytest.raises(InputError, match="picture 1 of a batch"):
        make_head(GIVEN)(bad)


def test_tokens_are_laid_out_as_a_map() -> None:
    head = make_head(Given("tokens", 8, modality="image")).eval()
    maps = features()
    tokens = maps.final.flatten(2).mT
    sees = head(replace(maps, states=(tokens,), final=tokens, pooled=None))
    assert sees["lengths"].shape == (3, 8, 6)

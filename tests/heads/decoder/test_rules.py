"""What decoding finds out about an automaton."""

from __future__ import annotations

import gc
from dataclasses import replace

import pytest
import torch

from lichen.heads.decoder.rules import _KNOWN, Rules

from .grammars import NAMES, automaton, tokenizer

CPU = torch.device("cpu")


def test_shortest_ways_to_an_end() -> None:
    shortest = min(len(tokenizer().encode(name)) for name in NAMES) + 1
    for name, least in (("box", 5), ("labels", shortest), ("objects", 1), ("words and box", 7)):
        rules = automaton(name)
        assert int(Rules.of(rules, CPU).distance[rules.start]) == least


def test_they_are_found_out_once() -> None:
    assert Rules.of(automaton("box"), CPU) is Rules.of(automaton("box"), CPU)
    assert Rules.of(automaton("box"), torch.device("cpu", 0)) is not Rules.of(automaton("box"), CPU)


def test_they_are_let_go_with_the_automaton() -> None:
    before = len(_KNOWN)
    for own in (replace(automaton("box")), replace(automaton("text"))):
        Rules.of(own, CPU)
    del own
    gc.collect()
    assert len(_KNOWN) == before


def test_few_tokens_get_a_small_table() -> None:
    words = tokenizer()
    first, behind = words.coordinates
    rules = Rules.of(automaton("box"), CPU)
    assert rules.tokens is not None and rules.tokens.tolist() == [words.end, *range(first, behind)]
    assert (rules.table.end, rules.table.coordinates, rules.shift) == (0, (1, 1 + behind - first), first - 1)
    text = Rules.of(automaton("text"), CPU)
    assert text.tokens is None and text.table.allowed is automaton("text").allowed


@pytest.mark.parametrize("grammar", ["box", "labels", "objects of classes"])
def test_the_small_table_allows_what_the_large_one_allows(grammar: str) -> None:
    large = automaton(grammar)
    rules = Rules.of(large, CPU)
    assert rules.tokens is not None
    first, behind = tokenizer().coordinates
    states = torch.arange(large.states)
    written = torch.randint(first, behind, (large.states, 6), generator=torch.Generator().manual_seed(0))
    for length in range(7):
        wanted = large.mask(states, written, length)
        found = rules.table.mask(states, written - rules.shift, length)
        assert found.equal(wanted[:, rules.tokens]) and not wanted.sum(1).ne(found.sum(1)).any()


def test_coordinates_with_gaps_keep_the_large_table() -> None:
    large = automaton("box")
    first, _ = tokenizer().coordinates
    allowed = large.allowed.clone()
    allowed[:, first + 5] = False
    assert Rules.of(replace(large, allowed=allowed), CPU).tokens is None

"""`Rules`: an automaton as decoding uses it. Found out once, since one label list or grammar serves many batches."""

from __future__ import annotations

from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Int
from torch import Tensor

from ...language.automaton import Automaton

FAR = torch.iinfo(torch.long).max // 2
"""Tokens to an end that cannot be reached."""


@dataclass(frozen=True, eq=False)
class Rules:
    """An automaton on a device, with what follows from it."""

    automaton: Automaton
    """As it was built; states and tokens are counted alike everywhere."""
    distance: Int[Tensor, " states"]
    """The fewest tokens, the end included, that finish an answer from each state. The rule that compares coordinates
    is left out: grammars leave room for the coordinate that has to follow."""
    tokens: Int[Tensor, " columns"] | None
    """Ids of the columns of `table`: tokens that are allowed anywhere. None where those are most of the vocabulary:
    then each token has its column."""
    table: Automaton
    """The automaton over these columns."""
    shift: int
    """The id of a coordinate less its column."""

    @classmethod
    def of(cls, automaton: Automaton, device: torch.device) -> Rules:
        """Kept for the next call as long as the automaton is."""
        known = _KNOWN.setdefault(automaton, {})
        if device not in known:
            # What is kept must not hold the automaton itself, or neither would ever be let go.
            known[device] = _found(replace(automaton) if automaton.allowed.device == device else automaton.to(device))
        return known[device]


_KNOWN: WeakKeyDictionary[Automaton, dict[torch.device, Rules]] = WeakKeyDictionary()
"""Functions of automaton and device alone."""


def _found(automaton: Automaton) -> Rules:
    distance = _distances(automaton)
    used = automaton.allowed.any(0).nonzero()[:, 0]
    if 2 * len(used) > automaton.vocabulary:
        return Rules(automaton, distance, None, automaton, 0)
    coordinates, shift = None, 0
    if automaton.coordinates is not None:
        first, behind = automaton.coordinates
        places = ((used >= first) & (used < behind)).nonzero()[:, 0]
        if len(places):
            low, high = int(places[0]), int(places[-1]) + 1
            shift = int(used[low]) - low
            if int(used[high - 1]) - shift != high - 1:
                # With gaps between them, comparing columns would not be comparing coordinates.
                return Rules(automaton, distance, None, automaton, 0)
            coordinates = (low, high)
    end = int((used == automaton.end).nonzero())
    table = Automaton(
        automaton.allowed[:, used],
        automaton.following[:, used],
        automaton.start,
        automaton.above,
        coordinates,
        end,
    )
    return Rules(automaton, distance, used, table, shift)


def _distances(automaton: Automaton) -> Int[Tensor, " states"]:
    states = automaton.states
    source, token = automaton.allowed.nonzero(as_tuple=True)
    ends = token == automaton.end
    edges = torch.unique(source * states + automaton.following[source, token].long())
    source_of, target = edges // states, edges % states
    distance = torch.full((states,), FAR, device=edges.device)
    distance[source[ends]] = 1
    while True:
        closer = distance.scatter_reduce(0, source_of, distance[target] + 1, "amin")
        if torch.equal(closer, distance):
            return distance
        distance = closer

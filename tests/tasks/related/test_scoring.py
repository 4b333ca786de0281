"""What training showed, and measures by protocol."""

from __future__ import annotations

import pytest
import torch

from lichen.errors import InputError
from lichen.graphs.found import FoundGraph, TrueGraph
from lichen.tasks.related.scoring import Tail, scores_of

BOXES = torch.tensor([[0.0, 0.0, 10.0, 10.0], [20.0, 0.0, 30.0, 10.0]])
NAMES = ("on", "near", "under")


def truth(*triplets: tuple[int, int, int], labels: tuple[int, int] = (0, 1)) -> TrueGraph:
    return TrueGraph(BOXES, torch.tensor(labels), torch.tensor(triplets, dtype=torch.long).reshape(-1, 3))


def sure(predicate: int) -> FoundGraph:
    chances = torch.full((1, len(NAMES)), 0.1)
    chances[0, predicate] = 0.8
    return FoundGraph(BOXES, torch.tensor([0, 1]), torch.ones(2), torch.tensor([[0, 1]]), chances)


def test_what_was_shown_is_counted_and_what_was_not_is_new() -> None:
    tail = Tail.of([truth((0, 1, 0), (1, 0, 1)), truth((0, 1, 0))], len(NAMES))
    assert tail.counts == (2, 1, 0) and tail.seen == ((0, 1, 0), (1, 0, 1))
    assert sorted(place for group in tail.groups.values() for place in group) == [0, 1, 2]
    assert tail.unseen([truth((0, 1, 0), (0, 1, 2))]).tolist() == [[0, 1, 2]]
    assert Tail.of([], 2).counts == (0, 0) and Tail.of([], 2).groups == {}
    assert tail.unseen([]).shape == (0, 3)


def test_a_hit_and_a_miss_by_every_protocol() -> None:
    tail = Tail((1, 1, 1), ())
    for protocol in ("plain", "pysgg", "sgbench"):
        found = scores_of([sure(0), sure(1)], [truth((0, 1, 0)), truth((0, 1, 2))], NAMES, protocol, tail)
        assert found["R@50"] == 0.5, protocol
    found = scores_of([sure(0)], [truth((0, 1, 0))], NAMES, "open-images", tail)
    assert found["score_wtd"] == pytest.approx(1.0)
    with pytest.raises(InputError, match="no picture has an annotated relation"):
        scores_of([sure(0)], [truth()], NAMES, "plain", tail)

"""What must be beaten: random, largest, surest, class alone, crops."""

from __future__ import annotations

import pytest
import torch

from lichen.heads.grounding.baselines import (
    confidence_scores,
    expected_accuracy,
    pick_boxes,
    prior_scores,
    random_scores,
    similarity_scores,
    size_scores,
)
from lichen.heads.grounding.candidates import Candidates
from lichen.regions import Regions

BOXES = Regions.make(
    [[0, 0, 4, 4], [0, 0, 9, 9], [2, 2, 5, 5], [1, 1, 3, 3]],
    [(10, 10)] * 3,
    picture=[0, 0, 0, 2],
    labels=[1, 0, 1, -1],
    scores=[0.5, 0.6, 0.9, 0.4],
)
CANDIDATES = Candidates.every(torch.tensor([0, 1, 0, 2]), BOXES)


def picked(scores: torch.Tensor) -> list[float]:
    """Right edge of the box of each phrase."""
    return pick_boxes(CANDIDATES, scores, BOXES)[:, 2].nan_to_num(-1).tolist()


def test_which_box_each_takes() -> None:
    assert picked(size_scores(CANDIDATES, BOXES)) == [9, -1, 9, 3]
    assert picked(confidence_scores(CANDIDATES, BOXES)) == [5, -1, 5, 3]
    suits = torch.tensor([[0.1, 0.7], [1.0, 1.0], [0.4, 0.3], [0.0, 0.0]])
    # Of two boxes of the best class the surer one, however sure boxes of other classes are.
    assert picked(prior_scores(CANDIDATES, BOXES, suits)) == [5, -1, 9, 3]
    phrases, crops = torch.eye(4), torch.eye(4)[[3, 2, 0, 1]]
    assert picked(similarity_scores(CANDIDATES, phrases, crops)) == [5, -1, 9, 3]


def test_chance() -> None:
    first = random_scores(CANDIDATES, 1)
    assert torch.equal(first, random_scores(CANDIDATES, 1)) and not torch.equal(first, random_scores(CANDIDATES, 2))
    right = (CANDIDATES.region == 2).float()
    hits = [pick_boxes(CANDIDATES, random_scores(CANDIDATES, seed), BOXES)[0, 2] == 5 for seed in range(300)]
    assert sum(map(bool, hits)) / 300 == pytest.approx(1 / 3, abs=0.1)
    # Two phrases have one right box of three, one has none of one.
    assert expected_accuracy(CANDIDATES, right) == pytest.approx(2 / 9)
    assert expected_accuracy(CANDIDATES, right, torch.tensor([0, 1])) == pytest.approx(1 / 6)

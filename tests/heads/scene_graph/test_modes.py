"""The three modes, and labels that boxes on one spot do not share."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.errors import InputError
from lichen.heads.scene_graph import as_mode
from lichen.heads.scene_graph.modes import distinct_labels
from lichen.regions import Regions, iou

from .tiny import CLASSES, make_regions


def test_modes() -> None:
    truths, found = make_regions([3, 2], known=True), make_regions([4, 1], 3)
    given_labels = as_mode("predcls", truths=truths)
    assert torch.equal(given_labels.labels, truths.labels) and given_labels.probabilities is None
    assert bool((given_labels.scores == 1).all())
    shares = torch.rand(5, CLASSES, dtype=torch.float64)
    seen = as_mode("sgcls", truths=truths, probabilities=shares)
    assert torch.equal(seen.boxes, truths.boxes) and torch.equal(seen.labels, shares.argmax(1))
    assert torch.equal(seen.scores, shares.amax(1)) and seen.probabilities is not None
    unknown = as_mode("sgcls", truths=truths, unclassified=True)
    assert torch.equal(unknown.boxes, truths.boxes) and unknown.labels.tolist() == [-1] * 5
    assert as_mode("sggen", truths=truths, found=found) is found


def test_modes_that_lack_something() -> None:
    truths = make_regions([3], known=True)
    with pytest.raises(InputError, match="Did you mean 'predcls'"):
        as_mode("predcl", truths=truths)
    with pytest.raises(InputError, match="give found="):
        as_mode("sggen", truths=truths)
    with pytest.raises(InputError, match="give truths="):
        as_mode("predcls")
    with pytest.raises(InputError, match="3 boxes; got none"):
        as_mode("sgcls", truths=truths)
    with pytest.raises(InputError, match="box 1 has none"):
        as_mode("predcls", truths=replace(truths, labels=torch.tensor([0, -1, 2])))


def greedy(regions: Regions) -> tuple[list[int], list[float]]:
    """One picture, as graphs.md 1.5 words it."""
    assert regions.probabilities is not None
    left = regions.probabilities.clone()
    near = iou(regions.boxes, regions.boxes) >= 0.5
    labels, scores = left.argmax(1).tolist(), [0.0] * len(left)
    for _ in range(len(left)):
        best = int(left.argmax())
        box, label = divmod(best, left.shape[1])
        if left[box, label] <= 0:
            break
        labels[box], scores[box] = label, float(left[box, label])
        left[near[box], label] = 0.0
        left[box] = -1.0
    return labels, scores


@settings(max_examples=12, deadline=None)
@given(counts=st.lists(st.integers(0, 5), min_size=1, max_size=3), seed=st.integers(0, 99))
def test_distinct_labels_by_a_loop(counts: list[int], seed: int) -> None:
    regions = make_regions(counts, seed)
    # Many boxes on one spot.
    regions = replace(regions, boxes=(regions.boxes / 40).round() * 40 + torch.tensor([0, 0, 41.0, 41.0]))
    labels, scores = distinct_labels(regions)
    expected = [greedy(part) for part in regions.split()]
    assert labels.tolist() == [label for part, _ in expected for label in part]
    assert scores.tolist() == pytest.approx([score for _, part in expected for score in part])


def test_distinct_labels_need_probabilities() -> None:
    with pytest.raises(InputError, match="by probabilities"):
        distinct_labels(make_regions([2], known=True))

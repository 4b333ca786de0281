"""Recall of scene graphs: the specification's worked example, hand-made cases of every switch, and sgbench."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from lichen.errors import InputError
from lichen.graphs import FoundGraph, TrueGraph
from lichen.metrics.scene_graph import (
    RecallProtocol,
    SceneGraphRecall,
    long_tail_groups,
    unseen_triplets,
)

from .graphs import NAMES, A, B, C, example, found, random_graphs, true

UNSEEN = torch.tensor([[2, 3, 1]])
"""The example's (2, 3, has)."""


def measure(
    graphs: list[tuple[FoundGraph, TrueGraph]], protocol: RecallProtocol, names: tuple[str, ...] = NAMES, **more: Any
) -> dict[str, float]:
    recall = SceneGraphRecall(names, protocol, **more)
    for one, truth in graphs:
        recall.add(one, truth)
    return recall.compute()


def test_the_worked_example() -> None:
    got = measure(example(), RecallProtocol.pysgg((1, 2, 4)), unseen=UNSEEN, groups={"head": [0], "tail": [1, 2]})
    wanted = {
        "R": [0.41667, 0.41667, 0.58333],
        "ngR": [0.41667, 0.66667, 0.83333],
        "mR": [0.33333, 0.33333, 0.5],
        "ng-mR": [0.33333, 0.5, 0.66667],
        "zR": [0, 0, 0.5],
        "ng-zR": [0, 0.5, 1],
    }
    for name, values in wanted.items():
        assert [got[f"{name}@{k}"] for k in (1, 2, 4)] == pytest.approx(values, abs=1e-5), name
    assert got["head@4"] == got["predicate/on"] == 1.0
    assert got["tail@4"] == (got["predicate/has"] + got["predicate/near"]) / 2 == 0.25
    assert got["pictures"] == 2 and got["pictures_skipped"] == 0


def test_order_of_the_example() -> None:
    best, scores = example()[0][0].best(4)
    assert best[:, :2].tolist() == [[0, 1], [3, 1], [0, 2], [1, 2]]
    assert scores.tolist() == pytest.approx([0.432, 0.336, 0.315, 0.224])


def test_one_prediction_may_hit_two_relations_or_one() -> None:
    """Two annotated people on nearly the same spot."""
    truth = true([A, (1, 1, 50, 50), B], [1, 1, 2], [[0, 2, 0], [1, 2, 0]])
    one = found([A, B], [1, 2], [1, 1], [[0, 1]], [[0.9, 0, 0]])
    assert measure([(one, truth)], RecallProtocol())["R@20"] == 1.0
    assert measure([(one, truth)], RecallProtocol(matching="best box"))["R@20"] == 0.5


def test_the_extra_pixel() -> None:
    # 10 x 10 inside 10 x 20.5: 0.488 without, 11 x 11 by 11 x 21.5 = 0.512 with it.
    truth = true([(0, 0, 10, 20.5), B], [1, 2], [[0, 1, 0]])
    one = found([(0, 0, 10, 10), B], [1, 2], [1, 1], [[0, 1]], [[0.9, 0, 0]])
    assert measure([(one, truth)], RecallProtocol())["R@20"] == 0.0
    assert measure([(one, truth)], RecallProtocol(plus_one=True))["R@20"] == 1.0


def test_exactly_half_is_enough() -> None:
    truth = true([(0, 0, 10, 20), B], [1, 2], [[0, 1, 0]])
    one = found([(0, 0, 10, 10), B], [1, 2], [1, 1], [[0, 1]], [[0.9, 0, 0]])
    assert measure([(one, truth)], RecallProtocol())["R@20"] == 1.0


def test_repeated_annotations() -> None:
    truth = true([A, B], [1, 2], [[0, 1, 0], [0, 1, 0], [0, 1, 1]])
    one = found([A, B], [1, 2], [1, 1], [[0, 1]], [[0.9, 0.1, 0]])
    assert measure([(one, truth)], RecallProtocol())["R@20"] == pytest.approx(2 / 3)
    assert measure([(one, truth)], RecallProtocol(dedup=True))["R@20"] == 0.5
    assert measure([(one, truth)], RecallProtocol(dedup=True))["ngR@20"] == 1.0


def test_pictures_without_predictions_or_relations() -> None:
    truth = true([A, B], [1, 2], [[0, 1, 0]])
    right = found([A, B], [1, 2], [1, 1], [[0, 1]], [[0.9, 0, 0]])
    nothing = found([], [], [], [], [])
    graphs = [(right, truth), (nothing, truth), (right, true([A], [1], []))]
    counted = measure(graphs, RecallProtocol())
    assert counted["R@20"] == counted["mR@20"] == 0.5
    assert counted["pictures"] == 2 and counted["pictures_skipped"] == 1
    skipped = measure(graphs, RecallProtocol(unanswered="skip"))
    assert skipped["R@20"] == 1.0 and skipped["pictures_skipped"] == 2


def test_predicates_that_never_occur() -> None:
    truth = true([A, B], [1, 2], [[0, 1, 0]])
    right = found([A, B], [1, 2], [1, 1], [[0, 1]], [[0.9, 0, 0]])
    left_out = measure([(right, truth)], RecallProtocol(), groups={"tail": [1, 2]})
    assert left_out["mR@20"] == 1.0 and math.isnan(left_out["tail@20"]) and "predicate/near" not in left_out
    zero = measure([(right, truth)], RecallProtocol(absent="zero"), groups={"tail": [1, 2]})
    assert zero["mR@20"] == pytest.approx(1 / 3) and zero["tail@20"] == 0.0


def test_no_box_at_all_and_one_box() -> None:
    truth = true([A, B], [1, 2], [[0, 1, 0]])
    for one in (found([], [], [], [], []), found([A], [1], [1], [], [])):
        assert measure([(one, truth)], RecallProtocol())["R@100"] == 0.0


def test_what_is_refused() -> None:
    recall = SceneGraphRecall(NAMES)
    with pytest.raises(InputError, match="nothing to measure"):
        recall.compute()
    with pytest.raises(InputError, match="has 2 predicates; 3 are measured"):
        recall.add(found([A, B], [1, 2], [1, 1], [[0, 1]], [[0.9, 0]], classes=2), true([A], [1], []))
    with pytest.raises(InputError, match="predicate 7; there are 3"):
        recall.add(found([], [], [], [], []), true([A, B], [1, 2], [[0, 1, 7]]))
    with pytest.raises(InputError, match="not a number"):
        nan = found([A, B], [1, 2], [1, 1], [[0, 1]], [[0.9, math.nan, 0]])
        recall.add(nan, true([A, B], [1, 2], [[0, 1, 0]]))
    with pytest.raises(InputError, match="Group 'tail'"):
        SceneGraphRecall(NAMES, groups={"tail": [3]})


@pytest.mark.usefixtures("unchecked")
def test_unknown_switches_name_the_nearest() -> None:
    with pytest.raises(InputError, match="best box"):
        RecallProtocol(matching="best_box")  # type: ignore[arg-type]


def test_unseen_triplets() -> None:
    train = [true([A, B], [1, 2], [[0, 1, 0]]), true([A, C], [1, 3], [[0, 1, 2]])]
    test = [true([B, A], [2, 1], [[1, 0, 0], [0, 1, 0], [1, 0, 1], [0, 1, 0]])]
    assert unseen_triplets(train, test).tolist() == [[1, 2, 1], [2, 1, 0]]
    assert unseen_triplets([], train).tolist() == [[1, 2, 0], [1, 3, 2]]
    assert unseen_triplets(train, []).shape == (0, 3)


def test_groups_by_frequency() -> None:
    groups = long_tail_groups(np.array([5, 90, 1, 40, 7, 3, 2]))
    assert groups == {"head": (1,), "body": (0, 3, 4), "tail": (2, 5, 6)}
    many = long_tail_groups(np.arange(50))
    assert [len(many[name]) for name in ("head", "body", "tail")] == [7, 21, 22]
    with pytest.raises(InputError, match="three predicates"):
        long_tail_groups(np.array([1, 2]))


# --- sgbench, under the conditions in which it measures the same


def sgbench_values(graphs: list[tuple[FoundGraph, TrueGraph]], names: int, k: int) -> tuple[float, float]:
    sgbench = pytest.importorskip(
        "sgbench", reason="the comparison needs sgbench: pip install --no-deps sgbench==1.0.0"
    )
    plain, mean = [], []
    for one, truth in graphs:
        best = one.best(100)[0].numpy()
        stands = sgbench.match_instances(
            truth.boxes.numpy(), truth.labels.numpy(), one.boxes.numpy(), one.labels.numpy()
        )
        matched = sgbench.remap_triplets(stands, best)
        given = {"gt_triplets": truth.triplets.numpy(), "matched_triplets": matched, "num_predicates": names}
        plain.append(sgbench.recall(k=k, mean=False, **given))
        mean.append(sgbench.recall(k=k, mean=True, **given))
    return float(np.mean(plain)), float(np.nanmean(np.nanmean(np.stack(mean), 0)))


@pytest.mark.parametrize("matching", ["any", "best box"])
def test_agrees_with_sgbench_where_boxes_lie_apart(matching: str) -> None:
    """graphs.md 4.1: no prediction fits two boxes, no repeated triplet, no extra pixel."""
    graphs = [random_graphs(seed) for seed in range(30)]
    names = tuple("abcdef")
    got = measure(graphs, RecallProtocol(matching=matching), names)  # type: ignore[arg-type]
    for k in (20, 50, 100):
        recall, mean = sgbench_values(graphs, 6, k)
        assert 0.02 < recall < 0.98
        assert got[f"R@{k}"] == pytest.approx(recall, abs=1e-12)
        assert got[f"mR@{k}"] == pytest.approx(mean, abs=1e-12)


def test_agrees_with_sgbench_where_boxes_overlap() -> None:
    """Then only its own matching is the same, and the field's finds more."""
    graphs = [random_graphs(seed, apart=False) for seed in range(30)]
    names = tuple("abcdef")
    same, field = (measure(graphs, protocol, names) for protocol in (RecallProtocol.sgbench(), RecallProtocol()))
    for k in (20, 50, 100):
        recall, mean = sgbench_values(graphs, 6, k)
        assert same[f"R@{k}"] == pytest.approx(recall, abs=1e-12)
        assert same[f"mR@{k}"] == pytest.approx(mean, abs=1e-12)
        assert field[f"R@{k}"] > recall

"""Metrics of cuboids against the golden case and against known answers."""

from __future__ import annotations

import pytest
import torch

from lichen.errors import InputError
from lichen.metrics.solids import (
    corner_distances,
    hausdorff_accuracy,
    hausdorff_error,
    hausdorff_recall,
    measure_solids,
    part_precision,
    surface_distances,
)
from lichen.solids import Cuboids, voxelise
from lichen.solids.published import corners, from_rows

from ..solids.golden import CASES, TOLERANCE, rows

CASE = CASES["cuboid.metrics"]
P, Q = rows(CASE["P"]), rows(CASE["Q"])
FOUND, TRUTH = corners(P, 32), corners(Q, 32)


def test_golden_hausdorff() -> None:
    for name, one, other in (("P to Q", FOUND, TRUTH), ("Q to P", TRUTH, FOUND)):
        wanted = torch.tensor(CASE[f"directed_hausdorff_corners {name}"], dtype=torch.float64)
        torch.testing.assert_close(corner_distances(one, other), wanted, rtol=0, atol=TOLERANCE)
    assert corner_distances(FOUND, TRUTH).argmin(1).tolist() == CASE["nearest_in_Q_of_each_P"]
    assert corner_distances(TRUTH, FOUND).argmin(1).tolist() == CASE["nearest_in_P_of_each_Q"]
    assert hausdorff_error(FOUND, TRUTH) == pytest.approx(CASE["hausdorff_error"], abs=TOLERANCE)
    for threshold, count in CASE["accuracy_counts (share = count / number of P)"].items():
        assert hausdorff_accuracy(FOUND, TRUTH, float(threshold)) == pytest.approx(count / 5)
    told = "recall_counts (share = count / number of Q, each P used once, in the order of Q)"
    for threshold, count in CASE[told].items():
        assert hausdorff_recall(FOUND, TRUTH, float(threshold)) == pytest.approx(count / 4)


def test_a_prediction_is_used_once_for_recall() -> None:
    twice = TRUTH[[0, 0]]
    assert hausdorff_recall(TRUTH[:1], twice, 0.1) == 0.5
    # Accuracy lets several predictions count for one annotation, as released.
    assert hausdorff_accuracy(twice, TRUTH[:1], 0.1) == 1.0


def test_the_same_set_is_perfect() -> None:
    truth = from_rows(Q).moved(1 / 32)
    found = measure_solids([truth], [truth], ([torch.arange(4)], [torch.arange(4)]))
    perfect = ("iou", "recall@0.2", "count_exact", "part_precision", "f_score", "accuracy@0.05")
    assert all(found[name] == pytest.approx(1.0, abs=1e-9) for name in perfect)
    assert found["hausdorff"] == found["count_error"] == 0.0 and found["chamfer"] < 1e-6


def test_known_distances() -> None:
    one = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    other = torch.tensor([[0.0, 0.02, 0.0]])
    found = surface_distances(one, other)
    # There: 0.02 and about 1.0002; back: 0.02. One of two points is near, and the only one of the other set.
    assert found["chamfer"] == pytest.approx(((0.02 + (1 + 0.02**2) ** 0.5) / 2 + 0.02) / 2, rel=1e-5)
    assert found["f_score"] == pytest.approx(2 * 0.5 * 1.0 / 1.5)


def test_parts_and_meshes() -> None:
    truth = from_rows(Q).moved(1 / 32)
    labels = torch.tensor([2, 0, 1, 0])
    assert part_precision(truth, torch.tensor([2, 1, 1, 0]), truth, labels) == 0.75
    mesh = voxelise(truth.moved(32), 32)
    half = mesh.clone()
    half[:, :, 16:] = False
    found = measure_solids([truth], [truth], meshes=[half])
    assert found["iou"] == 1.0 and found["mesh_iou"] == pytest.approx(int(half.sum()) / int(mesh.sum()))


def test_objects_without_predictions_count() -> None:
    truth = from_rows(Q).moved(1 / 32)
    found = measure_solids([truth[:0], truth], [truth, truth])
    assert found["iou"] == found["recall@0.2"] == found["count_exact"] == 0.5
    assert found["count_error"] == 2.0 and found["hausdorff"] == pytest.approx(3**0.5 / 2)
    with pytest.raises(InputError, match="0 predicted and 1 annotated"):
        measure_solids([], [truth])
    empty: list[Cuboids] = []
    with pytest.raises(InputError, match="0 predicted and 0"):
        measure_solids(empty, empty)

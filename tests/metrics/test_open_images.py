"""The relation metrics of Open Images: the specification's worked example and cases by hand."""

from __future__ import annotations

import pytest

from lichen.errors import InputError
from lichen.metrics.open_images import OpenImagesProtocol, OpenImagesRelations

from .graphs import A, B, found, true

NAMES = ("p0", "p1")
PLUS = OpenImagesProtocol(plus_one=True)


def worked(protocol: OpenImagesProtocol = PLUS) -> dict[str, float]:
    """graphs.md 1.10: p0 twice, once with a shorter object and the higher score; p1 with a far too small subject."""
    truth = true([A, B], [0, 1], [[0, 1, 0], [0, 1, 1]])
    boxes = [A, B, (50, 0, 99, 30), (0, 0, 20, 20)]
    one = found(boxes, [0, 1, 1, 0], [1, 1, 1, 1], [[0, 1], [0, 2], [3, 1]], [[0.4, 0], [0.9, 0], [0, 0.8]], 2)
    measured = OpenImagesRelations(NAMES, protocol)
    measured.add(one, truth)
    return measured.compute()


def test_the_worked_example() -> None:
    got = worked()
    assert (got["AP_rel/p0"], got["AP_rel/p1"]) == (1.0, 0.0)
    assert (got["AP_phr/p0"], got["AP_phr/p1"]) == (1.0, 1.0)
    assert got["wmAP_rel"] == got["mAP_rel"] == 0.5 and got["wmAP_phr"] == 1.0
    assert got["R@50"] == 0.5
    assert got["score_wtd"] == got["final_score"] == pytest.approx(0.2 * 0.5 + 0.4 * 0.5 + 0.4)


def test_recall_counts_relations_not_pictures_and_precision_weighs_predicates() -> None:
    measured = OpenImagesRelations(NAMES)
    three = true([A, B], [0, 1], [[0, 1, 0], [1, 0, 0], [0, 1, 1]])
    one = true([A, B], [0, 1], [[0, 1, 0]])
    measured.add(found([A, B], [0, 1], [1, 1], [[0, 1], [1, 0]], [[0.9, 0], [0.8, 0]], 2), three)
    measured.add(found([], [], [], [], [], 2), one)
    got = measured.compute()
    assert got["R@50"] == 0.5
    assert got["AP_rel/p0"] == pytest.approx(2 / 3) and got["AP_rel/p1"] == 0.0
    assert got["wmAP_rel"] == pytest.approx(2 / 3 * 3 / 4) and got["mAP_rel"] == pytest.approx(1 / 3)


def test_two_predicates_of_a_pair_and_the_least_score() -> None:
    truth = true([A, B], [0, 1], [[0, 1, 0], [0, 1, 1]])
    both = found([A, B], [0, 1], [1, 1], [[0, 1]], [[0.6, 0.3]], 2)
    faint = found([A, B], [0, 1], [1, 1], [[0, 1]], [[0.6, 1e-5]], 2)
    for one, protocol, wanted in (
        (both, OpenImagesProtocol(), 1.0),
        (both, OpenImagesProtocol(per_pair=1), 0.5),
        (faint, OpenImagesProtocol(), 0.5),
    ):
        measured = OpenImagesRelations(NAMES, protocol)
        measured.add(one, truth)
        got = measured.compute()
        assert got["R@50"] == got["wmAP_rel"] == wanted


def test_half_an_overlap_is_enough_for_recall_alone() -> None:
    truth = true([(0, 0, 10, 20), B], [0, 1], [[0, 1, 0]])
    measured = OpenImagesRelations(NAMES)
    measured.add(found([(0, 0, 10, 10), B], [0, 1], [1, 1], [[0, 1]], [[0.9, 0]], 2), truth)
    got = measured.compute()
    assert got["R@50"] == 1.0 and got["AP_rel/p0"] == 0.0


def test_predictions_where_nothing_is_annotated_are_false() -> None:
    right = found([A, B], [0, 1], [1, 1], [[0, 1]], [[0.5, 0]], 2)
    surer = found([A, B], [0, 1], [1, 1], [[0, 1]], [[0.9, 0]], 2)
    measured = OpenImagesRelations(NAMES)
    measured.add(right, true([A, B], [0, 1], [[0, 1, 0]]))
    measured.add(surer, true([A, B], [0, 1], []))
    assert measured.compute()["AP_rel/p0"] == 0.5


def test_what_is_refused() -> None:
    measured = OpenImagesRelations(NAMES)
    with pytest.raises(InputError, match="nothing to measure"):
        measured.compute()
    with pytest.raises(InputError, match="has 3 predicates; 2 are measured"):
        measured.add(found([], [], [], [], []), true([], [], []))
    with pytest.raises(InputError, match="overlap"):
        OpenImagesProtocol(overlap=1.0)

"""HICO-DET's rule: the published fixtures, the official loop on random cases, and what may not change a result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.data.interactions import Interactions
from lichen.data.playground import Playground
from lichen.errors import InputError
from lichen.metrics import hoi
from lichen.metrics.hoi import (
    HoiProtocol,
    HoiScores,
    InteractionBoxes,
    annotated_pairs,
    best_fits,
    edges_of_pixels,
    interaction_precision,
    known_objects,
    relatedness_precision,
)
from lichen.metrics.ranked import Curve
from lichen.scene import Entity, Relation, Scene

from .pairs import pairs, random_pairs

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "hoi_hico.json").read_text("utf-8"))
BOX, FAR = (0.0, 0.0, 10.0, 10.0), (50.0, 50.0, 60.0, 60.0)


def in_edges(boxes: InteractionBoxes, first: int) -> InteractionBoxes:
    """Boxes of a fixture, which name pixels, as boxes with edges."""
    sides = (edges_of_pixels(each, first) for each in (boxes.humans, boxes.objects))
    return InteractionBoxes(boxes.picture, boxes.category, *sides, boxes.scores)


def golden() -> tuple[InteractionBoxes, InteractionBoxes, np.ndarray]:
    """Detections and annotations of the fixture, as its pixels; and which interactions its pictures have."""
    found: list[Any] = []
    truth: list[Any] = []
    scores = []
    for picture, image in enumerate(GOLDEN["images"]):
        truth += [(picture, each["hoi"], each["human"], each["object"]) for each in image["gt"]]
        found += [(picture, each["hoi"], each["human"], each["object"]) for each in image["detections"]]
        scores += [each["score"] for each in image["detections"]]
    present = np.zeros((len(GOLDEN["images"]), len(GOLDEN["classes"])), bool)
    for row in truth:
        present[row[0], row[1]] = True
    return pairs(found, scores), pairs(truth), present


def golden_known(present: np.ndarray) -> np.ndarray:
    names = [each["object"] for each in GOLDEN["classes"]]
    return known_objects(present, np.unique(names, return_inverse=True)[1])


@pytest.mark.parametrize("curve", ["11 points", "11 points, MATLAB"])
def test_golden_default_and_known_object(curve: Curve) -> None:
    found, truth, present = golden()
    known, expected = golden_known(present), GOLDEN["expected"]
    got = interaction_precision(in_edges(found, 0), in_edges(truth, 1), 4, known, HoiProtocol(curve=curve))
    assert got.counts.tolist() == expected["num_gt"]
    np.testing.assert_allclose(got.precision, expected["default_ap"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(got.recall, expected["default_max_recall"], rtol=0, atol=1e-12)
    assert got.known_precision is not None and got.known_recall is not None
    np.testing.assert_allclose(got.known_precision, expected["ko_ap"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(got.known_recall, expected["ko_max_recall"], rtol=0, atol=1e-12)
    summary = got.summary()
    assert summary["mAP"] == pytest.approx(expected["default_map"], abs=1e-10)
    assert summary["mAP_known"] == pytest.approx(expected["ko_map"], abs=1e-10)
    assert summary["mRec"] == pytest.approx(0.9) and summary["classes"] == 4


def test_pixels_are_counted_inclusively_without_moving_anything() -> None:
    """Detections of the fixture count from 0, annotations from 1, so the official tool adds 1 to the former."""
    found, truth, _ = golden()
    moved = InteractionBoxes(found.picture, found.category, found.humans + 1, found.objects + 1, found.scores)
    got = interaction_precision(moved, truth, 4, protocol=HoiProtocol(inclusive=True))
    np.testing.assert_allclose(got.precision, GOLDEN["expected"]["default_ap"], rtol=0, atol=1e-12)


def test_thirty_real_classes(shared_data: Path) -> None:
    file = json.loads((shared_data / "hoi" / "hico_real40_shared_only.json").read_text("utf-8"))
    found: list[Any] = []
    truth: list[Any] = []
    scores = []
    present = np.zeros((len(file["images"]), 600), bool)
    for picture, image in enumerate(file["images"]):
        note = image["annotation"]
        truth += [(picture, *row) for row in zip(note["hoi"], note["boxes_h"], note["boxes_o"], strict=True)]
        found += [(picture, row[0], row[1:5], row[5:9]) for row in image["detections"]]
        scores += [row[9] for row in image["detections"]]
        present[picture, image["image_level"]["positive"]] = True
    known = known_objects(present, Interactions.hico().object_numbers)
    got = interaction_precision(in_edges(pairs(found, scores), 0), in_edges(pairs(truth), 1), 600, known)
    assert got.known_precision is not None
    expected = {int(id): each for id, each in file["expected"].items()}
    assert set(np.flatnonzero(got.counts)) == set(expected)
    for id, each in expected.items():
        assert got.counts[id] == each["num_gt"]
        assert got.precision[id] == pytest.approx(each["default_ap"], abs=1e-9)
        assert got.known_precision[id] == pytest.approx(each["ko_ap"], abs=1e-9)
    assert got.summary()["mAP"] == pytest.approx(file["default_map"], abs=1e-9)
    assert got.summary()["mAP_known"] == pytest.approx(file["ko_map"], abs=1e-9)


def official(found: InteractionBoxes, truth: InteractionBoxes, category: int, one: int) -> tuple[float, float]:
    """The official tool's loop over the detections of a class, whole numbers at the eleven recalls."""
    assert found.scores is not None
    rows = [row for row in np.argsort(found.picture, kind="stable") if found.category[row] == category]
    rows.sort(key=lambda row: -found.scores[row])
    count, taken, hits = int((truth.category == category).sum()), set(), []
    for row in rows:
        most, place = -np.inf, -1
        for other in np.flatnonzero((truth.category == category) & (truth.picture == found.picture[row])):
            both = (
                overlap(found.humans[row], truth.humans[other], one),
                overlap(found.objects[row], truth.objects[other], one),
            )
            if min(both) > most:
                most, place = min(both), other
        hits.append(most >= 0.5 and place not in taken)
        if hits[-1]:
            taken.add(place)
    true = np.cumsum(hits)
    precision = true / np.arange(1, len(hits) + 1)
    total = sum(max(precision[10 * true >= k * count], default=0.0) / 11 for k in range(11))
    return total, len(taken) / count


def overlap(a: np.ndarray, b: np.ndarray, one: int) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0]) + one
    height = min(a[3], b[3]) - max(a[1], b[1]) + one
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box[2] - box[0] + one) * (box[3] - box[1] + one) for box in (a, b)]
    return float(width * height / (areas[0] + areas[1] - width * height))


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 10**6), st.booleans())
def test_against_the_official_loop(seed: int, inclusive: bool) -> None:
    found, truth = random_pairs(seed, pictures=3, classes=2, found=seed % 40, annotated=1 + seed % 13)
    got = interaction_precision(found, truth, 3, protocol=HoiProtocol(inclusive=inclusive))
    for category in range(3):
        if not (truth.category == category).any():
            assert np.isnan(got.precision[category]) and np.isnan(got.recall[category])
        else:
            wanted = official(found, truth, category, int(inclusive))
            assert (got.precision[category], got.recall[category]) == pytest.approx(wanted, abs=1e-12)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6))
def test_neither_order_nor_scale_of_scores_matters(seed: int) -> None:
    found, truth = random_pairs(seed, pictures=3, classes=2, found=30, annotated=12)
    draw = np.random.default_rng(seed)
    distinct = draw.permutation(30) / 30
    before = InteractionBoxes(found.picture, found.category, found.humans, found.objects, distinct)
    other = InteractionBoxes(found.picture, found.category, found.humans, found.objects, np.exp(3 * distinct) - 7)
    wanted = interaction_precision(before, truth, 2).precision
    for changed in (before.take(draw.permutation(30)), other):
        np.testing.assert_array_equal(interaction_precision(changed, truth, 2).precision, wanted)


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    found, truth = random_pairs(5, pictures=2, classes=2, found=200, annotated=60)
    wanted = best_fits(found, truth)
    assert len(set(wanted[wanted >= 0])) > 5
    for chunk in (1, 7, 64):
        monkeypatch.setattr(hoi, "CHUNK", chunk)
        np.testing.assert_array_equal(best_fits(found, truth), wanted)


def test_annotated_pairs_as_detections_find_everything() -> None:
    _, truth = random_pairs(3, pictures=40, classes=5, found=0, annotated=60)
    # No two pairs of a picture and class alike, or one of them would never be looked at.
    rows = np.concatenate([truth.picture[:, None], truth.category[:, None], truth.humans, truth.objects], 1)
    truth = truth.take(np.unique(rows, axis=0, return_index=True)[1])
    found = InteractionBoxes(truth.picture, truth.category, truth.humans, truth.objects, np.ones(len(truth)))
    summary = interaction_precision(found, truth, 5).summary()
    assert summary["mRec"] == 1.0 and summary["mAP"] == pytest.approx(1.0)


def test_pairs_of_scenes() -> None:
    vocabulary = Interactions.of([("ride", "horse"), ("hug", "person")])
    entities = (Entity("person", BOX), Entity("horse", FAR), Entity("person"))
    relations = (Relation(0, "ride", 1), Relation(2, "ride", 1), Relation(0, "hug", 2), Relation(0, "near", 1))
    got = annotated_pairs([Scene("a"), Scene("b", entities=entities, relations=relations)], vocabulary)
    assert (got.picture.tolist(), got.category.tolist()) == ([1], [0]) and got.scores is None
    assert (got.humans.tolist(), got.objects.tolist()) == ([list(BOX)], [list(FAR)])
    assert len(annotated_pairs([], vocabulary)) == 0


def test_the_playground_finds_itself() -> None:
    data, vocabulary = Playground(size=30, language=False), Interactions.playground()
    scenes = [data[number][1] for number in range(30)]
    truth = annotated_pairs(scenes, vocabulary)
    present = np.array([vocabulary.labels_of(scene) == 1 for scene in scenes])
    found = InteractionBoxes(truth.picture, truth.category, truth.humans, truth.objects, np.ones(len(truth)))
    known = known_objects(present, vocabulary.object_numbers)
    summary = interaction_precision(found, truth, len(vocabulary), known).summary()
    assert summary["mAP"] == pytest.approx(1.0) and summary["mAP_known"] == pytest.approx(1.0)
    assert summary["mRec"] == 1.0 and summary["classes"] > 5


def test_a_second_hit_is_wrong_and_is_not_handed_on() -> None:
    near = (0.0, 0.0, 10.0, 9.0)
    truth = pairs([(0, 0, BOX, BOX), (0, 0, near, near)])
    # Both detections fit the first pair best, though each would do for the second.
    found = pairs([(0, 0, BOX, BOX), (0, 0, BOX, BOX)], [0.9, 0.8])
    assert best_fits(found, truth).tolist() == [0, 0]
    got = interaction_precision(found, truth, 1)
    assert got.recall[0] == 0.5 and got.precision[0] == pytest.approx(6 / 11)


def test_the_best_pair_counts_not_the_first_that_would_do() -> None:
    near = (0.0, 0.0, 10.0, 9.0)
    truth = pairs([(0, 0, near, BOX), (0, 0, BOX, BOX), (0, 0, BOX, BOX)])
    # Of two that are the same, the first.
    assert best_fits(pairs([(0, 0, BOX, BOX)], [0.5]), truth).tolist() == [1]


def test_both_boxes_must_overlap_by_half_at_least() -> None:
    half, less = (0.0, 0.0, 10.0, 5.0), (0.0, 0.0, 10.0, 4.9)
    truth = pairs([(0, 0, BOX, BOX)])
    for human, thing, right in ((half, half, True), (half, less, False), (less, BOX, False), (FAR, BOX, False)):
        assert best_fits(pairs([(0, 0, human, thing)], [1.0]), truth).tolist() == [0 if right else -1]
    # Neither another class nor another picture.
    assert best_fits(pairs([(0, 1, BOX, BOX), (1, 0, BOX, BOX)], [1.0, 1.0]), truth).tolist() == [-1, -1]


def test_of_equal_scores_the_earlier_picture_comes_first() -> None:
    truth = pairs([(0, 0, BOX, BOX)])
    wrong_first = pairs([(1, 0, BOX, BOX), (0, 0, BOX, BOX)], [0.5, 0.5])
    assert interaction_precision(wrong_first, truth, 1).precision[0] == pytest.approx(1.0)


def test_groups_and_the_harmonic_mean() -> None:
    got = HoiScores(np.array([0.2, 0.4, np.nan, 0.6]), np.array([1.0, 0.5, np.nan, 0.0]), np.array([1, 2, 0, 9]))
    groups = {"unseen": [0], "seen": [1, 2, 3], "none": [2]}
    assert got.summary(groups) == pytest.approx(
        {
            "mAP": 0.4,
            "mRec": 0.5,
            "mAP_unseen": 0.2,
            "mRec_unseen": 1.0,
            "mAP_seen": 0.5,
            "mRec_seen": 0.25,
            "mAP_harmonic": 0.2 / 0.7,
            "classes": 3.0,
        }
    )
    nothing = HoiScores(np.zeros(2), np.zeros(2), np.ones(2, np.int64), np.array([0.1, 0.3]), np.zeros(2))
    summary = nothing.summary({"unseen": [0], "seen": [1]})
    assert summary["mAP_harmonic"] == 0.0 and summary["mAP_known_harmonic"] == pytest.approx(0.15)
    with pytest.raises(InputError, match=r"The group 'rare' names classes 1 to 2 of 2"):
        nothing.summary({"rare": [1, 2]})


def test_known_objects_are_those_of_the_labels() -> None:
    # Interactions 0 and 2 share an object; the second picture has it by interaction 2 alone.
    present = np.array([[True, False, False], [False, False, True], [False, True, False]])
    assert known_objects(present, np.array([4, 1, 4])).tolist() == [
        [True, False, True],
        [True, False, True],
        [False, True, False],
    ]


def test_a_table_of_all_classes(tmp_path: Path) -> None:
    found, truth, present = golden()
    got = interaction_precision(
        in_edges(found, 0), in_edges(truth, 1), 5, np.pad(golden_known(present), ((0, 0), (0, 1)))
    )
    names = [f"{each['verb']} {each['object']}" for each in GOLDEN["classes"]]
    got.write_csv(tmp_path / "ap.csv", [*names, 'say "a, b"'], {"rare": [1, 3]})
    lines = (tmp_path / "ap.csv").read_text("utf-8").splitlines()
    assert lines[0] == "id,name,pairs,ap,recall,ap_known,recall_known,rare"
    assert lines[1] == "0,ride horse,5,24.5455,60.0000,41.3636,60.0000,0"
    assert lines[2] == "1,feed horse,2,50.0000,100.0000,84.8485,100.0000,1"
    assert lines[5] == '4,"say ""a, b""",0,,,,,0'
    with pytest.raises(InputError, match="5 classes but 4 names"):
        got.write_csv(tmp_path / "ap.csv", names)


def test_area_instead_of_eleven_points() -> None:
    found = pairs([(0, 0, BOX, BOX), (0, 0, FAR, FAR), (1, 0, BOX, BOX)], [0.9, 0.8, 0.7])
    truth = pairs([(0, 0, BOX, BOX), (1, 0, BOX, BOX), (2, 0, BOX, BOX)])
    got = interaction_precision(found, truth, 1, protocol=HoiProtocol(curve="area"))
    assert got.precision[0] == pytest.approx((1 + 2 / 3) / 3)


def test_relatedness() -> None:
    related = np.array([True, False, True, False])
    got = relatedness_precision(np.array([0.9, 0.8, 0.7, 0.1]), related)
    assert got == pytest.approx({"relatedness_AP": (1 + 2 / 3) / 2, "relatedness_chance": 0.5})
    # Scores that say nothing are chance, in whatever order they stand.
    assert relatedness_precision(np.ones(4), related)["relatedness_AP"] == 0.5
    with pytest.raises(InputError, match="nothing to find"):
        relatedness_precision(np.ones(2), np.zeros(2, bool))
    with pytest.raises(InputError, match="no NaN"):
        relatedness_precision(np.array([np.nan]), np.ones(1, bool))


def test_what_is_refused() -> None:
    one, found = pairs([(0, 0, BOX, BOX)]), pairs([(0, 0, BOX, BOX)], [0.5])
    with pytest.raises(InputError, match="no pair was annotated"):
        interaction_precision(found, pairs([]), 1)
    with pytest.raises(InputError, match="have no scores"):
        interaction_precision(one, one, 1)
    with pytest.raises(InputError, match="detection has class 3; there are 2"):
        interaction_precision(pairs([(0, 3, BOX, BOX)], [0.5]), one, 2)
    with pytest.raises(InputError, match="ends before it begins"):
        interaction_precision(found, pairs([(0, 0, BOX, (5, 0, 4, 9))]), 1)
    with pytest.raises(InputError, match=r"`known` is \(1, 2\); there are 1 pictures and 1 classes"):
        interaction_precision(found, one, 1, np.ones((1, 2), bool))
    with pytest.raises(InputError, match="scores hold NaN"):
        pairs([(0, 0, BOX, BOX)], [np.nan])
    with pytest.raises(InputError, match="picture has the number -1"):
        pairs([(-1, 0, BOX, BOX)])
    with pytest.raises(InputError, match="overlap"):
        HoiProtocol(overlap=0.0)


@pytest.mark.usefixtures("unchecked")
def test_what_an_unchecked_caller_gets_wrong() -> None:
    with pytest.raises(InputError, match="Unknown curve"):
        HoiProtocol(curve="points")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="labels of 3 interactions, but objects of 2"):
        known_objects(np.ones((1, 3), bool), np.array([0, 1]))
    with pytest.raises(InputError, match="1, 2, 1, 1 rows"):
        InteractionBoxes(np.zeros(1, int), np.zeros(2, int), np.zeros((1, 4)), np.zeros((1, 4)))


def test_no_detection_at_all() -> None:
    got = interaction_precision(pairs([], []), pairs([(0, 1, BOX, BOX)]), 2)
    assert np.isnan(got.precision[0]) and got.precision[1] == 0.0 and got.summary()["mAP"] == 0.0

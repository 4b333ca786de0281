"""HICO-DET in its three forms and V-COCO in its two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lichen.data.classes import hico_600, hico_objects, hico_verbs
from lichen.errors import InputError
from lichen.scene import Label

from . import tiny, tiny_files
from .reading import boxes, read, read_files, triples
from .tiny_files import Files, write

JSON, PPDM, VSRL = "instances_train2015.json", "test_hico.json", "vcoco_val.json"


def test_the_person_of_two_interactions_is_one(tmp_path: Path) -> None:
    scenes, _ = read("hico-det", tmp_path)
    # Pixels 1 to 20, counted from 1, the last one included.
    assert boxes(scenes[0]) == [(0.0, 0.0, 20.0, 40.0), (4.0, 19.0, 64.0, 48.0)]
    assert triples(scenes[0]) == [("person", "ride", "bicycle"), ("person", "jump", "bicycle")]
    assert [(scene.id, scene.metadata) for scene in scenes] == [
        ("HICO_train2015_00000001", {"split": "train"}),
        ("HICO_train2015_00000002", {"split": "train"}),
    ]


def test_three_orders_of_classes_are_one_after_reading(tmp_path: Path) -> None:
    # 19 of 600 in MATLAB and PPDM, 18 from 0; verb 77 of 117 from 1; bicycle is 2 for COCO, 9 for HICO from 0.
    assert hico_600()[18] == ("ride", "bicycle") and hico_verbs()[76] == "ride" and hico_objects()[9] == "bicycle"
    found = [triples(read(name, tmp_path / name)[0][0])[0] for name in ("hico-det", "hico-det, PPDM", "hico-det, mat")]
    assert found == [("person", "ride", "bicycle")] * 3


def test_boxes_of_ppdm_are_corners(tmp_path: Path) -> None:
    scenes, _ = read("hico-det, PPDM", tmp_path)
    assert boxes(scenes[0]) == [(0.0, 0.0, 20.0, 40.0), (4.0, 19.0, 64.0, 48.0)]
    assert scenes[0].metadata == {"split": "test"}


def test_matlab_files_with_labels_of_whole_pictures(tmp_path: Path) -> None:
    scenes, _ = read("hico-det, mat", tmp_path)
    # The fields of a box are x1, x2, y1, y2; one human is connected to two objects.
    assert boxes(scenes[0]) == [(0.0, 0.0, 20.0, 40.0), (4.0, 19.0, 64.0, 48.0), (1.0, 1.0, 9.0, 9.0)]
    assert [(item.subject, item.predicate, item.object) for item in scenes[0].relations] == [
        (0, "ride", 1),
        (0, "ride", 2),
        (0, "jump", 1),
    ]
    assert scenes[0].labels == (Label("jump bicycle"), Label("ride bicycle"))
    assert scenes[0].metadata["absent"] == ["carry bicycle"] and scenes[0].metadata["unclear"] == ["hold bicycle"]
    # Labelled, and with no pair that can be seen.
    assert scenes[1].relations == () and scenes[1].labels == (Label("no_interaction bicycle"),)
    assert scenes[1].metadata["invisible"] == ["no_interaction bicycle"]


@pytest.mark.parametrize(
    ("change", "problems", "relations"),
    [
        (lambda v: v["annotation"][0]["hoi"].__setitem__(0, 600), {"unknown class": 1}, 1),
        (lambda v: v["annotation"][0]["hoi"].append(3), {"wrong value": 1}, 2),
        (
            lambda v: v["annotation"][0]["boxes_h"].__setitem__(0, [9, 9, 2, 2]),
            {"box inverted": 1, "lost with its box": 1},
            1,
        ),
        (lambda v: v["annotation"][0].update(boxes_o=None), {"wrong value": 2}, 0),
        (lambda v: v["filenames"].pop(), {"wrong value": 1}, 2),
        (lambda v: v.update(size=[[64, "a"]]), {"wrong value": 1}, 2),
        (lambda v: v["annotation"].__setitem__(1, "none"), {"wrong value": 4}, 2),
    ],
)
def test_hico_with_faults(change: Any, problems: dict[str, int], relations: int, tmp_path: Path) -> None:
    scenes, found = read("hico-det", tmp_path, lambda files: change(files[JSON]))
    assert found == problems and sum(len(scene.relations) for scene in scenes) == relations


def test_ppdm_with_faults(tmp_path: Path) -> None:
    def bad(files: Files) -> None:
        record = files[PPDM][0]
        pair = record["hoi_annotation"][0]
        changes = ({"subject_id": 5}, {"category_id": 118}, {"object_id": -1}, {"object_id": None}, {"object_id": 2})
        record["hoi_annotation"] += [{**pair, **change} for change in changes]
        record["annotations"].append({"bbox": [0, 0, 5, 5], "category_id": 12})

    scenes, problems = read("hico-det, PPDM", tmp_path, bad)
    # 12 is one of the gaps in COCO's ids.
    assert problems == {"unknown reference": 2, "unknown class": 2, "wrong value": 1, "lost with its box": 1}
    assert len(scenes[0].relations) == 1


def test_matlab_files_with_faults(tmp_path: Path) -> None:
    write(tiny.hico_mat(), tmp_path)
    (tmp_path / "anno.mat").write_bytes(
        tiny_files.mat({"anno_train": np.zeros((5, 2)), "list_train": ["a.jpg", "b.jpg"]})
    )
    _, problems = read_files("hico-det", tmp_path)
    assert problems == {"wrong value": 1}
    (tmp_path / "anno_bbox.mat").write_bytes(tiny_files.mat({"other": 3}))
    with pytest.raises(InputError, match="neither bbox_train nor bbox_test"):
        read_files("hico-det", tmp_path)
    (tmp_path / "instances_test2015.json").write_text("7")
    with pytest.raises(InputError, match="is no JSON object or list"):
        read_files("hico-det", tmp_path / "instances_test2015.json")


# --- V-COCO


def test_vcoco(tmp_path: Path) -> None:
    scenes, _ = read("v-coco", tmp_path)
    # role_object_id is role by role: holds the dog; eats with it, and what it eats is not marked.
    assert triples(scenes[0]) == [("person", "hold_obj", "dog"), ("person", "eat_instr", "dog")]
    assert scenes[0].entities[0].attributes == ("hold", "eat")
    # An action without an object, and one whose object nobody marked.
    assert scenes[1].entities[1].attributes == ("hold", "walk") and scenes[1].relations == ()
    # The crowd was not annotated, and may do anything.
    assert scenes[1].metadata == {"image_id": 9, "people": [1], "split": "val"}


@pytest.mark.parametrize(
    ("change", "problems"),
    [
        (lambda v: v[0].update(action_name="fly"), {"unknown class": 1}),
        (lambda v: v[0]["label"].pop(), {"wrong value": 1}),
        (lambda v: v[0]["label"].__setitem__(0, 2), {"wrong value": 1}),
        (lambda v: v[0]["ann_id"].__setitem__(0, 77), {"unknown reference": 1}),
        (lambda v: v[0]["role_object_id"].__setitem__(2, 77), {"unknown reference": 1}),
        (lambda v: v[0]["role_object_id"].__setitem__(2, "x y"), {"unknown reference": 1}),
        (lambda v: v[0]["role_object_id"].__setitem__(2, None), {"wrong value": 1}),
        (lambda v: [action["image_id"].__setitem__(1, 55) for action in v], {"unknown reference": 1}),
        (lambda v: v.append([]), {"wrong value": 7}),
    ],
)
def test_vcoco_with_faults(change: Any, problems: dict[str, int], tmp_path: Path) -> None:
    assert read("v-coco", tmp_path, lambda files: change(files[VSRL]))[1] == problems


def test_trainval_is_read_only_where_its_halves_are_absent(tmp_path: Path) -> None:
    def sides(files: Files) -> None:
        files["vcoco_trainval.json"] = files[VSRL]
        files["vcoco_train.json"] = [{**action, **{key: [] for key in LISTS}} for action in files[VSRL]]

    scenes, problems = read("v-coco", tmp_path, sides)
    assert {scene.metadata["split"] for scene in scenes} == {"val"} and problems == {}
    (tmp_path / VSRL).unlink()
    assert {scene.metadata["split"] for scene in read_files("v-coco", tmp_path)[0]} == {"trainval"}


LISTS = ("image_id", "ann_id", "label", "role_object_id")


def test_boxes_of_vcoco_may_lie_in_both_halves_of_coco(tmp_path: Path) -> None:
    def halve(files: Files) -> None:
        whole = files.pop("instances_vcoco_all_2014.json")
        for name, id in (("train", 7), ("val", 9)):
            annotations = [item for item in whole["annotations"] if item["image_id"] == id]
            images = [item for item in whole["images"] if item["id"] == id]
            half = {**whole, "images": images, "annotations": annotations}
            files[f"annotations/instances_{name}2014.json"] = half

    scenes, problems = read("v-coco", tmp_path / "halves", halve)
    assert scenes == read("v-coco", tmp_path / "whole")[0] and problems == {}


def test_vcoco_needs_cocos_boxes(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no instances\*.json"):
        read("v-coco", tmp_path, lambda files: files.pop("instances_vcoco_all_2014.json"))


def test_pairs_of_vcoco(tmp_path: Path) -> None:
    scenes, _ = read("v-coco-pairs", tmp_path / "a")
    # Object 17 of COCO's 80, from 1; object 0 is none.
    assert triples(scenes[0]) == [("person", "hold_obj", "dog")] and len(scenes[0].entities) == 2
    assert scenes[0].entities[0].attributes == ("hold", "sit")

    def bad(files: Files) -> None:
        annotation = files["instances_vcoco_test.json"]["annotations"][0]
        annotation["actions"], annotation["objects"] = [24, 0], [17, 81]

    assert read("v-coco-pairs", tmp_path / "b", bad)[1] == {"unknown class": 2}

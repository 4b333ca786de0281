"""COCO's JSON both ways, on small files and on real ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.errors import InputError
from lichen.scene import Entity, Scene
from lichen.scene.coco import from_coco, read_coco, to_coco, write_coco

from .strategies import TEXT, entities

SCENES = (
    Scene(
        "7",
        image="a.jpg",
        size=(64, 48),
        captions=("A cat.", "A red cat and a crowd."),
        entities=(
            Entity("cat", (1.0, 2.0, 11.0, 22.0), attributes=("red",), id="31"),
            Entity("person", (0.5, 0.0, 64.0, 48.0), 0.25, ("crowd",), "30"),
        ),
    ),
    Scene("12", image="b.jpg", size=(32, 32)),
)


def test_the_layout_is_that_of_coco() -> None:
    made = to_coco(SCENES)
    assert made["instances"] == {
        "images": [
            {"id": 7, "width": 64, "height": 48, "file_name": "a.jpg"},
            {"id": 12, "width": 32, "height": 32, "file_name": "b.jpg"},
        ],
        "annotations": [
            {
                **{"id": 31, "image_id": 7, "category_id": 1, "bbox": [1.0, 2.0, 10.0, 20.0], "area": 200.0},
                **{"iscrowd": 0, "segmentation": [], "attributes": ["red"]},
            },
            {
                **{"id": 30, "image_id": 7, "category_id": 2, "bbox": [0.5, 0.0, 63.5, 48.0], "area": 63.5 * 48},
                **{"iscrowd": 1, "segmentation": [], "score": 0.25},
            },
        ],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "person"}],
    }
    assert made["captions"]["images"] == made["instances"]["images"]
    assert made["captions"]["annotations"] == [
        {"id": 1, "image_id": 7, "caption": "A cat."},
        {"id": 2, "image_id": 7, "caption": "A red cat and a crowd."},
    ]


def test_there_and_back() -> None:
    assert from_coco(**to_coco(SCENES)) == list(SCENES)
    assert from_coco(to_coco(SCENES)["instances"], folder="x")[0].image == str(Path("x", "a.jpg"))


@settings(max_examples=15, deadline=None)
@given(st.lists(entities(boxed=True), max_size=3), TEXT, st.lists(TEXT, max_size=2))
def test_there_and_back_of_anything_with_boxes(things: list[Entity], id: str, captions: list[str]) -> None:
    scene = Scene(id, size=(640, 480), entities=tuple(things), captions=tuple(captions))
    (back,) = from_coco(**to_coco([scene]))
    assert back.id == id and back.captions == scene.captions and back.size == scene.size
    assert [(e.label, e.score) for e in back.entities] == [(e.label, e.score) for e in scene.entities]
    assert [sorted({*e.attributes}) for e in back.entities] == [sorted({*e.attributes}) for e in scene.entities]
    # Left plus width is right but for rounding.
    np.testing.assert_allclose(back.boxes, scene.boxes, rtol=0, atol=1e-9)


def test_numbers_of_categories_can_be_given() -> None:
    made = to_coco(SCENES, {"person": 1, "dog": 18, "cat": 17})
    assert [item["category_id"] for item in made["instances"]["annotations"]] == [17, 1]
    assert [item["id"] for item in made["instances"]["categories"]] == [1, 17, 18]
    with pytest.raises(InputError, match=r"entities\[0\]\.label: no category 'cat'\. Did you mean 'cut'\?"):
        to_coco(SCENES, {"person": 1, "cut": 2})


def test_what_coco_cannot_say_is_refused_or_left_out() -> None:
    unplaced = Scene("a", size=(4, 4), entities=(Entity("cat"),))
    assert to_coco([unplaced])["instances"]["annotations"] == []
    with pytest.raises(InputError, match="Scene 'a' has no size"):
        to_coco([Scene("a")])
    with pytest.raises(InputError, match=r"entities\[0\] has a box and no label"):
        to_coco([Scene("a", size=(4, 4), entities=(Entity(None, (0.0, 0.0, 1.0, 1.0)),))])
    with pytest.raises(InputError, match="Two scenes have the id 'a'"):
        to_coco([unplaced, unplaced])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"annotations": [{"image_id": 9, "category_id": 1, "bbox": [0, 0, 1, 1]}]}, "no picture in 'images'"),
        ({"annotations": [{"image_id": 7, "category_id": 9, "bbox": [0, 0, 1, 1]}]}, "no category has this id"),
        ({"annotations": [{"image_id": 7, "category_id": 1, "bbox": [0, 0, 1]}]}, "bbox must be left, top, width"),
        ({"annotations": [{"image_id": 7, "category_id": 1, "bbox": [0, 0, 0, 1]}]}, "must have left < right"),
        ({"annotations": [{"image_id": 7, "category_id": 1}]}, "must be an object with 'bbox'"),
        ({"annotations": [3]}, "annotations[0] must be an object with 'image_id'; got 3"),
        ({"annotations": None}, "'annotations' must be a list; got None"),
        ({"images": [{"file_name": "a.jpg"}]}, "images[0] must be an object with 'id'"),
    ],
)
def test_faults_of_a_file_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        from_coco({**to_coco(SCENES)["instances"], **change})
    assert message in str(caught.value)


def test_files(tmp_path: Path) -> None:
    write_coco(tmp_path / "made", SCENES)
    folder = tmp_path / "made"
    assert read_coco(folder / "instances.json", folder / "captions.json") == list(SCENES)
    (tmp_path / "bad.json").write_text("[]")
    with pytest.raises(InputError, match="must hold an object; got a list"):
        read_coco(tmp_path / "bad.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(InputError, match="is not JSON"):
        read_coco(tmp_path / "bad.json")
    with pytest.raises(InputError, match="Cannot read"):
        read_coco(tmp_path / "absent.json")


def test_real_annotations(shared_data: Path) -> None:
    folder = shared_data / "coco_mini"
    # A tenth of the pictures: each call is checked here, which makes all of them slow.
    instances = json.loads((folder / "instances.json").read_text())
    kept = {image["id"] for image in instances["images"][::10]}
    instances["images"] = [image for image in instances["images"] if image["id"] in kept]
    instances["annotations"] = [item for item in instances["annotations"] if item["image_id"] in kept]
    scenes = from_coco(instances)
    assert len(scenes) == len(kept)
    assert sum(len(scene.entities) for scene in scenes) == len(instances["annotations"])
    numbers = {item["name"]: item["id"] for item in instances["categories"]}
    back = to_coco(scenes, numbers)["instances"]
    before = {item["id"]: item for item in instances["annotations"]}
    assert {item["id"] for item in back["annotations"]} == set(before)
    for item in back["annotations"]:
        assert item["category_id"] == before[item["id"]]["category_id"]
        assert item["iscrowd"] == before[item["id"]]["iscrowd"]
        np.testing.assert_allclose(item["bbox"], before[item["id"]]["bbox"], atol=1e-9)

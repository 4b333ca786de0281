"""COCO's JSON files: categories and captions of pictures, splits by lists of ids."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from lichen.data.config import DataConfig
from lichen.data.dataset import Dataset
from lichen.data.readers import load
from lichen.errors import InputError

IMAGES = [{"id": number, "file_name": f"{number}.jpg", "width": 8, "height": 6} for number in range(1, 7)]
CATEGORIES = [{"id": 90, "name": "toothbrush"}, {"id": 2, "name": "person"}, {"id": 7, "name": "cat"}]
BOXES = [(1, 2, 0), (1, 90, 0), (1, 2, 0), (2, 7, 1), (3, 90, 0), (4, 2, 0), (5, 7, 0)]
CAPTIONS = [(1, " a cat \n"), (1, "two"), (2, "three"), (3, "  "), (3, "four"), (4, "five"), (5, "six"), (6, "seven")]


def instances() -> dict[str, Any]:
    annotations: list[dict[str, Any]] = [
        {"id": number, "image_id": image, "category_id": category, "iscrowd": crowd, "bbox": [0, 0, 1, 1]}
        for number, (image, category, crowd) in enumerate(BOXES)
    ]
    return copy.deepcopy({"images": IMAGES, "categories": CATEGORIES, "annotations": annotations})


def captions() -> dict[str, Any]:
    annotations: list[dict[str, Any]] = [{"image_id": image, "caption": text} for image, text in CAPTIONS]
    return copy.deepcopy({"images": IMAGES, "annotations": annotations})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    for image in IMAGES:
        Image.new("RGB", (8, 6)).save(tmp_path / "images" / str(image["file_name"]))
    (tmp_path / "instances.json").write_text(json.dumps(instances()))
    (tmp_path / "captions.json").write_text(json.dumps(captions()))
    (tmp_path / "splits.json").write_text(json.dumps({"note": "x", "train": [1, 2, 3, 99], "val": [5, 4], "rest": [6]}))
    return tmp_path


def categories_of(folder: Path, **values: Any) -> Dataset:
    settings = {"path": "images", "instances": "instances.json", "holdout": 0.0, **values}
    return load(DataConfig(kind="coco-labels", **settings), folder)


def captions_of(folder: Path, **values: Any) -> Dataset:
    settings = {"path": "images", "captions": "captions.json", "holdout": 0.0, **values}
    return load(DataConfig(kind="coco-captions", **settings), folder)


def test_categories(folder: Path) -> None:
    dataset = categories_of(folder)
    assert dataset.classes == ("person", "cat", "toothbrush") and dataset.multi_label
    assert dataset.ids == tuple(f"{number}.jpg" for number in range(1, 7))
    expected = [[1, 0, 1], [0, 1, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 0, 0]]
    assert dataset.targets(dataset.rows("train")).tolist() == expected
    assert dataset.scenes[0].metadata == {"image_id": 1, "width": 8, "height": 6}
    assert dataset.picture(0).size == (8, 6)


def test_splits_by_lists(folder: Path) -> None:
    dataset = categories_of(folder, splits="splits.json", holdout=None)
    assert dataset.ids == ("1.jpg", "2.jpg", "3.jpg", "5.jpg", "4.jpg")
    assert dataset.splits == {"train": (0, 1, 2), "dev": (3, 4)}
    named = categories_of(folder, splits="splits.json", train="train", test="val", dev="rest", holdout=None)
    assert named.splits == {"train": (0, 1, 2), "dev": (3,), "test": (4, 5)} and named.ids[3] == "6.jpg"


def test_a_category_may_be_absent_from_training(folder: Path) -> None:
    (folder / "splits.json").write_text(json.dumps({"train": [1, 3], "val": [2]}))
    dataset = categories_of(folder, splits="splits.json", holdout=None)
    assert dataset.targets(dataset.rows("dev")).tolist() == [[0, 1, 0]]


def test_captions(folder: Path) -> None:
    dataset = captions_of(folder)
    assert [scene.captions for scene in dataset.scenes[:3]] == [("a cat", "two"), ("three",), ("four",)]
    assert dataset.classes == () and not dataset.multi_label
    rows, numbers = dataset.caption_pairs("train")
    assert torch.equal(rows, torch.tensor([0, 0, 1, 2, 3, 4, 5])) and numbers.tolist() == [0, 1, 0, 0, 0, 0, 0]
    assert len(captions_of(folder, holdout=0.5).rows("dev")) == 3


def test_pictures_without_caption_are_skipped(folder: Path) -> None:
    values = captions()
    values["images"] = [{"id": number, "file_name": f"{number}.jpg"} for number in range(1, 41)]
    values["annotations"] = [{"image_id": number, "caption": "x"} for number in range(2, 41)]
    (folder / "captions.json").write_text(json.dumps(values))
    dataset = captions_of(folder)
    assert len(dataset) == 39 and "has no caption" in dataset.skipped["1.jpg"]


def broken(file: str, change: Any) -> Any:
    values = instances() if file == "instances.json" else captions()
    change(values)
    return file, json.dumps(values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("instances.json", "[1]"), "holds a list; expected a JSON object"),
        (("instances.json", "{"), "not readable as JSON"),
        (("instances.json", "{}"), "no list 'images'.*The file is empty"),
        (
            broken("instances.json", lambda v: v.update(category=v.pop("categories"))),
            "no list 'categories'.*'category'",
        ),
        (broken("instances.json", lambda v: v["images"].append(v["images"][0])), "lists an image id twice"),
        (broken("instances.json", lambda v: v["images"][2].pop("file_name")), r"images\[2\]: no usable 'file_name'"),
        (broken("instances.json", lambda v: v["annotations"][1].update(image_id=77)), "image 77, which is not listed"),
        (
            broken("instances.json", lambda v: v["annotations"][1].update(category_id=8)),
            "category 8, which is not listed",
        ),
        (broken("instances.json", lambda v: v["annotations"][1].pop("category_id")), r"annotations\[1\]"),
        (
            broken("instances.json", lambda v: v["categories"].append({"id": 5, "name": "cat"})),
            "two categories of one name",
        ),
        (("splits.json", '{"train": [1], "val": [1]}'), "image 1 is in both train and dev"),
        (("splits.json", '{"training set": [1]}'), "no list 'train'; set data.train to one of training set"),
        (("splits.json", '{"train": [[1]]}'), "must hold image ids only"),
        (("splits.json", '{"train": [1, 2], "val": [55]}'), r"instances.json \(dev\) holds no usable sample"),
    ],
)
def test_files_that_contradict_themselves(folder: Path, change: tuple[str, str], message: str) -> None:
    (folder / change[0]).write_text(change[1])
    with pytest.raises(InputError, match=message):
        categories_of(folder, splits="splits.json", holdout=None)


def test_what_must_be_given(folder: Path) -> None:
    with pytest.raises(InputError, match=r"needs data.instances"):
        categories_of(folder, instances=None)
    with pytest.raises(InputError, match=r"needs data.path"):
        categories_of(folder, path=None)
    with pytest.raises(InputError, match=r"data.captions: there is no file or folder.*Did you mean 'captions.json'"):
        captions_of(folder, captions="caption.json")
    with pytest.raises(InputError, match=r"data.test: .* has no list 'vall'. Did you mean 'val'"):
        captions_of(folder, splits="splits.json", train="train", test="vall")
    with pytest.raises(InputError, match=r"data.test names a list of the splits file, but data.splits is not given"):
        captions_of(folder, test="val")


def test_real_categories(shared_data: Path) -> None:
    config = DataConfig(
        kind="coco-labels",
        path="coco_mini/images",
        instances="coco_mini/instances.json",
        splits="coco_mini/splits.json",
    )
    dataset = load(config, shared_data)
    assert (len(dataset.rows("train")), len(dataset.rows("dev")), len(dataset.classes)) == (182, 100, 80)
    targets = dataset.targets(dataset.rows("train"))
    assert int((targets.sum(1) == 0).sum()) == 2 and int(targets.sum(0).min()) >= 1
    assert dataset.classes[0] == "person" and dataset.classes[-1] == "toothbrush"
    assert min(dataset.picture(0).size) == 256


def test_real_captions(shared_data: Path) -> None:
    config = DataConfig(
        kind="coco-captions",
        path="coco_mini/images",
        captions="coco_mini/captions.json",
        splits="coco_mini/splits.json",
        train="train",
        test="val",
    )
    dataset = load(config, shared_data)
    assert {split: len(rows) for split, rows in dataset.splits.items()} == {"train": 235, "dev": 26, "test": 100}
    texts, ids = dataset.captions("test")
    assert len(texts) == len(set(ids)) == 501 and all(text == text.strip() for text in texts)


def test_captions_with_the_boxes_of_their_pictures(folder: Path) -> None:
    listed = instances()
    listed["images"] = listed["images"][:5]
    listed["annotations"][0]["bbox"] = [6, 1, 9, 2]
    listed["annotations"][1]["bbox"] = [20, 20, 3, 3]
    (folder / "instances.json").write_text(json.dumps(listed))
    dataset = captions_of(folder, instances="instances.json")
    assert dataset.classes == () and all(scene.size == (8, 6) for scene in dataset.scenes)
    first, last = dataset.scenes[0], dataset.scenes[-1]
    assert first.captions == ("a cat", "two") and [thing.label for thing in first.entities] == ["person", "person"]
    assert first.entities[0].box == (6.0, 1.0, 8.0, 3.0), "cut to the picture; one outside it is left out"
    assert last.id == "6.jpg" and last.entities == (), "nobody looked for boxes in it"
    assert captions_of(folder).scenes[0].entities == ()

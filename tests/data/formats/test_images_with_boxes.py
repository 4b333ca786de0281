"""COCO, Visual Genome, VG150, Open Images: exact results, and the quirks of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lichen.data.formats import vg150 as vg150_module
from lichen.errors import InputError
from lichen.scene import Entity, Expression, Question

from . import tiny_files
from .reading import boxes, read, read_files, triples
from .tiny_files import Files

INSTANCES, CAPTIONS = "annotations/instances_val.json", "annotations/captions_val.json"


# --- COCO


def test_coco(tmp_path: Path) -> None:
    scenes, _ = read("coco", tmp_path)
    assert [scene.id for scene in scenes] == ["7", "8", "9"] and scenes[0].image == "000000000007.jpg"
    assert scenes[0].entities == (
        Entity("person", (4.0, 5.0, 14.0, 25.0), id="1"),
        # Two decimals rounded beyond the edge.
        Entity("dog", (0.5, 0.25, 64.0, 48.0), id="2"),
    )
    assert scenes[0].captions == ("A dog.",) and scenes[0].size == (64, 48)
    assert scenes[0].metadata == {"image_id": 7, "annotated": ["instances", "captions"], "split": "val"}
    # Without boxes, but looked at; and a crowd in a picture that has no captions.
    assert scenes[1].entities == () and scenes[1].metadata["annotated"] == ["instances", "captions"]
    assert scenes[2].entities[0].attributes == ("crowd",) and scenes[2].metadata["annotated"] == ["instances"]


def test_coco_of_several_sides_and_one_file(tmp_path: Path) -> None:
    def add(files: Files) -> None:
        files["annotations/instances_train.json"] = {
            "images": [{"id": 1, "file_name": "1.jpg"}],
            "annotations": [],
            "categories": [],
        }

    scenes, problems = read("coco", tmp_path, add)
    assert next((scene.id, scene.metadata["split"]) for scene in scenes) == ("1", "train") and problems == {}
    assert len(read_files("coco", tmp_path / INSTANCES)[0]) == 3
    assert read_files("coco", tmp_path / CAPTIONS)[0][0].captions == ("A dog.",)


def test_two_files_of_one_split_are_not_mixed_up(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"instances_val.json and .*instances_val.json are both files of one split"):
        read("coco", tmp_path, lambda files: files.update({"instances_val.json": files[INSTANCES]}))


@pytest.mark.parametrize(
    ("change", "problems", "entities"),
    [
        (lambda v: v["annotations"][0].update(bbox=[60, 5, 10, 20]), {"box partly outside": 1}, 3),
        (lambda v: v["annotations"][0].update(bbox=[70, 5, 10, 20]), {"box outside": 1}, 2),
        (lambda v: v["annotations"][0].update(bbox=[4, 5, -1, 20]), {"box inverted": 1}, 2),
        (lambda v: v["annotations"][0].update(bbox=[4, 5, 0, 20]), {"box without area": 1}, 2),
        (lambda v: v["annotations"][0].update(bbox=[4, 5, "1", 20]), {"wrong value": 1}, 2),
        (lambda v: v["annotations"][0].pop("bbox"), {"wrong value": 1}, 2),
        (lambda v: v["annotations"][0].update(category_id=3), {"unknown class": 1}, 2),
        (lambda v: v["annotations"][0].update(image_id=99), {"unknown reference": 1}, 2),
        (lambda v: v["annotations"][1].update(id=1), {"duplicate id": 1}, 2),
        (lambda v: v["annotations"].append(7), {"wrong value": 2}, 3),
        (lambda v: v["images"].append(v["images"][0]), {"duplicate id": 1}, 3),
        (lambda v: v["images"][2].pop("file_name"), {"wrong value": 1, "unknown reference": 1}, 2),
        (lambda v: v["categories"].append({"id": 18, "name": "cat"}), {"duplicate id": 1}, 3),
        (lambda v: v["images"][0].update(width=-3), {"wrong value": 1}, 3),
        (lambda v: [image.update(id=str(image["id"])) for image in v["images"]], {}, 3),
        (lambda v: [item.update(category_id=float(item["category_id"])) for item in v["annotations"]], {}, 3),
        (lambda v: [item.pop("id") for item in v["annotations"]], {}, 3),
    ],
)
def test_coco_with_faults(change: Any, problems: dict[str, int], entities: int, tmp_path: Path) -> None:
    def spoil(files: Files) -> None:
        del files[CAPTIONS]
        change(files[INSTANCES])

    scenes, found = read("coco", tmp_path, spoil)
    assert found == problems and sum(len(scene.entities) for scene in scenes) == entities


def test_pictures_of_coco_of_another_size(tmp_path: Path) -> None:
    def add(files: Files) -> None:
        files["val2017/000000000007.jpg"] = tiny_files.jpeg(32, 24)
        files["val2017/000000000008.jpg"] = tiny_files.jpeg(64, 48)
        files["val2017/000000000009.jpg"] = b"damaged"

    scenes, problems = read("coco", tmp_path, add, look=True)
    assert problems == {"picture size": 1, "box partly outside": 2, "missing picture": 1}
    assert [scene.size for scene in scenes] == [(32, 24), (64, 48), (64, 48)]
    assert boxes(scenes[0]) == [(4.0, 5.0, 14.0, 24.0), (0.5, 0.25, 32.0, 24.0)]


# --- Visual Genome


def test_visual_genome_merges_objects_by_their_ids(tmp_path: Path) -> None:
    scenes, _ = read("visual-genome", tmp_path)
    assert scenes[0].entities == (
        # The attributes of 5, which was merged into 11, and of 11 itself; in lower case, each once.
        Entity("tree", (0.0, 2.0, 10.0, 22.0), attributes=("green", "tall"), id="11"),
        Entity("dog", (20.0, 2.0, 30.0, 22.0), id="12"),
        # In attributes alone, and in relationships alone, under `name`.
        Entity("cat", (40.0, 2.0, 50.0, 22.0), attributes=("black",), id="13"),
        Entity("shade", (5.0, 5.0, 14.0, 14.0), id="14"),
    )
    assert triples(scenes[0]) == [("dog", "near", "tree"), ("shade", "on", "cat")]
    assert scenes[0].questions == (Question("What?", ("A dog.",), entities=(1,)),)
    # Listed, in another order than the objects, and empty.
    assert scenes[1].id == "2" and scenes[1].entities == ()


def test_scene_graphs_serve_where_objects_are_absent(tmp_path: Path) -> None:
    def graphs(files: Files) -> None:
        things = files["objects.json"][1]["objects"]
        relations = [{"predicate": "near", "subject_id": 12, "object_id": 5}]
        files["scene_graphs.json"] = [{"image_id": 1, "objects": things, "relationships": relations}]
        for name in ("objects.json", "attributes.json", "relationships.json"):
            del files[name]

    scenes, problems = read("visual-genome", tmp_path, graphs)
    assert triples(scenes[0]) == [("dog", "near", "tree")] and len(scenes[0].questions) == 1 and problems == {}


@pytest.mark.parametrize(
    ("change", "problems", "left"),
    [
        (lambda f: f["objects.json"][1]["objects"][1].update(w=0), {"box without area": 1, "lost with its box": 2}, 1),
        (lambda f: f["relationships.json"][0]["relationships"][0].update(predicate=" "), {"wrong value": 1}, 1),
        (lambda f: f["relationships.json"][0]["relationships"][0].update(subject=4), {"wrong value": 2}, 1),
        (lambda f: f["relationships.json"].append({"image_id": 9}), {"unknown reference": 1}, 2),
        (lambda f: f["relationships.json"].append({"image_id": 1}), {"duplicate id": 1}, 2),
        (lambda f: f["image_data.json"].append({"image_id": 1}), {"duplicate id": 1}, 2),
        (lambda f: f["objects.json"][1].update(objects="none"), {"wrong value": 1}, 2),
        (lambda f: f["relationships.json"].insert(0, None), {"wrong value": 2}, 2),
    ],
)
def test_visual_genome_with_faults(change: Any, problems: dict[str, int], left: int, tmp_path: Path) -> None:
    scenes, found = read("visual-genome", tmp_path, change)
    assert found == problems and len(scenes[0].relations) == left


def test_regions(tmp_path: Path) -> None:
    scenes, _ = read("visual-genome-regions", tmp_path)
    assert scenes[0].entities == (Entity(None, (0.0, 0.0, 10.0, 20.0), id="3"),)
    assert scenes[0].expressions == (Expression("a tall tree", 0),)


# --- VG150


def test_vg150(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vg150_module, "VALIDATION", 1)
    scenes, _ = read("vg150", tmp_path)
    # 1592 is listed and left out; the last row has no boxes.
    assert [(scene.id, scene.metadata["split"]) for scene in scenes] == [("10", "val"), ("11", "train"), ("12", "test")]
    assert scenes[0].entities[0] == Entity("airplane", (0.0, 0.0, 800.0, 600.0), attributes=("white", "black"), id="0")
    # Centre 101, 100 and size 51, 50: the corner is cut to 75, then all is scaled by 800 / 1024.
    left, top = np.trunc([101 - 51 / 2, 100 - 50 / 2])
    expected = np.array([left, top, left + 51, top + 50]) * 800 / 1024
    assert boxes(scenes[0])[1] == tuple(expected) == (58.59375, 58.59375, 98.4375, 97.65625)
    assert triples(scenes[0]) == [("airplane", "above", "animal")] and scenes[1].relations == ()
    # Rows of the whole file become places in the scene; both directions are kept.
    assert [(item.subject, item.object) for item in scenes[2].relations] == [(0, 1), (1, 0)]


def changed_h5(**arrays: Any) -> Any:
    """A change that replaces arrays of the file."""

    def change(files: Files) -> None:
        from io import BytesIO

        import h5py

        with h5py.File(BytesIO(files["VG-SGG-with-attri.h5"])) as file:
            found = {name: file[name][()] for name in file}
        found = {**found, **arrays}
        files["VG-SGG-with-attri.h5"] = tiny_files.h5(
            {name: value for name, value in found.items() if value is not None}
        )

    return change


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"labels": None}, "has no array 'labels'"),
        ({"labels": [[1], [2]]}, "these arrays must have as many rows"),
        ({"predicates": [[1, 2], [1, 2], [1, 2]]}, r"predicates is \(3, 2\); expected 3 × 1"),
        ({"boxes_1024": [1, 2, 3, 4, 5]}, r"boxes_1024 is \(5,\); expected 5 × 4"),
        ({"split": 0}, "these arrays must have as many rows"),
        ({"attributes": [[1]]}, "attributes are"),
    ],
)
def test_arrays_of_another_shape_are_refused(arrays: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        read("vg150", tmp_path, changed_h5(**arrays))


@pytest.mark.parametrize(
    ("arrays", "problems"),
    [
        ({"labels": [[9], [2], [1], [2], [2]]}, {"unknown class": 1, "lost with its box": 1}),
        ({"predicates": [[3], [2], [1]]}, {"unknown class": 1}),
        ({"relationships": [[0, 4], [3, 4], [4, 3]]}, {"unknown reference": 1}),
        ({"img_to_last_box": [99, 2, 4, -1]}, {"unknown reference": 3}),
        ({"img_to_last_rel": [9, -1, 2, -1]}, {"unknown reference": 1}),
        ({"split": [0, 0, 7, 0]}, {"wrong value": 1}),
        ({"attributes": [[201, 2, 0]] + [[0] * 3] * 4}, {"unknown class": 1}),
        ({"attributes": None}, {}),
    ],
)
def test_vg150_with_faults(arrays: dict[str, Any], problems: dict[str, int], tmp_path: Path) -> None:
    assert read("vg150", tmp_path, changed_h5(**arrays))[1] == problems


def test_other_files_beside_vg150(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"lists 2 images without the four damaged ones; the arrays have 4 rows"):
        read("vg150", tmp_path / "a", lambda files: files.update({"image_data.json": files["image_data.json"][:3]}))
    with pytest.raises(InputError, match="is not readable as HDF5"):
        read("vg150", tmp_path / "b", lambda files: files.update({"VG-SGG-with-attri.h5": b"no"}))


def test_vg150_as_coco_names_annotations_by_their_place(tmp_path: Path) -> None:
    scenes, _ = read("vg150-coco", tmp_path / "a")
    found = {scene.id: triples(scene) for scene in scenes}
    assert found == {"1": [("cup", "on", "table")], "20": [], "30": [("table", "under", "cup"), ("cup", "on", "table")]}

    def bad(files: Files) -> None:
        # The first annotation cannot be used: the second one must keep its place.
        files["test.json"]["annotations"][0]["bbox"] = None
        files["rel.json"]["test"]["30"] += [[0, 7, 1], [0, 1, 9], "x"]

    scenes, problems = read("vg150-coco", tmp_path / "b", bad)
    last = next(scene for scene in scenes if scene.id == "30")
    assert [entity.label for entity in last.entities] == ["table"] and last.relations == ()
    assert problems == {"wrong value": 2, "lost with its box": 3, "unknown reference": 1, "unknown class": 1}


# --- Open Images


def test_open_images(tmp_path: Path) -> None:
    scenes, _ = read("open-images-vrd", tmp_path, look=True)
    assert scenes[0].entities == (
        # "is" is no relation between things; columns are x, x, y, y.
        Entity("Chair", (20.0, 4.0, 40.0, 24.0), attributes=("Wooden",)),
        Entity("Table, large", (0.0, 20.0, 80.0, 40.0)),
    )
    assert triples(scenes[0]) == [("Chair", "at", "Table, large")] and scenes[0].metadata == {"split": "validation"}
    assert triples(scenes[1]) == [("Table, large", "under", "Chair")]


def test_open_images_without_pictures_or_names(tmp_path: Path) -> None:
    def bare(files: Files) -> None:
        for name in [name for name in files if "vrd" not in name]:
            del files[name]

    scenes, problems = read("open-images-vrd", tmp_path, bare)
    assert problems == {"lost with its box": 2} and boxes(scenes[0]) == [None, None]
    assert triples(scenes[0]) == [("/m/chair", "at", "/m/table")]


def test_open_images_with_faults(tmp_path: Path) -> None:
    name = "oidv6-validation-annotations-vrd.csv"

    def bad(files: Files) -> None:
        row = files[name].split("\n")[1]
        bad_rows = [
            row.replace("0.25", "wide"),
            row[:20],
            row.replace("/m/chair", "/m/unknown"),
            row.replace("0.5", "0.2"),
        ]
        files[name] += "\n" + "\n".join(bad_rows)

    _, problems = read("open-images-vrd", tmp_path / "a", bad, look=True)
    assert problems == {"wrong value": 2, "unknown class": 1, "box inverted": 1, "lost with its box": 2}
    with pytest.raises(InputError, match="has no column 'LabelName2'"):
        read("open-images-vrd", tmp_path / "b", lambda f: f.update({name: f[name].replace("LabelName2", "Label2")}))
    with pytest.raises(InputError, match="is empty; expected a first line with ImageID"):
        read("open-images-vrd", tmp_path / "c", lambda files: files.update({name: ""}))


def test_open_images_as_json(tmp_path: Path) -> None:
    scenes, _ = read("open-images-vrd-json", tmp_path / "a")
    assert triples(scenes[0]) == [("Chair", "at", "Table")] and boxes(scenes[0])[1] == (0.0, 20.0, 80.0, 40.0)

    def bad(files: Files) -> None:
        scene = files["annotations/vrd-val-anno.json"][0]
        scene["rel"] += [[0, 5, 1], [0, 1, 5], [0, 1]]
        scene["det_labels"][1] = 2

    assert read("open-images-vrd-json", tmp_path / "b", bad)[1] == {
        "unknown class": 2,
        "lost with its box": 2,
        "unknown reference": 1,
        "wrong value": 1,
    }

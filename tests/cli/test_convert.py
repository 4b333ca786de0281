"""`lichen data convert` and `lichen data formats`: files in, files out, counts and problems said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lichen.cli.main import main
from lichen.data.formats import FORMATS
from lichen.scene.jsonl import read_jsonl

INSTANCES = {
    "images": [{"id": n, "file_name": f"{n}.jpg", "width": 64, "height": 48} for n in (7, 8)],
    "categories": [{"id": 18, "name": "dog"}, {"id": 1, "name": "person"}],
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 18, "bbox": [1, 2, 30, 20]},
        {"id": 2, "image_id": 8, "category_id": 1, "bbox": [60, 2, 30, 20]},
        {"id": 3, "image_id": 8, "category_id": 1, "bbox": [5, 5, -3, 20]},
    ],
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").mkdir()
    for n in (7, 8):
        Image.new("RGB", (64, 48)).save(tmp_path / "pictures" / f"{n}.jpg")
    (tmp_path / "instances_val.json").write_text(json.dumps(INSTANCES))
    return tmp_path


def convert(*words: str) -> int:
    return main(["data", "convert", "instances_val.json", "--images", "pictures", *words])


def test_scenes_are_written_and_counted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert convert("--from", "coco", "--out", "scenes.jsonl") == 0
    out, err = capsys.readouterr()
    scenes = list(read_jsonl(folder / "scenes.jsonl"))
    assert [scene.id for scene in scenes] == ["7", "8"] and scenes[0].image == "pictures/7.jpg"
    rows = {line.rsplit(maxsplit=1)[0].strip(): line.rsplit(maxsplit=1)[1] for line in out.splitlines()[:6]}
    assert rows["scenes"] == "2" and rows["entities"] == "2" and rows["problems"] == "2"
    assert "splits read: val 2" in out and "lichen data inspect scenes.jsonl" in out
    assert "box inverted" in err and "annotations[2]" in err and "annotations[1]" in err


def test_as_one_json_object(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert convert("--from", "coco", "--out", "scenes.jsonl", "--json") == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert err == "" and found["format"] == "coco" and found["files"] == {"instances": ["instances_val.json"]}
    assert (found["counts"]["scenes"], found["counts"]["boxes"], found["splits"]) == (2, 2, {"val": 2})
    assert {kind: item["count"] for kind, item in found["problems"].items()} == {
        "box partly outside": 1,
        "box inverted": 1,
    }
    assert "annotations[2]" in found["problems"]["box inverted"]["first"][0]


def test_strict_stops_and_writes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert convert("--from", "coco", "--out", "scenes.jsonl", "--strict") == 2
    out, err = capsys.readouterr()
    assert out == "" and "annotations[1]" in err and "Without --strict" in err
    assert sorted(path.name for path in folder.iterdir()) == ["instances_val.json", "pictures"]


def test_coco_comes_back_with_its_own_numbers(folder: Path) -> None:
    assert convert("--from", "coco", "--to", "coco", "--out", "new") == 0
    made = json.loads((folder / "new" / "instances.json").read_text())
    assert [image["id"] for image in made["images"]] == [7, 8]
    assert made["images"][0]["file_name"] == "../pictures/7.jpg"
    assert [item["category_id"] for item in made["annotations"]] == [18, 1] and len(made["categories"]) == 80
    assert main(["data", "convert", "new", "--from", "coco", "--out", "again.jsonl", "--strict"]) == 0
    assert [scene.image for scene in read_jsonl(folder / "again.jsonl")] == ["pictures/7.jpg", "pictures/8.jpg"]


def test_parquet(folder: Path) -> None:
    from lichen.scene.parquet import read_parquet

    assert convert("--from", "coco", "--to", "parquet", "--out", "scenes.parquet") == 0
    assert [scene.id for scene in read_parquet(folder / "scenes.parquet")] == ["7", "8"]


def test_scenes_to_scenes_changes_nothing(folder: Path) -> None:
    (folder / "deep").mkdir()
    assert convert("--from", "coco", "--out", "deep/scenes.jsonl") == 0
    assert main(["data", "convert", "deep/scenes.jsonl", "--from", "scenes", "--out", "deep/2.jsonl", "--strict"]) == 0
    assert (folder / "deep/2.jsonl").read_bytes() == (folder / "deep/scenes.jsonl").read_bytes()
    assert main(["data", "convert", "deep/scenes.jsonl", "--from", "scenes", "--out", "3.jsonl", "--strict"]) == 0
    assert next(read_jsonl(folder / "3.jsonl")).image == "pictures/7.jpg"


def test_splits_and_limits(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert convert("--from", "coco", "--out", "one.jsonl", "--limit", "1", "--split", "val") == 0
    assert len(list(read_jsonl(folder / "one.jsonl"))) == 1
    capsys.readouterr()
    assert convert("--from", "coco", "--out", "none.jsonl", "--split", "test") == 2
    assert "no scene of split 'test'. The splits are: val." in capsys.readouterr().err
    assert not (folder / "none.jsonl").exists()


def test_nothing_is_replaced_by_mistake(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "scenes.jsonl").write_text("mine")
    assert convert("--from", "coco", "--out", "scenes.jsonl") == 2
    assert "is there already" in capsys.readouterr().err and (folder / "scenes.jsonl").read_text() == "mine"
    assert convert("--from", "coco", "--out", "scenes.jsonl", "--overwrite") == 0
    assert len(list(read_jsonl(folder / "scenes.jsonl"))) == 2


def test_where_nothing_can_be_read_it_is_said_why(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "bad.jsonl").write_text('{"id": 1}\n{"id": "a", "colour": 3}\n')
    assert main(["data", "convert", "bad.jsonl", "--from", "scenes", "--out", "new.jsonl"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "2 × wrong value" in err and "bad.jsonl:1" in err and "bad.jsonl:2" in err
    (folder / "bad.jsonl").write_text("")
    assert main(["data", "convert", "bad.jsonl", "--from", "scenes", "--out", "new.jsonl"]) == 2
    assert "hold no sample" in capsys.readouterr().err and not (folder / "new.jsonl").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--from", "cocoo", "--out", "x.jsonl"], "Unknown format 'cocoo'. Did you mean 'coco'?"),
        (["--from", "coco", "--to", "yolo", "--out", "x.jsonl"], "Unknown target 'yolo'"),
        (["--from", "coco", "--out", "x.json"], "--out takes a file that ends in .jsonl"),
        (["--from", "coco", "--out", "absent/x.jsonl"], "there is no folder 'absent'"),
        (["--from", "coco", "--to", "coco", "--out", "instances_val.json"], "takes a folder"),
        (["--from", "coco", "--out", "x.jsonl", "--limit", "0"], "--limit is a number of scenes"),
        (["--from", "vqa2", "--out", "x.jsonl"], "has no list 'questions'"),
        (["--out", "x.jsonl"], "--from"),
    ],
)
def test_wrong_input(words: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert convert(*words) == 2
    out, err = capsys.readouterr()
    assert out == "" and message in err and "Traceback" not in err
    assert sorted(path.name for path in folder.iterdir()) == ["instances_val.json", "pictures"]


def test_formats_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "formats"]) == 0
    out = capsys.readouterr().out
    assert all(f"{name}: " in out for name in FORMATS) and "anno.mat" in out
    assert main(["data", "formats", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == set(FORMATS)

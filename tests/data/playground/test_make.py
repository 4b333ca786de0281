"""The playground as a folder: whole, checked, or not there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lichen.data.playground import Playground, dataset
from lichen.data.playground import make as making
from lichen.data.playground.make import check, make
from lichen.errors import CheckpointError, InputError
from lichen.scene.jsonl import read_jsonl

COUNTS = {"train": 2, "val": 2, "test": 1, "unseen": 1}


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(dataset.SIZES, "smoke", COUNTS)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "pg"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(dataset.SIZES, "smoke", COUNTS)
        make(folder, "smoke")
    return folder


@pytest.fixture
def made(original: Path, tmp_path: Path) -> Path:
    return shutil.copytree(original, tmp_path / "pg")


def test_what_is_written_is_what_is_made(made: Path) -> None:
    manifest = check(made)
    assert manifest["counts"] == COUNTS and manifest["picture"] == [96, 96] and manifest["seed"] == 0
    for split, count in COUNTS.items():
        scenes = list(read_jsonl(made / f"{split}.jsonl"))
        assert len(scenes) == count
        for (pixels, known), scene in zip(Playground(split=split, size=count), scenes, strict=True):
            assert scene.image is not None
            with Image.open(made / scene.image) as picture:
                assert picture.mode == "RGB" and np.array_equal(np.asarray(picture), pixels)
            assert scene.to_dict() == {**known.to_dict(), "image": scene.image}


def test_the_same_bytes_again(made: Path, tmp_path: Path) -> None:
    again = make(tmp_path / "again", "smoke")
    assert again["sha256"] == json.loads((made / "manifest.json").read_text())["sha256"]
    assert make(tmp_path / "other", "smoke", seed=1)["sha256"] != again["sha256"]


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    make(tmp_path / "pg", "smoke", report=lambda split, done, total: told.append((split, done, total)))
    assert told == [(split, count, count) for split, count in COUNTS.items()]


def test_an_interruption_leaves_nothing(tmp_path: Path) -> None:
    def stop(split: str, done: int, total: int) -> None:
        if split == "val":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "pg", "smoke", report=stop)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_kept(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="not an empty folder"):
        make(tmp_path, "smoke")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(InputError, match="Did you mean 'small'"):
        make(tmp_path / "x", "smal")
    empty = tmp_path / "empty"
    empty.mkdir()
    make(empty, "smoke")
    assert check(empty)["size"] == "smoke"


@pytest.mark.parametrize(
    ("name", "message"),
    [("images/val/000001.png", "altered"), ("train.jsonl", "altered"), ("test.sha256", "altered")],
)
def test_damage_is_found(made: Path, name: str, message: str) -> None:
    data = bytearray((made / name).read_bytes())
    data[len(data) // 2] ^= 1
    (made / name).write_bytes(bytes(data))
    with pytest.raises(CheckpointError, match=message):
        check(made)


def test_missing_files_and_other_versions_are_found(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (made / "images/train/000000.png").unlink()
    check(made, pictures=False)
    with pytest.raises(CheckpointError, match="is not there"):
        check(made)
    monkeypatch.setitem(making.VERSIONS, "playground", making.VERSION + 1)
    with pytest.raises(CheckpointError, match="Make it again"):
        check(made, pictures=False)


def test_other_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="does not exist"):
        check(tmp_path)
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(CheckpointError, match="lichen data make playground"):
        check(tmp_path)


def test_paths_out_of_the_folder_are_refused(made: Path) -> None:
    manifest = json.loads((made / "manifest.json").read_text())
    manifest["sha256"]["../secret"] = "0" * 64
    (made.parent / "secret").write_text("x")
    (made / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match="is not there"):
        check(made)

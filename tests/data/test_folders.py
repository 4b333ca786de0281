"""Folders of pictures: one a class, or splits with one a class."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lichen.data.config import DataConfig
from lichen.data.dataset import Dataset
from lichen.data.folders import find_pictures
from lichen.data.readers import load
from lichen.errors import InputError


def picture(path: Path, colour: str = "red") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4), colour).save(path, "PNG")


def read(folder: Path, **values: Any) -> Dataset:
    return load(DataConfig(kind="folder", **{"path": ".", "holdout": 0.0, **values}), folder)


def classes_of(dataset: Dataset, split: str = "train") -> dict[str, str]:
    return {dataset.ids[row]: dataset.scenes[row].labels[0].name for row in dataset.rows(split)}


def test_class_folders(tmp_path: Path) -> None:
    for name in (
        "dogs/1.JPG",
        "dogs/2.jpeg",
        "cats/deep/er/3.PnG",
        "cats/1.webp",
        "cats/x.tif",
        "cats/y.TIFF",
        "cats/z.gif",
    ):
        picture(tmp_path / name)
    (tmp_path / "cats/notes.txt").write_text("no picture")
    picture(tmp_path / "cats/.hidden.png")
    picture(tmp_path / ".cache/1.png")
    picture(tmp_path / "cats/.thumbs/1.png")
    dataset = read(tmp_path)
    assert classes_of(dataset) == {
        **dict.fromkeys(["cats/1.webp", "cats/deep/er/3.PnG", "cats/x.tif", "cats/y.TIFF", "cats/z.gif"], "cats"),
        **dict.fromkeys(["dogs/1.JPG", "dogs/2.jpeg"], "dogs"),
    }
    assert dataset.classes == ("cats", "dogs")
    assert dataset.picture(0).getpixel((0, 0)) == (255, 0, 0)
    assert read(tmp_path, classes=("dogs", "cats")).classes == ("dogs", "cats")


@pytest.mark.parametrize(("train", "dev"), [("train", "val"), ("training", "validation"), ("train", "dev")])
def test_split_folders(tmp_path: Path, train: str, dev: str) -> None:
    for split in (train, dev, "test"):
        for name in ("a", "b"):
            picture(tmp_path / split / name / "1.png")
    dataset = read(tmp_path, holdout=None)
    assert {split: len(rows) for split, rows in dataset.splits.items()} == {"train": 2, "dev": 2, "test": 2}
    assert classes_of(dataset, "dev") == {f"{dev}/a/1.png": "a", f"{dev}/b/1.png": "b"}


def test_folders_given_one_by_one(tmp_path: Path) -> None:
    for split in ("x", "y"):
        for name in ("a", "b"):
            picture(tmp_path / split / name / "1.png")
    dataset = load(DataConfig(kind="folder", train="x", test="y", holdout=0.0), tmp_path)
    assert dataset.ids == ("train/a/1.png", "train/b/1.png", "test/a/1.png", "test/b/1.png")


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    for name in ("train/1.png", "bus/1.png", "test/1.png"):
        picture(tmp_path / name)
    assert read(tmp_path).classes == ("bus", "test", "train")


def test_numbered_classes_are_in_order_of_number(tmp_path: Path) -> None:
    for name in ("10", "9", "1"):
        picture(tmp_path / name / "1.png")
    assert read(tmp_path).classes == ("1", "9", "10")


def test_neither_splits_nor_classes(tmp_path: Path) -> None:
    for name in ("train/a/1.png", "train/b/1.png", "more/a/1.png"):
        picture(tmp_path / name)
    with pytest.raises(InputError, match="holds train/ with class folders, but also more"):
        read(tmp_path)
    picture(tmp_path / "val/a/1.png")
    picture(tmp_path / "dev/a/1.png")
    with pytest.raises(InputError, match="several folders for 'dev': dev, val"):
        read(tmp_path)


def test_a_class_folder_without_picture(tmp_path: Path) -> None:
    for name in ("a/1.png", "b/1.png"):
        picture(tmp_path / name)
    (tmp_path / "c").mkdir()
    (tmp_path / "c/readme.md").touch()
    with pytest.raises(InputError, match=r"The class folder '.*/c' holds no picture .*Remove it"):
        read(tmp_path)


def test_no_class_folders(tmp_path: Path) -> None:
    picture(tmp_path / "1.png")
    with pytest.raises(InputError, match="holds no class folders"):
        read(tmp_path)
    with pytest.raises(InputError, match="no folder that can be read"):
        read(tmp_path, path="1.png")
    with pytest.raises(InputError, match="there is no file or folder"):
        read(tmp_path, path="nowhere")


def test_one_class_only(tmp_path: Path) -> None:
    picture(tmp_path / "a/1.png")
    with pytest.raises(InputError, match="has the label 'a', but a classifier needs at least two"):
        read(tmp_path)


def test_loose_pictures_are_listed(tmp_path: Path) -> None:
    for name in ("a", "b"):
        for number in range(20):
            picture(tmp_path / name / f"{number}.png")
    picture(tmp_path / "overview.png")
    dataset = read(tmp_path)
    assert len(dataset) == 40 and "outside the class folders" in dataset.skipped["overview.png"]
    for number in range(3):
        picture(tmp_path / f"{number}.png")
    with pytest.raises(InputError, match="of 44 samples cannot be used"):
        read(tmp_path)


def test_links_that_lead_back(tmp_path: Path) -> None:
    for name in ("a/1.png", "b/1.png"):
        picture(tmp_path / name)
    (tmp_path / "a/up").symlink_to(tmp_path)
    (tmp_path / "a/self").symlink_to(tmp_path / "a")
    (tmp_path / "b/gone.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "b/loop.png").symlink_to("loop.png")
    found = [path.relative_to(tmp_path).as_posix() for path in find_pictures(tmp_path / "a")]
    # Through `up` the folder b is reached once; a itself is not entered again.
    assert found[0] == "a/1.png" and len(found) == 4 and len(set(found)) == 4
    assert len(list(find_pictures(tmp_path / "b"))) == 3


def test_linked_folders_are_read(tmp_path: Path) -> None:
    picture(tmp_path / "elsewhere/1.png")
    picture(tmp_path / "data/b/1.png")
    (tmp_path / "data/a").symlink_to(tmp_path / "elsewhere")
    assert read(tmp_path, path="data").ids == ("a/1.png", "b/1.png")


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    for number in range(30):
        picture(tmp_path / "a" / f"{number}.png")
    picture(tmp_path / "b/ünï.png")
    os.rename(os.fsencode(tmp_path / "a/7.png"), os.fsencode(tmp_path / "a") + b"/\xff.png")
    dataset = read(tmp_path)
    assert len(dataset) == 30 and "b/ünï.png" in dataset.ids
    assert dataset.skipped == {"a/\\xff.png": "its name is not valid UTF-8; rename it"}


def test_damaged_pictures_stay_until_they_are_opened(tmp_path: Path) -> None:
    picture(tmp_path / "a/1.png")
    (tmp_path / "b").mkdir()
    (tmp_path / "b/1.png").write_bytes(b"broken")
    dataset = read(tmp_path)
    assert len(dataset) == 2 and not dataset.skipped
    with pytest.raises(InputError, match=r"b/1.png: is not a picture"):
        dataset.picture(1)

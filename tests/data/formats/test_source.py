"""Which file is what, where pictures are found, and how large they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lichen.data.formats.problems import Problems
from lichen.data.formats.source import Part, Source, split_name
from lichen.errors import InputError

from .tiny_files import jpeg, write

PARTS = (Part("boxes", ("boxes*.json", "annotations/boxes*.json")), Part("names", ("names.txt",)))
OPTIONAL = (
    *PARTS,
    Part("words", ("words*.json",), needed=False),
    Part("folder", ("Folder",), needed=False, folder=True),
)


def source(paths: list[Path], parts: tuple[Part, ...] = OPTIONAL, **options: Any) -> Source:
    return Source(paths, parts, Problems(), folders=("images",), **options)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {"boxes_b.json": "", "annotations/boxes_a.json": "", "names.txt": "", "words.json": "", "Folder/x": ""}
    return write({**files, "images/1.jpg": jpeg(20, 10), "2.jpg": jpeg(5, 6)}, tmp_path / "data")


def test_a_folder_is_searched_by_the_patterns(folder: Path) -> None:
    found = source([folder])
    assert [path.name for path in found.all("boxes")] == ["boxes_a.json", "boxes_b.json"]
    assert found.need("names").name == "names.txt" and found.all("folder") == [folder / "Folder"]
    with pytest.raises(InputError, match=r"several files for boxes: .*boxes_a.json, .*boxes_b.json"):
        found.one("boxes")


def test_a_single_file_of_any_name_is_the_first_part(folder: Path) -> None:
    other = folder / "mine.json"
    other.write_text("")
    found = source([other, folder / "names.txt"])
    assert found.all("boxes") == [other] and found.all("words") == []


def test_what_is_needed_is_looked_for_beside_the_file(folder: Path) -> None:
    found = source([folder / "boxes_b.json"])
    assert found.need("names") == folder / "names.txt"
    # What is not needed has to be given.
    assert found.all("words") == []


def test_a_folder_that_is_itself_a_part(folder: Path) -> None:
    found = source([folder / "Folder", folder / "boxes_b.json"])
    assert found.all("folder") == [folder / "Folder"]


def test_what_is_absent(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"There is no file or folder '.*nowhere'"):
        source([tmp_path / "nowhere"])
    (folder / "names.txt").unlink()
    with pytest.raises(InputError, match=r"holds no names.txt \(names\)\. There are: 2.jpg, Folder, annotations"):
        source([folder])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"holds no boxes\*.json or annotations/boxes\*.json \(boxes\); names.txt"):
        source([tmp_path / "empty"])
    (folder / "names.txt").write_text("")
    with pytest.raises(InputError, match="is no folder"):
        source([folder], images=folder / "names.txt")


def test_pictures_are_found_and_measured(folder: Path) -> None:
    found = source([folder])
    assert found.picture("here", "1.jpg", size=(20, 10)).size == (20, 10)
    beside = found.picture("here", "none.jpg", "2.jpg")
    assert (beside.path, beside.size) == (str(folder / "2.jpg"), (5, 6)) and not found.problems
    absent = found.picture("here", "3.jpg", size=(8, 8))
    assert (absent.path, absent.size) == ("3.jpg", (8, 8))
    assert dict(found.problems.counts) == {"missing picture": 1}


def test_the_pictures_own_size_counts(folder: Path) -> None:
    found = source([folder])
    assert found.picture("here", "1.jpg", size=(10, 20)).size == (20, 10)
    assert found.problems.examples == {
        "picture size": ["here: 1.jpg is 10×20 in the annotations, 20×10 in the picture"]
    }


def test_pictures_that_lie_on_their_side(folder: Path) -> None:
    turned = Image.new("RGB", (20, 10))
    exif = turned.getexif()
    exif[274] = 6
    turned.save(folder / "images" / "turned.jpg", exif=exif)
    assert source([folder]).picture("here", "turned.jpg").size == (10, 20)


def test_files_that_are_no_pictures(folder: Path) -> None:
    (folder / "images" / "bad.jpg").write_bytes(b"none")
    found = source([folder])
    assert found.picture("here", "bad.jpg", size=(8, 8)).size == (8, 8)
    assert "cannot be read as a picture" in found.problems.examples["missing picture"][0]


@pytest.mark.parametrize("name", ["a\0b.jpg", "x" * 400, "..", ".", "/", "images"])
def test_names_that_are_no_files(folder: Path, name: str) -> None:
    found = source([folder])
    assert found.picture("here", name).size is None
    assert dict(found.problems.counts) == {"missing picture": 1}


def test_pictures_elsewhere_or_not_at_all(folder: Path, tmp_path: Path) -> None:
    write({"deep/1.jpg": jpeg(7, 7), "images/1.jpg": jpeg(9, 9)}, tmp_path / "other")
    assert source([folder], images=tmp_path / "other").picture("here", "1.jpg").size == (9, 9)
    assert source([folder], images=tmp_path / "other" / "deep").picture("here", "1.jpg").size == (7, 7)
    blind = source([folder], images=tmp_path / "other", look=False)
    assert blind.picture("here", "9.jpg", size=(1, 2)) == (blind.picture("here", "9.jpg", size=(1, 2)))
    assert blind.picture("here", "9.jpg", size=(1, 2)).path == str(tmp_path / "other" / "9.jpg") and not blind.problems


def test_names_of_splits() -> None:
    assert split_name(Path("instances_val2017.json"), "instances") == "val2017"
    assert split_name(Path("vcoco_trainval.json"), "vcoco") == "trainval"
    assert split_name(Path("instances.json"), "instances") == ""

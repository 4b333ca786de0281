"""Every format on a small file set in its own layout: complete, unharmed, and the same from whole folders and files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from lichen.data.formats import FORMATS, Problems, open_source, read_scenes, scenes_of
from lichen.errors import InputError, MissingPackageError
from lichen.scene import Scene

from .reading import read
from .tiny import LAYOUTS
from .tiny_files import Files, write

COUNTS: dict[str, dict[str, int]] = {
    "coco": {"scenes": 3, "captions": 2, "entities": 3},
    "visual-genome": {"scenes": 2, "entities": 4, "relations": 2, "questions": 1},
    "visual-genome-regions": {"scenes": 2, "entities": 1, "expressions": 1},
    "vg150": {"scenes": 3, "entities": 5, "relations": 3},
    "vg150-coco": {"scenes": 3, "entities": 6, "relations": 3},
    "open-images-vrd": {"scenes": 2, "entities": 4, "relations": 2},
    "open-images-vrd-json": {"scenes": 1, "entities": 2, "relations": 1},
    "flickr30k-entities": {"scenes": 1, "captions": 2, "entities": 5, "phrases": 6},
    "refcoco": {"scenes": 1, "entities": 2, "expressions": 3},
    "referitgame": {"scenes": 1, "entities": 2, "expressions": 3},
    "hico-det": {"scenes": 2, "entities": 2, "relations": 2},
    "hico-det, PPDM": {"scenes": 1, "entities": 2, "relations": 1},
    "hico-det, mat": {"scenes": 2, "entities": 3, "relations": 3, "labels": 3},
    "v-coco": {"scenes": 2, "entities": 4, "relations": 2},
    "v-coco-pairs": {"scenes": 1, "entities": 2, "relations": 1},
    "vqa2": {"scenes": 3, "questions": 4},
    "gqa": {"scenes": 2, "entities": 2, "relations": 1, "questions": 2},
    "textvqa": {"scenes": 2, "labels": 4, "questions": 3},
    "textcaps": {"scenes": 1, "captions": 2, "labels": 1},
    "clevr": {"scenes": 2, "entities": 2, "relations": 2, "questions": 2},
    "ocr-crops": {"scenes": 2, "lines": 2},
    "ocr-scenes": {"scenes": 1, "lines": 2},
    "pix3d": {"scenes": 1, "entities": 1},
    "3d-prnn": {"scenes": 2, "solids": 3},
    "solid-boxes": {"scenes": 2, "solids": 3},
    "clips": {"scenes": 4, "captions": 1, "tracks": 5, "frames": 12},
    "image-folder": {"scenes": 3, "labels": 3},
    "jsonl": {"scenes": 3, "captions": 2, "labels": 3, "questions": 1},
    "scenes": {"scenes": 2, "captions": 1, "entities": 1},
}
FIELDS = (
    *("captions", "labels", "entities", "relations", "phrases", "expressions", "questions"),
    *("lines", "solids", "tracks", "frames"),
)


def count(scenes: list[Scene]) -> dict[str, int]:
    found = {"scenes": len(scenes), **{name: sum(len(getattr(scene, name)) for scene in scenes) for name in FIELDS}}
    return {name: number for name, number in found.items() if number}


def test_every_format_has_a_layout() -> None:
    assert {format for format, _ in LAYOUTS.values()} == set(FORMATS) and set(COUNTS) == set(LAYOUTS)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_all_of_it_is_read_without_a_problem(layout: str, tmp_path: Path) -> None:
    # Of crops and relative boxes the pictures are a part.
    look = layout in ("ocr-crops", "open-images-vrd", "clips", "image-folder", "jsonl", "scenes")
    scenes, problems = read(layout, tmp_path, look=look)
    assert count(scenes) == COUNTS[layout] and problems == {}
    # A collector that is not given is strict, and does not mind either.
    assert list(read_scenes(LAYOUTS[layout][0], [tmp_path], look=look)) == scenes


@pytest.mark.parametrize("layout", LAYOUTS)
def test_pictures_that_are_absent_are_counted_once_each(layout: str, tmp_path: Path) -> None:
    if layout in ("ocr-crops", "open-images-vrd", "clips", "image-folder", "3d-prnn", "solid-boxes"):
        pytest.skip("its pictures are there, or it has none")
    scenes, problems = read(layout, tmp_path, look=True)
    expected = sum(scene.image is not None for scene in scenes)
    assert problems.get("missing picture", 0) == (0 if layout in ("jsonl", "scenes") else expected)
    assert count(scenes) == COUNTS[layout]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_scenes_stream(layout: str, tmp_path: Path) -> None:
    format, make = LAYOUTS[layout]
    write(make(), tmp_path)
    source = open_source(FORMATS[format], [tmp_path], Problems())
    assert isinstance(next(scenes_of(FORMATS[format], source)), Scene)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_empty_folder_says_what_was_expected(layout: str, tmp_path: Path) -> None:
    format = LAYOUTS[layout][0]
    with pytest.raises(InputError) as caught:
        list(read_scenes(format, [tmp_path]))
    expected = "holds no pictures" if format == "image-folder" else FORMATS[format].parts[0].patterns[0]
    assert expected in str(caught.value)


def test_unknown_formats_and_absent_paths(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Unknown format 'vcoco'\. Did you mean 'v-coco'"):
        read_scenes("vcoco", [tmp_path])
    with pytest.raises(InputError, match="There is no file or folder"):
        read_scenes("coco", [tmp_path / "absent"])


def test_ids_stay_apart(tmp_path: Path) -> None:
    def twice(files: Files) -> None:
        files["scenes.jsonl"] += "\n" + files["scenes.jsonl"]

    scenes, problems = read("scenes", tmp_path, twice)
    assert [scene.id for scene in scenes] == ["1", "2", "1#2", "2#2"] and problems == {"duplicate id": 2}


def test_what_does_not_hold_together_is_left_out(tmp_path: Path) -> None:
    def bad(files: Files) -> None:
        files["scenes.jsonl"] += (
            '\n{"id": "3", "relations": [{"subject": 0, "predicate": "on", "object": 5}]}\n{"id": 4}'
        )

    scenes, problems = read("scenes", tmp_path, bad)
    assert [scene.id for scene in scenes] == ["1", "2"] and problems == {"wrong value": 2}


def test_hdf5_needs_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(LAYOUTS["vg150"][1](), tmp_path)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'lichen\[formats\]'"):
        list(read_scenes("vg150", [tmp_path]))


def test_scenes_of_a_folder_move_with_it(tmp_path: Path) -> None:
    first: Any = tmp_path / "a"
    scenes, _ = read("scenes", first, look=True)
    assert scenes[0].image == str(first / "pictures/1.jpg") and scenes[0].size == (20, 10)
    first.rename(tmp_path / "b")
    again = list(read_scenes("scenes", [tmp_path / "b" / "scenes.jsonl"]))
    assert again[0].image == str(tmp_path / "b" / "pictures/1.jpg")

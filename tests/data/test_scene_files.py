"""`kind = "scenes"`: files of Scenes as data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from lichen.data.config import DataConfig
from lichen.data.readers import load
from lichen.errors import InputError
from lichen.scene import Entity, Expression, Label, Phrase, Question, Scene
from lichen.scene.jsonl import write_jsonl

SCENES = [
    Scene(
        f"s{row}", image=f"{row}.png", size=(6, 4), labels=(Label("ab"[row % 2]),), questions=(Question("?", ("a",)),)
    )
    for row in range(8)
]


def write(folder: Path, scenes: list[Scene] = SCENES) -> Path:
    for scene in scenes:
        if scene.image is not None:
            Image.new("RGB", (6, 4)).save(folder / scene.image)
    write_jsonl(folder / "scenes.jsonl", scenes)
    return folder / "scenes.jsonl"


def test_scenes_keep_all_they_hold(tmp_path: Path) -> None:
    found = load(DataConfig("scenes", path=str(write(tmp_path)), holdout=0.25))
    assert {split: len(rows) for split, rows in found.splits.items()} == {"train": 6, "dev": 2}
    assert found.classes == ("a", "b") and found.picture(0).size == (6, 4)
    one = next(scene for scene in found.scenes if scene.id == "s3")
    assert one == replace(SCENES[3], image=str(tmp_path / "3.png"))


def test_pictures_may_lie_elsewhere_and_labels_may_be_absent(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    bare = [replace(scene, labels=()) for scene in SCENES]
    path = write(tmp_path / "pictures", bare).rename(tmp_path / "train.jsonl")
    found = load(DataConfig("scenes", train=str(path), images=str(tmp_path / "pictures"), holdout=0.0))
    assert found.classes == () and found.picture(7).size == (6, 4)


def test_what_is_no_scene_or_has_no_picture_is_told(tmp_path: Path) -> None:
    path = write(tmp_path)
    path.write_text(path.read_text("utf-8") + "{}\n", "utf-8")
    with pytest.raises(InputError, match=r"1 of 9"):
        load(DataConfig("scenes", path=str(path)))
    write_jsonl(path, [Scene("t", text="words")])
    with pytest.raises(InputError, match="the scene 't' has no picture"):
        load(DataConfig("scenes", path=str(path)))


def test_expressions_may_stand_for_captions(tmp_path: Path) -> None:
    things = (Entity("man", (0.0, 0.0, 2.0, 2.0)), Entity("dog", (3.0, 0.0, 5.0, 2.0)))
    said = (Expression("the dog", 1), Expression("left", 0))
    scenes = [replace(scene, entities=things, captions=("a man",), expressions=said) for scene in SCENES]
    path = str(write(tmp_path, scenes))
    (found, *_) = load(DataConfig("scenes", path=path, expressions=True, holdout=0.0)).scenes
    assert found.captions == ("the dog", "left") and found.expressions == said
    assert found.phrases == (Phrase(0, 0, 7, (1,)), Phrase(1, 0, 4, (0,)))
    assert load(DataConfig("scenes", path=path, holdout=0.0)).scenes[0].captions == ("a man",)
    with pytest.raises(InputError, match="means nothing for kind = 'table'"):
        DataConfig("table", path=path, expressions=True)

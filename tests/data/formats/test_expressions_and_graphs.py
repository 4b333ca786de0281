"""RefCOCO, ReferItGame, GQA: exact results, and the quirks of each."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

from lichen.errors import InputError
from lichen.scene import Expression, Question

from . import tiny_files, tiny_words
from .reading import read, read_files, triples
from .tiny_files import Files, write

# --- referring expressions


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_refs_from_json_and_from_pickles(protocol: int, tmp_path: Path) -> None:
    plain, _ = read("refcoco", tmp_path / "a")
    assert plain[0].expressions == (Expression("the man", 0), Expression("left", 0), Expression("dog", 1))
    assert plain[0].metadata == {"image_id": 7, "refs": ["0", "0", "1"], "split": "train"}
    # The file name of a ref has the number of its annotation in it; the picture has not.
    assert plain[0].image == "000000000007.jpg"

    def pickled(files: Files) -> None:
        files["refs(umd).p"] = pickle.dumps(files.pop("refs(umd).json"), protocol)

    assert read("refcoco", tmp_path / "b", pickled)[0] == plain


def test_a_split_that_overlaps_itself_is_noted(tmp_path: Path) -> None:
    def overlap(files: Files) -> None:
        files["refs(umd).json"][1]["split"] = "val"

    scenes, problems = read("refcoco", tmp_path, overlap)
    assert [(scene.id, len(scene.expressions)) for scene in scenes] == [("7-train", 2), ("7-val", 1)]
    assert problems == {"duplicate id": 1}


def test_refs_with_faults(tmp_path: Path) -> None:
    def bad(files: Files) -> None:
        refs = files["refs(umd).json"]
        refs += [{**refs[0], "ref_id": 2, "image_id": 99}, {**refs[0], "ref_id": 3, "ann_id": 99}, refs[0], None]
        files["instances.json"]["annotations"][1]["bbox"] = [0, 0, -1, 1]

    scenes, problems = read("refcoco", tmp_path, bad)
    assert len(scenes[0].expressions) == 2
    assert problems == {
        "unknown reference": 2,
        "duplicate id": 1,
        "wrong value": 4,
        "box inverted": 1,
        "lost with its box": 1,
    }
    (tmp_path / "refs(google).p").write_bytes(pickle.dumps([]))
    with pytest.raises(InputError, match="several files for refs"):
        read_files("refcoco", tmp_path)
    scenes, _ = read_files("refcoco", tmp_path / "refs(umd).json")
    assert len(scenes) == 1
    (tmp_path / "refs(google).p").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(InputError, match="holds a dict; expected a list of refs"):
        read_files("refcoco", tmp_path / "refs(google).p")


def test_refclef_pictures_lie_in_numbered_folders(tmp_path: Path) -> None:
    place = tmp_path / "images" / "saiapr_tc-12" / "10" / "images"
    write({"10000.jpg": tiny_files.jpeg(40, 30)}, place)
    scenes, problems = read("referitgame", tmp_path, look=True)
    assert scenes[0].image == str(place / "10000.jpg") and scenes[0].size == (40, 30) and problems == {}


# --- GQA


def test_gqa(tmp_path: Path) -> None:
    scenes, _ = read("gqa", tmp_path)
    assert triples(scenes[0]) == [("sky", "above", "dog")] and scenes[0].entities[0].attributes == ("blue", "clear")
    assert scenes[0].questions == (Question("Is it dark?", ("no",), "verify", (0,)),)
    assert scenes[0].metadata == {"location": "outdoors", "split": "train", "questions": ["0501"]}
    # A question about an image without a graph.
    assert scenes[1].id == "6" and scenes[1].entities == () and scenes[1].questions[0].entities == ()


def test_gqa_with_faults(tmp_path: Path) -> None:
    def bad(files: Files) -> None:
        graph = files["sceneGraphs/train_sceneGraphs.json"]["5"]
        graph["objects"]["21"]["relations"] += [{"name": "on", "object": "99"}, {"name": "", "object": "22"}]
        graph["objects"]["22"]["w"] = 0
        files["questions/train_balanced_questions.json"]["0501"]["annotations"]["answer"] = {"0": "77"}

    _, problems = read("gqa", tmp_path / "a", bad)
    assert problems == {"box without area": 1, "lost with its box": 1, "unknown reference": 2, "wrong value": 1}
    text = json.dumps({"5": {}})
    with pytest.raises(InputError, match="balanced questions and all of them"):
        read("gqa", tmp_path / "b", lambda files: files.update({"questions/train_all_questions_0.json": text}))


def test_all_questions_of_gqa_lie_deeper(tmp_path: Path) -> None:
    def move(files: Files) -> None:
        balanced = files.pop("questions/train_balanced_questions.json")
        for place, (id, question) in enumerate(balanced.items()):
            files[f"questions1.2/train_all_questions/train_all_questions_{place}.json"] = {id: question}

    scenes, problems = read("gqa", tmp_path, move)
    assert [len(scene.questions) for scene in scenes] == [1, 1] and problems == {}
    assert {scene.metadata["split"] for scene in scenes} == {"train"}
    write({"questions/train_balanced_questions.json": {}}, tmp_path)
    with pytest.raises(InputError, match="balanced questions and all of them"):
        read_files("gqa", tmp_path)


def test_ids_that_are_there_twice_in_gqa(tmp_path: Path) -> None:
    graph = json.dumps(tiny_words.gqa()["sceneGraphs/train_sceneGraphs.json"]["5"])
    twice = f'{{"5": {graph}, "5": {graph}}}'
    scenes, problems = read("gqa", tmp_path, lambda files: files.update({"sceneGraphs/train_sceneGraphs.json": twice}))
    assert len(scenes) == 2 and problems == {"duplicate id": 1}

"""Flickr30k Entities, VQA v2, TextVQA, TextCaps, CLEVR, words in pictures: exact results and the quirks of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lichen.data.formats.markup import Mention, parse
from lichen.errors import InputError
from lichen.scene import Entity, Label, Question, TextLine

from . import tiny, tiny_files
from .reading import boxes, read, read_files, triples
from .tiny_files import Files, write

QUESTIONS = "v2_OpenEnded_mscoco_train2014_questions.json"
ANSWERS = "v2_mscoco_train2014_annotations.json"
XML = "Annotations/100.xml"


# --- Flickr30k Entities


def test_flickr30k(tmp_path: Path) -> None:
    scene = read("flickr30k-entities", tmp_path)[0][0]
    assert scene.captions == ("A man with a red hat sees two dogs .", "He walks on the street for a while .")
    spoken = [scene.captions[item.caption][item.start : item.end] for item in scene.phrases]
    assert spoken == ["A man", "a red hat", "two dogs", "He", "the street", "a while"]
    assert scene.entities == (
        # Counted from 1, as the official parser takes it.
        Entity("people", (0.0, 1.0, 30.0, 41.0), id="1"),
        Entity("animals", (39.0, 29.0, 49.0, 39.0), id="3"),
        # One box of two things.
        Entity("animals", (51.0, 29.0, 59.0, 39.0), id="3+1"),
        # A scene, and a thing that the XML does not name: no box, but the same thing in all sentences.
        Entity("scene", None, id="4"),
        Entity("clothing", None, id="2"),
    )
    assert [item.entities for item in scene.phrases] == [(0, 2), (4,), (1, 2), (0, 2), (3,), ()]
    assert scene.metadata == {
        "chains": ["1", "2", "3", "1", "4", "0"],
        "types": [["people"], ["clothing"], ["animals", "other"], ["people"], ["scene"], ["notvisual"]],
        "split": "train",
        "unrelated": [1],
    }


@pytest.mark.parametrize(
    ("change", "problems"),
    [
        (lambda f: f.pop(XML) and f.update({"Annotations/7.txt": ""}), {"unknown reference": 1}),
        (lambda f: f.update({XML: "<annotation><"}), {"wrong value": 1}),
        (lambda f: f.update({XML: f[XML].replace("<width>64", "<width>wide")}), {"wrong value": 1}),
        (lambda f: f.update({XML: f[XML].replace("<xmin>40", "<xmin>60")}), {"box inverted": 1}),
        (lambda f: f.update({XML: f[XML].replace("<xmin>40</xmin>", "")}), {"wrong value": 1}),
        (lambda f: f.update({XML: f[XML].replace("<scene>1", "<scene>0")}), {"wrong value": 1}),
        (lambda f: f.update({XML: f[XML].replace("<name>4</name>", "")}), {"wrong value": 1}),
        (lambda f: f.update({"Annotations/8.xml": f[XML]}), {"unknown reference": 1}),
        (lambda f: f.update({"val.txt": "100"}), {"duplicate id": 1}),
        (lambda f: f.update({"UNRELATED_CAPTIONS": "100 2\n100"}), {"wrong value": 1}),
        (lambda f: f.update({"Sentences/100.txt": "[/EN#1/people ] x\n[/EN#2/other y"}), {"wrong value": 2}),
    ],
)
def test_flickr30k_with_faults(change: Any, problems: dict[str, int], tmp_path: Path) -> None:
    scenes, found = read("flickr30k-entities", tmp_path, change)
    assert found == problems and len(scenes) == 1


def test_unrelated_sentences_are_counted_as_lines(tmp_path: Path) -> None:
    def spread(files: Files) -> None:
        files["Sentences/100.txt"] = files["Sentences/100.txt"].replace("\n", "\n\n", 1)
        files["UNRELATED_CAPTIONS"] = "about\n100 3\n100 2\n"

    scene = read("flickr30k-entities", tmp_path, spread)[0][0]
    assert len(scene.captions) == 2 and scene.metadata["unrelated"] == [1]


def test_xml_that_grows_without_bound_is_not_read(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;&b;">]><annotation>&c;</annotation>'
    _, problems = read("flickr30k-entities", tmp_path, lambda files: files.update({XML: bomb}))
    assert problems == {"wrong value": 1}


def test_the_bracket_notation() -> None:
    told: list[str] = []
    text, mentions = parse("Two [/EN#12/people/clothing men in suits] , and [/EN#0/notvisual it] .", told.append)
    assert text == "Two men in suits , and it ." and not told
    assert mentions == [Mention("12", ("people", "clothing"), 4, 16), Mention("0", ("notvisual",), 23, 25)]
    text, mentions = parse("a [b] [/EN#1/x [/EN#2/y c]] d", told.append)
    assert mentions == [] and len(told) == 1 and "c" in text


# --- samples of anyone


def test_lines_of_anyone(tmp_path: Path) -> None:
    scenes, _ = read("jsonl", tmp_path, look=True)
    assert [scene.id for scene in scenes] == ["train.jsonl:1", "b", "7"]
    assert scenes[0].text == "What is it?" and scenes[0].labels == (Label("entity"),)
    assert scenes[0].metadata == {"split": "train", "year": 1999} and scenes[0].image is None
    assert scenes[1].image == str(tmp_path / "pictures/1.jpg") and scenes[1].size == (20, 10)
    assert scenes[1].captions == ("a dog", "a cat") and scenes[1].labels == (Label("dog"), Label("3"))
    assert scenes[2].questions == (Question("Is it?", ("yes", "no")),) and scenes[2].size == (20, 10)


@pytest.mark.parametrize(
    ("line", "problems", "left"),
    [
        ('{"sentence": "x"}', {"wrong value": 1}, 3),
        ("[1]", {"wrong value": 2}, 3),
        ("{", {"wrong value": 1}, 3),
        ('{"text": 3, "label": [1]}', {"wrong value": 2}, 4),
        ('{"labels": ["x", 1.5, null]}', {"wrong value": 2}, 4),
        ('{"text": "x", "answer": "y"}', {"unknown reference": 1}, 4),
        ('{"id": "b", "text": "x"}', {"duplicate id": 1}, 4),
        ('{"text": "x", "odd": NaN}', {"wrong value": 1}, 3),
        ('{"image": "pictures/2.jpg"}', {"missing picture": 1}, 4),
    ],
)
def test_lines_of_anyone_with_faults(line: str, problems: dict[str, int], left: int, tmp_path: Path) -> None:
    def add(files: Files) -> None:
        files["train.jsonl"] += f"\n{line}"

    scenes, found = read("jsonl", tmp_path, add, look=True)
    assert (len(scenes), found) == (left, problems)


# --- questions


def test_vqa_joins_answers_to_questions_of_each_side(tmp_path: Path) -> None:
    scenes, _ = read("vqa2", tmp_path)
    found = {scene.id: scene for scene in scenes}
    assert found["7"].questions == (
        Question("Is it a dog?", ("yes",), "yes/no"),
        Question("What colour?", ("red", "red", "brown"), "other"),
    )
    assert found["7"].metadata == {"image_id": 7, "questions": ["7000", "7001"], "split": "train2014"}
    assert found["7"].image == "COCO_train2014_000000000007.jpg"
    # Test and dev of the test side share pictures, and have no answers.
    assert found["1"].image == "COCO_test2015_000000000001.jpg" and found["1"].questions == (Question("Is it a dog?"),)


@pytest.mark.parametrize(
    ("change", "problems"),
    [
        (lambda f: f[ANSWERS]["annotations"].pop(), {"unknown reference": 1}),
        (lambda f: f[QUESTIONS]["questions"].pop(), {"unknown reference": 1}),
        (lambda f: f[ANSWERS]["annotations"][0].update(image_id=8), {"unknown reference": 1}),
        (lambda f: f[ANSWERS]["annotations"].append(f[ANSWERS]["annotations"][0]), {"duplicate id": 1}),
        (lambda f: f[QUESTIONS]["questions"].append(f[QUESTIONS]["questions"][0]), {"duplicate id": 1}),
        (lambda f: f[ANSWERS]["annotations"][0]["answers"].append({"answer": 3}), {"wrong value": 1}),
        (lambda f: f.update({"v2_mscoco_val2014_annotations.json": {"annotations": []}}), {"unknown reference": 1}),
    ],
)
def test_vqa_with_faults(change: Any, problems: dict[str, int], tmp_path: Path) -> None:
    assert read("vqa2", tmp_path, change)[1] == problems


def test_files_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no list 'questions'"):
        read("vqa2", tmp_path, lambda files: files.update({QUESTIONS: {"data": []}}))


def test_textvqa_and_textcaps(tmp_path: Path) -> None:
    scenes, _ = read("textvqa", tmp_path / "a")
    assert [(scene.id, scene.metadata["questions"]) for scene in scenes] == [("a1", ["0", "2"]), ("b2", ["1"])]
    assert scenes[0].labels == (Label("Sign"), Label("Car")) and scenes[0].size == (100, 80)
    assert scenes[0].questions[0].answers == ("stop",) * 10
    captions = read("textcaps", tmp_path / "b")[0][0]
    assert captions.captions == ("A sign.", "A stop sign.") and captions.image == "train/a1.jpg"
    again = read("textvqa", tmp_path / "c", lambda f: f["TextVQA_0.5.1_train.json"]["data"].append({"image_id": "z"}))
    assert again[1] == {"wrong value": 2}


def test_clevr(tmp_path: Path) -> None:
    scene = read("clevr", tmp_path / "a")[0][0]
    assert scene.entities == (
        Entity("cube", None, attributes=("large", "red", "metal")),
        Entity("sphere", None, attributes=("large", "red", "metal")),
    )
    # relationships["left"][1] lists what is to the left of object 1.
    assert triples(scene) == [("cube", "left", "sphere"), ("sphere", "right", "cube")]
    assert scene.questions == (Question("How many?", ("2",), "count"),) and scene.size == (480, 320)
    assert scene.metadata["points"] == [[-1.0, 1.0, 0.7], [1.0, 1.0, 0.7]]

    def bad(files: Files) -> None:
        found = files["scenes/CLEVR_val_scenes.json"]["scenes"][0]
        found["relationships"]["left"][0] = [7, "x"]
        found["objects"][0]["3d_coords"] = [1, 2]
        del found["objects"][1]["shape"]

    # The sphere is left out, and with it what stands to its left and right.
    assert read("clevr", tmp_path / "b", bad)[1] == {"wrong value": 3, "unknown reference": 1, "lost with its box": 2}


# --- words in pictures


def test_crops(tmp_path: Path) -> None:
    scenes, _ = read("ocr-crops", tmp_path, look=True)
    assert [scene.lines for scene in scenes] == [
        (TextLine("STOP", (0.0, 0.0, 40.0, 12.0)),),
        (TextLine("03/09", (0.0, 0.0, 30.0, 10.0)),),
    ]
    (tmp_path / "labels.json").unlink()
    assert read_files("ocr-crops", tmp_path, look=True)[0] == scenes
    (tmp_path / "imgs/0.png").unlink()
    less, problems = read_files("ocr-crops", tmp_path, look=True)
    assert (less[0].text, less[0].lines) == ("STOP", ()) and problems == {"missing picture": 1}
    (tmp_path / "labels.txt").write_text("0.png\n1.png two words\n")
    assert [scene.text for scene in read_files("ocr-crops", tmp_path)[0]] == ["two words"]


def test_words_in_scenes(tmp_path: Path) -> None:
    scene = read("ocr-scenes", tmp_path / "a")[0][0]
    outline = ((10.0, 10.0), (50.0, 12.0), (48.0, 30.0), (9.0, 28.0))
    assert scene.lines[0] == TextLine("", (9.0, 10.0, 50.0, 30.0), outline)
    assert scene.lines[1] == TextLine("EXIT", (60.0, 60.0, 70.0, 70.0))
    assert scene.metadata == {"ignored": [0]}

    def bad(files: Files) -> None:
        words = files["textdet_test.json"]["data_list"][0]["instances"]
        words[0]["polygon"] = [1, 2, 3]
        words.append({"polygon": [200, 1, 210, 1, 210, 9], "ignore": False})
        words[1]["ignore"] = "no"

    scenes, problems = read("ocr-scenes", tmp_path / "b", bad)
    assert len(scenes[0].lines) == 2 and problems == {"wrong value": 2, "box outside": 1}


# --- pictures, folders


def test_pix3d(tmp_path: Path) -> None:
    scene = read("pix3d", tmp_path / "a")[0][0]
    assert scene.entities == (Entity("chair", (10.0, 5.0, 60.0, 75.0)),) and scene.id == "img/chair/0001"
    assert scene.metadata["model"] == "model/chair/A/model.obj"
    assert scene.metadata["rot_mat"] == [1, 0, 0, 0, 0, -1, 0, 1, 0]
    assert (scene.metadata["occluded"], scene.metadata["focal_length"]) == (True, 35.5)

    def bad(files: Files) -> None:
        files["pix3d.json"][0].update(
            bbox=[10, 5, 60], rot_mat=[1, 2], img_size=[100], truncated="yes", focal_length="f"
        )

    assert read("pix3d", tmp_path / "b", bad)[1] == {"wrong value": 5}


def test_folders_of_pictures(tmp_path: Path) -> None:
    def add(files: Files) -> None:
        files |= {"loose.png": tiny_files.png(3, 3), "test/cat/bad.jpg": b"none", "train/dog/notes.txt": "x"}

    scenes, problems = read("image-folder", tmp_path, add, look=True)
    found = {scene.id: ([label.name for label in scene.labels], scene.metadata, scene.size) for scene in scenes}
    assert found == {
        "loose.png": ([], {}, (3, 3)),
        "train/cat/1.jpg": (["cat"], {"split": "train"}, (20, 10)),
        "train/dog/x/2.png": (["dog"], {"split": "train"}, (8, 9)),
        "val/cat/3.jpg": (["cat"], {"split": "val"}, (10, 20)),
    }
    assert problems == {"missing picture": 1}


def test_boxes_of_one_thing_share_their_chain(tmp_path: Path) -> None:
    write(tiny.flickr30k(), tmp_path)
    scene = read_files("flickr30k-entities", tmp_path / "Sentences", tmp_path / "Annotations")[0][0]
    assert len(boxes(scene)) == 5 and "split" not in scene.metadata

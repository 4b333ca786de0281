"""Small files with questions, words, objects, clips and pictures, in the layouts of their formats, made up."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import numpy as np

from .tiny_files import Files, jpeg, mat, png


def vqa() -> Files:
    def answers(*words: str) -> list[dict[str, Any]]:
        return [{"answer": word, "answer_confidence": "yes", "answer_id": n} for n, word in enumerate(words, 1)]

    questions = [
        {"image_id": 7, "question_id": 7000, "question": "Is it a dog?"},
        {"image_id": 8, "question_id": 8000, "question": "How many?"},
        {"image_id": 7, "question_id": 7001, "question": "What colour?"},
    ]
    annotations = [
        {"question_id": 7001, "image_id": 7, "answer_type": "other", "answers": answers("red", "red", "brown")},
        {"question_id": 7000, "image_id": 7, "answer_type": "yes/no", "answers": answers("yes")},
        {"question_id": 8000, "image_id": 8, "answer_type": "number", "answers": answers("2", "3")},
    ]
    return {
        "v2_OpenEnded_mscoco_train2014_questions.json": {"data_subtype": "train2014", "questions": questions},
        "v2_mscoco_train2014_annotations.json": {"annotations": annotations},
        "v2_OpenEnded_mscoco_test-dev2015_questions.json": {"questions": [{**questions[0], "image_id": 1}]},
    }


def gqa() -> Files:
    graph = {
        "width": 60,
        "height": 40,
        "location": "outdoors",
        "objects": {
            "21": {
                "name": "sky",
                **{"x": 0, "y": 0, "w": 60, "h": 20},
                "attributes": ["blue", "clear"],
                "relations": [{"name": "above", "object": "22"}],
            },
            "22": {"name": "dog", "x": 5, "y": 20, "w": 20, "h": 15, "attributes": [], "relations": []},
        },
    }
    notes: dict[str, Any] = {"question": {"2": "21"}, "answer": {}, "fullAnswer": {"2": "21"}}

    def question(image: str) -> dict[str, Any]:
        types = {"structural": "verify", "semantic": "attr"}
        return {"imageId": image, "question": "Is it dark?", "answer": "no", "types": types, "annotations": notes}

    return {
        "sceneGraphs/train_sceneGraphs.json": {"5": graph},
        "questions/train_balanced_questions.json": {"0501": question("5"), "0601": question("6")},
    }


def textvqa() -> Files:
    def record(id: int, image: str, question: str) -> dict[str, Any]:
        size = {"image_width": 100, "image_height": 80, "image_classes": ["Sign", "Sign", "Car"]}
        return {"question_id": id, "image_id": image, "question": question, "answers": ["stop"] * 10, **size}

    data = [{**record(n, image, "what?"), "set_name": "train"} for n, image in enumerate(("a1", "b2", "a1"))]
    return {"TextVQA_0.5.1_train.json": {"dataset_type": "train", "data": data}}


def textcaps() -> Files:
    def record(id: int, caption: str) -> dict[str, Any]:
        size = {"image_width": 100, "image_height": 80, "image_classes": ["Sign"], "image_path": "train/a1.jpg"}
        strings = {"caption_str": caption, "reference_strs": ["A sign.", "A stop sign."]}
        return {"caption_id": id, "image_id": "a1", "set_name": "val", **size, **strings}

    return {"TextCaps_0.1_val.json": {"data": [record(1, "A sign."), record(2, "A stop sign.")]}}


def clevr() -> Files:
    def thing(shape: str, x: float) -> dict[str, Any]:
        looks = {"color": "red", "size": "large", "material": "metal", "rotation": 30.5}
        return {"shape": shape, **looks, "3d_coords": [x, 1.0, 0.7], "pixel_coords": [100, 120, 10.5]}

    relationships = {"left": [[], [0]], "right": [[1], []]}
    scene = {"image_index": 0, "image_filename": "CLEVR_val_000000.png", "split": "val", "relationships": relationships}
    scene["objects"] = [thing("cube", -1.0), thing("sphere", 1.0)]
    program = [{"function": "scene"}, {"function": "count"}]
    asked = {"image_filename": "CLEVR_val_000000.png", "split": "val", "question": "How many?", "program": program}
    return {
        "scenes/CLEVR_val_scenes.json": {"info": {}, "scenes": [scene]},
        "questions/CLEVR_val_questions.json": {"questions": [{**asked, "answer": "2"}]},
        "questions/CLEVR_test_questions.json": {
            "questions": [{"image_filename": "CLEVR_test_000000.png", "split": "test", "question": "Any?"}]
        },
    }


def ocr_crops() -> Files:
    data = [{"img_path": f"{n}.png", "instances": [{"text": word}]} for n, word in enumerate(("STOP", "03/09"))]
    return {
        "labels.json": {"metainfo": {}, "data_list": data},
        "labels.txt": "0.png STOP\n1.png 03/09\n",
        "imgs/0.png": png(40, 12),
        "imgs/1.png": png(30, 10),
    }


def ocr_scenes() -> Files:
    words = [
        {"polygon": [10, 10, 50, 12, 48, 30, 9, 28], "bbox": [9, 10, 50, 30], "bbox_label": 0, "ignore": True},
        {"polygon": [], "bbox": [60, 60, 70, 70], "bbox_label": 0, "ignore": False, "text": "EXIT"},
    ]
    data = [{"img_path": "imgs/test/img_1.jpg", "height": 90, "width": 160, "instances": words}]
    return {"textdet_test.json": {"metainfo": {}, "data_list": data}}


def pix3d() -> Files:
    record = {
        "img": "img/chair/0001.png",
        "category": "chair",
        "img_size": [100, 80],
        "bbox": [10, 5, 60, 75],
        "mask": "mask/chair/0001.png",
        "model": "model/chair/A/model.obj",
        "voxel": "model/chair/A/voxel.mat",
        "rot_mat": [[1, 0, 0], [0, 0, -1], [0, 1, 0]],
        "trans_mat": [0.1, 0.2, 1.5],
        "cam_position": [0, 0, 1],
        "focal_length": 35.5,
        "inplane_rotation": 0.0,
        "truncated": False,
        "occluded": True,
    }
    return {"pix3d.json": [record]}


def prnn() -> Files:
    def row(size: list[float], corner: list[float], axis: list[float], angle: float) -> list[float]:
        return [0.0] * 10 + size + corner + axis + [angle]

    seat = row([20, 20, 2], [6, 6, 10], [0, 0, 0], 0)
    leg = row([2, 2, 10], [6, 6, 0], [0, 1, 0], 0.2)
    mirrored = row([2, 2, 10], [24, 6, 0], [0, 1, 0], -0.2)
    chair = {"ori": np.array([seat, leg]), "sym": np.array([[0.0] * 20, mirrored]), "cls": np.array([2, 3])}
    stool = {"ori": np.array([seat]), "sym": np.zeros((1, 20)), "cls": np.array([2])}
    cell = np.empty((1, 2), dtype=object)
    cell[0, 0], cell[0, 1] = chair, stool
    return {"Myprimset_all.mat": mat({"primset": cell})}


def solid_boxes() -> Files:
    arrays = {
        "center": np.array([[0, 0.5, 0], [0.1, 0.2, 0.3], [0, 0, 0]], np.float32),
        "size": np.array([[0.5, 0.4, 0.1], [0.3, 0.2, 0.1], [1, 1, 1]], np.float32),
        "axes": np.array([[[1, 0, 0], [0, 1, 0]]] * 3, np.float32),
        "offsets": np.array([0, 2, 3], np.int32),
        "base": np.array([4, 5], np.int16),
    }
    file = BytesIO()
    np.savez(file, **arrays)
    return {"boxes.npz": file.getvalue()}


def clips() -> Files:
    frames = {f"{clip}/{n}.jpg": jpeg(40, 30) for clip in ("a", "b", "c/img", "d") for n in (1, 2, 10)}
    track = {"name": "A", "width": 40, "height": 30, "object": "dog"}
    boxes: list[Any] = [[1, 2, 10, 10], None, [3, 2, 10, 10]]
    shots = [{"file": f"{n}.jpg", "box": box} for n, box in zip((1, 2, 10), boxes, strict=True)]
    lines = [
        {"file": f"{n}.jpg", "label": label, "bbox": [n, 1, n + 5, 9]} for n in (10, 1) for label in ("cat", "cup")
    ]
    return {
        **frames,
        "a/track.json": {**track, "frames": shots},
        "b/groundtruth.txt": "1.5,2,10,10\nnan,nan,nan,nan\n3,2,10,10\n",
        "b/absence.label": "0\n0\n1\n",
        "b/meta_info.ini": "[METAINFO]\nobject_class: dog\nmotion_class: running\n",
        "c/groundtruth_rect.txt": "2\t3\t10\t10\n2 3 11 10\n2,3,12,10\n",
        "d/boxes.jsonl": "\n".join(map(json.dumps, lines)),
    }


def pictures() -> Files:
    return {"train/cat/1.jpg": jpeg(20, 10), "train/dog/x/2.png": png(8, 9), "val/cat/3.jpg": jpeg(10, 20)}


def samples() -> Files:
    lines = [
        {"text": "What is it?", "label": "entity", "year": 1999},
        {"id": "b", "image": "pictures/1.jpg", "captions": ["a dog", "a cat"], "labels": ["dog", 3]},
        {"id": 7, "file_name": "pictures/1.jpg", "question": "Is it?", "answers": ["yes", "no"]},
    ]
    return {"train.jsonl": "\n".join(map(json.dumps, lines)), "pictures/1.jpg": jpeg(20, 10)}


def scenes() -> Files:
    lines = [
        {"id": "1", "image": "pictures/1.jpg", "size": [20, 10], "entities": [{"label": "cat", "box": [1, 1, 5, 5]}]},
        {"id": "2", "text": "words", "captions": ["words"]},
    ]
    return {"scenes.jsonl": "\n".join(map(json.dumps, lines)), "pictures/1.jpg": jpeg(20, 10)}

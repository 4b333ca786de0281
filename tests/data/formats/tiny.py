"""Small files in the layout of every format, made up: here those with boxes; `LAYOUTS` lists all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .tiny_files import Files, h5, jpeg, mat
from .tiny_words import (
    clevr,
    clips,
    gqa,
    ocr_crops,
    ocr_scenes,
    pictures,
    pix3d,
    prnn,
    samples,
    scenes,
    solid_boxes,
    textcaps,
    textvqa,
    vqa,
)


def coco() -> Files:
    images = [{"id": n, "file_name": f"{n:012d}.jpg", "width": 64, "height": 48} for n in (7, 8, 9)]
    boxes = [(1, 7, 1, [4, 5, 10, 20], 0), (2, 7, 18, [0.5, 0.25, 63.5, 47.755], 0), (3, 9, 1, [10, 10, 5, 5], 1)]
    annotations = [
        {"id": id, "image_id": image, "category_id": category, "bbox": box, "iscrowd": crowd, "segmentation": [[1, 2]]}
        for id, image, category, box, crowd in boxes
    ]
    categories = [{"id": 18, "name": "dog"}, {"id": 1, "name": "person"}]
    captions = [{"id": 1, "image_id": 7, "caption": " A dog. \n"}, {"id": 2, "image_id": 8, "caption": "Nothing."}]
    return {
        "annotations/instances_val.json": {"images": images, "categories": categories, "annotations": annotations},
        "annotations/captions_val.json": {"images": images[:2], "annotations": captions},
        "annotations/person_keypoints_val.json": {"images": images, "annotations": []},
    }


def visual_genome() -> Files:
    def thing(id: int, name: str, x: int, **more: Any) -> dict[str, Any]:
        return {"object_id": id, "names": [name], "x": x, "y": 2, "w": 10, "h": 20, "synsets": [], **more}

    objects = [thing(11, "Tree", 0, merged_object_ids=[5]), thing(12, "dog", 20, merged_object_ids=[])]
    attributes = [thing(5, "tree", 1, attributes=["Green", "tall"]), thing(13, "cat", 40, attributes=["black"])]
    attributes.append(thing(11, "tree", 0, attributes=["green"]))
    old = {"object_id": 14, "name": "shade", "x": 5, "y": 5, "w": 9, "h": 9}
    relations = [
        {"relationship_id": 1, "predicate": "NEAR ", "subject": objects[1], "object": thing(5, "tree", 1)},
        {"relationship_id": 2, "predicate": "on", "subject": old, "object": thing(13, "cat", 40)},
    ]
    qas = [{"qa_id": 1, "question": "What?", "answer": "A dog.", "q_objects": [], "a_objects": [{"object_id": 12}]}]
    regions = [{"region_id": 3, "phrase": "a tall tree", "x": 0, "y": 0, "width": 10, "height": 20}]
    return {
        "image_data.json": [{"image_id": 1, "width": 60, "height": 40}, {"image_id": 2, "width": 60, "height": 40}],
        "objects.json": [{"image_id": 2, "objects": []}, {"image_id": 1, "objects": objects}],
        "attributes.json": [{"image_id": 1, "attributes": attributes}],
        "relationships.json": [{"image_id": 1, "relationships": relations}],
        "question_answers.json": [{"id": 1, "qas": qas}],
        "region_descriptions.json": [{"id": 1, "regions": regions}],
    }


def vg150() -> Files:
    """Four rows: three related ones, of which the last is of the test side, and one that has no boxes."""
    arrays: dict[str, Any] = {
        "split": [0, 0, 2, 0],
        "img_to_first_box": [0, 2, 3, -1],
        "img_to_last_box": [1, 2, 4, -1],
        "img_to_first_rel": [0, -1, 1, -1],
        "img_to_last_rel": [0, -1, 2, -1],
        "boxes_1024": [
            [512, 384, 1024, 768],
            [101, 100, 51, 50],
            [300, 200, 200, 100],
            [256, 256, 20, 20],
            [9, 9, 8, 8],
        ],
        "labels": [[1], [2], [1], [2], [2]],
        "attributes": [[1, 2, 0], [0, 0, 0], [2, 0, 0], [0, 0, 0], [0, 0, 0]],
        "relationships": [[0, 1], [3, 4], [4, 3]],
        "predicates": [[1], [2], [1]],
    }
    names = {"label": ["airplane", "animal"], "predicate": ["above", "across"], "attribute": ["white", "black"]}
    dicts = {f"idx_to_{kind}": {str(n): name for n, name in enumerate(found, 1)} for kind, found in names.items()}
    images = [{"image_id": id, "width": 800, "height": 600} for id in (10, 1592, 11, 12, 13)]
    return {
        "VG-SGG-with-attri.h5": h5(arrays),
        "VG-SGG-dicts-with-attri.json": dicts,
        "image_data.json": images,
    }


def vg150_coco() -> Files:
    def side(first: int) -> dict[str, Any]:
        boxes = [[0, 0, 10, 10], [5, 5, 20, 20]]
        annotations = [
            {"id": first + n, "image_id": first, "category_id": n + 1, "bbox": box} for n, box in enumerate(boxes)
        ]
        categories = [{"id": 1, "name": "cup"}, {"id": 2, "name": "table"}]
        images = [{"id": first, "file_name": f"{first}.jpg", "width": 40, "height": 40}]
        return {"images": images, "annotations": annotations, "categories": categories}

    rel = {
        "train": {"1": [[0, 1, 1]]},
        "val": {},
        "test": {"30": [[1, 0, 2], [0, 1, 1]]},
        "rel_categories": ["__background__", "on", "under"],
    }
    return {"train.json": side(1), "val.json": side(20), "test.json": side(30), "rel.json": rel}


def open_images() -> Files:
    header = "ImageID,LabelName1,LabelName2,XMin1,XMax1,YMin1,YMax1,XMin2,XMax2,YMin2,YMax2,RelationshipLabel"
    rows = [
        "aa,/m/chair,/m/table,0.25,0.5,0.1,0.6,0,1,0.5,1,at",
        "aa,/m/chair,/m/wood,0.25,0.5,0.1,0.6,0.25,0.5,0.1,0.6,is",
        "bb,/m/table,/m/chair,0.1,0.2,0.1,0.2,0.3,0.4,0.3,0.4,under",
    ]
    return {
        "oidv6-validation-annotations-vrd.csv": "\n".join([header, *rows]),
        "class-descriptions-boxable.csv": '/m/chair,Chair\n/m/table,"Table, large"\n',
        "oidv6-attributes-description.csv": "/m/wood,Wooden\n",
        "images/aa.jpg": jpeg(80, 40),
        "images/bb.jpg": jpeg(100, 50),
    }


def open_images_json() -> Files:
    scene = {
        "img_fn": "aa",
        "img_size": [80, 40],
        "bbox": [[20, 4, 40, 24], [0, 20, 80, 40]],
        "det_labels": [0, 1],
        "rel": [[0, 1, 1]],
    }
    categories = {"obj": ["Chair", "Table"], "rel": ["on", "at"]}
    return {"annotations/vrd-val-anno.json": [scene], "annotations/categories_dict.json": categories}


def flickr30k() -> Files:
    sentences = [
        "[/EN#1/people A man] with [/EN#2/clothing a red hat] sees [/EN#3/animals/other two dogs] .",
        "[/EN#1/people He] walks on [/EN#4/scene the street] for [/EN#0/notvisual a while] .",
    ]
    box = "<bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox>"
    objects = [
        f"<object><name>1</name>{box.format(1, 2, 31, 42)}</object>",
        f"<object><name>3</name>{box.format(40, 30, 50, 40)}</object>",
        f"<object><name>3</name><name>1</name>{box.format(52, 30, 60, 40)}</object>",
        "<object><name>4</name><scene>1</scene><nobndbox>0</nobndbox></object>",
    ]
    size = "<size><width>64</width><height>48</height><depth>3</depth></size>"
    return {
        "Sentences/100.txt": "\n".join(sentences),
        "Annotations/100.xml": f"<annotation><filename>100.jpg</filename>{size}{''.join(objects)}</annotation>",
        "train.txt": "100\n",
        "UNRELATED_CAPTIONS": "image caption\n100 2\n",
    }


def refcoco() -> Files:
    def ref(id: int, annotation: int, split: str, *sentences: str) -> dict[str, Any]:
        return {
            "ref_id": id,
            "ann_id": annotation,
            "image_id": 7,
            "category_id": 1,
            "file_name": f"COCO_train2014_000000000007_{annotation}.jpg",
            "split": split,
            "sent_ids": list(range(len(sentences))),
            "sentences": [{"sent_id": n, "raw": text.upper(), "sent": text} for n, text in enumerate(sentences)],
        }

    instances = coco()["annotations/instances_val.json"]
    return {
        "refs(umd).json": [ref(0, 1, "train", "the man", "left"), ref(1, 2, "train", "dog")],
        "instances.json": instances,
    }


def referit() -> Files:
    return {
        "referit.json": [
            {
                "img_id": 10000,
                "ann_id": "10000_1",
                "bbox": [1, 2, 30, 20],
                "split": "train",
                "query": ["a hill", "top"],
            },
            {"img_id": 10000, "ann_id": "10000_2", "bbox": [5, 6, 9, 9], "split": "train", "query": ["sky"]},
        ]
    }


def hico() -> Files:
    """Pictures 1 (a person rides a bicycle and holds it) and 2 (nothing that can be seen)."""
    pairs = {
        "boxes_h": [[1, 1, 20, 40], [1, 1, 20, 40]],
        "boxes_o": [[5, 20, 64, 48], [5, 20, 64, 48]],
        "hoi": [18, 13],
        "verb": [76, 36],
        "object": [9, 9],
    }
    empty: dict[str, Any] = {name: [] for name in pairs}
    file = {
        "filenames": [f"HICO_train2015_0000000{n}.jpg" for n in (1, 2)],
        "size": [[64, 48], [64, 48]],
        "annotation": [pairs, empty],
        "empty": [1],
    }
    return {"instances_train2015.json": file}


def hico_records() -> Files:
    annotations = [{"bbox": [0, 0, 20, 40], "category_id": 1}, {"bbox": [4, 19, 64, 48], "category_id": 2}]
    pairs = [{"subject_id": 0, "object_id": 1, "category_id": 77, "hoi_category_id": 19}]
    record = {"file_name": "HICO_test2015_00000001.jpg", "annotations": annotations, "hoi_annotation": pairs}
    return {"test_hico.json": [record]}


def hico_mat() -> Files:
    def corners(*boxes: tuple[int, int, int, int]) -> np.ndarray:
        kinds = [(name, "O") for name in ("x1", "x2", "y1", "y2")]
        return np.array([(x1, x2, y1, y2) for x1, y1, x2, y2 in boxes], dtype=kinds)

    def hoi(id: int, humans: Any, objects: Any, connection: Any, invis: int) -> tuple[Any, ...]:
        return (id, humans, objects, np.array(connection, np.uint8), invis)

    kinds = [(name, "O") for name in ("id", "bboxhuman", "bboxobject", "connection", "invis")]
    one = corners((1, 1, 20, 40))
    two = corners((5, 20, 64, 48), (2, 2, 9, 9))
    first = np.array([hoi(19, one, two, [[1, 1], [1, 2]], 0), hoi(14, one, two[:1], [[1, 1]], 0)], dtype=kinds)
    second = np.array([hoi(24, corners(), corners(), [], 1)], dtype=kinds)
    size = np.array([(64, 48, 3)], dtype=[(name, "O") for name in ("width", "height", "depth")])
    names = ("HICO_train2015_00000001.jpg", "HICO_train2015_00000002.jpg")
    images = [(name, size, found) for name, found in zip(names, (first, second), strict=True)]
    train = np.array(images, dtype=[(name, "O") for name in ("filename", "size", "hoi")])
    anno = np.full((600, 2), np.nan)
    anno[18, 0], anno[13, 0], anno[10, 0], anno[11, 0], anno[23, 1] = 1, 1, -1, 0, 1
    labels = {"anno_train": anno, "list_train": np.array([[name] for name in names], dtype=object)}
    return {"anno_bbox.mat": mat({"bbox_train": train}), "anno.mat": mat(labels)}


def vcoco() -> Files:
    def action(name: str, roles: list[str], labels: list[int], objects: list[int]) -> dict[str, Any]:
        return {
            "action_name": name,
            "role_name": roles,
            "image_id": [7, 9],
            "ann_id": [1, 4],
            "label": labels,
            "role_object_id": objects,
            "include": [[] for _ in roles],
        }

    instances = coco()["annotations/instances_val.json"]
    instances["annotations"] += [{"id": 4, "image_id": 9, "category_id": 1, "bbox": [1, 1, 5, 5], "iscrowd": 0}]
    actions = [
        action("hold", ["agent", "obj"], [1, 1], [1, 4, 2, 0]),
        action("eat", ["agent", "obj", "instr"], [1, 0], [1, 4, 0, 0, 2, 0]),
        action("walk", ["agent"], [0, 1], [1, 4]),
    ]
    return {"vcoco_val.json": actions, "instances_vcoco_all_2014.json": instances}


def vcoco_pairs() -> Files:
    annotation = {
        "boxes_h": [[4, 5, 14, 25], [4, 5, 14, 25]],
        "boxes_o": [[0, 0, 60, 40], [0, 0, 0, 0]],
        "actions": [0, 1],
        "objects": [17, 0],
        "file_name": "COCO_val2014_000000000007.jpg",
    }
    file = {"annotations": [annotation], "classes": ["hold obj", "sit instr"], "images": [7]}
    return {"instances_vcoco_test.json": file}


LAYOUTS: Mapping[str, tuple[str, Callable[[], Files]]] = {
    "coco": ("coco", coco),
    "visual-genome": ("visual-genome", visual_genome),
    "visual-genome-regions": ("visual-genome-regions", visual_genome),
    "vg150": ("vg150", vg150),
    "vg150-coco": ("vg150-coco", vg150_coco),
    "open-images-vrd": ("open-images-vrd", open_images),
    "open-images-vrd-json": ("open-images-vrd-json", open_images_json),
    "flickr30k-entities": ("flickr30k-entities", flickr30k),
    "refcoco": ("refcoco", refcoco),
    "referitgame": ("referitgame", referit),
    "hico-det": ("hico-det", hico),
    "hico-det, PPDM": ("hico-det", hico_records),
    "hico-det, mat": ("hico-det", hico_mat),
    "v-coco": ("v-coco", vcoco),
    "v-coco-pairs": ("v-coco-pairs", vcoco_pairs),
    "vqa2": ("vqa2", vqa),
    "gqa": ("gqa", gqa),
    "textvqa": ("textvqa", textvqa),
    "textcaps": ("textcaps", textcaps),
    "clevr": ("clevr", clevr),
    "ocr-crops": ("ocr-crops", ocr_crops),
    "ocr-scenes": ("ocr-scenes", ocr_scenes),
    "pix3d": ("pix3d", pix3d),
    "3d-prnn": ("3d-prnn", prnn),
    "solid-boxes": ("solid-boxes", solid_boxes),
    "clips": ("clips", clips),
    "image-folder": ("image-folder", pictures),
    "jsonl": ("jsonl", samples),
    "scenes": ("scenes", scenes),
}
"""Format and files by layout; a format may have several."""

"""Made-up annotation files in the layouts that recipes of published data sets expect, and the pictures beside them."""

from __future__ import annotations

import pickle
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from lichen.cli.main import main
from lichen.data.formats import vg150
from lichen.data.interactions import Interactions
from lichen.training.recipe import load_recipe

from ..data.formats.tiny_files import Files, h5, mat, write

COLOURS = ("red", "green", "blue", "yellow")
THINGS = ("dog", "man", "boat", "tree")
PREDICATES = ("on", "near", "behind")
SIZE = (96, 72)
SIDES = {"train": range(1, 9), "val": range(9, 12), "test": range(12, 16)}
"""Numbers of the pictures."""
BOXES = ((4, 6, 34, 36), (40, 8, 68, 40), (20, 42, 52, 68))
CONVERTED = (
    *("vg150-relate", "open-images-relate", "flickr30k-ground", "refcoco-ground"),
    *("hico-interact", "vcoco-interact"),
)
"""Recipes whose `about` says how their data are made."""


def kinds(number: int) -> tuple[int, int, int]:
    """What the three discs of a picture stand for."""
    return number % 4, (number + 1) % 4, (number * 3 + 2) % 4


def draw(folder: Path, name: str) -> None:
    """The pictures, three discs each, under `name` with the number in it."""
    folder.mkdir(parents=True)
    for number in (each for side in SIDES.values() for each in side):
        picture = Image.new("RGB", SIZE, (120, 125, 130))
        for box, kind in zip(BOXES, kinds(number), strict=True):
            ImageDraw.Draw(picture).ellipse(box, fill=COLOURS[kind])
        picture.save(folder / name.format(number), quality=90)


def numbered(sides: Sequence[str] = tuple(SIDES)) -> list[tuple[str, int]]:
    return [(side, number) for side in sides for number in SIDES[side]]


def visual_genome(folder: Path) -> Path:
    """VG150's arrays: a row an image, three boxes and two relations each."""
    rows = numbered()
    scale = vg150.SCALE / max(SIZE)
    boxes = [[(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1] for x1, y1, x2, y2 in BOXES]
    count = len(rows)
    arrays = {
        "split": [2 if side == "test" else 0 for side, _ in rows],
        "img_to_first_box": [3 * row for row in range(count)],
        "img_to_last_box": [3 * row + 2 for row in range(count)],
        "img_to_first_rel": [2 * row for row in range(count)],
        "img_to_last_rel": [2 * row + 1 for row in range(count)],
        "boxes_1024": np.tile(np.array(boxes) * scale, (count, 1)),
        "labels": [[kind + 1] for _, number in rows for kind in kinds(number)],
        "attributes": np.zeros((3 * count, 10)),
        "relationships": [[3 * row + end, 3 * row + end + 1] for row in range(count) for end in (0, 1)],
        "predicates": [[(number + end) % 3 + 1] for _, number in rows for end in (0, 1)],
    }
    names = {"label": THINGS, "predicate": PREDICATES, "attribute": ("round",)}
    images = [{"image_id": number, "width": SIZE[0], "height": SIZE[1]} for _, number in rows]
    draw(folder / "VG_100K", "{}.jpg")
    files: Files = {
        "VG-SGG-with-attri.h5": h5(arrays),
        "VG-SGG-dicts-with-attri.json": {
            f"idx_to_{kind}": {str(n): name for n, name in enumerate(found, 1)} for kind, found in names.items()
        },
        "image_data.json": images,
    }
    return write(files, folder)


def open_images(folder: Path) -> Path:
    def record(number: int) -> dict[str, Any]:
        relations = [[end, end + 1, (number + end) % 3] for end in (0, 1)]
        told = {"img_fn": f"{number:04}", "img_size": SIZE, "bbox": BOXES}
        return {**told, "det_labels": kinds(number), "rel": relations}

    draw(folder / "images", "{:04}.jpg")
    files: Files = {
        f"annotations/vrd-{side}-anno.json": [record(number) for number in members] for side, members in SIDES.items()
    }
    return write({**files, "annotations/categories_dict.json": {"obj": THINGS, "rel": PREDICATES}}, folder)


def flickr30k(folder: Path) -> Path:
    """Two sentences a picture; boxes count from 1."""

    def sentence(number: int, verb: str) -> str:
        first, second, _ = (THINGS[kind] for kind in kinds(number))
        return f"[/EN#{number}1/animals A {first}] {verb} [/EN#{number}2/other the {second}] ."

    def thing(number: int, end: int) -> str:
        names = ("xmin", "ymin", "xmax", "ymax")
        corners = "".join(f"<{name}>{value + 1}</{name}>" for name, value in zip(names, BOXES[end], strict=True))
        return f"<object><name>{number}{end + 1}</name><bndbox>{corners}</bndbox></object>"

    draw(folder / "flickr30k-images", "{}.jpg")
    size = f"<size><width>{SIZE[0]}</width><height>{SIZE[1]}</height><depth>3</depth></size>"
    files: Files = {f"{side}.txt": "".join(f"{number}\n" for number in members) for side, members in SIDES.items()}
    for _, number in numbered():
        files[f"Sentences/{number}.txt"] = f"{sentence(number, 'sits near')}\n{sentence(number, 'looks at')}\n"
        objects = "".join(thing(number, end) for end in (0, 1))
        files[f"Annotations/{number}.xml"] = (
            f"<annotation><filename>{number}.jpg</filename>{size}{objects}</annotation>"
        )
    return write(files, folder)


def refcoco(folder: Path) -> Path:
    """A pickle of refs, as released, beside COCO's instances. The test side is split into testA and testB."""
    refs: list[dict[str, Any]] = []
    boxes: list[dict[str, Any]] = []
    images: list[dict[str, Any]] = []
    for side, number in numbered():
        name = f"COCO_train2014_{number:012}"
        images.append({"id": number, "file_name": f"{name}.jpg", "width": SIZE[0], "height": SIZE[1]})
        for box, kind in zip(BOXES, kinds(number), strict=True):
            id = len(boxes) + 1
            x1, y1, x2, y2 = box
            corners = [x1, y1, x2 - x1, y2 - y1]
            boxes.append({"id": id, "image_id": number, "category_id": kind + 1, "bbox": corners, "iscrowd": 0})
            texts = (f"{COLOURS[kind]} {THINGS[kind]}", f"the {THINGS[kind]}")
            told: dict[str, Any] = {"ref_id": id, "ann_id": id, "image_id": number, "category_id": kind + 1}
            told["file_name"] = f"{name}_{id}.jpg"
            told["split"] = ("testA", "testB")[number % 2] if side == "test" else side
            told["sent_ids"] = [2 * id, 2 * id + 1]
            told["sentences"] = [
                {"sent_id": 2 * id + place, "raw": text, "sent": text, "tokens": text.split()}
                for place, text in enumerate(texts)
            ]
            refs.append(told)
    categories = [{"id": number + 1, "name": name} for number, name in enumerate(THINGS)]
    draw(folder / "train2014", "COCO_train2014_{:012}.jpg")
    instances = {"images": images, "annotations": boxes, "categories": categories}
    return write({"refs(unc).p": pickle.dumps(refs, protocol=2), "instances.json": instances}, folder)


def hico(folder: Path) -> Path:
    """The official files: in every picture a person rides, or holds, a bicycle; the label of one test picture is
    unclear, and one training picture has a label and no visible pair."""
    named = ("x1", "x2", "y1", "y2")
    numbers = {name: number for number, name in enumerate(Interactions.hico().names)}

    def corners(*boxes: Sequence[int]) -> np.ndarray:
        rows = [(x1 + 1, x2, y1 + 1, y2) for x1, y1, x2, y2 in boxes]
        return np.array(rows, dtype=[(name, "O") for name in named])

    def told(number: int) -> int:
        return numbers[("ride bicycle", "hold bicycle")[number % 2]]

    def image(number: int, name: str) -> tuple[Any, ...]:
        hidden = number == SIDES["train"][0]
        found = corners(*BOXES[:1]), corners(*BOXES[1:2]), np.array([[1, 1]], np.uint8), 0
        own = (told(number) + 1, *((corners(), corners(), [], 1) if hidden else found))
        kinds = [(each, "O") for each in ("id", "bboxhuman", "bboxobject", "connection", "invis")]
        size = np.array([(*SIZE, 3)], dtype=[(each, "O") for each in ("width", "height", "depth")])
        return name, size, np.array([own], dtype=kinds)

    variables: dict[str, Any] = {}
    labels: dict[str, Any] = {}
    for side in ("train", "test"):
        names = [f"HICO_{side}2015_{number:08}.jpg" for number in SIDES[side]]
        images = [image(number, name) for number, name in zip(SIDES[side], names, strict=True)]
        variables[f"bbox_{side}"] = np.array(images, dtype=[(each, "O") for each in ("filename", "size", "hoi")])
        values = np.full((600, len(names)), np.nan)
        for column, number in enumerate(SIDES[side]):
            values[told(number), column] = 1
            values[told(number + 1), column] = 0 if number == SIDES["test"][0] else -1
        labels |= {f"anno_{side}": values, f"list_{side}": np.array([[name] for name in names], dtype=object)}
        draw(folder / "images" / f"{side}2015", f"HICO_{side}2015_{{:08}}.jpg")
    return write({"anno_bbox.mat": mat(variables), "anno.mat": mat(labels)}, folder)


def vcoco(folder: Path) -> Path:
    """VSRL files beside COCO's instances: a person and a bicycle, which is ridden or held; some also walk."""
    images, boxes = [], []
    for side, number in numbered(("train", "test")):
        name = f"COCO_{'val' if side == 'test' else 'train'}2014_{number:012}.jpg"
        images.append({"id": number, "file_name": name, "width": SIZE[0], "height": SIZE[1]})
        for place, category in enumerate((1, 2)):
            x1, y1, x2, y2 = BOXES[place]
            told = {"id": 10 * number + place + 1, "image_id": number, "category_id": category}
            boxes.append({**told, "bbox": [x1, y1, x2 - x1, y2 - y1], "iscrowd": 0})

    def action(name: str, members: Sequence[int], does: Sequence[bool], *role: str) -> dict[str, Any]:
        people = [10 * number + 1 for number in members]
        things = [10 * number + 2 if own else 0 for number, own in zip(members, does, strict=True)]
        return {
            "action_name": name,
            "role_name": ["agent", *role],
            "image_id": list(members),
            "ann_id": people,
            "label": [int(own) for own in does],
            "role_object_id": [*people, *(things if role else [])],
            "include": [[]] * (1 + len(role)),
        }

    files: Files = {
        "instances_vcoco_all_2014.json": {
            "images": images,
            "annotations": boxes,
            "categories": [{"id": 1, "name": "person"}, {"id": 2, "name": "bicycle"}],
        }
    }
    for split, side in (("trainval", "train"), ("test", "test")):
        members = SIDES[side]
        odd = [number % 2 == 1 for number in members]
        files[f"vcoco_{split}.json"] = [
            action("hold", members, odd, "obj"),
            action("ride", members, [not each for each in odd], "instr"),
            action("walk", members, [number % 3 == 0 for number in members]),
        ]
    draw(folder / "train2014", "COCO_train2014_{:012}.jpg")
    draw(folder / "val2014", "COCO_val2014_{:012}.jpg")
    return write(files, folder)


MADE = {"vg": visual_genome, "oi": open_images, "flickr": flickr30k, "rc": refcoco}
MADE |= {"hico_20160224_det": hico, "vcoco": vcoco}
"""By the folder that the commands of the recipes name."""


def convert_all(folder: Path, work: Path) -> None:
    """Make all published data sets, and run the commands that the recipes give.

    Args:
        folder: stands for FOLDER in the commands.
        work: where the annotation files are made.
    """
    for name, make in MADE.items():
        make(work / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(work)
        # VG150 has no file for its validation side: it is the first 5,000 training images.
        patch.setattr(vg150, "VALIDATION", 3)
        for recipe in CONVERTED:
            about = (line.strip() for line in load_recipe(recipe).about.splitlines())
            commands = [line.replace("FOLDER", str(folder)) for line in about if line.startswith("lichen data convert")]
            assert len(commands) >= 2, recipe
            for command in commands:
                _, *words = shlex.split(command)
                target = Path(words[words.index("--out") + 1])
                target.parent.mkdir(parents=True, exist_ok=True)
                assert main([*words, "--strict"]) == 0, command

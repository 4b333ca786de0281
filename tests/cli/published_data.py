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
from lichen.training.recipe import load_recipe

from ..data.formats.tiny_files import Files, h5, write

COLOURS = ("red", "green", "blue", "yellow")
THINGS = ("dog", "man", "boat", "tree")
PREDICATES = ("on", "near", "behind")
SIZE = (96, 72)
SIDES = {"train": range(1, 9), "val": range(9, 12), "test": range(12, 16)}
"""Numbers of the pictures."""
BOXES = ((4, 6, 34, 36), (40, 8, 68, 40), (20, 42, 52, 68))
CONVERTED = ("vg150-relate", "open-images-relate", "flickr30k-ground", "refcoco-ground")
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


MADE = {"vg": visual_genome, "oi": open_images, "flickr": flickr30k, "rc": refcoco}
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
            assert len(commands) >= 3, recipe
            for command in commands:
                _, *words = shlex.split(command)
                target = Path(words[words.index("--out") + 1])
                target.parent.mkdir(parents=True, exist_ok=True)
                assert main([*words, "--strict"]) == 0, command

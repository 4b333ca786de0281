"""VG150: Visual Genome cut down to 150 objects and 50 predicates, as arrays in HDF5; or as COCO with a `rel.json`.

The file has a row an image, a row a box and a row a relation, in three groups of arrays that point into each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError, nearest
from ...scene import Relation, Scene
from ...scene.extras import need
from .boxes import Size, cut
from .coco_file import BLANK, CocoBox, CocoFile, add_boxes, keep_box, picture_of, read_coco
from .fields import Fields, id_value, to_id, to_text, to_whole
from .format import Format
from .json_stream import elements, read_json
from .problems import Problems, shown
from .source import Part, Source, split_name
from .things import Things
from .visual_genome import FOLDERS

CORRUPTED = frozenset({"1592", "1722", "4616", "4617"})
"""Images that `image_data.json` lists and the arrays leave out: their pictures were damaged."""
SCALE = 1024
"""Length of a picture's longer side in the units of `boxes_1024`."""
VALIDATION = 5000
"""The first so many training images with a relation are the validation side."""
_IMAGE_ARRAYS = ("split", "img_to_first_box", "img_to_last_box", "img_to_first_rel", "img_to_last_rel")
_BOX_ARRAYS = {"boxes_1024": 4, "labels": 1}
_RELATION_ARRAYS = {"relationships": 2, "predicates": 1}


def read(source: Source) -> Iterator[Scene]:
    """One scene an image that has boxes, in the order of the file, entities in the order of its rows.

    `metadata["split"]` is train, val or test. The published counts (57,723, 5,000 and 26,446) are those of images with
    a relation; images without one are scenes too.
    """
    path, problems = source.need("arrays"), source.problems
    arrays = _load(path)
    names = _names(source)
    entries = _entries(source, len(arrays["split"]))
    related = (arrays["split"] == 0) & (arrays["img_to_first_box"] >= 0) & (arrays["img_to_first_rel"] >= 0)
    validation = np.zeros(len(related), bool)
    validation[np.flatnonzero(related)[:VALIDATION]] = True
    for row, fields in enumerate(entries):
        code = int(arrays["split"][row])
        split = {0: "val" if validation[row] else "train", 2: "test"}.get(code)
        id = fields.id("image_id")
        if split is None:
            problems.add("wrong value", f"{path.name}: split[{row}]", f"is {code}; 0 is for training, 2 for the test")
            continue
        if id is None or arrays["img_to_first_box"][row] < 0:
            continue
        picture = source.picture(fields, f"{id}.jpg", size=fields.size(needed=True))
        if picture.size is None:
            fields.note("lost with its box", "without a size, its boxes mean nothing")
            continue
        where = f"{path.name}: image {row}"
        things = _boxes(arrays, row, names, picture.size, problems, where)
        yield Scene(
            id,
            image=picture.path,
            size=picture.size,
            entities=tuple(things.entities),
            relations=tuple(_relations(arrays, row, names["predicate"], things, where)),
            metadata={"image_id": id_value(id), "split": split},
        )


def _load(path: Path) -> dict[str, np.ndarray]:
    """All arrays, as whole numbers of 64 bits.

    Raises:
        InputError: the file is damaged, or an array is absent or of another shape.
    """
    h5py = need("h5py", "formats", "The arrays of VG150 are read")
    result: dict[str, np.ndarray] = {}
    try:
        with h5py.File(path, "r") as file:
            for name in (*_IMAGE_ARRAYS, *_BOX_ARRAYS, *_RELATION_ARRAYS, "attributes"):
                if name not in file:
                    if name == "attributes":
                        continue
                    raise InputError(f"{str(path)!r} has no array {name!r}. {nearest(name, list(file))}")
                values = np.asarray(file[name])
                if values.dtype.kind not in "iub":
                    raise InputError(f"{str(path)!r}: {name} holds {values.dtype}; expected whole numbers.")
                result[name] = values.astype(np.int64)
    except InputError:
        raise
    # On damaged files h5py raises OSError, KeyError, RuntimeError, and more.
    except Exception as error:
        raise InputError(f"{str(path)!r} is not readable as HDF5: {error or type(error).__name__}.") from error
    for columns in (dict.fromkeys(_IMAGE_ARRAYS, 1), _BOX_ARRAYS, _RELATION_ARRAYS):
        _check_group(path, result, columns)
    if "attributes" in result and (
        result["attributes"].ndim != 2 or len(result["attributes"]) != len(result["labels"])
    ):
        raise InputError(f"{str(path)!r}: attributes are {result['attributes'].shape}; expected a row a box.")
    return result


def _check_group(path: Path, arrays: dict[str, np.ndarray], columns: Mapping[str, int]) -> None:
    """Bring the arrays of a group to their shape: a row each, no second axis where there is one column."""
    rows = {name: arrays[name].shape[0] if arrays[name].ndim else -1 for name in columns}
    if len(set(rows.values())) > 1 or -1 in rows.values():
        told = ", ".join(f"{name} {arrays[name].shape}" for name in columns)
        raise InputError(f"{str(path)!r}: these arrays must have as many rows as each other: {told}.")
    for name, width in columns.items():
        count = rows[name]
        if arrays[name].size != count * width:
            raise InputError(f"{str(path)!r}: {name} is {arrays[name].shape}; expected {count} × {width}.")
        arrays[name] = arrays[name].reshape(count) if width == 1 else arrays[name].reshape(count, width)


def _names(source: Source) -> dict[str, dict[int, str]]:
    """Names of objects, predicates and attributes by number."""
    path = source.need("dicts")
    file = Fields(read_json(path), source.problems, path.name)
    result: dict[str, dict[int, str]] = {}
    for kind, key in (("label", "idx_to_label"), ("predicate", "idx_to_predicate"), ("attribute", "idx_to_attribute")):
        table = file.record(key, needed=kind != "attribute")
        result[kind] = {}
        for index, value in (table.values if table else {}).items():
            number, name = id_value(to_id(index) or ""), to_text(value)
            if isinstance(number, int) and name is not None:
                result[kind][number] = name
            elif table is not None:
                table.note("wrong value", f"{shown(index)}: {shown(value)} is no number with its name")
    return result


def _entries(source: Source, count: int) -> list[Fields]:
    """The images, in the order of the rows.

    Raises:
        InputError: there are more or fewer than the arrays have rows.
    """
    path = source.need("image_data")
    entries = [Fields(value, source.problems, path.name, "", number) for number, value in enumerate(elements(path))]
    if len(entries) != count:
        entries = [fields for fields in entries if to_id(fields.values.get("image_id")) not in CORRUPTED]
    if len(entries) != count:
        raise InputError(
            f"{str(path)!r} lists {len(entries)} images without the four damaged ones; the arrays have {count} rows. "
            "Give the image_data.json that belongs to them."
        )
    return entries


def _boxes(
    arrays: Mapping[str, np.ndarray],
    row: int,
    names: Mapping[str, Mapping[int, str]],
    size: Size,
    problems: Problems,
    where: str,
) -> Things:
    things = Things(problems)
    first, last = int(arrays["img_to_first_box"][row]), int(arrays["img_to_last_box"][row])
    if not first <= last < len(arrays["labels"]):
        problems.add("unknown reference", where, f"its boxes are rows {first} to {last} of {len(arrays['labels'])}")
        return things
    for place, corners in zip(
        range(first, last + 1), _corners(arrays["boxes_1024"][first : last + 1], size), strict=True
    ):
        label = names["label"].get(int(arrays["labels"][place]))
        if label is None:
            problems.add(
                "unknown class", f"{where}, box {place}", f"no object has the number {arrays['labels'][place]}"
            )
        box = cut((corners[0], corners[1], corners[2], corners[3]), size, problems, f"{where}, box {place}")
        if label is None or box is None:
            things.lose(place)
            continue
        numbers = arrays["attributes"][place].tolist() if "attributes" in arrays else []
        attributes = [names["attribute"][number] for number in numbers if number in names["attribute"]]
        if any(number and number not in names["attribute"] for number in numbers):
            problems.add("unknown class", f"{where}, box {place}", f"no attribute has a number of {shown(numbers)}")
        things.add(place, label, box, id=str(place), attributes=attributes)
    return things


def _corners(boxes: np.ndarray, size: Size) -> list[list[float]]:
    """Corners in pixels. As in the code that everyone uses, the left upper corner is cut to a whole number first."""
    whole = boxes.copy()
    whole[:, :2] = np.trunc(boxes[:, :2] - boxes[:, 2:] / 2).astype(np.int64)
    whole[:, 2:] += whole[:, :2]
    scaled: list[list[float]] = (whole / SCALE * max(size)).tolist()
    return scaled


def _relations(
    arrays: Mapping[str, np.ndarray], row: int, names: Mapping[int, str], things: Things, where: str
) -> Iterator[Relation]:
    first, last = int(arrays["img_to_first_rel"][row]), int(arrays["img_to_last_rel"][row])
    if first < 0:
        return
    if not first <= last < len(arrays["predicates"]):
        told = f"its relations are rows {first} to {last} of {len(arrays['predicates'])}"
        things.problems.add("unknown reference", where, told)
        return
    for place in range(first, last + 1):
        at = f"{where}, relation {place}"
        name = names.get(int(arrays["predicates"][place]))
        if name is None:
            things.problems.add("unknown class", at, f"no predicate has the number {arrays['predicates'][place]}")
        subject, object = (
            things.place(int(end), at, role)
            for end, role in zip(arrays["relationships"][place], ("subject", "object"), strict=True)
        )
        if name is not None and subject is not None and object is not None:
            yield Relation(subject, name, object)


def read_coco_form(source: Source) -> Iterator[Scene]:
    """The form of RelTR and EGTR: `train.json`, `val.json`, `test.json` in COCO's layout and `rel.json` with triplets.

    A triplet is (subject, object, predicate); the first two are places among the annotations of the image.
    """
    path = source.need("relations")
    file = Fields(read_json(path), source.problems, path.name)
    predicates = file.texts("rel_categories")
    for part in source.all("boxes"):
        split = split_name(part)
        table = file.record(split)
        boxes = read_coco(part, source.problems, keep_box, blank=BLANK)
        for image in boxes.images:
            triplets = table.items(image, needed=False) if table else ()
            yield _coco_scene(source, boxes, image, split, predicates, triplets)


def _coco_scene(
    source: Source, file: CocoFile[CocoBox], image: str, split: str, predicates: list[str], triplets: Any
) -> Scene:
    entry = file.images[image]
    where = f"{file.name}: images[{entry.number}]"
    picture = picture_of(source, file, image)
    things = Things(source.problems)
    add_boxes(things, file, image, picture.size, file.categories)
    order = [number if item.id is None else item.id for number, item in file.annotations.get(image, ())]
    relations = []
    for triplet in triplets:
        numbers = [to_whole(value) for value in triplet] if isinstance(triplet, list) else []
        if len(numbers) != 3 or any(number is None or number < 0 for number in numbers):
            source.problems.add("wrong value", where, f"{shown(triplet)} is no relation: subject, object, predicate")
            continue
        subject, object, predicate = (number or 0 for number in numbers)
        if predicate >= len(predicates):
            told = f"no predicate has the number {predicate}, of {len(predicates)}"
            source.problems.add("unknown class", where, told)
            continue
        ends = [
            things.place(order[end] if end < len(order) else ("row", end), where, role)
            for end, role in ((subject, "subject"), (object, "object"))
        ]
        if ends[0] is not None and ends[1] is not None:
            relations.append(Relation(ends[0], predicates[predicate], ends[1]))
    return Scene(
        image,
        image=picture.path,
        size=picture.size,
        entities=tuple(things.entities),
        relations=tuple(relations),
        metadata={"image_id": entry.id, "split": split},
    )


VG150 = Format(
    "VG150 (VG-SGG h5 and dicts)",
    (
        Part("arrays", ("VG-SGG*.h5", "*.h5")),
        Part("dicts", ("VG-SGG-dicts*.json",)),
        Part("image_data", ("image_data.json",)),
    ),
    "entities with attributes, relations",
    read,
    FOLDERS,
)
VG150_COCO = Format(
    "VG150 as COCO (RelTR, EGTR)",
    (Part("boxes", ("train.json", "val.json", "test.json")), Part("relations", ("rel.json",))),
    "entities, relations",
    read_coco_form,
    FOLDERS,
)

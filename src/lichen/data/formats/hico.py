"""HICO-DET in its three forms: the official `anno_bbox.mat`, the JSON of fredzzhang/hicodet, the JSON of PPDM.

Three orders of objects and two of interactions are in use; here they become names: the person is "person", the object
has COCO's spelling, the relation is HICO's verb.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...errors import InputError
from ...scene import Label, Scene
from ..classes import coco_80, hico_600, hico_verbs
from .boxes import clean_size
from .fields import Fields, rows, to_whole
from .format import Format
from .hico_mat import image_labels, read_mat
from .interactions import PERSON, Pairs, pair_scene
from .json_stream import elements, read_json, starts_with
from .problems import shown
from .source import Part, Source, split_name


def read(source: Source) -> Iterator[Scene]:
    """One scene a picture, also of those without a visible pair.

    With `anno.mat`, `labels` are the interactions of the whole picture, and `metadata` lists those that are certainly
    absent although their object is there (`absent`) and those that are unclear (`unclear`). The boxes alone do not
    say them: 485 training pictures have labels and no visible pair.
    """
    labels = image_labels(source)
    for path in source.all("annotations"):
        for scene in _reader(path)(source, path):
            yield _with_labels(scene, labels)


def _reader(path: Path) -> Any:
    if path.suffix.lower() == ".mat":
        return read_mat
    first = starts_with(path)
    if first not in ("{", "["):
        raise InputError(f"{str(path)!r} is no JSON object or list, so it is in none of the forms of HICO-DET.")
    return _read_columns if first == "{" else _read_records


def _with_labels(scene: Scene, labels: Mapping[str, Mapping[str, list[str]]]) -> Scene:
    found = labels.get(Path(scene.image or "").name)
    if found is None:
        return scene
    metadata = {**scene.metadata, "absent": found["absent"], "unclear": found["unclear"]}
    return replace(scene, labels=tuple(map(Label, found["present"])), metadata=metadata)


def _read_columns(source: Source, path: Path) -> Iterator[Scene]:
    """fredzzhang's form: parallel lists, interactions from 0, boxes of pixels that count from 1."""
    file = Fields(read_json(path), source.problems, path.name)
    names, sizes = file.items("filenames"), file.items("size", needed=False)
    records = file.items("annotation")
    if len(names) != len(records):
        file.note("wrong value", f"{len(names)} file names for {len(records)} annotations")
    for number, (name, values) in enumerate(zip(names, records, strict=False)):
        fields = Fields(values, source.problems, path.name, "annotation", number)
        told = sizes[number] if number < len(sizes) else None
        size = clean_size(*map(to_whole, told)) if isinstance(told, list) and len(told) == 2 else None
        if told is not None and size is None:
            fields.note("wrong value", f"no usable size of the picture: {shown(told)}")
        if not isinstance(name, str) or not name.strip():
            fields.note("wrong value", f"no usable file name: {shown(name)}")
            continue
        picture = source.picture(fields, name, size=size)
        pairs = Pairs(source.problems, picture.size)
        _add_columns(pairs, fields)
        yield pair_scene(name, picture.path, pairs, split_name(path, "instances_", "2015"))


def _add_columns(pairs: Pairs, fields: Fields) -> None:
    columns = [fields.items(name) for name in ("boxes_h", "boxes_o", "hoi")]
    if len({len(column) for column in columns}) > 1:
        fields.note("wrong value", f"columns of {', '.join(str(len(column)) for column in columns)} entries")
    for human, thing, id in zip(*columns, strict=False):
        number = to_whole(id)
        if number is None or not 0 <= number < len(hico_600()):
            fields.note("unknown class", f"no interaction has the number {shown(id)}; they are 0 to 599")
            continue
        interaction = hico_600()[number]
        subject = pairs.find(PERSON, human, "inclusive", fields)
        pairs.pair(subject, interaction.verb, pairs.find(interaction.object, thing, "inclusive", fields), fields)


def _read_records(source: Source, path: Path) -> Iterator[Scene]:
    """PPDM's form, which QPIC, GEN-VLKT and others share: verbs from 1, objects by the ids of COCO's files."""
    for fields in rows(elements(path), source.problems, path.name):
        name = fields.text("file_name")
        if name is None:
            continue
        picture = source.picture(fields, name, size=fields.size())
        pairs = Pairs(source.problems, picture.size)
        places: list[int | None] = []
        for part in fields.records("annotations"):
            label = coco_80().get(part.whole("category_id") or 0)
            if label is None:
                part.note("unknown class", f"{shown(part.values.get('category_id'))} is no id of a COCO class")
            place = None if label is None else pairs.find(label, part.values.get("bbox"), "xyxy", part)
            places.append(place)
        for record in fields.records("hoi_annotation"):
            _add_record(pairs, record, places)
        yield pair_scene(name, picture.path, pairs, _side(name))


def _add_record(pairs: Pairs, record: Fields, places: list[int | None]) -> None:
    verb, subject, object = (record.whole(name) for name in ("category_id", "subject_id", "object_id"))
    if verb is None or subject is None or object is None:
        return
    ends = (subject, object)
    if not 1 <= verb <= len(hico_verbs()):
        record.note("unknown class", f"no verb has the number {verb}; they are 1 to 117")
        return
    outside = [role for role, end in (("subject", ends[0]), ("object", ends[1])) if not 0 <= end < len(places)]
    if outside:
        record.note("unknown reference", f"its {' and '.join(outside)} is none of {len(places)} annotations")
    else:
        pairs.pair(places[ends[0]], hico_verbs()[verb - 1], places[ends[1]], record)


def _side(name: str) -> str:
    """Train or test, from the name of a picture such as HICO_train2015_00000001.jpg."""
    return next((side for side in ("train", "test") if f"_{side}2015_" in name), "")


HICO = Format(
    "HICO-DET (.mat or either JSON)",
    (
        Part("annotations", ("anno_bbox.mat", "instances_*2015.json", "*hico*.json", "annotations/*hico*.json")),
        Part("image labels", ("anno.mat",), needed=False),
    ),
    "entities, relations; with anno.mat labels",
    read,
    ("images/train2015", "images/test2015", "train2015", "test2015", "images"),
)

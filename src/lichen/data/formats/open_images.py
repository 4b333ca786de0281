"""Open Images visual relationships: the official CSV, or the JSON that scene graph code (BGNN, SGTR) uses."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ...errors import InputError, nearest
from ...scene import Relation, Scene
from .boxes import Size, cut, to_box
from .fields import Fields, rows, to_number, to_whole
from .format import Format
from .json_stream import elements, read_json
from .lines import lines_of
from .problems import Problems, shown
from .source import Part, Source, split_name
from .things import Things

COLUMNS = (
    *("ImageID", "LabelName1", "LabelName2"),
    *("XMin1", "XMax1", "YMin1", "YMax1", "XMin2", "XMax2", "YMin2", "YMax2", "RelationshipLabel"),
)
_ATTRIBUTE = "is"
"""The relation whose object is no thing but a property; such rows repeat the box."""


class _Row(NamedTuple):
    """A row of the CSV: two classes, two boxes as shares of the picture's size, a relation."""

    line: int
    ends: tuple[str, str]
    boxes: tuple[tuple[float, ...], tuple[float, ...]]
    relation: str


def read(source: Source) -> Iterator[Scene]:
    """One scene an image. Classes are named by the files of descriptions; without one they keep their `/m/…` ids.

    Boxes are shares of the picture's width and height, so that they become pixels only where the picture is found.
    """
    names = _descriptions(source)
    for path in source.all("relationships"):
        split = split_name(path, "oidv6-", "challenge-2018-", "-annotations-vrd", "-vrd")
        for image, found in _by_image(path, source.problems).items():
            where = f"{path.name}, line {found[0].line}"
            picture = source.picture(where, f"{image}.jpg", f"{image}.png")
            if picture.size is None:
                told = f"boxes of {image} are shares of a size that is not known without the picture"
                source.problems.add("lost with its box", where, told)
            things, relations = _graph(found, names, picture.size, path, source.problems)
            yield Scene(
                image,
                image=picture.path,
                size=picture.size,
                entities=tuple(things.entities),
                relations=tuple(relations),
                metadata={"split": split} if split else {},
            )


def _descriptions(source: Source) -> dict[str, str]:
    """Names by class id."""
    result: dict[str, str] = {}
    for path in source.all("class descriptions"):
        for number, line in lines_of(path, source.problems):
            cells = _cells(line)
            if len(cells) == 2 and all(cells):
                result.setdefault(cells[0], cells[1])
            else:
                where = f"{path.name}, line {number}"
                source.problems.add("wrong value", where, f"expected an id and a name, got {shown(line)}")
    return result


def _cells(line: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line]))]
    except (csv.Error, StopIteration):
        return []


def _by_image(path: Path, problems: Problems) -> dict[str, list[_Row]]:
    result: dict[str, list[_Row]] = defaultdict(list)
    columns: list[int] | None = None
    words: dict[str, str] = {}
    for number, line in lines_of(path, problems):
        cells = _cells(line)
        if columns is None:
            columns = [_column(path, cells, name) for name in COLUMNS]
            continue
        if len(cells) <= max(columns):
            problems.add("wrong value", f"{path.name}, line {number}", f"has {len(cells)} cells: {shown(line)}")
            continue
        image, first, second, *numbers, relation = (cells[column] for column in columns)
        values = [_share(text) for text in numbers]
        if not (image and first and second and relation) or any(value is None for value in values):
            problems.add("wrong value", f"{path.name}, line {number}", f"an empty cell, or no number: {shown(line)}")
            continue
        # Columns are x, x, y, y.
        boxes = [tuple(values[start + step] or 0.0 for step in (0, 2, 1, 3)) for start in (0, 4)]
        ends = (words.setdefault(first, first), words.setdefault(second, second))
        result[image].append(_Row(number, ends, (boxes[0], boxes[1]), words.setdefault(relation, relation)))
    if columns is None:
        raise InputError(f"{str(path)!r} is empty; expected a first line with {', '.join(COLUMNS)}.")
    return result


def _column(path: Path, header: list[str], name: str) -> int:
    if name not in header:
        hint = nearest(name, header) if header else ""
        raise InputError(f"{str(path)!r} has no column {name!r}, which Open Images VRD has. {hint}".strip())
    return header.index(name)


def _share(text: str) -> float | None:
    try:
        return to_number(float(text))
    except ValueError:
        return None


def _graph(
    found: list[_Row], names: Mapping[str, str], size: Size | None, path: Path, problems: Problems
) -> tuple[Things, list[Relation]]:
    things = Things(problems)
    said: dict[int, dict[str, None]] = defaultdict(dict)
    relations = []
    for row in found:
        where = f"{path.name}, line {row.line}"
        labels = [_name(id, names, where, problems) for id in row.ends]
        subject = _end(things, row, 0, labels[0], size, where)
        if row.relation == _ATTRIBUTE and subject is not None and labels[1] is not None:
            said[subject][labels[1]] = None
            continue
        object = None if row.relation == _ATTRIBUTE else _end(things, row, 1, labels[1], size, where)
        if subject is None or object is None:
            problems.add("lost with its box", where, f"{row.relation!r} of something that was left out")
            continue
        relations.append(Relation(subject, row.relation, object))
    for place, attributes in said.items():
        entity = things.entities[place]
        things.entities[place] = type(entity)(entity.label, entity.box, attributes=tuple(attributes), id=entity.id)
    return things, relations


def _name(id: str, names: Mapping[str, str], where: str, problems: Problems) -> str | None:
    if names and id not in names:
        problems.add("unknown class", where, f"{id!r} is not in the class descriptions")
        return None
    return names.get(id, id)


def _end(things: Things, row: _Row, end: int, label: str | None, size: Size | None, where: str) -> int | None:
    """The entity of one end of a relation, the same for the same class and box."""
    key = (row.ends[end], row.boxes[end])
    if key in things:
        return things.get(key)
    box = None
    if size is not None:
        left, top, right, bottom = row.boxes[end]
        scaled = (left * size[0], top * size[1], right * size[0], bottom * size[1])
        box = cut(scaled, size, things.problems, where)
    if label is None or (size is not None and box is None):
        things.lose(key)
        return None
    return things.add(key, label, box)


def read_json_form(source: Source) -> Iterator[Scene]:
    """`vrd-*-anno.json` with `categories_dict.json`: boxes in pixels, classes and predicates from 0."""
    path = source.need("categories")
    file = Fields(read_json(path), source.problems, path.name)
    objects, predicates = file.texts("obj"), file.texts("rel")
    for part in source.all("annotations"):
        split = split_name(part, "vrd-", "-anno")
        for fields in rows(elements(part), source.problems, part.name):
            image = fields.text("img_fn")
            if image is None:
                continue
            picture = source.picture(fields, f"{image}.jpg", size=fields.listed_size("img_size"))
            things = _things(fields, objects, picture.size)
            yield Scene(
                image,
                image=picture.path,
                size=picture.size,
                entities=tuple(things.entities),
                relations=tuple(_relations(fields, predicates, things)),
                metadata={"split": split} if split else {},
            )


def _things(fields: Fields, names: list[str], size: Size | None) -> Things:
    things = Things(fields.problems)
    boxes, labels = fields.items("bbox"), fields.items("det_labels")
    if len(boxes) != len(labels):
        fields.note("wrong value", f"{len(boxes)} boxes and {len(labels)} labels")
    for place, (values, label) in enumerate(zip(boxes, labels, strict=False)):
        number = to_whole(label)
        box = to_box(values, "xyxy", size, fields.problems, fields)
        if number is None or not 0 <= number < len(names):
            fields.note("unknown class", f"no object has the number {shown(label)}; there are {len(names)}")
            things.lose(place)
        elif box is None:
            things.lose(place)
        else:
            things.add(place, names[number], box)
    return things


def _relations(fields: Fields, names: list[str], things: Things) -> Iterator[Relation]:
    for values in fields.items("rel"):
        triplet: list[Any] = [to_whole(value) for value in values] if isinstance(values, list) else []
        if len(triplet) != 3 or None in triplet:
            fields.note("wrong value", f"{shown(values)} is no relation: subject, object, predicate")
            continue
        subject, object = (things.place(triplet[end], fields, role) for end, role in enumerate(("subject", "object")))
        if not 0 <= triplet[2] < len(names):
            fields.note("unknown class", f"no predicate has the number {triplet[2]}; there are {len(names)}")
        elif subject is not None and object is not None:
            yield Relation(subject, names[triplet[2]], object)


OPEN_IMAGES = Format(
    "Open Images VRD, official CSV",
    (
        Part("relationships", ("*annotations-vrd*.csv", "*vrd*.csv")),
        Part("class descriptions", ("*class-descriptions*.csv", "*attributes-description*.csv"), needed=False),
    ),
    "entities with attributes, relations",
    read,
    ("images", "train", "validation", "test"),
)
OPEN_IMAGES_JSON = Format(
    "Open Images VRD, JSON of BGNN",
    (
        Part("annotations", ("vrd-*-anno.json", "annotations/vrd-*-anno.json")),
        Part("categories", ("categories_dict.json", "annotations/categories_dict.json")),
    ),
    "entities, relations",
    read_json_form,
    ("images",),
)

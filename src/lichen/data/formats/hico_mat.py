"""HICO-DET's own files: pairs of boxes in `anno_bbox.mat`, labels of whole pictures in `anno.mat`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError
from ...scene import Scene
from ..classes import hico_600
from .fields import Fields, to_text, to_whole
from .interactions import PERSON, Pairs, pair_scene
from .matlab import described, load_mat, to_list, to_rows
from .problems import shown
from .source import Source

_CORNERS = ("x1", "y1", "x2", "y2")
"""The file holds them in the order x1, x2, y1, y2; they are taken by name."""


def read_mat(source: Source, path: Path) -> Iterator[Scene]:
    """`bbox_train` and `bbox_test`: one scene a picture. Interactions marked as invisible have no boxes; they are
    named in `metadata["invisible"]`."""
    values = load_mat(path, ("bbox_train", "bbox_test"))
    if not values:
        raise InputError(f"{str(path)!r} has neither bbox_train nor bbox_test. Give HICO-DET's anno_bbox.mat.")
    for name, entries in sorted(values.items(), reverse=True):
        for number, entry in enumerate(to_list(entries)):
            fields = Fields(entry, source.problems, path.name, name, number)
            file_name = fields.text("filename")
            if file_name is None:
                continue
            stored = fields.record("size", needed=False)
            picture = source.picture(fields, file_name, size=stored.size() if stored else None)
            pairs = Pairs(source.problems, picture.size)
            invisible = [label for item in _structs(fields, "hoi") if (label := _add(pairs, item)) is not None]
            metadata = {"invisible": invisible} if invisible else {}
            yield pair_scene(file_name, picture.path, pairs, name.removeprefix("bbox_"), **metadata)


def _whole(fields: Fields, name: str) -> int | None:
    return to_whole(fields.values.get(name))


def _structs(fields: Fields, name: str) -> Iterator[Fields]:
    """The structs of a struct array."""
    for number, value in enumerate(to_list(fields.values.get(name))):
        yield Fields(value, fields.problems, fields, name, number)


def _add(pairs: Pairs, item: Fields) -> str | None:
    """Add the pairs of one interaction. Returns its name if they are invisible."""
    number = _whole(item, "id")
    if number is None or not 1 <= number <= len(hico_600()):
        item.note("unknown class", f"no interaction has the number {shown(item.values.get('id'))}; they are 1 to 600")
        return None
    interaction = hico_600()[number - 1]
    if _whole(item, "invis"):
        return interaction.name
    humans, objects = (list(_structs(item, name)) for name in ("bboxhuman", "bboxobject"))
    connections = to_rows(item.values.get("connection"), 2)
    if connections is None:
        item.note("wrong value", f"connection is no table of two columns: {shown(item.values.get('connection'))}")
    for row in () if connections is None else connections:
        ends = [int(value) - 1 if np.isfinite(value) else -1 for value in row]
        if not (0 <= ends[0] < len(humans) and 0 <= ends[1] < len(objects)):
            item.note("unknown reference", f"connects box {row[0]:g} of {len(humans)} to {row[1]:g} of {len(objects)}")
            continue
        subject = pairs.find(PERSON, _box(humans[ends[0]]), "inclusive", humans[ends[0]])
        thing = pairs.find(interaction.object, _box(objects[ends[1]]), "inclusive", objects[ends[1]])
        pairs.pair(subject, interaction.verb, thing, item)
    return None


def _box(fields: Fields) -> list[Any]:
    return [fields.values.get(name) for name in _CORNERS]


def image_labels(source: Source) -> dict[str, dict[str, list[str]]]:
    """Names of interactions by file name of the picture, from `anno.mat`.

    Its values are 1 (present), -1 (the object is there, the interaction is not), 0 (unclear) and NaN (not looked at,
    since the object is not there).

    Returns:
        "present", "absent" and "unclear" of each picture.
    """
    path = source.one("image labels")
    if path is None:
        return {}
    values = load_mat(path, [f"{what}_{side}" for side in ("train", "test") for what in ("list", "anno")])
    names = [interaction.name for interaction in hico_600()]
    result: dict[str, dict[str, list[str]]] = {}
    for side in ("train", "test"):
        files = [to_text(name) for name in to_list(values.get(f"list_{side}"))]
        if not files:
            continue
        table = to_rows(values.get(f"anno_{side}"), len(files))
        if table is None or len(table) != len(names):
            found = described(values.get(f"anno_{side}"))
            expected = f"{len(names)} interactions × {len(files)} pictures"
            source.problems.add("wrong value", path.name, f"anno_{side} is {found}; expected {expected}")
            continue
        for name, column in zip(files, table.T, strict=True):
            if name is None:
                source.problems.add("wrong value", f"{path.name}: list_{side}", "a name of a picture is no text")
                continue
            result[name] = {
                what: [names[place] for place in np.flatnonzero(column == value)]
                for what, value in (("present", 1), ("absent", -1), ("unclear", 0))
            }
    return result

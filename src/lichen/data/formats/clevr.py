"""CLEVR: rendered cubes, cylinders and spheres, where they stand, and questions about them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from ...scene import Question, Relation, Scene
from .boxes import Size
from .fields import Fields, listed, to_whole
from .format import Format
from .problems import shown
from .source import Part, Source
from .things import Things

SIZE: Size = (480, 320)
"""Of every picture of the release."""
_ATTRIBUTES = ("size", "color", "material")


def read(source: Source) -> Iterator[Scene]:
    """One scene a picture, with its questions. The files have no boxes: an entity's centre in the picture and in space
    is in `metadata["pixels"]` and `metadata["points"]`, its turn about the vertical in `metadata["rotations"]`.

    A relation (a, "left", b) means that a is to the left of b.
    """
    asked: dict[str, list[Fields]] = defaultdict(list)
    for path in source.all("questions"):
        for fields in listed(path, "questions", source.problems):
            name = fields.text("image_filename")
            if name is not None:
                kept = {key: fields.values[key] for key in _KEPT if key in fields.values}
                kept["kind"] = _kind(fields)
                asked[name].append(Fields(kept, source.problems, path.name, "questions", fields.number))
    for path in source.all("scenes"):
        for fields in listed(path, "scenes", source.problems):
            name = fields.text("image_filename")
            if name is not None:
                yield _scene(source, name, fields, asked.pop(name, []))
    for name, questions in asked.items():
        yield _scene(source, name, None, questions)


_KEPT = ("question", "answer", "split", "question_index")


def _kind(fields: Fields) -> str | None:
    """The last step of a question's program, such as "count"; the test side has none."""
    steps = list(fields.records("program", needed=False))
    return steps[-1].text("function" if "function" in steps[-1].values else "type", needed=False) if steps else None


def _scene(source: Source, name: str, fields: Fields | None, asked: list[Fields]) -> Scene:
    where = asked[0] if fields is None else fields
    picture = source.picture(where, name, size=SIZE)
    things = Things(source.problems)
    metadata: dict[str, Any] = {}
    relations: list[Relation] = []
    if fields is not None:
        metadata = _objects(fields, things)
        relations = _relations(fields, things)
    questions = []
    for item in asked:
        text, answer = item.text("question"), item.text("answer", needed=False)
        if text is not None:
            questions.append(Question(text, () if answer is None else (answer,), item.text("kind", needed=False)))
    split = where.text("split", needed=False)
    return Scene(
        name.rpartition(".")[0] or name,
        image=picture.path,
        size=picture.size,
        entities=tuple(things.entities),
        relations=tuple(relations),
        questions=tuple(questions),
        metadata={**metadata, "split": split} if split else metadata,
    )


def _objects(fields: Fields, things: Things) -> dict[str, Any]:
    """Add the objects and return where they stand."""
    result: dict[str, Any] = {"points": [], "pixels": [], "rotations": []}
    for number, item in enumerate(fields.records("objects")):
        shape = item.text("shape")
        attributes = [text for name in _ATTRIBUTES if (text := item.text(name, needed=False)) is not None]
        if shape is None:
            things.lose(number)
            continue
        things.add(number, shape, None, attributes=attributes)
        result["points"].append(item.numbers("3d_coords", 3))
        result["pixels"].append(item.numbers("pixel_coords", 3))
        result["rotations"].append(item.number_of("rotation", needed=False))
    return result


def _relations(fields: Fields, things: Things) -> list[Relation]:
    """`relationships[name][b]` lists all a that stand so to b."""
    result = []
    table = fields.record("relationships", needed=False)
    for name in table.values if table else ():
        if table is None or not isinstance(name, str):
            continue
        for place, others in enumerate(table.items(name)):
            if not isinstance(others, list):
                table.note("wrong value", f"{name}[{place}] is no list: {shown(others)}")
                continue
            for other in others:
                number = to_whole(other)
                if number is None:
                    table.note("wrong value", f"{name}[{place}] holds {shown(other)}, which is no place")
                    continue
                subject = things.place(number, table, f"{name} subject")
                object = None if subject is None else things.place(place, table, f"{name} object")
                if subject is not None and object is not None:
                    result.append(Relation(subject, name, object))
    return result


CLEVR = Format(
    "CLEVR scenes and questions",
    (
        Part("scenes", ("*scenes*.json", "scenes/*.json"), needed=False),
        Part("questions", ("*questions*.json", "questions/*.json"), needed=False),
    ),
    "entities without boxes, relations, questions",
    read,
    ("images", "images/train", "images/val", "images/test"),
)

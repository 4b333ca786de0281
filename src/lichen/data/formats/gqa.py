"""GQA: scene graphs and questions, both JSON objects by id."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...errors import InputError
from ...scene import Question, Relation, Scene
from .boxes import to_box
from .fields import Fields, to_id
from .format import Format
from .json_stream import members
from .problems import Problems, shown
from .source import Part, Picture, Source
from .things import Things

_ALL, _BALANCED = "_all_", "_balanced_"


def read(source: Source) -> Iterator[Scene]:
    """One scene an image: its graph, where there is one, and its questions, tied to the objects that they speak of.

    The answer is the short one; `metadata["questions"]` holds the ids of the questions in the same order, `place` and
    `weather` what the graph says of the whole picture.

    Raises:
        InputError: balanced questions and all questions are given together; the first are a part of the second.
    """
    asked = _questions(source)
    for path in source.all("scene graphs"):
        split = _split(path)
        for id, fields in _once(path, source.problems):
            picture = source.picture(fields, f"{id}.jpg", size=fields.size())
            things, relations = _graph(fields, picture, source.problems)
            metadata = {name: text for name in _WHOLE if (text := fields.text(name, needed=False)) is not None}
            yield _scene(id, picture, things, relations, asked.pop((id, split), []), {**metadata, "split": split})
    for (id, split), questions in asked.items():
        picture = source.picture(questions[0], f"{id}.jpg")
        yield _scene(id, picture, Things(source.problems), [], questions, {"split": split})


_WHOLE = ("location", "weather")


def _split(path: Path) -> str:
    """Such as train, from train_sceneGraphs.json or train_balanced_questions.json."""
    return path.name.partition("_")[0]


def _once(path: Path, problems: Problems) -> Iterator[tuple[str, Fields]]:
    """The members of a file, each name once."""
    seen: set[str] = set()
    for name, value in members(path):
        fields = Fields(value, problems, path.name, "", name)
        id = to_id(name)
        if id is None:
            fields.note("wrong value", f"{shown(name)} is no id")
        elif id in seen:
            fields.note("duplicate id", f"{id} is there twice")
        elif isinstance(value, Mapping):
            seen.add(id)
            yield id, fields


def _questions(source: Source) -> dict[tuple[str, str], list[Fields]]:
    """Questions by image and split."""
    paths = source.all("questions")
    kinds = {kind for path in paths for kind in (_ALL, _BALANCED) if kind in path.name}
    if len(kinds) > 1:
        raise InputError(
            f"{paths[0].parent} holds balanced questions and all of them, of which the balanced ones are a part. Give "
            "the files that you want, beside the scene graphs."
        )
    result: dict[tuple[str, str], list[Fields]] = defaultdict(list)
    for path in paths:
        for id, fields in _once(path, source.problems):
            image = fields.id("imageId")
            if image is not None:
                # What is needed of a question; its program and its relatives are most of the file.
                kept = {key: fields.values[key] for key in _KEPT if key in fields.values}
                result[image, _split(path)].append(Fields(kept, source.problems, path.name, "", id))
    return result


_KEPT = ("question", "answer", "types", "annotations")


def _graph(fields: Fields, picture: Picture, problems: Problems) -> tuple[Things, list[Relation]]:
    things = Things(problems)
    records = list(fields.members("objects"))
    for id, record in records:
        label = record.text("name")
        box = to_box([record.values.get(key) for key in "xywh"], "xywh", picture.size, problems, record)
        attributes = record.texts("attributes", needed=False)
        if label is None or box is None:
            things.lose(id)
        else:
            things.add(id, label, box, id=id, attributes=attributes)
    relations = []
    for id, record in records:
        subject = things.get(id)
        for relation in record.records("relations", needed=False):
            name, target = relation.text("name"), relation.id("object")
            if name is None or target is None:
                continue
            place = (
                things.place(id, relation, "subject") if subject is None else things.place(target, relation, "object")
            )
            if subject is not None and place is not None:
                relations.append(Relation(subject, name, place))
    return things, relations


def _question(fields: Fields, things: Things) -> Question | None:
    text, answer = fields.text("question"), fields.text("answer", needed=False)
    if text is None:
        return None
    types, notes = fields.record("types", needed=False), fields.record("annotations", needed=False)
    spoken: dict[str, None] = {}
    for name in ("question", "answer", "fullAnswer"):
        words = notes.record(name, needed=False) if notes else None
        for key in words.values if words else ():
            id = words.id(str(key)) if words else None
            spoken |= {} if id is None else {id: None}
    # Without a graph there is nothing that a question could be tied to.
    tied = spoken if things.entities else ()
    places = [place for id in tied if (place := things.place(id, fields, "object")) is not None]
    kind = types.text("structural", needed=False) if types else None
    return Question(text, () if answer is None else (answer,), kind, tuple(places))


def _scene(
    id: str, picture: Picture, things: Things, relations: list[Relation], asked: list[Fields], metadata: dict[str, Any]
) -> Scene:
    found = [(fields, question) for fields in asked if (question := _question(fields, things)) is not None]
    return Scene(
        id,
        image=picture.path,
        size=picture.size,
        entities=tuple(things.entities),
        relations=tuple(relations),
        questions=tuple(question for _, question in found),
        metadata={**metadata, "questions": [str(fields.number) for fields, _ in found]} if found else metadata,
    )


_NESTED = ("*questions*/*questions*.json", "*questions*/*questions*/*questions*.json")
"""The ten files of all training questions lie in a folder of their own."""
GQA = Format(
    "GQA scene graphs and questions",
    (
        Part("scene graphs", ("*sceneGraphs*.json", "sceneGraphs/*.json"), needed=False),
        Part("questions", ("*questions*.json", *_NESTED), needed=False),
    ),
    "entities with attributes, relations, questions",
    read,
    ("images", "allImages/images"),
)

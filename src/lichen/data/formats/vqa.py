"""VQA v2: `v2_OpenEnded_mscoco_*_questions.json` with `v2_mscoco_*_annotations.json`, ten answers a question."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ...scene import Question, Scene
from .fields import Fields, id_value, listed
from .format import Format
from .source import Part, Source

_SUBSET = re.compile(r"(train|val|test)(-dev)?(\d{4})")


class _Answers(NamedTuple):
    """What people answered to one question."""

    answers: tuple[str, ...]
    kind: str | None
    image: str | None
    where: str


class _Asked(NamedTuple):
    id: str
    text: str
    where: Fields


def read(source: Source) -> Iterator[Scene]:
    """One scene a picture with all of its questions. `metadata["questions"]` holds their ids, in the same order.

    Questions of the test sides have no answers; answers of which the question is absent are noted.
    """
    answers = source.by_split("annotations", _subset)
    for subset, path in source.by_split("questions", _subset).items():
        known = _answers(source, answers.pop(subset)) if subset in answers else None
        for image, asked in _questions(source, path).items():
            yield _scene(source, image, asked, known, subset)
        for id, found in (known or {}).items():
            source.problems.add("unknown reference", found.where, f"answers question {id}, which is not in {path.name}")
    for path in answers.values():
        source.problems.add("unknown reference", path.name, "there is no file of questions for these answers")


def _subset(path: Path) -> str:
    """Such as train2014, from a file's name."""
    found = _SUBSET.search(path.name)
    return found[0] if found else ""


def _answers(source: Source, path: Path) -> dict[str, _Answers]:
    result: dict[str, _Answers] = {}
    words: dict[str, str] = {}
    for fields in listed(path, "annotations", source.problems):
        id = fields.id("question_id")
        if id is None:
            continue
        if id in result:
            fields.note("duplicate id", f"question {id} is answered twice")
            continue
        given = [text for item in fields.records("answers") if (text := item.text("answer")) is not None]
        # A few thousand words make up millions of answers.
        shared = tuple(words.setdefault(text, text) for text in given)
        kind, image = fields.text("answer_type", needed=False), fields.id("image_id", needed=False)
        result[id] = _Answers(shared, words.setdefault(kind, kind) if kind else None, image, str(fields))
    return result


def _questions(source: Source, path: Path) -> dict[str, list[_Asked]]:
    """Questions by image."""
    result: dict[str, list[_Asked]] = defaultdict(list)
    seen: set[str] = set()
    for fields in listed(path, "questions", source.problems):
        id, image, text = fields.id("question_id"), fields.id("image_id"), fields.text("question")
        if id is None or image is None or text is None:
            continue
        if id in seen:
            fields.note("duplicate id", f"question {id} is there twice")
            continue
        seen.add(id)
        result[image].append(_Asked(id, text, fields))
    return result


def _scene(source: Source, image: str, asked: list[_Asked], known: dict[str, _Answers] | None, subset: str) -> Scene:
    questions = []
    for id, text, where in asked:
        found = None if known is None else known.pop(id, None)
        if known is not None and found is None:
            where.note("unknown reference", f"question {id} has no annotation")
        elif found is not None and found.image not in (None, image):
            where.note("unknown reference", f"question {id} is about image {image}, its answers about {found.image}")
            found = None
        questions.append(Question(text, found.answers, found.kind) if found else Question(text))
    folder = subset.replace("-dev", "")
    # Test and dev of one test side share their pictures.
    name = f"COCO_{folder}_{image.zfill(12)}.jpg" if folder else f"{image.zfill(12)}.jpg"
    picture = source.picture(asked[0].where, name, f"{image.zfill(12)}.jpg")
    metadata: dict[str, Any] = {"image_id": id_value(image)}
    metadata["questions"] = [item.id for item in asked]
    return Scene(
        image,
        image=picture.path,
        size=picture.size,
        questions=tuple(questions),
        metadata={**metadata, "split": subset} if subset else metadata,
    )


VQA = Format(
    "VQA v2",
    (
        Part("questions", ("*questions*.json",)),
        Part("annotations", ("*annotations*.json",), needed=False),
    ),
    "questions, ten answers each",
    read,
    ("images", "train2014", "val2014", "test2015", "images/train2014", "images/val2014", "images/test2015"),
)

"""JSON lines of anyone: one sample a line, under the names that most files use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...scene import Label, Question, Scene
from .fields import Fields, to_id
from .format import Format
from .json_lines import json_lines
from .problems import shown
from .source import Part, Picture, Source

KNOWN = (
    *("text", "image", "file_name", "caption", "captions"),
    *("label", "labels", "question", "answer", "answers"),
)
"""Names that have a meaning; a line holds at least one of them."""
_SPLITS = ("train", "training", "dev", "val", "valid", "validation", "test")


def read(source: Source) -> Iterator[Scene]:
    """One scene a line. Its id is `id`, or the file's name and the number of the line.

    `text` is the sample; `image` or `file_name` its picture, from the folder of the file; `caption`, `label` and
    `answer` one value, `captions`, `labels` and `answers` a list. Everything else becomes metadata.
    """
    for path in source.all("samples"):
        split = path.stem if path.stem.lower() in _SPLITS else ""
        for number, fields in json_lines(path, source.problems):
            if not any(fields.values.get(name) is not None for name in KNOWN):
                fields.note("wrong value", f"has none of {', '.join(KNOWN)}")
                continue
            name = fields.text("image" if "image" in fields.values else "file_name", needed=False)
            picture = Picture("", None) if name is None else source.picture(fields, name, near=path.parent)
            metadata: dict[str, Any] = {"split": split} if split else {}
            metadata |= {str(key): value for key, value in fields.values.items() if key not in (*KNOWN, "id")}
            yield Scene(
                fields.id("id", needed=False) or f"{path.name}:{number}",
                image=picture.path or None,
                text=fields.text("text", needed=False),
                size=picture.size,
                captions=tuple(_texts(fields, "caption", "captions")),
                labels=tuple(map(Label, dict.fromkeys(_labels(fields)))),
                questions=tuple(_questions(fields)),
                metadata=metadata,
            )


def _texts(fields: Fields, one: str, many: str) -> list[str]:
    text = fields.text(one, needed=False)
    return [*([] if text is None else [text]), *fields.texts(many, needed=False)]


def _labels(fields: Fields) -> Iterator[str]:
    """Classes by name or number."""
    one = fields.id("label", needed=False)
    if one is not None:
        yield one
    for place, value in enumerate(fields.items("labels", needed=False)):
        name = to_id(value)
        if name is None:
            fields.note("wrong value", f"labels[{place}] is no name and no whole number: {shown(value)}")
        else:
            yield name


def _questions(fields: Fields) -> Iterator[Question]:
    text, answers = fields.text("question", needed=False), _texts(fields, "answer", "answers")
    if text is not None:
        yield Question(text, tuple(answers))
    elif answers:
        fields.note("unknown reference", "answers no question")


SAMPLES = Format(
    "texts and pictures, one JSON object a line",
    (Part("samples", ("*.jsonl", "*.ndjson")),),
    "text, captions, labels, questions",
    read,
)

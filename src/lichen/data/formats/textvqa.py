"""TextVQA and TextCaps: questions and captions about pictures with words in them, on pictures of Open Images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...scene import Label, Question, Scene
from .fields import Fields, listed
from .format import Format
from .source import Part, Picture, Source


def _by_image(source: Source, path: Path) -> dict[str, list[Fields]]:
    """The records of a file by image."""
    result: dict[str, list[Fields]] = defaultdict(list)
    for fields in listed(path, "data", source.problems):
        image = fields.id("image_id")
        if image is not None:
            result[image].append(fields)
    return result


def _picture(source: Source, image: str, fields: Fields) -> Picture:
    size = fields.size("image_width", "image_height")
    name = f"{image}.jpg"
    path = fields.text("image_path", needed=False)
    return source.picture(fields, *([path, name] if path else [name]), size=size)


def _rest(image: str, fields: Fields, **more: Any) -> dict[str, Any]:
    split = fields.text("set_name", needed=False)
    return {"image_id": image, **more, **({"split": split} if split else {})}


def _labels(fields: Fields) -> tuple[Label, ...]:
    """Classes that Open Images found in the picture."""
    return tuple(Label(name) for name in dict.fromkeys(fields.texts("image_classes", needed=False)))


def read_questions(source: Source) -> Iterator[Scene]:
    """TextVQA: one scene a picture and file; `metadata["questions"]` holds the ids, in the order of the questions."""
    for path in source.all("questions"):
        seen: set[str] = set()
        for image, records in _by_image(source, path).items():
            questions, ids = [], []
            for fields in records:
                id, text = fields.id("question_id"), fields.text("question")
                answers = fields.texts("answers", needed=False)
                if id is None or text is None:
                    continue
                if id in seen:
                    fields.note("duplicate id", f"question {id} is there twice")
                    continue
                seen.add(id)
                ids.append(id)
                questions.append(Question(text, tuple(answers)))
            picture = _picture(source, image, records[0])
            yield Scene(
                image,
                image=picture.path,
                size=picture.size,
                labels=_labels(records[0]),
                questions=tuple(questions),
                metadata=_rest(image, records[0], questions=ids),
            )


def read_captions(source: Source) -> Iterator[Scene]:
    """TextCaps: one scene a picture. Each record holds one caption and all of its picture's (`reference_strs`)."""
    for path in source.all("captions"):
        for image, records in _by_image(source, path).items():
            captions: dict[str, None] = {}
            for fields in records:
                captions.update(dict.fromkeys(fields.texts("reference_strs", needed=False)))
                own = fields.text("caption_str", needed=False)
                captions.update({own: None} if own else {})
            picture = _picture(source, image, records[0])
            yield Scene(
                image,
                image=picture.path,
                size=picture.size,
                captions=tuple(captions),
                labels=_labels(records[0]),
                metadata=_rest(image, records[0]),
            )


_FOLDERS = ("images", "train_images", "train_val_images/train_images", "test_images")
TEXTVQA = Format(
    "TextVQA (0.5.1)",
    (Part("questions", ("TextVQA*.json",)),),
    "questions, ten answers each; labels",
    read_questions,
    _FOLDERS,
)
TEXTCAPS = Format(
    "TextCaps (0.1)",
    (Part("captions", ("TextCaps*.json",)),),
    "captions, labels",
    read_captions,
    _FOLDERS,
)

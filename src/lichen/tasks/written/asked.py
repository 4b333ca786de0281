"""`Asked`: one question put to a picture with all that counts as a right answer; and how Scenes are turned into them.

A task's questions are read off a Scene by one function, a row of `ASK`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ...data.dataset import Dataset
from ...errors import InputError
from ...scene import Scene
from .config import WriteConfig

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Asked:
    """One question."""

    task: str
    row: int
    """Of the picture in its data set."""
    words: str | None = None
    """What is given in words: a question or an expression."""
    answers: tuple[str, ...] = ()
    """Right answers in words: a class, all captions, the answers of all people, the words of a box, labels of boxes."""
    boxes: tuple[Box, ...] = ()
    """aref: the box that is meant; gcap: the one that is given; detect: those of all objects, as `answers` names them.
    Pixels, x1, y1, x2, y2."""
    size: tuple[int, int] = (0, 0)
    """Width and height of the picture; for tasks with boxes."""
    kind: str | None = None
    """Of the question, for results by kind."""

    @property
    def learnt(self) -> tuple[str, ...]:
        """What is learnt of the answers in words: all captions, and otherwise the most frequent one."""
        if self.task in ("caption", "cap", "gcap"):
            return self.answers
        return (Counter(self.answers).most_common(1)[0][0],) if self.answers else ("",)


@dataclass(frozen=True)
class Query:
    """What somebody asks of any picture."""

    task: str
    words: str | None = None
    """vqa: the question; aref: the expression; None lets aref choose what to speak of."""
    box: Box | None = None
    """gcap: the box to describe, in pixels; None lets it choose."""

    def about(self, scene: Scene, row: int) -> Asked:
        """The question to one picture.

        Raises:
            InputError: the scene has no size where one is needed, or the box lies outside it.
        """
        boxes = () if self.box is None else (_inside(self.box, scene),)
        return Asked(self.task, row, self.words, (), boxes, _size(scene))


def asked_of(dataset: Dataset, split: str, config: WriteConfig) -> list[Asked]:
    """All questions of a split, task by task.

    Raises:
        InputError: no such split, or one that has no question for one of the tasks.
    """
    found: list[Asked] = []
    for task in config.tasks:
        before = len(found)
        for row in dataset.rows(split):
            found += ASK[task](dataset.scenes[row], row, config)
        if len(found) == before:
            raise InputError(f"The {split!r} samples hold nothing for task {task!r}: {_NEEDED[task]}.")
    return found


def _classify(scene: Scene, row: int, config: WriteConfig) -> Iterator[Asked]:
    if len(scene.labels) > 1:
        raise InputError(
            f"{scene.id!r} has {len(scene.labels)} labels, but a decoder writes one name. Use task = 'classify' of a "
            "recipe for pictures of several classes, or 'detect' for objects with boxes."
        )
    for label in scene.labels:
        yield Asked("classify", row, answers=(label.name,))


def _caption(scene: Scene, row: int, config: WriteConfig) -> Iterator[Asked]:
    texts = tuple(text for text in scene.captions if text.strip())
    if texts:
        yield Asked("caption", row, answers=texts)


def _cap(scene: Scene, row: int, config: WriteConfig) -> Iterator[Asked]:
    for each in _caption(scene, row, config):
        yield Asked("cap", row, answers=each.answers)


def _vqa(scene: Scene, row: int, config: WriteConfig) -> Iterator[Asked]:
    for number, question in enumerate(scene.questions):
        if not question.text.strip():
            raise InputError(f"Question {number} of {scene.id!r} is empty. Write what is asked, or leave it out.")
        if question.answers:
            yield Asked("vqa", row, question.text, question.answers, kind=question.kind)


def _ocr(scene: Scene, row: int, config: WriteConfig) -> Iterator[Asked]:
    text = " ".join(line.text for line in scene.lines)
    if text.strip():
        yield Asked("ocr", row, answers=(text,))


def _detect(scene: Scene, row: int, config: WriteConfig) -> Iterator[Asked]:
    seen = [entity for entity in scene.entities if entity.box is not None and entity.label]
    # The largest first: those that a cut list or a hasty decoder must not lose.
    seen.sort(key=lambda entity: -_area(entity.box))
    if seen:
        labels = tuple(str(entity.label) for entity in seen)
        boxes = tuple(_inside(entity.box, scene) for entity in seen if entity.box is not None)
        yield Asked("detect", row, answers=labels, boxes=boxes, size=_size(scene))


def _aref(scene: Scene, row: int, config: WriteConfig) -> Iterator[Asked]:
    for words, number in _said(scene, config.words):
        box = scene.entities[number].box
        if box is not None:
            yield Asked("aref", row, words, (), (_inside(box, scene),), _size(scene))


def _gcap(scene: Scene, row: int, config: WriteConfig) -> Iterator[Asked]:
    together: dict[int, list[str]] = {}
    for words, number in _said(scene, config.words):
        together.setdefault(number, []).append(words)
    for number, texts in together.items():
        box = scene.entities[number].box
        if box is not None:
            yield Asked("gcap", row, None, tuple(texts), (_inside(box, scene),), _size(scene))


def _said(scene: Scene, kinds: Sequence[str]) -> list[tuple[str, int]]:
    """Words of single entities with the number of the entity, each pair once."""
    found: dict[tuple[str, int], None] = {}
    for kind in kinds:
        if kind == "expressions":
            found |= dict.fromkeys((each.text, each.entity) for each in scene.expressions)
        elif kind == "phrases":
            found |= dict.fromkeys(scene.phrases_of_one)
        else:
            found |= dict.fromkeys(
                (entity.label, number) for number, entity in enumerate(scene.entities) if entity.label
            )
    return [(words, number) for words, number in found if words.strip()]


def _size(scene: Scene) -> tuple[int, int]:
    if scene.size is None:
        raise InputError(f"{scene.id!r} has boxes but no size, so nobody can say where they lie. Give Scene.size.")
    return scene.size


def _inside(box: Box, scene: Scene) -> Box:
    """A box, if something of it lies in its picture; what stands out of it is cut off when it is written."""
    width, height = _size(scene)
    if min(box[2], width) <= max(box[0], 0) or min(box[3], height) <= max(box[1], 0):
        raise InputError(
            f"The box {box} of {scene.id!r} holds nothing of its picture, which has {width} x {height} pixels. Boxes "
            "are x1, y1, x2, y2 in pixels."
        )
    return box


def _area(box: Sequence[float] | None) -> float:
    return 0.0 if box is None else (box[2] - box[0]) * (box[3] - box[1])


ASK: dict[str, Callable[[Scene, int, WriteConfig], Iterator[Asked]]] = {
    "classify": _classify,
    "caption": _caption,
    "vqa": _vqa,
    "ocr": _ocr,
    "detect": _detect,
    "cap": _cap,
    "aref": _aref,
    "gcap": _gcap,
}
"""By task: what a Scene asks."""
_NEEDED = {
    "classify": "it needs one label each",
    "caption": "it needs captions",
    "vqa": "it needs questions with answers",
    "ocr": "it needs lines of text",
    "detect": "it needs entities with boxes and labels",
    "cap": "it needs captions",
    "aref": "it needs words of boxes, see head.decoder.words",
    "gcap": "it needs words of boxes, see head.decoder.words",
}

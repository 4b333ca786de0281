"""How a decoder's answers count: each task by its own protocol, and the log-perplexity that all tasks share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from ...errors import InputError
from ...language.found import Found, count_malformed
from ...metrics.captions import caption_scores
from ...metrics.detection import average_precision
from ...metrics.grounding import referring
from ...metrics.kinds import mean_by_kind
from ...metrics.text import reading, short_answers
from ...metrics.vqa import PEOPLE, vqa_accuracy
from ...regions.regions import Regions
from ...scene import Entity, Question, Scene
from .asked import Asked
from .config import TASKS

HEADLINES = {
    "classify": "accuracy",
    "caption": "cider",
    "vqa": "accuracy",
    "ocr": "word_accuracy",
    "detect": "ap",
    "cap": "cider",
    "aref": "acc50",
    "gcap": "cider",
}
"""Of each task: the metric that stands for it. CIDEr runs from 0 to 10, the others to 1."""
_UNREAD = (float("nan"),) * 4
Score = Callable[[Sequence[Asked], Sequence[Found]], dict[str, float]]


def scores_of(task: str, asked: Sequence[Asked], found: Sequence[Found]) -> dict[str, float]:
    """Metrics of the answers to all questions of a task, by their official names, shares from 0 to 1."""
    scores = {name: value for name, value in _SCORES[task](asked, found).items() if name not in _COUNTS}
    malformed = sum(count_malformed(found).values())
    return scores | ({"unreadable": malformed / len(found)} if task in ("detect", "gcap") else {})


_COUNTS = ("pictures", "questions", "texts", "expressions")


def _classify(asked: Sequence[Asked], found: Sequence[Found]) -> dict[str, float]:
    right = [each.text == truth.answers[0] for each, truth in zip(found, asked, strict=True)]
    return {"accuracy": sum(right) / len(right)}


def _said(asked: Sequence[Asked], found: Sequence[Found]) -> dict[str, float]:
    return caption_scores([each.text for each in found], [each.answers for each in asked])


def _vqa(asked: Sequence[Asked], found: Sequence[Found]) -> dict[str, float]:
    """VQA v2's rule where several people answered each question; otherwise exact match without regard to case."""
    texts, kinds = [each.text for each in found], [each.kind for each in asked]
    if min(len(each.answers) for each in asked) >= PEOPLE:
        questions = [Question(each.words or "", each.answers, each.kind) for each in asked]
        return vqa_accuracy(texts, questions)
    scores = short_answers(texts, [each.answers for each in asked], kinds)
    return {name.replace("exact_match", "accuracy"): value for name, value in scores.items() if "anls/" not in name}


def _ocr(asked: Sequence[Asked], found: Sequence[Found]) -> dict[str, float]:
    return reading([each.text for each in found], [each.answers[0] for each in asked], fold_case=True)


def _aref(asked: Sequence[Asked], found: Sequence[Found]) -> dict[str, float]:
    boxes = [each.entities[0].box or _UNREAD if each.entities else _UNREAD for each in found]
    truths, sizes = (torch.tensor(values, dtype=torch.float64) for values in _placed(asked))
    scores = referring(torch.tensor(boxes, dtype=torch.float64), truths, sizes)
    return {**scores, "invalid": scores["invalid"] / len(asked)}


def _placed(asked: Sequence[Asked]) -> tuple[list[tuple[float, ...]], list[tuple[int, int]]]:
    return [each.boxes[0] for each in asked], [each.size for each in asked]


def _detect(asked: Sequence[Asked], found: Sequence[Found]) -> dict[str, float]:
    names = sorted({label for each in asked for label in each.answers})
    truths = [
        Scene(
            str(number),
            size=each.size,
            entities=tuple(Entity(name, box) for name, box in zip(each.answers, each.boxes, strict=True)),
        )
        for number, each in enumerate(asked)
    ]
    known = set(names)
    answers = [
        Scene(str(number), size=each.size, entities=tuple(e for e in said.entities if e.label in known))
        for number, (each, said) in enumerate(zip(asked, found, strict=True))
    ]
    scores = average_precision(Regions.from_scenes(answers, names), Regions.from_scenes(truths, names))
    return {name: value / 100 for name, value in scores.items()}


_SCORES: dict[str, Score] = {
    "classify": _classify,
    "caption": _said,
    "vqa": _vqa,
    "ocr": _ocr,
    "detect": _detect,
    "cap": _said,
    "aref": _aref,
    "gcap": _said,
}


def perplexities(outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> dict[str, float]:
    """Mean negative log-likelihood of a text, in nats: over all texts, and by task. The lower, the better.

    Source: decoders.md 1.3 and 1.9, rule 10: it ranks with less noise than the metrics of what is written.

    Raises:
        InputError: no text.
    """
    values = -outputs["log_likelihood"].double().cpu()
    if not len(values):
        raise InputError("There is nothing to measure: no text was given.")
    names = [TASKS[number] for number in targets["task"].tolist()]
    found = mean_by_kind("log_perplexity", values.numpy(), names)
    # As other metrics are called: the task first.
    return {"/".join(reversed(name.split("/"))): value for name, value in found.items()}

"""Questions as tables of ids: what a decoder is trained on, and what its prompts are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from ...language.codes import box_code
from ...language.sequences import Sequences, Target
from ...language.tokenizer import Tokenizer
from ..task import Examples
from .asked import Asked
from .config import TASKS, WriteConfig


def learn_tokenizer(asked: Sequence[Asked], config: WriteConfig) -> Tokenizer:
    """A tokenizer of all words of these questions, or the one that the settings name.

    Raises:
        InputError: none is found under that name, or it lacks what a decoder needs.
    """
    code = box_code(config.boxes, config.bins, config.order) if config.with_boxes else None
    if config.tokenizer is not None:
        from transformers import AutoTokenizer

        return Tokenizer.from_transformers(AutoTokenizer.from_pretrained(config.tokenizer), code)
    texts = [text for each in asked for text in (*each.answers, *([] if each.words is None else [each.words]))]
    return Tokenizer.learn(texts, config.vocabulary, code)


def writer(tokenizer: Tokenizer, config: WriteConfig) -> Sequences:
    """What writes the sequences of a decoder."""
    return Sequences(tokenizer, level=config.level, context=config.context)


def examples_of(
    asked: Sequence[Asked],
    parts: Sequence[str],
    names: Sequence[str],
    tokenizer: Tokenizer,
    config: WriteConfig,
    all_answers: bool,
) -> tuple[Examples, int]:
    """One row a sequence to learn.

    Args:
        asked: questions.
        parts: backbones that look at the picture.
        names: of the pictures, by row.
        tokenizer: of the decoder.
        config: settings.
        all_answers: a row for every caption of a picture, not only for the first.

    Returns:
        The examples, with the targets of `WriteHead`, and how many of them lost words or objects to the context.
    """
    targets, owners = _targets(asked, writer(tokenizer, config), config, all_answers)
    lengths = torch.tensor([len(target.ids) for target in targets])
    labels = torch.full((len(targets), int(lengths.max())), tokenizer.pad, dtype=torch.int32)
    labels[torch.arange(labels.shape[1]) < lengths[:, None]] = torch.tensor(
        [id for target in targets for id in target.ids], dtype=torch.int32
    )
    told: Mapping[str, Tensor] = {
        "labels": labels,
        "free": torch.tensor([target.weights.index(1.0) for target in targets]),
        "task": torch.tensor([TASKS.index(asked[owner].task) for owner in owners]),
        "asked": torch.tensor(owners),
    }
    rows = torch.tensor([asked[owner].row for owner in owners])
    called = tuple(f"{names[asked[owner].row]} ({asked[owner].task})" for owner in owners)
    cut = sum(target.cut > 0 or target.left_out > 0 for target in targets)
    return Examples(dict.fromkeys(parts, rows), told, called, tuple(asked)), cut


def _targets(
    asked: Sequence[Asked], write: Sequences, config: WriteConfig, all_answers: bool
) -> tuple[list[Target], list[int]]:
    """Sequences, and the number of the question that each is of."""
    boxes = iter(box_ids(asked, write.tokenizer))
    targets, owners = [], []
    for number, each in enumerate(asked):
        own = [next(boxes) for _ in each.boxes]
        for answer in each.learnt if all_answers else each.learnt[:1]:
            targets.append(_target(each, answer, own, write, config))
            owners.append(number)
    return targets, owners


def _target(each: Asked, answer: str, boxes: Sequence[Sequence[int]], write: Sequences, config: WriteConfig) -> Target:
    if each.task == "classify":
        return write.classify(answer, config.dataset)
    if each.task == "caption":
        return write.caption(answer, config.dataset)
    if each.task == "vqa":
        return write.vqa(each.words or "", answer, config.dataset)
    if each.task == "ocr":
        return write.ocr(answer, each.words, config.dataset)
    if each.task == "detect":
        return write.detect(each.answers, boxes, dataset=config.dataset)
    if each.task == "cap":
        return write.cap(answer, config.dataset)
    if each.task == "aref":
        return write.aref(each.words or "", boxes[0], config.loss, config.dataset)
    return write.gcap(boxes[0], answer, config.loss, config.dataset)


def box_ids(asked: Sequence[Asked], tokenizer: Tokenizer) -> tuple[tuple[int, ...], ...]:
    """Ids of all boxes of some questions, one after another.

    Raises:
        InputError: a box that is none, or lies outside its picture.
    """
    flat = [(box, each.size) for each in asked for box in each.boxes]
    if not flat:
        return ()
    boxes, sizes = (torch.tensor(values, dtype=torch.float64) for values in zip(*flat, strict=True))
    return tokenizer.box_ids(boxes, sizes)


def prompts_of(asked: Sequence[Asked], tokenizer: Tokenizer, config: WriteConfig) -> Int[Tensor, "questions length"]:
    """What is given of some questions when they are answered, padded on the right.

    Raises:
        InputError: an empty question, or a box that does not fit.
    """
    write = writer(tokenizer, config)
    boxes = iter(box_ids([each for each in asked if each.task == "gcap"], tokenizer))
    rows = []
    for each in asked:
        payload = next(boxes) if each.task == "gcap" and each.boxes else each.words
        rows.append(write.prompt(each.task, payload, config.dataset).ids)
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[tokenizer.pad] * (longest - len(row))] for row in rows], dtype=torch.long)

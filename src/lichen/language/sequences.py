"""`Sequences`: what a decoder is trained to write, as ids with the loss weight of each.

| task | sequence | given when answering | loss on |
|---|---|---|---|
| classify, caption | `caption: a cat on a mat` | the marker | the answer |
| vqa, ocr | `answer: how many dogs? : two` | all before the answer | the answer |
| detect | `detect: (box) cat ; (box) dog` | the marker, or names asked for | the answer |
| cap | `cap: a cat on a mat` | the marker | all behind the marker |
| aref | `aref: the left dog : (box)` | all before the box | all behind the marker |
| gcap | `gcap: (box) : the left dog` | all before the words | all behind the marker |

Each ends with the end token, which is trained. What is too long loses words, never a box: expressions, questions and
captions are cut at their end, a list of objects between two objects; both are counted.

Source: decoders.md 1.2 to 1.4, 2.2, 2.3, pitfalls 9 and 16.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..errors import InputError, pick
from .marks import SEAM, SEPARATOR
from .prompts import Level, Prompt, make_prompt
from .tokenizer import Tokenizer

Loss = Literal["sequence", "answer"]


@dataclass(frozen=True)
class Target:
    """One sequence to learn."""

    ids: tuple[int, ...]
    """Labels, the end token included. The decoder's input is the same, moved right by one behind a token of padding."""
    prefix: int
    """How many of them are given when answering."""
    weights: tuple[float, ...]
    """Of the loss of each id, 0 or 1."""
    cut: int = 0
    """Tokens of words that did not fit."""
    left_out: int = 0
    """Objects that did not fit."""


@dataclass(frozen=True, eq=False)
class TargetBatch:
    """Targets as a table, padded on the right."""

    ids: Int[Tensor, "rows length"]
    weights: Float[Tensor, "rows length"]
    """0 on padding."""
    prefix: Int[Tensor, " rows"]
    lengths: Int[Tensor, " rows"]
    pad: int
    cut: int
    """Rows that lost words or objects."""

    @property
    def inputs(self) -> Int[Tensor, "rows length"]:
        """What the decoder reads: a token of padding, then the ids without the last."""
        first = torch.full_like(self.ids[:, :1], self.pad)
        return torch.cat([first, self.ids[:, :-1]], 1)


def collate(targets: Sequence[Target], pad: int, length: int | None = None) -> TargetBatch:
    """Targets as one table.

    Args:
        targets: one a row.
        pad: the token of padding.
        length: columns; None takes the longest row's.

    Raises:
        InputError: no targets, or one that is longer than the table.
    """
    if not targets:
        raise InputError("There are no targets to put into a batch.")
    lengths = [len(target.ids) for target in targets]
    columns = max(lengths) if length is None else length
    if max(lengths) > columns:
        raise InputError(f"A target has {max(lengths)} tokens, and the table {columns} columns.")
    return TargetBatch(
        ids=torch.tensor([[*target.ids, *[pad] * (columns - len(target.ids))] for target in targets]),
        weights=torch.tensor([[*target.weights, *[0.0] * (columns - len(target.ids))] for target in targets]),
        prefix=torch.tensor([target.prefix for target in targets]),
        lengths=torch.tensor(lengths),
        pad=pad,
        cut=sum(target.cut > 0 or target.left_out > 0 for target in targets),
    )


class Sequences:
    """Writes the targets of all tasks for one decoder."""

    def __init__(self, tokenizer: Tokenizer, *, level: Level = "task", context: int = 64) -> None:
        """Settings that all tasks of a decoder share.

        Args:
            tokenizer: of the decoder.
            level: what prompts say, see `make_prompt`.
            context: tokens of a sequence at most, the end token included.
        """
        self.tokenizer = tokenizer
        self.level: Level = level
        self.context = context
        self._seam = tokenizer.encode(SEAM)
        self._separator = tokenizer.encode(SEPARATOR)

    def prompt(self, task: str, payload: str | Sequence[int] | None = None, dataset: str | None = None) -> Prompt:
        """What stands before an answer, see `make_prompt`. Words are cut so that a quarter of the room is left for it.

        Raises:
            InputError: as `make_prompt`, or a box that does not fit.
        """
        made = make_prompt(self.tokenizer, task, payload, level=self.level, dataset=dataset)
        if not isinstance(payload, str):
            self._room(len(made.ids))
            return made
        room = self._room(len(made.marker) + len(made.seam))
        kept = made.payload[: room - room // 4]
        return replace(made, payload=kept, cut=len(made.payload) - len(kept))

    def classify(self, name: str, dataset: str | None = None) -> Target:
        """The name of a class. It must fit: two names that are cut may become one.

        Raises:
            InputError: an empty name, or one that is longer than the context.
        """
        target = self._answer(self._prompt("classify", None, dataset), self._words(name, "name"))
        if target.cut:
            raise InputError(
                f"The class {name!r} takes {target.cut} tokens more than the {self.context} of the context."
            )
        return target

    def caption(self, text: str, dataset: str | None = None) -> Target:
        """A caption of the picture.

        Raises:
            InputError: an empty caption.
        """
        return self._answer(self._prompt("caption", None, dataset), self._words(text, "caption"))

    def vqa(self, question: str, answer: str, dataset: str | None = None) -> Target:
        """An answer to a question.

        Raises:
            InputError: an empty question or answer.
        """
        return self._answer(self._prompt("vqa", question, dataset), self._words(answer, "answer"))

    def ocr(self, text: str, question: str | None = None, dataset: str | None = None) -> Target:
        """What is written in the picture, or the part of it that a question asks for.

        Raises:
            InputError: an empty text or question.
        """
        return self._answer(self._prompt("ocr", question, dataset), self._words(text, "text"))

    def cap(self, text: str, dataset: str | None = None) -> Target:
        """LocCa's caption.

        Raises:
            InputError: an empty caption.
        """
        return self._answer(self._prompt("cap", None, dataset), self._words(text, "caption"))

    def aref(self, expression: str, box: Sequence[int], loss: Loss = "sequence", dataset: str | None = None) -> Target:
        """LocCa's automatic referring expression: words first, then the box that they mean.

        Args:
            expression: the words, cut where they do not fit.
            box: its ids, a row of `Tokenizer.box_ids`.
            loss: on all behind the marker, or on what is not given when answering: here on the box.
            dataset: its name, where prompts say it.

        Raises:
            InputError: an empty expression or box, or a context in which nothing but the box has place.
        """
        marker = self._prompt("aref", None, dataset).marker
        box = self._box(box)
        words = self._words(expression, "expression")
        kept = words[: self._room(len(marker) + len(self._seam) + len(box))]
        given = (*marker, *kept, *self._seam)
        return self._located(given, box, len(marker), loss, len(words) - len(kept))

    def gcap(self, box: Sequence[int], text: str, loss: Loss = "sequence", dataset: str | None = None) -> Target:
        """LocCa's grounded caption: a box first, then words about what is in it. Arguments and errors as `aref`."""
        marker = self._prompt("gcap", None, dataset).marker
        box = self._box(box)
        words = self._words(text, "caption of a box")
        given = (*marker, *box, *self._seam)
        kept = words[: self._room(len(given))]
        return self._located(given, kept, len(marker), loss, len(words) - len(kept))

    def detect(
        self,
        labels: Sequence[str],
        boxes: Sequence[Sequence[int]],
        asked: Sequence[str] | None = None,
        dataset: str | None = None,
    ) -> Target:
        """Objects one after another, each its box and its label.

        Args:
            labels: of the objects, in the order in which they are to be written.
            boxes: ids of their boxes, rows of `Tokenizer.box_ids`.
            asked: names to look for, as part of the prompt; None asks for everything.
            dataset: its name, where prompts say it.

        Returns:
            Objects that do not fit are left out, the last first; none is written without its box or in part.

        Raises:
            InputError: not one box a label, or an empty label.
        """
        if len(labels) != len(boxes):
            raise InputError(f"There are {len(labels)} labels but {len(boxes)} boxes.")
        names = None if asked is None else f" {SEPARATOR} ".join(asked)
        prompt = self._prompt("detect", names, dataset)
        objects: list[tuple[int, ...]] = []
        for label, box in zip(labels, boxes, strict=True):
            between = self._separator if objects else ()
            objects.append((*between, *self._box(box), *self._words(label, "label")))
        room = self._room(len(prompt.marker) + len(prompt.seam))
        payload = prompt.payload[: max(room - sum(map(len, objects)), room // 2)]
        kept: list[int] = []
        fitting = 0
        for each in objects:
            if len(payload) + len(kept) + len(each) > room:
                break
            kept += each
            fitting += 1
        given = (*prompt.marker, *payload, *prompt.seam)
        cut = len(prompt.payload) - len(payload)
        return self._target(given, tuple(kept), len(given), cut, len(objects) - fitting)

    def _prompt(self, task: str, payload: str | None, dataset: str | None) -> Prompt:
        return make_prompt(self.tokenizer, task, payload, level=self.level, dataset=dataset)

    def _words(self, text: str, what: str) -> tuple[int, ...]:
        ids = self.tokenizer.encode(text) if text.strip() else ()
        if not ids:
            raise InputError(f"The {what} is empty; a decoder cannot learn to write nothing.")
        return ids

    def _box(self, box: Sequence[int]) -> tuple[int, ...]:
        if not box:
            raise InputError("The ids of a box are empty. Take a row of Tokenizer.box_ids().")
        return tuple(box)

    def _room(self, taken: int) -> int:
        """Tokens that are free beside `taken` ones and the end."""
        room = self.context - taken - 1
        if room < 1:
            raise InputError(
                f"A context of {self.context} tokens has no place for words: marker, box and end take {taken + 1}. "
                "Make the context longer."
            )
        return room

    def _answer(self, prompt: Prompt, words: tuple[int, ...]) -> Target:
        """A prompt and words behind it; where both are too long, each keeps at least half of the room."""
        room = self._room(len(prompt.marker) + len(prompt.seam))
        kept = words[: max(room - len(prompt.payload), room - room // 2)]
        payload = prompt.payload[: room - len(kept)]
        given = (*prompt.marker, *payload, *prompt.seam)
        cut = len(words) - len(kept) + len(prompt.payload) - len(payload)
        return self._target(given, kept, len(given), cut)

    def _located(self, given: tuple[int, ...], answer: tuple[int, ...], marker: int, loss: Loss, cut: int) -> Target:
        pick("part for the loss", loss, ("sequence", "answer"))
        return self._target(given, answer, marker if loss == "sequence" else len(given), cut)

    def _target(
        self, given: tuple[int, ...], answer: tuple[int, ...], free: int, cut: int, left_out: int = 0
    ) -> Target:
        ids = (*given, *answer, self.tokenizer.end)
        return Target(ids, len(given), (0.0,) * free + (1.0,) * (len(ids) - free), cut, left_out)

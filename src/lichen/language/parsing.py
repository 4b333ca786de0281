"""Answers of a decoder, ids with their log-probabilities, back to parts of Scenes. Nothing a decoder writes raises.

An answer is cut into words and boxes; boxes of all answers are decoded together. A box has a score: the mean
probability of its tokens, times that of its label where it has one.

Source: decoders.md 3.5 (what cannot be read counts as wrong, and is counted) and 3.6, option 1.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..errors import InputError, pick
from ..scene import Entity, Expression, Label
from .codes import in_words
from .found import Found
from .marks import SEAM, SEPARATOR
from .tokenizer import Tokenizer

NO_BOX, NO_WORDS, UNFINISHED = "no box", "no words", "unfinished"
INCOMPLETE, INVERTED, UNKNOWN_LABEL = "incomplete box", "inverted box", "unknown label"
SCORES = ("label and box", "label", "box")


@dataclass
class _Words:
    """A run of words: its text, and the log-probability of all of it."""

    ids: list[int]
    log_probs: list[float]


@dataclass
class _Box:
    """Numbers of a box, the mean probability of its tokens, and later its corners, if it is one."""

    codes: tuple[int, ...]
    """None of them where there were too few."""
    score: float | None
    corners: tuple[float, float, float, float] | None = None


@dataclass
class _Answer:
    """One answer while it is read."""

    parts: list[_Words | _Box]
    malformed: Counter[str]
    scored: bool


class Parser:
    """Reads the answers of one decoder."""

    def __init__(self, tokenizer: Tokenizer, *, score: str = "label and box") -> None:
        """Settings.

        Args:
            tokenizer: of the decoder.
            score: what the score of a detected object is made of: "label and box" multiplies the probability of its
                label with the mean probability of the box's tokens; "label", "box" take one of them.

        Raises:
            InputError: another score.
        """
        self.tokenizer = tokenizer
        self.score = pick("score", score, SCORES)
        self._seam = list(tokenizer.encode(SEAM))
        self._separator = list(tokenizer.encode(SEPARATOR))

    def read(
        self,
        task: str,
        ids: Int[Tensor, "rows length"] | Sequence[Sequence[int]],
        sizes: Float[Tensor, "#rows 2"] | None = None,
        log_probs: Float[Tensor, "rows length"] | Sequence[Sequence[float]] | None = None,
        *,
        names: Sequence[str] | None = None,
        asked: Sequence[str] | None = None,
    ) -> list[Found]:
        """The answers of a batch.

        Args:
            task: a key of `AUTOMATA`.
            ids: what was written, without the prompt. Each row ends with the end token; what stands behind it counts
                for nothing. A row without one was cut short: that is counted, and its last words or box may be whole.
            sizes: (width, height) in pixels of each row's picture, or of all; for tasks with boxes.
            log_probs: of each id, natural logarithms; None leaves all scores None.
            names: known labels, matched without regard to case; others are counted and left out.
            asked: for "aref": the expression of each prompt, if it held one.

        Raises:
            InputError: an unknown task, sizes or expressions that do not fit the rows, or no sizes where boxes are due.
        """
        read = _READERS[pick("task", task, _READERS)]
        rows = ids.tolist() if isinstance(ids, Tensor) else [list(row) for row in ids]
        values = log_probs.tolist() if isinstance(log_probs, Tensor) else log_probs
        if values is not None and [len(row) for row in values] != [len(row) for row in rows]:
            raise InputError("There must be one log-probability for each id.")
        if asked is not None and len(asked) != len(rows):
            raise InputError(f"There are {len(rows)} answers but {len(asked)} expressions.")
        answers = [self._split(row, None if values is None else values[n]) for n, row in enumerate(rows)]
        self._place(answers, sizes)
        known = None if names is None else {self._plain(name): name for name in names}
        return [read(self, answer, known, None if asked is None else asked[n]) for n, answer in enumerate(answers)]

    # --- from ids to words and boxes

    def _split(self, row: list[int], log_probs: Sequence[float] | None) -> _Answer:
        """Words and boxes of one row, up to its end token."""
        malformed: Counter[str] = Counter()
        if self.tokenizer.end in row:
            row = row[: row.index(self.tokenizer.end)]
        else:
            malformed[UNFINISHED] += 1
        values = [0.0] * len(row) if log_probs is None else list(log_probs)
        scored = log_probs is not None
        answer = _Answer([], malformed, scored)
        code = self.tokenizer.code
        if code is None:
            spans = []
        elif in_words(code):
            spans = self._spelt(row)
        else:
            spans = self._coded(row, malformed)
        done = 0
        for codes, start, end in spans:
            self._add_words(answer, row, values, done, start)
            chances = [math.exp(min(value, 0.0)) for value in values[start:end]]
            answer.parts.append(_Box(codes, sum(chances) / len(chances) if scored else None))
            done = end
        self._add_words(answer, row, values, done, len(row))
        return answer

    def _add_words(self, answer: _Answer, row: list[int], values: list[float], start: int, end: int) -> None:
        first, behind = self.tokenizer.coordinates or (0, 0)
        kept = [n for n in range(start, end) if row[n] != self.tokenizer.pad and not first <= row[n] < behind]
        if kept:
            answer.parts.append(_Words([row[n] for n in kept], [values[n] for n in kept]))

    def _coded(self, row: list[int], malformed: Counter[str]) -> list[tuple[tuple[int, ...], int, int]]:
        """Boxes of tokens of their own: runs of coordinates, taken in groups."""
        first, behind = self.tokenizer.coordinates or (0, 0)
        length = self.tokenizer.boxes_code().length
        spans = []
        start = 0
        while start < len(row):
            end = start
            while end < len(row) and first <= row[end] < behind:
                end += 1
            whole = (end - start) // length * length
            for place in range(start, start + whole, length):
                spans.append((tuple(id - first for id in row[place : place + length]), place, place + length))
            if end - start > whole:
                # It keeps its place, so that the words behind it are not taken for those of the box before.
                malformed[INCOMPLETE] += 1
                spans.append(((), start + whole, end))
            start = max(end, start + 1)
        return spans

    def _spelt(self, row: list[int]) -> list[tuple[tuple[int, ...], int, int]]:
        """Boxes as text: found in the text of all pieces, whose lengths say which ids they are made of."""
        pieces = [self.tokenizer.pieces[id] if 0 <= id < self.tokenizer.vocabulary else "" for id in row]
        owner = [n for n, piece in enumerate(pieces) for _ in piece]
        codes, spans = self.tokenizer.boxes_code().find("".join(pieces))
        found = []
        for numbers, (start, end) in zip(codes.tolist(), spans, strict=True):
            first = owner[start]
            # The blank before a bracket may be a token of its own, and is a part of the box.
            while first and pieces[first - 1].isspace():
                first -= 1
            found.append((tuple(numbers), first, owner[end - 1] + 1))
        return found

    def _place(self, answers: list[_Answer], sizes: Tensor | None) -> None:
        """Decode the boxes of all answers; inverted ones are counted and stay without corners."""
        boxes = [
            (row, part)
            for row, answer in enumerate(answers)
            for part in answer.parts
            if isinstance(part, _Box) and part.codes
        ]
        if not boxes:
            return
        if sizes is None:
            raise InputError("There are boxes in the answers: say with sizes= how large the pictures are.")
        if len(sizes) not in (1, len(answers)):
            raise InputError(f"There are {len(answers)} answers but {len(sizes)} sizes.")
        code = self.tokenizer.boxes_code()
        codes = torch.tensor([part.codes for _, part in boxes])
        extents = sizes.cpu().double()
        if len(extents) > 1:
            extents = extents[torch.tensor([row for row, _ in boxes])]
        corners = code.decode(codes, extents).tolist()
        for (row, part), good, box in zip(boxes, code.valid(codes).tolist(), corners, strict=True):
            part.corners = tuple(box) if good else None
            answers[row].malformed[INVERTED] += not good

    # --- from words and boxes to parts of a scene

    def _plain(self, name: str) -> str:
        """A label as the tokenizer would give it back."""
        return self.tokenizer.decode(self.tokenizer.encode(name)).lower()

    def _say(
        self, part: _Words | _Box | None, leading: list[int] | None = None, trailing: list[int] | None = None
    ) -> tuple[str, float | None]:
        """The text of a run of words, without a mark at its beginning or end, and its log-probability."""
        if not isinstance(part, _Words):
            return "", None
        ids, values = part.ids, part.log_probs
        if leading and ids[: len(leading)] == leading:
            ids, values = ids[len(leading) :], values[len(leading) :]
        if trailing and ids[-len(trailing) :] == trailing:
            ids, values = ids[: -len(trailing)], values[: -len(trailing)]
        return self.tokenizer.decode(ids), math.fsum(values)

    def _text(self, answer: _Answer) -> tuple[str, float | None]:
        """All words of an answer."""
        runs = [part for part in answer.parts if isinstance(part, _Words)]
        text = self.tokenizer.decode([id for run in runs for id in run.ids])
        return text, math.fsum(value for run in runs for value in run.log_probs) if answer.scored else None

    def _read_caption(self, answer: _Answer, known: dict[str, str] | None, asked: str | None) -> Found:
        text, _ = self._text(answer)
        if not text:
            answer.malformed[NO_WORDS] += 1
        return Found(text, captions=(text,) if text else (), malformed=_counted(answer))

    def _read_text(self, answer: _Answer, known: dict[str, str] | None, asked: str | None) -> Found:
        text, _ = self._text(answer)
        if known is not None and text:
            if text.lower() not in known:
                answer.malformed[UNKNOWN_LABEL] += 1
            text = known.get(text.lower(), text)
        return Found(text, malformed=_counted(answer))

    def _read_label(self, answer: _Answer, known: dict[str, str] | None, asked: str | None) -> Found:
        text, log_prob = self._text(answer)
        label = text if known is None else known.get(text.lower())
        if not label:
            answer.malformed[UNKNOWN_LABEL if text else NO_WORDS] += 1
            return Found(text, malformed=_counted(answer))
        return Found(text, labels=(Label(label, _chance(log_prob)),), malformed=_counted(answer))

    def _read_objects(self, answer: _Answer, known: dict[str, str] | None, asked: str | None) -> Found:
        """Each box with the words behind it."""
        entities = []
        for place, part in enumerate(answer.parts):
            if not isinstance(part, _Box):
                if place == 0:
                    answer.malformed[NO_BOX] += 1
                continue
            behind = answer.parts[place + 1] if place + 1 < len(answer.parts) else None
            more = place + 2 < len(answer.parts)
            text, log_prob = self._say(behind, trailing=self._separator if more else None)
            label = text if known is None else known.get(text.lower())
            if part.corners is None:
                continue
            if not label:
                answer.malformed[UNKNOWN_LABEL if text else NO_WORDS] += 1
                continue
            score = None if not answer.scored else self._joined(_chance(log_prob), part.score)
            entities.append(Entity(label, part.corners, score))
        return Found(entities=tuple(entities), malformed=_counted(answer))

    def _joined(self, label: float | None, box: float | None) -> float:
        parts = {"label": (label,), "box": (box,)}.get(self.score, (label, box))
        return math.prod(1.0 if part is None else part for part in parts)

    def _read_referred(self, answer: _Answer, known: dict[str, str] | None, asked: str | None) -> Found:
        """One box, and the words that mean it: those of the prompt, or those before the box."""
        place = _first_box(answer)
        before = answer.parts[0] if answer.parts and place != 0 else None
        text = asked if asked is not None else self._say(before, trailing=None if place is None else self._seam)[0]
        return self._one_box(answer, place, text)

    def _read_grounded(self, answer: _Answer, known: dict[str, str] | None, asked: str | None) -> Found:
        """A box and words about it; words alone, where the prompt held the box."""
        place = _first_box(answer)
        if place is not None:
            behind = answer.parts[place + 1] if place + 1 < len(answer.parts) else None
            return self._one_box(answer, place, self._say(behind, leading=self._seam)[0])
        text, _ = self._text(answer)
        if not text:
            answer.malformed[NO_WORDS] += 1
        return Found(text, malformed=_counted(answer))

    def _one_box(self, answer: _Answer, place: int | None, text: str) -> Found:
        box = None if place is None else answer.parts[place]
        if box is None:
            answer.malformed[NO_BOX] += 1
        if not isinstance(box, _Box) or box.corners is None:
            return Found(text, malformed=_counted(answer))
        if not text:
            answer.malformed[NO_WORDS] += 1
        said = (Expression(text, 0, box.score),) if text else ()
        entity = Entity(None, box.corners, box.score)
        return Found(text, entities=(entity,), expressions=said, malformed=_counted(answer))


def _first_box(answer: _Answer) -> int | None:
    """The place of the first box that is one, else of the first that was meant to be."""
    places = [place for place, part in enumerate(answer.parts) if isinstance(part, _Box)]
    whole = [place for place in places if getattr(answer.parts[place], "corners", None) is not None]
    return next(iter([*whole, *places]), None)


def _counted(answer: _Answer) -> dict[str, int]:
    return {reason: count for reason, count in answer.malformed.items() if count}


def _chance(log_prob: float | None) -> float | None:
    return None if log_prob is None else math.exp(min(log_prob, 0.0))


_READERS: dict[str, Callable[[Parser, _Answer, Any, str | None], Found]] = {
    "caption": Parser._read_caption,
    "cap": Parser._read_caption,
    "vqa": Parser._read_text,
    "ocr": Parser._read_text,
    "classify": Parser._read_label,
    "detect": Parser._read_objects,
    "aref": Parser._read_referred,
    "gcap": Parser._read_grounded,
}

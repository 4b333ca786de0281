"""What a decoder is asked: a marker of the task, and perhaps a question, an expression or a box, before the answer.

`caption:` asks for a caption, `answer: how many dogs? :` for an answer, `aref: the left dog :` for a box. Marker,
payload and seam are tokenised one by one, so that no token of a prompt reaches into the answer.

Source: decoders.md 1.4 (levels, the seam) and 2.2 (LocCa's markers). The strings are ours where no paper prints any.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ..errors import InputError, pick
from .marks import MARKERS, SEAM
from .tokenizer import Tokenizer

Level = Literal["none", "task", "dataset"]
LEVELS: tuple[Level, ...] = ("none", "task", "dataset")
_PAYLOADS = {"vqa": "question", "ocr": "question", "detect": "list of names", "aref": "expression", "gcap": "box"}
"""What is asked with a task; the other tasks take nothing but a picture."""


@dataclass(frozen=True)
class Prompt:
    """Ids that stand before an answer."""

    marker: tuple[int, ...]
    payload: tuple[int, ...] = ()
    seam: tuple[int, ...] = ()
    """Behind the payload; none where there is no payload."""
    cut: int = 0
    """Tokens of the payload that did not fit."""

    @property
    def ids(self) -> tuple[int, ...]:
        """All of it. A decoder's input begins with one token of padding before these."""
        return (*self.marker, *self.payload, *self.seam)


def make_prompt(
    tokenizer: Tokenizer,
    task: str,
    payload: str | Sequence[int] | None = None,
    *,
    level: Level = "task",
    dataset: str | None = None,
) -> Prompt:
    """The prompt of a task.

    Args:
        tokenizer: of the decoder.
        task: a key of `MARKERS`.
        payload: a question, an expression, names to look for; or the ids of a box.
        level: what the marker says: nothing, the task, or the task and the data set (`classify pets:`).
        dataset: its name, for level "dataset".

    Raises:
        InputError: an unknown task or level, no name of a data set where one is due, an empty or absent question, or
            a payload for a task that takes none.
    """
    pick("task", task, MARKERS)
    pick("level of prompts", level, LEVELS)
    marker = MARKERS[task]
    if level == "dataset":
        if not dataset:
            raise InputError(f"Prompts of level 'dataset' name the data set; there is none for task {task!r}.")
        marker = f"{marker} {dataset}"
    head = () if level == "none" else tokenizer.encode(f"{marker}:")
    if payload is None:
        if task == "vqa":
            raise InputError("Task 'vqa' needs a question.")
        return Prompt(head)
    if task not in _PAYLOADS:
        raise InputError(f"Task {task!r} takes nothing but a picture; got {payload!r}.")
    if isinstance(payload, str):
        payload = tokenizer.encode(payload) if payload.strip() else ()
    if not payload:
        raise InputError(f"The {_PAYLOADS[task]} of task {task!r} is empty. Write what is asked.")
    return Prompt(head, tuple(payload), tokenizer.encode(SEAM))

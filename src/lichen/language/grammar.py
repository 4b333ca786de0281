"""Automata of what a decoder may write, one a task: whatever they let through, `parsing.py` can read.

| builder | lets through |
|---|---|
| `free_text` | any words |
| `label_trie` | one of given labels |
| `one_box` | a box: the answer to an expression |
| `worded_box` | words, then a box: `aref` without an expression |
| `boxed_words` | a box, then words: `gcap` |
| `object_list` | boxes with labels, given or free; also none |

Source: decoders.md 1.7, 2.2 and pitfalls 6 and 8. Prefixes ("tiger", "tiger shark") are told apart by what follows;
labels of equal ids are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..errors import InputError, pick
from .automaton import Automaton
from .marks import SEAM, SEPARATOR
from .paths import Paths
from .tokenizer import Tokenizer


def free_text(tokenizer: Tokenizer) -> Automaton:
    """Words, at least one that is not blank."""
    paths = Paths(tokenizer)
    paths.finish(paths.words(paths.start))
    return paths.build()


def label_ids(tokenizer: Tokenizer, names: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    """Ids of labels, without the end token.

    Raises:
        InputError: no labels, an empty one, or two that have the same ids, so that neither could ever be told from the
            other; the message lists all such pairs.
    """
    if not names:
        raise InputError("There are no labels to choose from.")
    rows = tuple(tokenizer.encode(name) if name.strip() else () for name in names)
    seen: dict[tuple[int, ...], str] = {}
    same = []
    for name, row in zip(names, rows, strict=True):
        if not row:
            raise InputError(f"The label {name!r} is empty.")
        if row in seen:
            same.append(f"{seen[row]!r} and {name!r}")
        seen.setdefault(row, name)
    if same:
        raise InputError(
            f"{len(same)} labels cannot be told apart once they are tokenised: {'; '.join(same)}. Rename one of each "
            "pair, or merge the two classes."
        )
    return rows


def label_trie(tokenizer: Tokenizer, names: Sequence[str]) -> Automaton:
    """One of the labels.

    Raises:
        InputError: as `label_ids`.
    """
    paths = Paths(tokenizer)
    paths.finish(_one_of(paths, paths.start, names))
    return paths.build()


def one_box(tokenizer: Tokenizer) -> Automaton:
    """One box and nothing else."""
    paths = Paths(tokenizer)
    last = paths.state()
    paths.box(paths.start, last)
    paths.finish(last)
    return paths.build()


def worded_box(tokenizer: Tokenizer) -> Automaton:
    """Words, the seam, and a box: what LocCa's `aref` writes when it is given no expression."""
    paths = Paths(tokenizer)
    words = paths.words(paths.start)
    seam, last = paths.state(), paths.state()
    paths.path(words, tokenizer.encode(SEAM), seam)
    paths.box(seam, last)
    paths.finish(last)
    return paths.build()


def boxed_words(tokenizer: Tokenizer) -> Automaton:
    """A box, the seam, and words: LocCa's `gcap`."""
    paths = Paths(tokenizer)
    seam, behind = paths.state(), paths.state()
    paths.box(paths.start, seam)
    paths.path(seam, tokenizer.encode(SEAM), behind)
    paths.finish(paths.words(behind))
    return paths.build()


def object_list(tokenizer: Tokenizer, names: Sequence[str] | None = None) -> Automaton:
    """Boxes, each with a label, separated; or the end at once, where there is nothing.

    Args:
        tokenizer: of the decoder, with a code of boxes.
        names: the labels; None lets any words be one.

    Raises:
        InputError: as `label_ids`.
    """
    paths = Paths(tokenizer)
    separator = tokenizer.encode(SEPARATOR)
    label, again = paths.state(), paths.state()
    paths.finish(paths.start)
    paths.box(paths.start, label)
    paths.box(again, label)
    labelled = paths.words(label) if names is None else _one_of(paths, label, names)
    paths.path(labelled, separator, again)
    paths.finish(labelled)
    return paths.build()


AUTOMATA: dict[str, Callable[[Tokenizer], Automaton]] = {
    "caption": free_text,
    "cap": free_text,
    "vqa": free_text,
    "ocr": free_text,
    "classify": free_text,
    "detect": object_list,
    "aref": worded_box,
    "gcap": boxed_words,
}
"""What a task may write when nothing but the marker is given."""


def automaton_for(
    task: str, tokenizer: Tokenizer, names: Sequence[str] | None = None, *, asked: bool = False
) -> Automaton:
    """The automaton of a task.

    Args:
        task: a key of `AUTOMATA`.
        tokenizer: of the decoder.
        names: labels to choose from, or answers; for tasks that write words alone, and for "detect".
        asked: whether the prompt holds the expression of "aref", or the box of "gcap".

    Raises:
        InputError: an unknown task, or names for a task that has no use for them; and what the builders raise.
    """
    pick("task", task, AUTOMATA)
    if task == "detect":
        return object_list(tokenizer, names)
    if task in ("aref", "gcap"):
        if names is not None:
            raise InputError(f"Task {task!r} does not choose among names.")
        alone = one_box if task == "aref" else free_text
        return (alone if asked else AUTOMATA[task])(tokenizer)
    return AUTOMATA[task](tokenizer) if names is None else label_trie(tokenizer, names)


def _one_of(paths: Paths, before: int, names: Sequence[str]) -> int:
    """One of the labels; the state behind it."""
    behind = paths.state()
    for row in label_ids(paths.tokenizer, names):
        paths.path(before, row, behind)
    return behind

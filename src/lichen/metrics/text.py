"""How much texts differ: exact match and ANLS of short answers, word accuracy and error rates of text that was read.

Edit distances count insertions, deletions and replacements, each as one.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
from jaxtyping import Bool, Float, Int

from ..errors import InputError
from .kinds import check_answers, check_pairs, mean_by_kind

THRESHOLD = 0.5
"""ANLS gives nothing from this normalised distance on."""
CELLS = 2**21
"""Entries of the distance tables that are filled at a time: 16 MB."""


def short_answers(
    predictions: Sequence[str],
    answers: Sequence[Sequence[str]],
    kinds: Sequence[str | None] | None = None,
    *,
    fold_case: bool = True,
) -> dict[str, float]:
    """Exact match and ANLS of answers to questions.

    Args:
        predictions: one a question.
        answers: all right answers of each question.
        kinds: of the questions, for results by kind.
        fold_case: whether A and a are the same. Say which rule a figure was made with: GQA keeps case, OCR-VQA, DocVQA
            and ST-VQA do not. Blanks never count: those at the ends go, and runs of them become one.

    Returns:
        `exact_match`: share of predictions that are one of the answers.
        `anls`: average normalised Levenshtein similarity, see `anls_of`.
        `questions`: how many there are.
        With `kinds` also "exact_match/<kind>" and "anls/<kind>".

    Raises:
        InputError: no question, or one without an answer.
    """
    exact = exact_of(predictions, answers, fold_case=fold_case)
    similar = anls_of(predictions, answers, fold_case=fold_case)
    found = mean_by_kind("exact_match", exact, kinds) | mean_by_kind("anls", similar, kinds)
    return found | {"questions": float(len(predictions))}


def exact_of(
    predictions: Sequence[str], answers: Sequence[Sequence[str]], *, fold_case: bool = True
) -> Bool[np.ndarray, " questions"]:
    """Whether each prediction is one of its question's answers; see `short_answers`."""
    check_pairs(predictions, answers, "questions")
    check_answers(answers, "answer")
    return np.array(
        [
            tidy(said, fold_case=fold_case) in {tidy(answer, fold_case=fold_case) for answer in given}
            for said, given in zip(predictions, answers, strict=True)
        ]
    )


def anls_of(
    predictions: Sequence[str], answers: Sequence[Sequence[str]], *, fold_case: bool = True
) -> Float[np.ndarray, " questions"]:
    """ANLS of every question: 1 - d for the nearest answer, 0 where d is 0.5 or more.

    d is the edit distance in characters by the length of the longer text. Where the only answer is empty, an empty
    prediction has 1 and any other 0.

    Args:
        predictions, answers, fold_case: see `short_answers`.

    Source: Biten et al., Scene Text Visual Question Answering, ICCV 2019, equation 1.
    """
    check_pairs(predictions, answers, "questions")
    check_answers(answers, "answer")
    counts = [len(given) for given in answers]
    said = [
        tidy(text, fold_case=fold_case) for text, count in zip(predictions, counts, strict=True) for _ in range(count)
    ]
    right = [tidy(text, fold_case=fold_case) for text in chain.from_iterable(answers)]
    longer = np.array([max(len(a), len(b), 1) for a, b in zip(said, right, strict=True)])
    distance = edit_distances(said, right) / longer
    similarity = np.where(distance < THRESHOLD, 1 - distance, 0.0)
    return np.maximum.reduceat(similarity, np.cumsum([0, *counts[:-1]]))


def reading(
    predictions: Sequence[str], truths: Sequence[str], *, fold_case: bool = False, alphanumeric: bool = False
) -> dict[str, float]:
    """How well text in pictures was read.

    Args:
        predictions: what was read, one a picture or line.
        truths: what is written there.
        fold_case: whether A and a are the same.
        alphanumeric: whether all but letters, figures and blanks between them is left out before; with `fold_case` it
            is the usual rule of the benchmarks of cropped words.

    Returns:
        `word_accuracy`: share of texts that are right as a whole.
        `cer`: character error rate, edits by characters written, over all texts together.
        `wer`: word error rate, the same in words.
        `texts`: how many there are.
        Both rates can exceed 1.

    Raises:
        InputError: no text, or nothing written in any of them.
    """
    check_pairs(predictions, truths, "texts")
    said, written = (
        [tidy(text, fold_case=fold_case, alphanumeric=alphanumeric) for text in texts]
        for texts in (predictions, truths)
    )
    letters = sum(map(len, written))
    if not letters:
        raise InputError("No text is written in any of these: there is nothing to read.")
    words = [text.split() for text in written]
    return {
        "word_accuracy": float(np.mean([a == b for a, b in zip(said, written, strict=True)])),
        "cer": float(edit_distances(said, written).sum() / letters),
        "wer": float(edit_distances([text.split() for text in said], words).sum() / sum(map(len, words))),
        "texts": float(len(truths)),
    }


def tidy(text: str, *, fold_case: bool, alphanumeric: bool = False) -> str:
    """A text with single blanks, none at the ends.

    Args:
        fold_case: in lower case.
        alphanumeric: without all that is no letter, figure or blank.
    """
    if alphanumeric:
        text = "".join(letter for letter in text if letter.isalnum() or letter.isspace())
    text = " ".join(text.split())
    return text.lower() if fold_case else text


def edit_distances(
    first: Sequence[Sequence[str]], second: Sequence[Sequence[str]], cells: int = CELLS
) -> Int[np.ndarray, " pairs"]:
    """Levenshtein distance of every pair: in characters for texts, in words for lists of words.

    All pairs of a block are worked on together, one row of their tables at a time.

    Args:
        first, second: of the same length.
        cells: how many entries of tables to hold at a time.

    Raises:
        InputError: there are not as many of both.
    """
    if len(first) != len(second):
        raise InputError(f"Edit distances are of pairs; got {len(first)} and {len(second)} texts.")
    result = np.zeros(len(first), np.int64)
    # Most answers are right, and equal texts need no table.
    differ = [row for row, (a, b) in enumerate(zip(first, second, strict=True)) if a != b]
    differ.sort(key=lambda row: -max(len(first[row]), len(second[row])))
    numbers: dict[str, int] = {}
    start = 0
    while start < len(differ):
        widest = max(len(first[differ[start]]), len(second[differ[start]])) + 1
        rows = differ[start : start + max(1, cells // widest)]
        start += len(rows)
        sides = [(first[row], second[row]) for row in rows]
        short = _padded([min(pair, key=len) for pair in sides], numbers, -1)
        long = _padded([max(reversed(pair), key=len) for pair in sides], numbers, -2)
        result[rows] = _distances(*short, *long)
    return result


def _padded(
    texts: Sequence[Sequence[str]], numbers: dict[str, int], filler: int
) -> tuple[Int[np.ndarray, "pairs longest"], Int[np.ndarray, " pairs"]]:
    """Texts as numbers, a row each, and their lengths."""
    lengths = np.array([len(text) for text in texts])
    table = np.full((len(texts), lengths.max(initial=0)), filler)
    flat = [numbers.setdefault(item, len(numbers)) for item in chain.from_iterable(texts)]
    table[np.arange(table.shape[1]) < lengths[:, None]] = flat
    return table, lengths


def _distances(
    short: Int[np.ndarray, "pairs rows"],
    heights: Int[np.ndarray, " pairs"],
    long: Int[np.ndarray, "pairs columns"],
    widths: Int[np.ndarray, " pairs"],
) -> Int[np.ndarray, " pairs"]:
    columns = np.arange(long.shape[1] + 1)
    table = np.repeat(columns[None], len(long), 0)
    for row in range(short.shape[1]):
        change = table[:, :-1] + (long != short[:, row, None])
        best = np.minimum(table + 1, np.concatenate([np.full((len(long), 1), row + 1), change], 1))
        # An insertion costs 1 a column: the running minimum of what is left after taking the column number off.
        best = np.minimum.accumulate(best - columns, 1) + columns
        table = np.where((row < heights)[:, None], best, table)
    return np.take_along_axis(table, widths[:, None], 1)[:, 0]

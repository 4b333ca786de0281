"""Accuracy of answers to questions that several people answered, by the protocol of VQA v2, its oddities included.

A prediction is right as far as people agree with it: each person is left out in turn, and the prediction scores a third
for every one of the others who gave it, up to 1. With ten people, 1, 2 and 3 of them give 0.3, 0.6 and 0.9.
Answers are compared after `normalise`, but only where the people did not all say the same.

Source: the evaluation of visualqa.org, as repeated in big_vision (evaluators/proj/paligemma/transfers/vqav2.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from ..errors import InputError, pick
from ..scene import Question
from .kinds import check_answers, check_pairs, mean_by_kind

PEOPLE = 4
"""Answers that a question needs at least, for a prediction that all agree with to score 1."""


def vqa_accuracy(
    predictions: Sequence[str], questions: Sequence[Question], rule: str = "leave_one_out"
) -> dict[str, float]:
    """Accuracy of one answer a question, over all and by kind of question.

    Args:
        predictions: one a question.
        questions: with the answers of all people, repeats included, and their kinds ("yes/no", "number", "other").
        rule: "leave_one_out" for VQA v2 and TextVQA, "thirds" for OK-VQA and A-OKVQA: k people who agree give
            min(1, k / 3). They cannot be compared with each other. Single answers: `text.short_answers`.

    Returns:
        `accuracy`: mean over all questions, 0 to 1.
        "accuracy/<kind>": over the questions of a kind.
        `questions`: how many there are.

    Raises:
        InputError: no question, one with too few answers for the rule, or an unknown rule.
    """
    scores = vqa_scores(predictions, [question.answers for question in questions], rule)
    kinds = [question.kind for question in questions]
    return mean_by_kind("accuracy", scores, kinds) | {"questions": float(len(questions))}


def vqa_scores(
    predictions: Sequence[str], answers: Sequence[Sequence[str]], rule: str = "leave_one_out"
) -> Float[np.ndarray, " questions"]:
    """Accuracy of every question, 0 to 1; see `vqa_accuracy`."""
    score = RULES[pick("rule of VQA accuracy", rule, RULES)]
    check_pairs(predictions, answers, "questions")
    check_answers(answers, "answer")
    people = np.array([len(given) for given in answers])
    if people.min() < PEOPLE and score is _leave_one_out:
        row = int((people < PEOPLE).argmax())
        raise InputError(
            f"Row {row} has {people[row]} answers: with one of them left out even the best prediction scores less than "
            f"1. This rule needs {PEOPLE} or more. Measure single answers by lichen.metrics.text.short_answers()."
        )
    agree = np.array([_agreeing(said, given) for said, given in zip(predictions, answers, strict=True)])
    return score(agree, people)


def _agreeing(prediction: str, answers: Sequence[str]) -> int:
    """How many people gave the predicted answer."""
    said, given = _plain(prediction), [_plain(answer) for answer in answers]
    # Where all agree the answer is often text from the picture, which normalising would harm.
    if len(set(given)) > 1:
        said, given = normalise(said), [normalise(answer) for answer in given]
    return given.count(said)


def _leave_one_out(agree: np.ndarray, people: np.ndarray) -> np.ndarray:
    # Among the subsets, `agree` lack one of those who agree, and the others lack none of them.
    lacking, whole = np.minimum((agree - 1) / 3, 1), np.minimum(agree / 3, 1)
    return (agree * lacking + (people - agree) * whole) / people


def _thirds(agree: np.ndarray, people: np.ndarray) -> np.ndarray:
    return np.minimum(agree / 3, 1)


RULES: Mapping[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "leave_one_out": _leave_one_out,
    "thirds": _thirds,
}


def _plain(text: str) -> str:
    return text.replace("\n", " ").replace("\t", " ").strip()


_PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
_COMMA = re.compile(r"\d,\d")
_STOP = re.compile(r"\.(?!\d)")
_ARTICLES = frozenset(("a", "an", "the"))
_COUNTED = "zero one two three four five six seven eight nine ten"
_NUMBERS = {word: str(number) for number, word in enumerate(_COUNTED.split())} | {"none": "0"}
# Each is found with any one of its apostrophes missing, as people type them.
_CONTRACTIONS = """
ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't he'd he'd've he's
how'd how'll how's isn't it'd it'd've it'll ma'am mightn't mightn't've might've mustn't must've needn't not've o'clock
oughtn't 'ow's'at shan't she'd've should've shouldn't shouldn't've somebody'd've somebody'll somebody's someone'd
someone'd've someone'll someone's something'd something'd've something'll that's there'd there'd've there're there's
they'd they'd've they'll they're they've 'twas wasn't we'd've we've weren't what'll what're what's what've when's
where'd where's where've who'd who'd've who'll who's who've why'll why're why's won't would've wouldn't wouldn't've
y'all y'all'll y'all'd've you'd you'd've you'll you're you've
"""
_REPAIRED = {
    whole[:place] + whole[place + 1 :]: whole
    for whole in _CONTRACTIONS.split()
    for place, letter in enumerate(whole)
    if letter == "'"
} | {"somebody'd": "somebodyd"}  # a slip of the official table, which goes the other way


@lru_cache(maxsize=2**16)
def normalise(answer: str) -> str:
    """An answer as VQA v2 compares it: lower case, no articles, numbers up to ten in figures, apostrophes repaired.

    Punctuation becomes a blank, or nothing where the answer has the sign beside a blank. If it has a comma between two
    figures anywhere, all punctuation becomes nothing: a mistake of the official code that all published figures share.
    Full stops go unless a figure follows.
    """
    text = answer
    joined = _COMMA.search(answer) is not None
    for sign in _PUNCTUATION:
        if sign in text:
            text = text.replace(sign, "" if joined or f"{sign} " in answer or f" {sign}" in answer else " ")
    found = _STOP.sub("", text).lower().split()
    numbered = (_NUMBERS.get(word, word) for word in found)
    return " ".join(_REPAIRED.get(word, word) for word in numbered if word not in _ARTICLES)

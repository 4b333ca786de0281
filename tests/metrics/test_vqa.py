"""VQA accuracy: the steps of agreement, the official normalisation with its oddities, kinds of questions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.errors import InputError
from lichen.metrics.vqa import normalise, vqa_accuracy, vqa_scores
from lichen.scene import Question


def by_leaving_out(agree: int, people: int) -> float:
    """The protocol as it is told: each person in turn does not count."""
    said = [1] * agree + [0] * (people - agree)
    return float(np.mean([min(1.0, (sum(said) - each) / 3) for each in said]))


@pytest.mark.parametrize(("agree", "wanted"), [(0, 0.0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1.0), (10, 1.0)])
def test_golden_steps_of_agreement(agree: int, wanted: float) -> None:
    answers = ["red"] * agree + ["blue"] * (10 - agree)
    assert vqa_scores(["red"], [answers]) == pytest.approx([wanted])


@pytest.mark.parametrize(("agree", "wanted"), [(0, 0.0), (1, 1 / 3), (2, 2 / 3), (3, 1.0), (10, 1.0)])
def test_golden_steps_of_the_short_rule(agree: int, wanted: float) -> None:
    answers = ["red"] * agree + ["blue"] * (10 - agree)
    assert vqa_scores(["red"], [answers], "thirds") == pytest.approx([wanted])


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(4, 12).flatmap(lambda people: st.tuples(st.integers(0, people), st.just(people)))))
def test_any_number_of_people(cases: list[tuple[int, int]]) -> None:
    if not cases:
        return
    answers = [["red"] * agree + ["blue"] * (people - agree) for agree, people in cases]
    found = vqa_scores(["red"] * len(cases), answers)
    assert found == pytest.approx([by_leaving_out(*case) for case in cases])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("The Red Dog", "red dog"),
        ("an apple a day", "apple day"),
        ("none", "0"),
        ("ten", "10"),
        ("Two and three", "2 and 3"),
        ("dont", "don't"),
        ("couldnt've", "couldn't've"),
        ("couldn'tve", "couldn't've"),
        ("couldntve", "couldntve"),
        ("ow's'at", "'ow's'at"),
        ("somebody'd", "somebodyd"),
        ("im here", "im here"),
        ("yes!", "yes"),
        ("black/white", "black white"),
        ("black / white", "black white"),
        ("t-shirt", "t shirt"),
        ("red, white", "red white"),
        ("red,white", "red white"),
        ("1,000", "1000"),
        ("1,000 t-shirts", "1000 tshirts"),
        ("3.5", "3.5"),
        ("a.m.", "am"),
        ("v.5", "v.5"),
        ("5.", "5"),
        ("St. Mary's", "st mary's"),
        ("it's 5:30", "it's 5:30"),
        ("  several \t blanks ", "several blanks"),
        ("?", ""),
    ],
)
def test_normalisation(text: str, wanted: str) -> None:
    assert normalise(text) == wanted


@settings(max_examples=150, deadline=None)
@given(st.text("aAnthe thr 019.,-/'!\n", max_size=12))
def test_normalised_answers_are_tidy(text: str) -> None:
    found = normalise(text)
    assert found == found.lower() and found == " ".join(found.split())
    assert not set(found.split()) & {"a", "an", "the", "three", "none"}
    assert not set(found) & set(';/[]"{}()=+\\_-><@`,?!')


def test_answers_are_normalised_only_where_people_differ() -> None:
    # All say the same: it is left alone, and the article counts.
    assert vqa_scores(["the end"], [["the end"] * 10]) == pytest.approx([1.0])
    assert vqa_scores(["end"], [["the end"] * 10]) == pytest.approx([0.0])
    # Line breaks and blanks at the ends never count.
    assert vqa_scores([" the\nend\t"], [["the end"] * 10]) == pytest.approx([1.0])
    assert vqa_scores(["end"], [["the end"] * 9 + ["stop"]]) == pytest.approx([1.0])
    assert vqa_scores(["2"], [["two"] * 3 + ["many"] * 7]) == pytest.approx([0.9])


def question(answers: Sequence[str], kind: str | None) -> Question:
    return Question("What?", tuple(answers), kind)


def test_by_kind_of_question() -> None:
    questions = [
        question(["yes"] * 10, "yes/no"),
        question(["no"] * 10, "yes/no"),
        question(["2"] * 3 + ["3"] * 7, "number"),
        question(["red"] * 10, None),
    ]
    assert vqa_accuracy(["yes", "yes", "two", "red"], questions) == {
        "accuracy": pytest.approx((1 + 0 + 0.9 + 1) / 4),
        "accuracy/number": pytest.approx(0.9),
        "accuracy/yes/no": pytest.approx(0.5),
        "questions": 4.0,
    }


def test_what_cannot_be_measured() -> None:
    with pytest.raises(InputError, match=r"Row 1 has 1 answers.*needs 4 or more.*short_answers"):
        vqa_accuracy(["a", "b"], [question(["a"] * 10, None), question(["b"], None)])
    with pytest.raises(InputError, match="Row 0 has no answer"):
        vqa_accuracy(["a"], [question([], None)])
    with pytest.raises(InputError, match="got 1 for 2"):
        vqa_scores(["a"], [["a"] * 10] * 2)
    with pytest.raises(InputError, match=r"Unknown rule of VQA accuracy 'third'. Did you mean 'thirds'"):
        vqa_scores(["a"], [["a"] * 10], "third")

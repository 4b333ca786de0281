"""Questions: kinds, answers, and the usual share of yes."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace

import pytest

from lichen.data.playground.dice import Dice
from lichen.data.playground.language.questions import KINDS, QUESTIONS, YES, questions
from lichen.data.playground.language.view import View

VIEW = View(
    labels=("boy", "horse", "dog", "dog", "sign", "man", "cup"),
    attributes=(("red",), ("brown",), ("black",), ("white",), ("blue",), ("green",), ("yellow",)),
    boxes=((20.0, 10.0, 40.0, 60.0), (10.0, 40.0, 50.0, 90.0), (52.0, 70.0, 60.0, 80.0), (75.0, 70.0, 83.0, 85.0),
           (62.0, 20.0, 74.0, 60.0), (84.0, 30.0, 94.0, 80.0), (88.0, 40.0, 92.0, 46.0)),
    relations=((0, "riding", 1), (5, "holding", 6), (5, "next to", 3)),
    events=(0, 1),
    background="street",
    width=96.0,
    height=96.0,
    words=((4, "CAFE", ((63.0, 30.0), (73.0, 30.0), (73.0, 36.0), (63.0, 36.0))),),
)  # fmt: skip


@pytest.fixture(scope="module")
def asked() -> dict[str, list[tuple[str, str, tuple[int, ...]]]]:
    found = defaultdict(list)
    for number in range(320):
        for kind, question in questions(VIEW, Dice(0, number)):
            found[kind].append(question)
    return found


def test_there_are_many_kinds(asked) -> None:
    assert set(asked) == set(KINDS) and len(KINDS) >= 8


def test_each_kind_occurs_once_a_picture() -> None:
    for number in range(20):
        kinds = [kind for kind, _ in questions(VIEW, Dice(1, number))]
        assert len(set(kinds)) == len(kinds) == QUESTIONS


@pytest.mark.parametrize(
    ("kind", "question", "answer"),
    [
        ("count", "How many dogs are there?", "2"),
        ("colour", "What colour is the boy dressed in?", "red"),
        ("colour", "What colour is the horse?", "brown"),
        ("activity", "What is the boy doing?", "riding a horse"),
        ("object", "What is the man holding?", "cup"),
        ("subject", "Who is riding the horse?", "boy"),
        ("place", "Where is this?", "street"),
        ("compare", "Are there more dogs than boys?", "yes"),
        ("compare", "Are there more boys than dogs?", "no"),
        ("relation", "Is the boy riding the horse?", "yes"),
        ("side", "Is the boy to the left of the sign?", "yes"),
        ("text", "What does the sign say?", "CAFE"),
        ("exists", "Is there a boy in red?", "yes"),
    ],
)
def test_answers(asked, kind: str, question: str, answer: str) -> None:
    found = {text: reply for text, reply, _ in asked[kind]}
    assert found[question] == answer


def test_questions_have_one_answer(asked) -> None:
    for kind, all_asked in asked.items():
        replies = defaultdict(set)
        for text, reply, _ in all_asked:
            replies[text].add(reply)
        assert all(len(known) == 1 for known in replies.values()), kind


def test_denials_are_true(asked) -> None:
    denied = [text for text, reply, _ in asked["relation"] if reply == "no"]
    assert denied and not set(denied) & {"Is the boy riding the horse?", "Is the man holding the cup?"}
    for text, reply, (first, second) in asked["side"]:
        left = VIEW.middle(first)[0] < VIEW.middle(second)[0]
        assert (reply == "yes") is (("left" in text.split("of")[0]) is left)


def test_choices_hold_the_answer(asked) -> None:
    for text, reply, _ in asked["choose"]:
        assert f" {reply} or " in text or f" or {reply}?" in text


def test_yes_is_the_usual_answer(asked) -> None:
    for kind in ("exists", "relation", "side"):
        replies = Counter(reply for _, reply, _ in asked[kind])
        assert set(replies) == {"yes", "no"} and abs(replies["yes"] / replies.total() - YES) < 0.14, kind


def test_no_question_leans_on_a_hidden_thing(asked) -> None:
    unsure = replace(VIEW, unsure=frozenset({"dog", "zebra", "cat"}))
    for number in range(40):
        for kind, (text, _, _) in questions(unsure, Dice(0, number)):
            if kind in ("count", "compare") or (kind == "exists" and "cat" in text.split()):
                assert "dog" not in text and "cat" not in text


def test_near_predicates_are_not_asked_as_wrong(asked) -> None:
    wrong = {text for text, reply, _ in asked["relation"] if reply == "no"}
    assert not any("carrying the cup" in text or "sitting on the horse" in text for text in wrong)


def test_nothing_to_ask_about_nothing() -> None:
    empty = View((), (), (), (), (), "street", 96.0, 96.0)
    assert questions(empty, Dice(0, 0)) == []

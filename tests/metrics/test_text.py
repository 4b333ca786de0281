"""Edit distances against the textbook's recursion; ANLS at its threshold; reading."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.errors import InputError
from lichen.metrics.text import anls_of, edit_distances, exact_of, reading, short_answers


def plain_distance(a: Sequence[str], b: Sequence[str]) -> int:
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, right in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (left != right))
    return row[-1]


@pytest.mark.parametrize(
    ("a", "b", "wanted"), [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("half", "hafl", 2), ("", "", 0)]
)
def test_distances_by_hand(a: str, b: str, wanted: int) -> None:
    assert edit_distances([a, b], [b, a]).tolist() == [wanted, wanted]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.text("abc", max_size=9), st.text("abcd", max_size=9)), max_size=12), st.integers(1, 60))
def test_any_pairs_in_blocks_of_any_size(pairs: list[tuple[str, str]], cells: int) -> None:
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    wanted = [plain_distance(a, b) for a, b in pairs]
    assert edit_distances(first, second, cells).tolist() == wanted
    assert edit_distances(second, first).tolist() == wanted
    assert edit_distances([list(text) for text in first], [list(text) for text in second]).tolist() == wanted


def test_distances_in_words() -> None:
    assert edit_distances([["the", "cat"]], [["a", "black", "cat"]]).tolist() == [2]
    with pytest.raises(InputError, match="got 1 and 2"):
        edit_distances(["a"], ["a", "b"])


@pytest.mark.parametrize(
    ("said", "answers", "wanted"),
    [
        ("half", ["hafl"], 0.0),  # a distance of exactly 0.5 gives nothing
        ("hello", ["hallo"], 0.8),
        ("hello", ["xxxxx", "hallo", "help"], 0.8),
        ("Hello", ["hello"], 1.0),
        (" two   words", ["two words"], 1.0),
        ("", [""], 1.0),
        ("a", [""], 0.0),
        ("", ["a"], 0.0),
        ("abc", ["abcdef"], 0.0),
        ("abcd", ["abcdefg"], 1 - 3 / 7),
    ],
)
def test_golden_anls(said: str, answers: list[str], wanted: float) -> None:
    assert anls_of([said], [answers]) == pytest.approx([wanted])


def test_case_counts_when_asked() -> None:
    assert anls_of(["Hello"], [["hello"]], fold_case=False) == pytest.approx([0.8])
    assert exact_of(["Hello"], [["hello"]]).tolist() == [True]
    assert exact_of(["Hello"], [["hello"]], fold_case=False).tolist() == [False]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.text("ab ", max_size=6), st.lists(st.text("ab ", max_size=6), min_size=1, max_size=3)), min_size=1
    )
)
def test_anls_of_many_is_that_of_each(cases: list[tuple[str, list[str]]]) -> None:
    found = anls_of([said for said, _ in cases], [answers for _, answers in cases])
    for (said, answers), value in zip(cases, found, strict=True):
        a = " ".join(said.split())
        near = []
        for answer in answers:
            b = " ".join(answer.split())
            distance = plain_distance(a, b) / max(len(a), len(b), 1)
            near.append(1 - distance if distance < 0.5 else 0.0)
        assert value == pytest.approx(max(near))
    exact = exact_of([said for said, _ in cases], [answers for _, answers in cases])
    assert (found[exact] == 1).all() and (found[~exact] < 1).all()


def test_short_answers_by_kind() -> None:
    found = short_answers(["Red", "hallo", "3"], [["red"], ["hello"], ["2", "two"]], ["colour", "word", None])
    assert found == {
        "exact_match": pytest.approx(1 / 3),
        "exact_match/colour": 1.0,
        "exact_match/word": 0.0,
        "anls": pytest.approx(1.8 / 3),
        "anls/colour": 1.0,
        "anls/word": pytest.approx(0.8),
        "questions": 3.0,
    }


def test_reading_by_hand() -> None:
    found = reading(["STOP", "main st"], ["STOP", "main street"])
    assert found == {
        "word_accuracy": 0.5,
        "cer": pytest.approx(4 / 15),
        "wer": pytest.approx(1 / 3),
        "texts": 2.0,
    }
    assert reading(["much too long"], ["x"])["cer"] == 13.0
    assert reading([""], ["two words"]) == {"word_accuracy": 0.0, "cer": 1.0, "wer": 1.0, "texts": 1.0}


def test_rules_of_reading() -> None:
    assert reading(["Stop!"], ["stop"])["word_accuracy"] == 0.0
    assert reading(["Stop!"], ["stop"], fold_case=True)["word_accuracy"] == 0.0
    assert reading(["Stop!"], ["stop"], fold_case=True, alphanumeric=True)["word_accuracy"] == 1.0
    assert reading(["a - b"], ["a b"], alphanumeric=True) == {
        "word_accuracy": 1.0,
        "cer": 0.0,
        "wer": 0.0,
        "texts": 1.0,
    }


def test_what_cannot_be_measured() -> None:
    with pytest.raises(InputError, match="Row 1 has no answer"):
        short_answers(["a", "b"], [["a"], []])
    with pytest.raises(InputError, match="Row 0 holds one text, 'red'"):
        short_answers(["red"], ["red"])
    with pytest.raises(InputError, match="3 samples but 1 kinds"):
        short_answers(["a"] * 3, [["a"]] * 3, ["colour"])
    with pytest.raises(InputError, match="at least one; got 0 for 0"):
        short_answers([], [])
    with pytest.raises(InputError, match="nothing to read"):
        reading(["a"], [" "])


def test_long_texts_do_not_overflow_the_blocks() -> None:
    random = np.random.default_rng(0)
    texts = ["".join(random.choice(list("ab"), size)) for size in (300, 3, 0, 120, 299)]
    found = edit_distances(texts, texts[::-1], cells=64)
    assert found.tolist() == [plain_distance(a, b) for a, b in zip(texts, texts[::-1], strict=True)]

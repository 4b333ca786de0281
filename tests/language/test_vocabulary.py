"""Words and categories of relations as numbers."""

from __future__ import annotations

from typing import Any

import pytest

from lichen.errors import InputError
from lichen.language.vocabulary import Predicates, Vocabulary, keys


def test_words() -> None:
    words = Vocabulary.learn([["a", "dog"], ["a", "cat"], ["a", "dog"]])
    assert words.words == ("a", "dog", "cat") and words.size == 5
    assert words.ids(["dog", "a", "lamp", "cat"]) == [2, 1, 4, 3]
    assert Vocabulary.learn([["a", "dog"], ["a"]], least=2).words == ("a",)
    assert Vocabulary.from_dict(words.to_dict()) == words
    with pytest.raises(InputError, match="at least 3 times"):
        Vocabulary.learn([["a"]], least=3)


@pytest.mark.parametrize("values", [{}, {"words": "abc"}, {"words": [1]}, {"words": ["a", "a"]}])
def test_no_words(values: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Vocabulary.from_dict(values)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Sitting on", ["sit on", "sit", "on"]),
        ("sits on top of", ["sit on top of", "sit", "on top of"]),
        ("held by", ["hold by", "hold"]),
        ("standing by", ["stand by", "stand", "by"]),
        ("holding", ["hold"]),
        ("in front of", ["in front of"]),
        ("next to", ["next to"]),
        ("full of", ["full of", "full", "of"]),
        ("", []),
    ],
)
def test_categories_of_a_relation(text: str, wanted: list[str]) -> None:
    assert keys(text) == wanted


def test_frequent_categories() -> None:
    texts = ["sitting on", "sits on", "on", "holding", "holds", "held by", "near"]
    found = Predicates.learn(texts, least=2)
    assert dict(zip(found.names, found.counts, strict=True)) == {"hold": 3, "on": 3, "sit": 2, "sit on": 2}
    assert [found.names[place] for place in found.of("sat on")] == ["sit on", "sit", "on"]
    assert found.of("above") == [] and Predicates.learn(texts, most=1).names == ()
    assert Predicates.learn(texts, most=2, least=1).names == ("hold", "on")
    assert Predicates.from_dict(found.to_dict()) == found
    with pytest.raises(InputError, match="lists under 'names' and 'counts'"):
        Predicates.from_dict({"names": ["on"]})
    with pytest.raises(InputError, match="2 categories of relations but 1 counts"):
        Predicates(("on", "in"), (1,))

"""Forms of verbs, both ways; words and their tags where one word is several things."""

from __future__ import annotations

import pytest

from lichen.language import lexicon
from lichen.language.tagging import is_plural, split, tag


@pytest.mark.parametrize(
    ("form", "base"),
    [
        ("holding", "hold"), ("holds", "hold"), ("held", "hold"), ("riding", "ride"), ("ridden", "ride"),
        ("sitting", "sit"), ("carries", "carry"), ("carried", "carry"), ("lying", "lie"), ("watches", "watch"),
        ("jumping", "jump"), ("has", "have"), ("having", "have"), ("parked", "park"), ("skiing", "ski"),
        ("hugging", "hug"), ("flies", "fly"), ("posing", "pose"), ("opened", "open"), ("stopped", "stop"),
        ("zipping", "zip"), ("adjoining", "adjoin"), ("rolling", "roll"), ("painted", "paint"), ("blue", "blue"),
    ],
)  # fmt: skip
def test_base_forms(form: str, base: str) -> None:
    assert lexicon.lemma(form) == base


def test_no_word_is_a_verb_and_something_else_of_which_the_tagger_does_not_know() -> None:
    closed = lexicon.DETERMINERS | lexicon.QUANTITIES | lexicon.PRONOUNS | lexicon.AUXILIARIES | lexicon.RELATIVES
    assert lexicon.VERBS & closed == {"do", "have"}
    assert lexicon.COLOURS <= lexicon.ADJECTIVES and lexicon.NOUNS_TOO <= lexicon.ADJECTIVES


def tags(text: str) -> str:
    return " ".join(tag([word.text for word in split(text)]))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a man walks", "D N V"),
        ("two walks in parks", "Q N P N"),
        ("people walk", "N V"),
        ("a fire hydrant stand", "D N N N"),
        ("a man stands near two stands", "D N V P Q N"),
        ("a running dog running", "D A N G"),
        ("a parked car parked there", "D A N T R"),
        ("there is a dog over there", "E X D N P R"),
        ("that dog that barks", "D N W V"),
        ("a man has a dog and has eaten", "D N V D N C X T"),
        ("many foods and drinks", "Q N C N"),
        ("a man and woman pose", "D N C N V"),
        ("people are crossing a street at the crossing", "N X G D N P D N"),
        ("foods, drinks.", "N , N ,"),
    ],
)
def test_words_that_are_several_things(text: str, wanted: str) -> None:
    assert tags(text) == wanted


def test_words_and_their_places() -> None:
    words = split("A T-shirt , the man’s  dog's 2 balls!")
    assert [word.text for word in words] == ["a", "t-shirt", ",", "the", "man", "'s", "dog", "'s", "2", "balls", "!"]
    text = "A T-shirt , the man’s  dog's 2 balls!"
    assert all(text[word.start : word.end].lower().replace("’", "'") == word.text for word in words)
    assert is_plural("dogs") and is_plural("people") and not is_plural("bus") and not is_plural("grass")

"""Words of sentences: as the reference program cuts them, and properties that hold for any text."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.errors import MissingPackageError
from lichen.metrics import ptb
from lichen.metrics.ptb import PUNCTUATION, java_words, words

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "captions.json").read_text("utf-8"))
CASES: list[tuple[str, list[str]]] = GOLDEN["words"]


@pytest.mark.parametrize(("sentence", "wanted"), CASES)
def test_words_are_those_of_the_reference(sentence: str, wanted: list[str]) -> None:
    assert list(words(sentence)) == wanted


def test_a_sentence_by_hand() -> None:
    assert words("A man's dog isn't here.") == ("a", "man", "'s", "dog", "is", "n't", "here")
    assert words("") == words(" \n ") == words("?...") == ()


@settings(max_examples=150, deadline=None)
@given(st.text())
def test_any_text_becomes_words_without_blanks_in_lower_case(text: str) -> None:
    for word in words(text):
        assert word and not any(letter.isspace() for letter in word)
        assert word == word.lower() and word not in PUNCTUATION


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text("abcdefghijklmnopqrstuvwxyz", min_size=3, max_size=9), max_size=8), st.sampled_from(".!?,;:"))
def test_plain_words_stay_and_punctuation_goes(plain: list[str], sign: str) -> None:
    special = {"cannot", "gonna", "wanna", "gotta", "gimme", "lemme"} | set(ptb._ABBREVIATIONS.split("|"))
    plain = [word for word in plain if word not in special]
    wanted = tuple(plain)
    assert words(" ".join(plain)) == wanted
    assert words(f" {sign} ".join(plain).upper()) == wanted


@pytest.mark.slow
def test_java_agrees_on_the_golden_sentences_and_on_real_captions(shared_data: Path) -> None:
    pytest.importorskip("pycocoevalcap", reason="the Java tokenizer comes with lichen[metrics]")
    if shutil.which("java") is None:
        pytest.skip("there is no Java")
    assert java_words([sentence for sentence, _ in CASES]) == [tuple(wanted) for _, wanted in CASES]
    layout = json.loads((shared_data / "coco_mini" / "captions.json").read_text("utf-8"))
    captions = [each["caption"] for each in layout["annotations"]]
    assert java_words(captions) == [words(caption) for caption in captions]


def test_without_java_the_message_says_what_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(MissingPackageError, match=r"PTBTokenizer is a Java program.*Install a Java runtime"):
        java_words(["a cat"])

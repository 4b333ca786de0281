"""The tokenizer of the playground's language: what it learns, and that nothing is lost on other text."""

from __future__ import annotations

import pytest

from lichen.training.pretraining.words import END, PAD, START, learn_tokenizer

TEXTS = ["A dog holds an orange flower.", "A dog is holding a flower in the desert."] * 20


def test_frequent_words_become_one_token() -> None:
    tokenizer = learn_tokenizer(TEXTS, 400, 40)
    assert len(tokenizer("a dog holds a flower").input_ids) == 2 + 5
    assert tokenizer.convert_ids_to_tokens([0, 1, 2]) == [START, END, PAD]


@pytest.mark.parametrize("text", ["zebra crossing", "naïve café", "犬", "a\ttab", ""])
def test_any_other_text_is_spelt_out(text: str) -> None:
    tokenizer = learn_tokenizer(TEXTS, 400, 40)
    ids = tokenizer(text).input_ids
    assert ids[0] == 0 and ids[-1] == 1
    assert tokenizer.decode(ids, skip_special_tokens=True).strip() == text


def test_case_does_not_matter_and_long_texts_end_with_the_end() -> None:
    tokenizer = learn_tokenizer(TEXTS, 300, 8)
    assert tokenizer("A DOG").input_ids == tokenizer("a dog").input_ids
    cut = tokenizer("dog " * 100, truncation=True).input_ids
    assert len(cut) == 8 and cut[-1] == 1

"""Captions as numbers: by the words of a vocabulary, by a text backbone's tokens, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from lichen.errors import InputError
from lichen.heads.grounding.captions import Captions
from lichen.heads.grounding.collate import collate

from .tiny import PREDICATES, SENTENCES, SPOKEN, WORDS, captions, parsed


def test_words() -> None:
    said = captions().validate(4)
    assert len(said) == 4 and said.caption.tolist() == [0, 0, 0, 1, 1, 2, 2]
    assert said.spans[:3].tolist() == [[0, 4], [6, 9], [10, 12]]
    assert said.tokens is not None
    words = SENTENCES[0].split()
    assert said.tokens[0].tolist() == WORDS.ids(words)
    assert said.tokens[3].tolist() == [*WORDS.ids(["indoors"]), *[0] * 11]
    assert said.spoken[2].tolist() == [*SPOKEN.ids(["a", "car"]), 0, 0]
    assert said.relations.tolist() == [[0, 1], [1, 2], [3, 4], [5, 6]]
    assert said.categories[0].nonzero()[:, 0].tolist() == PREDICATES.of("holding")
    phrase, token = said.places
    assert phrase[:5].tolist() == [0, 0, 0, 0, 1] and token[:5].tolist() == [0, 1, 2, 3, 6]
    assert said.to("cpu").spans is said.spans


def test_tokens_of_a_text_backbone() -> None:
    one = parsed(["a man with a dog", "indoors"])
    # [CLS] a man with a do ##g [SEP]; then a shorter row that is padded.
    offsets = torch.zeros(2, 9, 2, dtype=torch.long)
    offsets[0, 1:7] = torch.tensor([[0, 1], [2, 5], [6, 10], [11, 12], [13, 15], [15, 16]])
    offsets[1, 1] = torch.tensor([0, 7])
    said = collate(one, SPOKEN, PREDICATES, offsets=offsets)
    assert said.tokens is None and said.spans.tolist() == [[1, 3], [4, 7]]
    said.validate(2, longest=9)
    with pytest.raises(InputError, match=r"no token of the phrase 'a dog'.*cut off before"):
        collate(one, SPOKEN, PREDICATES, offsets=offsets[:, :4])
    with pytest.raises(InputError, match="There are 2 captions but offsets of 1"):
        collate(one, SPOKEN, PREDICATES, offsets=offsets[:1])


def test_either_words_or_tokens() -> None:
    with pytest.raises(InputError, match="either by words= of a vocabulary or by offsets="):
        collate(parsed(), SPOKEN, PREDICATES)
    with pytest.raises(InputError, match="4 captions but 1 pictures"):
        collate(parsed(), SPOKEN, PREDICATES, words=WORDS, picture=[0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"picture": torch.tensor([0, 1, 2, 4])}, "picture of a caption is a number from 0 to 3; got 0–4"),
        ({"caption": torch.tensor([0, 0, 0, 1, 1, 2, 5])}, "caption of a phrase is a number from 0 to 3"),
        ({"caption": torch.tensor([1, 0, 0, 1, 1, 2, 2])}, "lie together, in the order of the captions"),
        ({"relations": torch.tensor([[0, 1], [1, 2], [3, 4], [5, 7]])}, "phrase of a relation is a number from 0 to 6"),
        ({"relations": torch.tensor([[0, 1], [2, 2], [3, 4], [5, 6]])}, "Phrase 2 is related to itself"),
        ({"relations": torch.tensor([[0, 1], [2, 3], [3, 4], [5, 6]])}, "two phrases of one caption"),
        ({"spans": torch.tensor([[0, 4], [6, 9], [10, 13], [0, 2], [3, 5], [0, 2], [3, 5]])}, "from token 10 to 13"),
        ({"spans": torch.tensor([[0, 4], [6, 6], [10, 12], [0, 2], [3, 5], [0, 2], [3, 5]])}, "from token 6 to 6"),
        ({"spoken": torch.zeros(7, 4, dtype=torch.long)}, "at least one word"),
    ],
)
def test_what_does_not_fit(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(captions(), **changes).validate(4)


def test_no_captions() -> None:
    said = collate([], SPOKEN, PREDICATES, words=WORDS)
    assert isinstance(said.validate(0), Captions) and said.phrases == 0

"""Vectors of texts: the joint space of two towers, or the mean of the tokens."""

from __future__ import annotations

import pytest
import torch

from lichen.backbones.backbone import Backbone
from lichen.errors import InputError
from lichen.heads.texts import text_vectors

from ..data.tiny import make_clip_processor, make_processor, make_tokenizer
from ..families import make_trunk

TEXTS = ["good", "bad film a good", "a film"]


def test_two_towers_answer_in_their_joint_space() -> None:
    clip = Backbone(make_trunk("clip"), processor=make_clip_processor())
    found = text_vectors(clip, TEXTS)
    assert found.shape == (3, 12)
    for text, vector in zip(TEXTS, found, strict=True):
        inputs = clip.processor.tokenizer([text], return_tensors="pt")
        with torch.no_grad():
            expected = clip.model.get_text_features(
                input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]
            )
        pooled = getattr(expected, "pooler_output", expected)
        torch.testing.assert_close(vector, pooled[0], rtol=0, atol=1e-5)


def test_other_models_give_the_mean_of_the_tokens_without_padding() -> None:
    bert = Backbone(make_trunk("bert"), processor=make_tokenizer())
    found = text_vectors(bert, TEXTS)
    for text, vector in zip(TEXTS, found, strict=True):
        inputs = bert.processor([text], return_tensors="pt")
        with torch.no_grad():
            states = bert.model(**inputs).last_hidden_state
        torch.testing.assert_close(vector, states[0].mean(0), rtol=0, atol=1e-5)
    torch.testing.assert_close(text_vectors(bert, TEXTS, batch=2), found, rtol=0, atol=1e-5)


def test_what_reads_no_texts() -> None:
    with pytest.raises(InputError, match="a backbone that reads texts"):
        text_vectors(Backbone(make_trunk("vit"), processor=make_processor(size=32)), TEXTS)
    with pytest.raises(InputError, match="at least one text"):
        text_vectors(Backbone(make_trunk("bert"), processor=make_tokenizer()), [])

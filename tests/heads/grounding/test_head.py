"""The head on features: it learns to tell colours from captions alone, with a GRU and with a frozen text backbone."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from lichen.backbones.features import Features
from lichen.errors import InputError
from lichen.heads.grounding.config import WEIGHTS, GroundingConfig
from lichen.heads.grounding.head import GroundingHead
from lichen.heads.grounding.losses import weighted
from lichen.heads.grounding.reader import RegionReader
from lichen.heads.grounding.sentences import FrozenSentences, GRUSentences

from .tiny import GIVEN, PREDICATES, SPOKEN, WORDS, captions, features, head, regions

TEXT = 7


def text(rows: int = 4, tokens: int = 12) -> Features:
    final = torch.randn(rows, tokens, TEXT, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    said = captions()
    assert said.tokens is not None
    return Features((final,), final, mask=said.tokens[:rows] != 0)


def frozen() -> GroundingHead:
    config = GroundingConfig(width=8, joint=6, hidden=5, top=3)
    reader = RegionReader(GIVEN)
    counts = PREDICATES.counts
    return GroundingHead(reader, SPOKEN.size, text=TEXT, relation_counts=counts, config=config).double()


def test_a_frozen_text_backbone_reads_the_captions() -> None:
    said = captions()
    said = replace(said, tokens=None)
    model = frozen()
    found = model(features(), regions(), said, text=text())
    weighted(model.losses(found, said), WEIGHTS).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
    # A phrase is the mean of its own tokens, whatever stands elsewhere.
    other = text()
    other.final[0, 5] = torch.arange(TEXT).double()
    again = model(features(), regions(), said, text=other)
    torch.testing.assert_close(again.phrases[0], found.phrases[0])
    assert not torch.allclose(again.sentences.whole[0], found.sentences.whole[0])


def test_words_to_rebuild_know_nothing_of_their_neighbours() -> None:
    said = captions()
    for encoder, given in (
        (GRUSentences(WORDS.size, 4).double(), None),
        (FrozenSentences(TEXT, 99, 4).double(), text()),
    ):
        words = encoder(said, given).words
        assert words.shape == (said.phrases, said.spoken.shape[1], 4)
        # "a" of "a small dog" and of "a car"
        torch.testing.assert_close(words[1, 0], words[2, 0])


def test_encoders_say_what_they_need() -> None:
    said = captions()
    with pytest.raises(InputError, match="A GRU reads the words"):
        head()(features(), regions(), replace(said, tokens=None))
    with pytest.raises(InputError, match="not in the vocabulary of 5"):
        GRUSentences(5, 4)(said)
    with pytest.raises(InputError, match="give the features of their tokens"):
        frozen()(features(), regions(), said)
    with pytest.raises(InputError, match="Tokens of 4 captions, 7 wide"):
        frozen()(features(), regions(), said, text=text(3))
    with pytest.raises(InputError, match="either by words= of a vocabulary or by text="):
        GroundingHead(RegionReader(GIVEN), 9)


def test_it_learns() -> None:
    """The losses of one batch fall, with refinement as without."""
    model, said = head(width=16).train(), captions()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    seen = []
    for step in range(30):
        losses = model.losses(model(features(), regions(), said, refine=step % 2), said)
        loss = weighted(losses, WEIGHTS)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seen.append(float(loss.detach()))
    assert seen[-1] < 0.5 * seen[0]

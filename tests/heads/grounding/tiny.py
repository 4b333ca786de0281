"""A small world for the tests of grounding: pictures of colours, proposals on them, captions that name the colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lichen.backbones.features import Features
from lichen.heads.given import Given
from lichen.heads.grounding.captions import Captions
from lichen.heads.grounding.collate import collate
from lichen.heads.grounding.config import GroundingConfig
from lichen.heads.grounding.head import GroundingHead
from lichen.heads.grounding.reader import RegionReader
from lichen.language.phrases import Parsed, parse
from lichen.language.vocabulary import Predicates, Vocabulary
from lichen.regions import Regions

SIDE, WIDTH = 40, 6
SENTENCES = (
    "a man in red is holding a small dog near a car",
    "a woman with a hat",
    "two dogs under a tree",
    "indoors",
)
GIVEN = Given("maps", WIDTH, modality="image")


def parsed(sentences: Sequence[str] = SENTENCES) -> list[Parsed]:
    return [parse(sentence) for sentence in sentences]


WORDS = Vocabulary.learn([[word.text for word in one.words] for one in parsed()])
SPOKEN = Vocabulary.learn([[w.text for a, b in one.places for w in one.words[a:b]] for one in parsed()])
PREDICATES = Predicates.learn([said.text for one in parsed() for said in one.relations], least=1)


def captions(sentences: Sequence[str] = SENTENCES, picture: Sequence[int] | None = None) -> Captions:
    return collate(parsed(sentences), SPOKEN, PREDICATES, words=WORDS, picture=picture)


def regions(counts: Sequence[int] = (5, 3, 7, 4), seed: int = 0) -> Regions:
    chance = torch.Generator().manual_seed(seed)
    count = sum(counts)
    low = torch.rand(count, 2, generator=chance, dtype=torch.float64) * SIDE * 0.6
    extent = (0.1 + 0.3 * torch.rand(count, 2, generator=chance, dtype=torch.float64)) * SIDE
    picture = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    return Regions.make(
        torch.cat([low, low + extent], 1), [(SIDE, SIDE)] * len(counts), picture=picture, labels=torch.arange(count) % 3
    )


def features(pictures: int = 4, seed: int = 0) -> Features:
    chance = torch.Generator().manual_seed(seed)
    final = torch.randn(pictures, WIDTH, 5, 5, generator=chance, dtype=torch.float64)
    return Features((final,), final, grid=(5, 5))


def head(seed: int = 0, **changes: Any) -> GroundingHead:
    settings: dict[str, Any] = {"width": 8, "joint": 6, "hidden": 5, "top": 3, **changes}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = GroundingHead(
            RegionReader(GIVEN),
            SPOKEN.size,
            words=WORDS.size,
            relation_counts=PREDICATES.counts,
            config=GroundingConfig(**settings),
        ).double()
        # A fresh network moves no box.
        with torch.no_grad():
            for name, parameter in made.named_parameters():
                if "leave" in name:
                    parameter.normal_(0, 0.5)
    return made


def prior(phrases: int, seed: int = 0) -> Tensor:
    return torch.rand(phrases, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)

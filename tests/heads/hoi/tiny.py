"""Small batches for the networks of interactions, and a world in which relatedness can be learnt from labels alone."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn.functional import normalize

from lichen.heads.hoi import HOIInputs, compatible_pairs, human_pairs
from lichen.regions import Regions
from lichen.regions.spatial import pair_encoding

PEOPLE = torch.tensor([True, False, False])
OBJECTS = torch.tensor(
    [[False, False, False, False, True], [True, True, False, False, False], [False, False, True, True, False]]
)
"""Three classes: a person, whom interaction 4 is with; one with interactions 0 and 1; one with 2 and 3."""
TEACHABLE = torch.tensor([True, True, True, False, True])
"""Interaction 3 is "no_interaction"."""


def make_inputs(
    counts: tuple[tuple[int, int, int], ...] = ((1, 1, 1), (2, 1, 0), (0, 2, 1), (1, 0, 0)),
    width: int = 6,
    image: int = 8,
    seed: int = 0,
) -> HOIInputs:
    """A batch with so many boxes of each class by picture."""
    torch.manual_seed(seed)
    labels = torch.tensor([c for picture in counts for c, n in enumerate(picture) for _ in range(n)], dtype=torch.long)
    picture = torch.tensor([p for p, each in enumerate(counts) for _ in range(sum(each))], dtype=torch.long)
    corner = torch.rand(len(labels), 2) * 50
    boxes = torch.cat([corner, corner + 10 + torch.rand(len(labels), 2) * 30], 1)
    scores = 0.3 + 0.7 * torch.rand(len(labels))
    regions = Regions.make(boxes, [(100.0, 100.0)] * len(counts), picture=picture, labels=labels, scores=scores)
    pairs = human_pairs(regions, PEOPLE)
    return HOIInputs(
        regions,
        pairs,
        compatible_pairs(labels, pairs, OBJECTS),
        torch.randn(len(counts), image),
        torch.randn(len(labels), width),
        torch.randn(len(pairs), width),
        pair_encoding(boxes[pairs[:, 0]], boxes[pairs[:, 1]], torch.full((len(pairs), 2), 100.0)),
    )


@dataclass(frozen=True)
class World:
    """Pictures of one person and four things, of which one is used; what is labelled is only how."""

    inputs: HOIInputs
    labels: torch.Tensor
    true: torch.Tensor
    """Which pairs interact."""
    texts: torch.Tensor


def make_world(pictures: int, interactions: int = 6, width: int = 24, noise: float = 0.6, seed: int = 0) -> World:
    """Union features hold the text of what is done, or noise where nothing is; all things are of one class."""
    generator = torch.Generator().manual_seed(seed)
    texts = normalize(torch.randn(interactions, width, generator=torch.Generator().manual_seed(99)), dim=1)
    things = 4
    kind = torch.randint(interactions, (pictures,), generator=generator)
    used = torch.randint(things, (pictures,), generator=generator)
    per = 1 + things
    labels = torch.tensor([0, *[1] * things]).repeat(pictures)
    picture = torch.arange(pictures).repeat_interleave(per)
    corner = torch.rand(len(labels), 2, generator=generator) * 60
    boxes = torch.cat([corner, corner + 10 + torch.rand(len(labels), 2, generator=generator) * 20], 1)
    regions = Regions.make(boxes, [(100.0, 100.0)] * pictures, picture=picture, labels=labels)
    first = (torch.arange(pictures) * per).repeat_interleave(things)
    pairs = torch.stack([first, first + 1 + torch.arange(things).repeat(pictures)], 1)
    true = torch.arange(things).repeat(pictures) == used.repeat_interleave(things)
    unions = noise * normalize(torch.randn(len(pairs), width, generator=generator), dim=1)
    unions[true] += texts[kind]
    shown = torch.zeros(pictures, interactions, dtype=torch.bool)
    shown[torch.arange(pictures), kind] = True
    objects = torch.tensor([[False] * interactions, [True] * interactions])
    image = texts[kind] + noise * normalize(torch.randn(pictures, width, generator=generator), dim=1)
    inputs = HOIInputs(
        regions,
        pairs,
        compatible_pairs(labels, pairs, objects),
        image,
        # Faint, or 300 pictures can be told apart by their noise alone.
        0.1 * torch.randn(len(labels), width, generator=generator),
        unions,
        pair_encoding(boxes[pairs[:, 0]], boxes[pairs[:, 1]], torch.full((len(pairs), 2), 100.0)),
    )
    return World(inputs, shown, true, texts)

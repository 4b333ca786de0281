"""Small batches for the scene graph head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from lichen.graphs import Relations
from lichen.heads.scene_graph import GraphInputs, GraphTargets, SceneGraphConfig, SceneGraphHead
from lichen.regions import Regions, ordered_pairs

CLASSES, PREDICATES, CHANNELS, UNIONS = 4, 3, 6, 5
SMALL: dict[str, Any] = {"width": 8, "pooled": 12, "graph": 8, "embedding": 5, "confidence": 8}


def make_head(seed: int = 0, *, counts: torch.Tensor | None = None, **settings: Any) -> SceneGraphHead:
    torch.manual_seed(seed)
    config = SceneGraphConfig(**(SMALL | settings))
    return SceneGraphHead(config, CLASSES, PREDICATES, CHANNELS, UNIONS, counts=counts).double()


def make_regions(counts: Sequence[int], seed: int = 0, *, known: bool = False) -> Regions:
    """Random boxes of pictures of 100 by 80 pixels."""
    draw = torch.Generator().manual_seed(seed)
    boxes = sum(counts)
    low = torch.rand(boxes, 2, generator=draw, dtype=torch.float64) * 50
    side = 2 + torch.rand(boxes, 2, generator=draw, dtype=torch.float64) * 28
    shares = torch.rand(boxes, CLASSES, generator=draw, dtype=torch.float64).softmax(1) * 0.9
    return Regions(
        boxes=torch.cat([low, low + side], 1),
        picture=torch.arange(len(counts)).repeat_interleave(torch.tensor(counts)),
        sizes=torch.tensor([[100.0, 80.0]] * len(counts), dtype=torch.float64),
        labels=torch.randint(CLASSES, (boxes,), generator=draw) if known else shares.argmax(1),
        scores=torch.ones(boxes, dtype=torch.float64) if known else shares.amax(1),
        probabilities=None if known else shares,
    )


def make_inputs(counts: Sequence[int], seed: int = 0, *, known: bool = False) -> GraphInputs:
    regions = make_regions(counts, seed, known=known)
    pairs = ordered_pairs(regions)
    draw = torch.Generator().manual_seed(seed + 1)
    return GraphInputs(
        regions,
        pairs,
        torch.randn(len(regions), CHANNELS, generator=draw, dtype=torch.float64),
        torch.randn(len(pairs), UNIONS, generator=draw, dtype=torch.float64),
        labels_known=known,
    )


def make_targets(inputs: GraphInputs, seed: int = 0) -> GraphTargets:
    draw = torch.Generator().manual_seed(seed)
    labels = torch.randint(-1, PREDICATES + 1, (len(inputs.pairs),), generator=draw)
    return GraphTargets(labels, entities=torch.randint(-1, CLASSES, (len(inputs.regions),), generator=draw))


def make_relations(regions: Regions, share: float = 0.4, seed: int = 0) -> Relations:
    """Random relations; some pairs have two."""
    draw = torch.Generator().manual_seed(seed)
    pairs = ordered_pairs(regions)
    chosen = torch.rand(len(pairs), PREDICATES, generator=draw) < share / PREDICATES
    rows, predicate = chosen.nonzero().unbind(1)
    return Relations(pairs[rows], predicate)


def part(inputs: GraphInputs, number: int) -> GraphInputs:
    """One picture of a batch by itself."""
    regions = inputs.regions
    rows, pairs = regions.picture == number, regions.picture[inputs.pairs[:, 0]] == number
    assert inputs.features is not None and inputs.unions is not None
    return GraphInputs(
        regions.of(number),
        inputs.pairs[pairs] - regions.starts[number],
        inputs.features[rows],
        inputs.unions[pairs],
        inputs.labels_known,
    )

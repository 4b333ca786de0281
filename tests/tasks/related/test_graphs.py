"""Graphs of a split: taken in any order, resampled towards rare predicates."""

from __future__ import annotations

import numpy as np
import torch

from lichen.data.resampling import ResamplingConfig
from lichen.regions import Regions
from lichen.tasks.related.graphs import Graphs, ResampledOrder

from ..boxed import COLOURS, scene

SCENES = [scene(row) for row in range(20)]
NAMES = ("above", "left of", "under")
CONFIG = ResamplingConfig(threshold=0.4, drop=0.9)


def graphs() -> Graphs:
    return Graphs.of(SCENES, COLOURS, NAMES)


def test_any_pictures_in_any_order_are_what_they_would_be_alone() -> None:
    pictures = [7, 2, 7, 0]
    found = Regions.from_scenes(SCENES, COLOURS)
    told = Graphs.of(SCENES, COLOURS, NAMES, found).take(torch.tensor(pictures))
    alone = Graphs.of([SCENES[each] for each in pictures], COLOURS, NAMES).told
    for name in ("boxes", "labels", "picture", "sizes"):
        assert torch.equal(getattr(told.truths, name), getattr(alone.truths, name)), name
        assert told.found is not None and torch.equal(getattr(told.found, name), getattr(alone.truths, name)), name
    assert torch.equal(told.relations.pairs, alone.relations.pairs)
    assert torch.equal(told.relations.predicate, alone.relations.predicate)
    told.relations.validate(told.truths, len(NAMES))
    assert told.to("cpu").found is not None and alone.to("cpu").found is None


def test_no_pictures_and_pictures_without_relations() -> None:
    bare = Graphs.of([scene(0), *SCENES[:1]], COLOURS, NAMES)
    assert len(bare.take(torch.zeros(0, dtype=torch.long)).relations) == 0
    empty = Graphs.of([], COLOURS, NAMES)
    assert len(empty.told.relations) == 0 and empty.told.truths.pictures == 0


def test_rare_predicates_are_seen_more_often() -> None:
    whole = graphs()
    resampling = whole.resampling(len(NAMES), CONFIG)
    dropped = whole.dropped(resampling)
    predicate, picture = whole.told.relations.predicate, whole.picture
    plain = np.bincount(predicate.numpy(), minlength=len(NAMES))
    order = ResampledOrder(resampling, torch.arange(len(SCENES)), seed=1)
    seen = np.zeros(len(NAMES))
    for place in order.epoch(0).tolist():
        own = picture == place
        np.add.at(seen, predicate[own].numpy(), 1 - dropped.told.dropping[own].numpy())
    rare, common = int(plain.argmin()), int(plain.argmax())
    assert seen[rare] / seen.sum() > 1.5 * plain[rare] / plain.sum()
    assert seen[common] / seen.sum() < plain[common] / plain.sum()
    assert np.allclose(seen, resampling.expected_counts, atol=1e-4)
    assert float(dropped.told.dropping[predicate == rare].max()) == 0 < float(dropped.told.dropping.max())
    assert torch.equal(dropped.take(torch.tensor([3])).dropping, dropped.told.dropping[picture == 3])


def test_an_order_is_a_function_of_seed_and_epoch_and_leaves_out_what_is_bad() -> None:
    resampling = graphs().resampling(len(NAMES), CONFIG)
    kept = torch.tensor([0, 2, 3, 5, 8])
    order = ResampledOrder(resampling, kept, seed=1)
    again = ResampledOrder(resampling, kept, seed=1)
    other = ResampledOrder(resampling, kept, seed=2)
    assert torch.equal(order.epoch(3), again.epoch(3)) and not torch.equal(order.epoch(3), order.epoch(4))
    assert not torch.equal(order.epoch(3), other.epoch(3)) and order.describe() != other.describe()
    counts = torch.bincount(order.epoch(0), minlength=len(kept))
    assert counts.tolist() == resampling.item_repeats[kept.numpy()].tolist() and len(order) == int(counts.sum())

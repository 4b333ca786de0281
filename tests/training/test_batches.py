"""Batches of examples, from stores and from live backbones; rows of dev behind those of training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lichen.data.inputs import ImageInputs
from lichen.training.batches import Batches, Both, shifted
from lichen.training.pipeline import prepare
from lichen.training.recipe import Recipe

from ..features.stores import assert_equal
from . import tiny_recipes


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """Captions of pictures; features come from stores."""
    root = tmp_path_factory.mktemp("pairs")
    return tiny_recipes.retrieve(root, store={"shard": 16, "folder": str(root / "stores")})


@pytest.mark.parametrize("live", [False, True])
def test_batches_of_examples(live: bool, pairs: Recipe) -> None:
    prepared = prepare(replace(pairs, store=replace(pairs.store, live=live)))
    examples = prepared.examples("train")
    layers = dict.fromkeys(prepared.sources, (2, 3))
    batches = Batches(examples, prepared.sources, layers, prepared.task.told)
    batch = batches([4, 1, 2])
    assert batch["rows"].tolist() == [4, 1, 2]
    assert batch["targets"]["group"].tolist() == examples.targets["group"][[4, 1, 2]].tolist()
    features = batches.read(batch["samples"]) if live else batch["features"]
    for part, source in prepared.sources.items():
        assert_equal(features[part], source.features(examples.rows[part][[4, 1, 2]], (2, 3)))
    lengths = prepared.sources["text"].inputs.lengths()[examples.rows["text"]]  # type: ignore[union-attr]
    rows = batches.dataset()
    assert torch.equal(rows.lengths, lengths) and rows.ids == examples.names  # type: ignore[arg-type]


def test_dev_rows_follow_those_of_training(pairs: Recipe) -> None:
    prepared = prepare(pairs)
    layers = {"image": (3,), "text": (3,)}
    train_side, dev = (
        Batches(prepared.examples(split), prepared.sources, layers, prepared.task.told) for split in ("train", "dev")
    )
    start = len(train_side.examples)
    rows = shifted(dev.dataset(), start)
    assert rows.rows[0] == start and rows.ids == dev.examples.names
    assert torch.equal(rows.lengths, dev.dataset().lengths)  # type: ignore[arg-type]
    both = Both(train_side, dev)
    assert_equal(both([start, start + 1])["features"]["text"], dev([0, 1])["features"]["text"])
    assert both([start + 1])["rows"].tolist() == [start + 1]
    assert_equal(both([0])["features"]["text"], train_side([0])["features"]["text"])


def test_pictures_need_no_lengths(tmp_path: Path) -> None:
    prepared = prepare(tiny_recipes.classify(tmp_path, "vit", store={"live": True}))
    assert isinstance(prepared.sources["input"].inputs, ImageInputs)
    assert Batches(prepared.examples("train"), prepared.sources, {}, prepared.task.told).dataset().lengths is None

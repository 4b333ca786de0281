"""Proposals on disk: the same again, in any order, and nothing that is damaged."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lichen.errors import CheckpointError, InputError
from lichen.regions import Regions
from lichen.regions.stored import RegionStore, take_pictures

NAMES = ("person", "horse")


def regions() -> Regions:
    draw = torch.Generator().manual_seed(0)
    low = 3000 * torch.rand(6, 2, generator=draw)
    boxes = torch.cat([low, low + 1 + torch.rand(6, 2, generator=draw)], 1)
    labels, scores = [0, 1, -1, 1, 0, 0], torch.rand(6, generator=draw).half().float()
    return Regions.make(boxes, [(4000, 3500)] * 4, picture=[0, 0, 2, 2, 2, 3], labels=labels, scores=scores)


def test_there_and_back(tmp_path: Path) -> None:
    given = regions()
    saved = RegionStore.save(tmp_path, given, ["a", "b", "c", "d"], NAMES, {"detector": "ssd"})
    for store in (saved, RegionStore.open(tmp_path, {"detector": "ssd"})):
        assert store.ids == ("a", "b", "c", "d") and store.names == NAMES and len(store) == 4
        for name in ("boxes", "picture", "sizes", "labels", "scores"):
            assert torch.equal(getattr(store.regions, name), getattr(given, name)), name


def test_some_pictures_in_another_order() -> None:
    given = regions()
    taken = take_pictures(given, torch.tensor([2, 1, 0, 2]))
    assert taken.picture.tolist() == [0, 0, 0, 2, 2, 3, 3, 3] and taken.pictures == 4
    assert torch.equal(taken.boxes, given.boxes[[2, 3, 4, 0, 1, 2, 3, 4]])
    assert len(take_pictures(given, torch.tensor([1]))) == 0
    with pytest.raises(InputError, match="There are 4 pictures, numbered from 0"):
        take_pictures(given, torch.tensor([4]))


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Each of 4 pictures needs an id of its own; got 3"):
        RegionStore.save(tmp_path, regions(), ["a", "b", "c", "c"], NAMES)
    with pytest.raises(InputError, match="1 class names, and a region has label 1"):
        RegionStore.save(tmp_path, regions(), list("abcd"), NAMES[:1])
    RegionStore.save(tmp_path, regions(), list("abcd"), NAMES, {"detector": "ssd"})
    with pytest.raises(CheckpointError, match="come from detector 'ssd', not 'detr'"):
        RegionStore.open(tmp_path, {"detector": "detr"})
    data = tmp_path / "regions.safetensors"
    data.write_bytes(data.read_bytes()[:-2])
    with pytest.raises(CheckpointError, match="altered or truncated"):
        RegionStore.open(tmp_path)

"""Solids as a folder: what is written comes back, damage is found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lichen.data.playground.make import check
from lichen.data.playground.solids import PlaygroundSolids, SolidConfig, dataset
from lichen.data.playground.solids.make import make_solids, read_solid
from lichen.errors import BadSample, CheckpointError, InputError
from lichen.scene import Scene
from lichen.scene.jsonl import read_jsonl

COUNTS = {"train": 2, "val": 1, "test": 1}
CONFIG = SolidConfig(size=32, views=2, occluded=0.5)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(dataset.SIZES, "smoke", COUNTS)
    manifest = make_solids(tmp_path / "solids", "smoke", seed=4, config=CONFIG)
    assert manifest["counts"] == {"train": 4, "val": 2, "test": 2} and manifest["views"] == 2
    return tmp_path / "solids"


def test_what_is_written_comes_back(made: Path) -> None:
    check(made)
    for split, count in COUNTS.items():
        known = PlaygroundSolids(4, split, count, CONFIG)
        scenes = list(read_jsonl(made / f"{split}.jsonl"))
        assert len(scenes) == len(known) == 2 * count
        for scene, sample in zip(scenes, known, strict=True):
            found = read_solid(made, scene)
            assert (found.image == sample.image).all() and (found.parts == sample.parts).all()
            assert (found.voxels == sample.voxels).all() and (found.mask == sample.mask).all()
            assert np.abs(found.depth[found.mask] - sample.depth[found.mask]).max() <= 0.51e-4
            assert np.allclose(found.camera.extrinsics, sample.camera.extrinsics)
            assert scene.solids == sample.scene.solids and scene.captions == sample.scene.captions


def test_damage_is_found(made: Path) -> None:
    path = next((made / "depth" / "val").iterdir())
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    check(made, pictures=False)
    with pytest.raises(CheckpointError, match="altered"):
        check(made)
    with pytest.raises(CheckpointError, match="lichen data make playground"):
        check(made, world="playground")


def test_what_cannot_be_read_back_is_named(made: Path) -> None:
    scene = next(read_jsonl(made / "train.jsonl"))
    with pytest.raises(InputError, match="was not written by"):
        read_solid(made, Scene("other"))
    (made / str(scene.metadata["parts"])).unlink()
    with pytest.raises(BadSample, match="cannot be read back"):
        read_solid(made, scene)
    with pytest.raises(BadSample, match="cannot be read back"):
        read_solid(made, replace(scene, metadata={**scene.metadata, "camera": {}}))


def test_wrong_words_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'small'"):
        make_solids(tmp_path / "x", "smal")
    assert not (tmp_path / "x").exists()

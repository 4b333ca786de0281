"""Clips as a folder: what is written comes back, damage is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from lichen.data.playground.clips import ClipConfig, PlaygroundClips, dataset
from lichen.data.playground.clips.make import make_clips, read_clip
from lichen.data.playground.make import check
from lichen.errors import BadSample, CheckpointError, InputError
from lichen.scene import Scene
from lichen.scene.clips import open_frames
from lichen.scene.jsonl import read_jsonl

COUNTS = {"train": 1, "val": 1, "test": 1}
CONFIG = ClipConfig(frames=(3, 4), size=32)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(dataset.SIZES, "smoke", COUNTS)
    manifest = make_clips(tmp_path / "clips", "smoke", seed=4, config=CONFIG)
    assert manifest["counts"] == COUNTS and manifest["generator"] == "clips"
    return tmp_path / "clips"


def test_what_is_written_comes_back(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check(made)
    monkeypatch.chdir(made)
    for split in COUNTS:
        (scene,) = read_jsonl(made / f"{split}.jsonl")
        (sample,) = PlaygroundClips(4, split, 1, CONFIG)
        found = read_clip(made, scene)
        assert (found.frames == sample.frames).all() and (found.instances == sample.instances).all()
        assert abs(found.visible - sample.visible).max() <= 1e-4
        assert scene.tracks == sample.scene.tracks and scene.captions == sample.scene.captions
        assert len(scene.frames) == len(sample.frames) and scene.image == scene.frames[0]
        assert [picture.size for picture in open_frames(scene)] == [(32, 32)] * len(scene.frames)


def test_damage_is_found(made: Path) -> None:
    scene = next(read_jsonl(made / "train.jsonl"))
    path = made / scene.frames[1]
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(CheckpointError, match="altered"):
        check(made)
    path.unlink()
    with pytest.raises(BadSample, match="cannot be read back"):
        read_clip(made, scene)


def test_other_scenes_and_words_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="was not written by"):
        read_clip(tmp_path, Scene("other"))
    with pytest.raises(InputError, match="'small'"):
        make_clips(tmp_path / "x", "smal")

"""`kind = "playground-solids"`: made in memory, from a folder, as depth; what is wrong with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lichen.data.config import DataConfig
from lichen.data.playground.solids import SolidConfig, make_solids, playground_solid
from lichen.data.playground.solids.reader import picture
from lichen.data.readers import load
from lichen.errors import InputError

SMALL = DataConfig("playground-solids", size="smoke", pixels=32, views=2)


def test_made_in_memory_and_split_by_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LICHEN_CACHE", str(tmp_path))
    data = load(SMALL)
    assert {name: len(rows) for name, rows in data.splits.items()} == {"train": 36, "dev": 12, "test": 12}
    objects = {
        name: {(data.scenes[row].metadata["split"], data.scenes[row].metadata["object"]) for row in rows}
        for name, rows in data.splits.items()
    }
    assert not objects["train"] & objects["dev"] and not objects["train"] & objects["test"]
    assert data.pixels is not None and data.pixels.shape == (60, 32, 32, 3)
    sample = playground_solid(0, 5, SolidConfig(size=32, views=2))
    assert data.scenes[5] == sample.scene and np.array_equal(data.pixels[5], sample.image)
    # The second time they come from the cache.
    again = load(SMALL)
    assert again.scenes == data.scenes and list((tmp_path / "solids").iterdir())


def test_kinds_and_depth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LICHEN_CACHE", str(tmp_path))
    data = load(replace(SMALL, furniture=("chair",), channels="depth", occluded=1.0))
    assert {scene.labels[0].name for scene in data.scenes} == {"chair"}
    assert all(scene.metadata["occluder"] is not None for scene in data.scenes)
    sample = playground_solid(0, 0, SolidConfig(size=32, views=2, kinds=("chair",), occluded=1.0))
    shown = data.picture(0)
    assert np.array_equal(np.asarray(shown), picture(sample, "depth"))
    mask = sample.mask
    values = np.asarray(shown)
    assert (values[mask][:, 2] == 255).all() and (values[~mask] == 0).all()
    nearest = np.unravel_index(np.where(mask, sample.depth, np.inf).argmin(), mask.shape)
    assert values[nearest][0] == 250 and values[mask][:, 0].min() == 60


def test_from_a_folder(tmp_path: Path) -> None:
    make_solids(tmp_path / "made", "smoke", config=SolidConfig(size=24, views=1))
    colour = load(DataConfig("playground-solids", path=str(tmp_path / "made")))
    depth = load(DataConfig("playground-solids", path=str(tmp_path / "made"), channels="depth", furniture=("bed",)))
    assert len(colour) == 30 and colour.picture(3).size == (24, 24)
    assert {scene.labels[0].name for scene in depth.scenes} == {"bed"} and depth.picture(0).size == (24, 24)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"size": "tiny"}, "Unknown size"),
        ({"channels": "deep"}, "Did you mean 'depth'"),
        ({"furniture": ("chairs",)}, "Did you mean 'chair'"),
        ({"train": "test"}, "names one split twice|name one split twice"),
        ({"size": "full", "views": 60}, "too many to be made in memory"),
        ({"path": "absent"}, "absent"),
    ],
)
def test_what_cannot_be_read(changes: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        load(replace(SMALL, **changes))

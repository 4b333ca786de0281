"""Pictures for training: the playground's own, drawn once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from lichen.data.playground.dataset import Playground
from lichen.training.pretraining.pictures import MEAN, STD, drawn, to_model

WORLD = Playground(0, "val", 5, 48, 48)


def test_what_is_drawn_is_the_playground() -> None:
    told: list[tuple[int, int]] = []
    found = drawn(WORLD, lambda done, total: told.append((done, total)))
    assert told == [(number, 5) for number in range(1, 6)]
    for row, (picture, scene) in enumerate(WORLD):
        np.testing.assert_array_equal(found.pixels[row], picture)
        assert found.scenes[row] == scene


def test_the_second_time_comes_from_the_cache(own_cache: Path) -> None:
    drawn(WORLD)
    told: list[int] = []
    assert len(drawn(WORLD, lambda done, total: told.append(done))) == 5
    assert not told
    (pixels,) = [path for path in own_cache.rglob("pixels.npy") if len(np.load(path, mmap_mode="r")) == 5]
    # Without the file that is written last, all is drawn again.
    (pixels.parent / "scenes.jsonl").unlink()
    drawn(WORLD, lambda done, total: told.append(done))
    assert told == [1, 2, 3, 4, 5]


def test_a_batch_is_scaled_as_models_see_it() -> None:
    found = drawn(WORLD)
    batch = found.batch(np.array([3, 1]))
    assert batch.shape == (2, 3, 48, 48)
    expected = (found.pixels[1].astype(np.float32) / 255 - MEAN) / STD
    np.testing.assert_allclose(batch[1].permute(1, 2, 0).numpy(), expected, atol=1e-6)
    assert to_model(torch.zeros(1, 2, 2, 3, dtype=torch.uint8)).unique().tolist() == [-MEAN / STD]

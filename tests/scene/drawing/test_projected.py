"""Cuboids over a photograph: they lie where the camera sees them."""

from __future__ import annotations

import numpy as np
from PIL import Image

from lichen.data.playground.solids import SolidConfig, playground_solid
from lichen.scene.drawing.projected import can_project, draw_projected


def test_cuboids_cover_the_object_and_nothing_else() -> None:
    sample = playground_solid(0, 16, SolidConfig(size=96))
    plain = Image.new("RGB", (96, 96), (255, 255, 255))
    drawn = draw_projected(plain, sample.scene.solids, sample.scene.metadata["camera"])
    assert drawn.size == (360, 360)
    changed = np.asarray(drawn).min(-1) < 250
    mask = np.asarray(Image.fromarray(sample.mask).resize((360, 360)))
    grown = (
        np.asarray(
            Image.fromarray(sample.mask)
            .resize((360, 360), Image.Resampling.BOX)
            .convert("L")
            .resize((90, 90))
            .resize((360, 360))
        )
        > 0
    )
    assert changed[mask].mean() > 0.98 and changed[~grown].mean() < 0.02


def test_what_is_a_camera() -> None:
    sample = playground_solid(0, 0, SolidConfig(size=16))
    camera = sample.scene.metadata["camera"]
    assert can_project(camera)
    assert not can_project(None) and not can_project({}) and not can_project({**camera, "intrinsics": [[1.0]]})
    assert not can_project({**camera, "extrinsics": "none"})

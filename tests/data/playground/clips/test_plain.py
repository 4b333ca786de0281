"""Clips that are simpler on purpose: fewer things, some classes alone, a background of one colour; and kept ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lichen.data.playground.clips import ClipConfig, PlaygroundClips, playground_clip
from lichen.data.playground.clips.kept import kept_clips
from lichen.errors import InputError

PLAIN = ClipConfig(
    frames=(4, 4), size=32, panning=0.0, movers=1, props=0, classes=("ball", "dog"), plain=True, grown=(0.8, 1.1)
)


def test_one_thing_of_a_chosen_class_before_one_colour() -> None:
    labels, colours = set(), set()
    for index in range(20):
        sample = playground_clip(0, index, PLAIN)
        assert len(sample.scene.tracks) == 1 and not sample.scene.labels
        assert sample.scene.metadata["place"] == "plain"
        labels.add(sample.scene.tracks[0].label)
        corners = sample.frames[:, 0, 0].astype(int)
        assert np.abs(corners - corners[0]).max() == 0
        colours.add(tuple(corners[0]))
        words = " ".join(sample.scene.captions).lower()
        assert not any(
            word in words for word in ("meadow", "street", "room", "beach", "snow", "hall", "desert", "night")
        )
    assert labels == {"ball", "dog"} and len(colours) > 15


def test_numbers_of_things_are_kept_to() -> None:
    for index in range(20):
        sample = playground_clip(0, index, ClipConfig(movers=1, props=0))
        assert len(set(sample.scene.metadata["motions"])) == 1


def test_a_slower_world_moves_less() -> None:
    def way(speed: float) -> float:
        found = []
        for index in range(12):
            config = ClipConfig(frames=(8, 8), movers=1, props=0, panning=0.0, speed=speed, classes=("car",))
            boxes = [box for box in playground_clip(0, index, config).scene.tracks[0].boxes if box]
            found.append(abs(boxes[-1][2] + boxes[-1][0] - boxes[0][2] - boxes[0][0]) / 2)
        return float(np.mean(found))

    assert way(0.25) < 0.6 * way(0.8)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"movers": 0}, r"movers must be 1 to 3"),
        ({"props": 3}, r"props 0 to 2"),
        ({"classes": ("bal",)}, r"Did you mean 'ball'"),
        ({"grown": (1.0, 0.5)}, r"grown must be two heights in order"),
        ({"speed": 0.0}, r"speed must lie above 0"),
    ],
)
def test_settings_without_sense_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ClipConfig(**settings)  # type: ignore[arg-type]


def test_clips_are_drawn_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LICHEN_CACHE", str(tmp_path))
    told: list[int] = []
    clips = PlaygroundClips(0, "val", 3, PLAIN)
    first = kept_clips(clips, lambda done, total: told.append(done))
    again = kept_clips(clips, lambda done, total: told.append(done))
    assert told == [1, 2, 3] and first.pixels.shape == (3, 4, 32, 32, 3)
    assert np.array_equal(again.pixels[2], clips[2].frames) and again.scenes == tuple(each.scene for each in clips)
    with pytest.raises(InputError, match=r"one length"):
        kept_clips(PlaygroundClips(0, "val", 3))

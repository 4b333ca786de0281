"""Trackers: their ceiling on real clips, and that they lose what is not there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lichen.data.playground.clips import PlaygroundClips
from lichen.errors import InputError
from lichen.metrics.tracking import MilTracker, PlainTracker, largest_part, make_tracker
from lichen.metrics.video import box_control
from lichen.training.pretraining.video import VideoSettings, clip_config


def test_the_ceiling_on_the_playgrounds_plain_clips() -> None:
    data = PlaygroundClips(0, "val", 40, clip_config(VideoSettings()))
    tracker = PlainTracker()
    found = [tracker(sample.frames) for sample in data]
    wanted = [sample.scene.tracks[0].boxes for sample in data]
    ceiling = box_control(found, wanted)
    assert ceiling["ao"] > 0.88 and ceiling["sr50"] > 0.95
    # A box that stays where the thing began, and boxes of another clip, are clearly worse.
    still = [[row[0]] * len(row) for row in wanted]
    assert box_control(still, wanted)["ao"] < 0.5
    assert box_control(found[1:] + found[:1], wanted)["ao"] < 0.3


def test_a_rectangle_is_found_to_a_part_of_a_pixel() -> None:
    frames = np.full((1, 20, 30, 3), 200, np.uint8)
    frames[0, 5:10, 7:15] = (30, 40, 200)
    frames[0, 5:10, 15] = (115, 120, 200)
    (box,) = PlainTracker()(frames)
    assert box == pytest.approx((7.0, 5.0, 15.83, 10.0), abs=0.2)


def test_shadows_do_not_count_and_nothing_is_found_in_nothing() -> None:
    frames = np.full((2, 20, 30, 3), 200, np.uint8)
    frames[0, 15:18, 5:25] = 170
    assert PlainTracker()(frames) == [None, None]
    assert largest_part(np.zeros((4, 4), bool), np.zeros((4, 4))) is None


def test_a_tracker_of_opencv_follows_a_square() -> None:
    chance = np.random.default_rng(0)
    ground = chance.integers(90, 110, (48, 64, 3), np.uint8)
    frames = np.stack([ground] * 6)
    wanted = []
    for frame in range(6):
        left = 6 + 3 * frame
        frames[frame, 15:31, left : left + 16] = (220, 60, 40)
        frames[frame, 20:26, left + 4 : left + 9] = (20, 60, 200)
        wanted.append((float(left), 15.0, left + 16.0, 31.0))
    found = MilTracker()(frames, wanted[0])
    assert box_control([found], [wanted], skip_first=True)["ao"] > 0.5
    with pytest.raises(InputError, match=r"must be shown its thing"):
        MilTracker()(frames)


def test_trackers_by_name() -> None:
    assert make_tracker("mil", 3) == MilTracker(3) and make_tracker("plain") == PlainTracker()
    with pytest.raises(InputError, match=r"Did you mean 'plain'"):
        make_tracker("plan")


def test_the_ceiling_on_a_real_clip(shared_data: Path) -> None:
    folder = shared_data / "video" / "crossing"
    told = json.loads((folder / "track.json").read_text())["frames"]
    frames = np.stack([np.array(Image.open(folder / each["file"])) for each in told[:16]])
    wanted = [(x, y, x + w, y + h) for x, y, w, h in (each["box"] for each in told[:16])]
    found = MilTracker(enlarge=3)(frames, wanted[0])
    assert box_control([found], [wanted], skip_first=True)["ao"] > 0.7

"""The sheet of clips shows frames with the boxes of their tracks."""

from __future__ import annotations

import numpy as np
import pytest

from lichen.data.playground.clips import ClipConfig, playground_clip, show_clips
from lichen.errors import InputError
from lichen.scene.drawing.palette import colour_of


def test_a_row_a_clip_from_the_first_frame_to_the_last() -> None:
    samples = [playground_clip(0, index, ClipConfig((count, count))) for index, count in ((1, 5), (5, 3))]
    sheet = np.asarray(show_clips(samples, columns=4, scale=2, gap=4))
    assert sheet.shape == (2 * 132 - 4, 4 * 132 - 4, 3)
    assert (sheet[132:, 3 * 132 :] == 255).all()
    for row, (sample, frames) in enumerate(zip(samples, ((0, 1, 3, 4), (0, 1, 2)), strict=True)):
        for column, frame in enumerate(frames):
            cell = sheet[row * 132 :, column * 132 :][:128, :128]
            large = sample.frames[frame].repeat(2, axis=0).repeat(2, axis=1)
            changed = (cell != large).any(-1)
            last = max(n for n, track in enumerate(sample.scene.tracks) if track.boxes[frame] is not None)
            left, top, right, _ = (int(edge * 2) for edge in sample.scene.tracks[last].boxes[frame] or ())
            assert (cell[top, (left + right) // 2] == colour_of(last)).all()
            assert changed.any() and changed.mean() < 0.25


def test_what_cannot_be_shown_is_refused() -> None:
    with pytest.raises(InputError, match="one clip or more"):
        show_clips([])
    with pytest.raises(InputError, match="at least one column"):
        show_clips([playground_clip(0, 0, ClipConfig((2, 2), size=32))], columns=0)

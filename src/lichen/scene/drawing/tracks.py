"""Tracks: trails through the frames of a clip, and the frames themselves with boxes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from PIL import Image

from ...errors import InputError
from ..check import Box
from ..records import Track
from ..scene import Scene
from .config import DrawConfig
from .fonts import font_for, height_of
from .naming import Names, name_things
from .palette import GREY, PAPER, Colour, mixed
from .pen import Pen, Place

_STRIP = 6
"""Most frames of a strip."""
_GAP = 8


def last_seen(track: Track) -> tuple[int, Box] | None:
    """Number of the last frame in which a thing is seen, and its box there; None if it never is."""
    seen = [(frame, box) for frame, box in enumerate(track.boxes) if box is not None]
    return seen[-1] if seen else None


def draw_trail(pen: Pen, track: Track, colour: Colour, scale: float) -> None:
    """Where the middle of a box went, growing stronger towards the last frame, with a dot a frame.

    Frames in which it is out of sight are bridged by a broken line. The first box is a thin one; the last is not drawn.
    """
    seen = [(frame, _middle(box, scale)) for frame, box in enumerate(track.boxes) if box is not None]
    if not seen:
        return
    first = next(box for box in track.boxes if box is not None)
    if len(seen) > 1:
        left, top, right, bottom = (value * scale for value in first)
        pen.dashes([(left, top), (right, top), (right, bottom), (left, bottom), (left, top)], colour, 1.4, 4.0)
    pen.line([place for _, place in seen] if len(seen) > 1 else [seen[0][1]] * 2, PAPER, 5.0, 0.55)
    for step, ((before, start), (after, end)) in enumerate(pairwise(seen)):
        share = (step + 1) / max(1, len(seen) - 1)
        if after - before > 1:
            pen.dashes([start, end], colour, 2.0, 4.0)
        else:
            pen.line([start, end], mixed(PAPER, colour, 0.35 + 0.65 * share), 2.0 + 1.5 * share)
    for step, (_, place) in enumerate(seen):
        share = (step + 1) / len(seen)
        pen.dot(place, 2.0 + 1.6 * share, mixed(PAPER, colour, 0.35 + 0.65 * share))


def draw_frames(scene: Scene, frames: Sequence[Image.Image], config: DrawConfig | None = None) -> list[Image.Image]:
    """Every frame with the boxes of its tracks, for `lichen.scene.clips.write_clip`.

    Args:
        scene: with tracks as long as the clip.
        frames: of the clip, in the size that the boxes count in.
        config: its `scale` is the enlargement; without one frames stay as large as they are.

    Raises:
        InputError: the clip has another length than the tracks.
    """
    names = name_things(scene, config or DrawConfig())
    for place, track in enumerate(scene.tracks):
        if len(track.boxes) != len(frames):
            raise InputError(
                f"tracks[{place}].boxes has {len(track.boxes)} entries, and the clip {len(frames)} frames."
            )
    scale = 1 if config is None or config.scale is None else config.scale
    return [_boxed(scene, names, picture, frame, float(scale)) for frame, picture in enumerate(frames)]


def strip(scene: Scene, frames: Sequence[Image.Image], names: Names, width: int, config: DrawConfig) -> Image.Image:
    """Some frames side by side with their boxes, from the first to the last, numbered.

    Args:
        scene: with tracks.
        frames: of the clip.
        names: colours of the tracks.
        width: of the strip in pixels.
        config: sizes of letters.
    """
    count = min(_STRIP, len(frames))
    chosen = np.linspace(0, len(frames) - 1, count).round().astype(int).tolist()
    each = (width - _GAP * (count - 1)) / count
    size = scene.size or frames[0].size
    scale = min(each / size[0], 1.25 * each / size[1], 4.0)
    small = (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
    font = font_for("0", max(10, config.font_size - 3), config.font)
    sheet = Image.new("RGB", (width, small[1] + height_of(font) + 2), PAPER)
    pen = Pen(sheet)
    for column, frame in enumerate(chosen):
        left = round(column * (each + _GAP))
        sheet.paste(_boxed(scene, names, frames[frame].resize(small), frame, scale), (left, 0))
        pen.text((left, small[1] + 2 + font.getmetrics()[0]), f"frame {frame + 1}", font, GREY)
    return sheet


def _boxed(scene: Scene, names: Names, picture: Image.Image, frame: int, scale: float) -> Image.Image:
    """A frame with its boxes; it is enlarged to the scale unless it has been already."""
    size = scene.size or picture.size
    wanted = (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
    sheet = picture.convert("RGB")
    sheet = sheet.copy() if sheet.size == wanted else sheet.resize(wanted, Image.Resampling.NEAREST)
    pen = Pen(sheet)
    for track, colour in zip(scene.tracks, names.track_colours, strict=True):
        box = track.boxes[frame] if frame < len(track.boxes) else None
        if box is not None:
            left, top, right, bottom = (value * scale for value in box)
            pen.frame((left, top, right, bottom), colour, 2 if scale > 1 or max(sheet.size) > 200 else 1)
    return sheet


def _middle(box: Box, scale: float) -> Place:
    return (box[0] + box[2]) / 2 * scale, (box[1] + box[3]) / 2 * scale

"""`show_clips`: clips as one picture, a row each: frames at even distances, with the boxes of the tracks."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw

from ....errors import InputError
from ....scene.drawing.palette import colour_of
from .sample import ClipSample


def show_clips(samples: Sequence[ClipSample], columns: int = 9, scale: int = 2, gap: int = 4) -> Image.Image:
    """Draw clips below each other.

    Args:
        samples: at least one, all of one size.
        columns: frames of each; a clip with fewer shows all that it has.
        scale: whole number of times that they are enlarged.
        gap: white pixels between two frames.

    Raises:
        InputError: there are none, or their sizes differ.
    """
    if len({sample.frames.shape[1:3] for sample in samples}) != 1 or columns < 1:
        raise InputError("show_clips takes one clip or more, all of one size, and at least one column.")
    height, width = (edge * scale for edge in samples[0].frames.shape[1:3])
    columns = min(columns, max(len(sample.frames) for sample in samples))
    size = (columns * (width + gap) - gap, len(samples) * (height + gap) - gap)
    sheet = Image.new("RGB", size, "white")
    for row, sample in enumerate(samples):
        count = min(columns, len(sample.frames))
        for column in range(count):
            frame = round(column * (len(sample.frames) - 1) / max(1, count - 1))
            sheet.paste(_frame(sample, frame, scale), (column * (width + gap), row * (height + gap)))
    return sheet


def _frame(sample: ClipSample, frame: int, scale: int) -> Image.Image:
    picture = Image.fromarray(sample.frames[frame])
    picture = picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)
    pen = ImageDraw.Draw(picture)
    for number, track in enumerate(sample.scene.tracks):
        box = track.boxes[frame]
        if box is not None:
            left, top, right, bottom = (edge * scale for edge in box)
            pen.rectangle((left, top, right - 1, bottom - 1), outline=colour_of(number))
    return picture

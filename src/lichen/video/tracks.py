"""`Tracks`: boxes of named things through the frames of a clip, as a user gives them, made ready for a model.

Boxes are left, top, right, bottom in pixels of the picture whose size is given, x to the right and y down. None says
that a thing is out of sight. Sources: solids_and_video.md B11 (points 4 to 6) and C1 (sparse key boxes).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ..errors import InputError
from ..scene import Box, Scene
from .objects import Objects
from .texts import Texts

Boxes = Sequence[Box | None]


@dataclass(frozen=True)
class Tracks:
    """Things of one clip."""

    boxes: tuple[tuple[Box | None, ...], ...]
    """By thing and frame."""
    labels: tuple[str, ...]
    """Name of each thing."""
    size: tuple[int, int]
    """Width and height of the picture that the boxes lie in."""

    def __post_init__(self) -> None:
        if len(self.labels) != len(self.boxes):
            raise InputError(
                f"There are tracks of {len(self.boxes)} things and {len(self.labels)} labels; give one each."
            )
        if len({len(row) for row in self.boxes}) > 1:
            raise InputError(
                "All things of a clip have as many boxes as it has frames; use None where one is not seen."
            )
        if min(self.size) < 1:
            raise InputError(f"The size of the picture must be positive; got {self.size}.")
        for thing, row in enumerate(self.boxes):
            for frame, box in enumerate(row):
                _check(box, f"The box of {self.labels[thing]!r} in frame {frame}")

    @classmethod
    def of_frames(cls, frames: Sequence[Any], labels: Sequence[str], size: tuple[int, int]) -> Tracks:
        """Tracks from boxes by frame: `frames[f][i]` is the box of thing i in frame f, or None.

        Raises:
            InputError: frames list different numbers of things, or a box makes no sense.
        """
        if not frames:
            raise InputError("The tracks have no frame.")
        for number, frame in enumerate(frames):
            if isinstance(frame, str | Mapping) or not isinstance(frame, Sequence) or len(frame) != len(labels):
                raise InputError(
                    f"Frame {number} of the tracks must list {len(labels)} boxes, one a label, with None for what is "
                    f"not seen; got {_shown(frame)}."
                )
        rows = zip(*frames, strict=True) if labels else ()
        return cls(tuple(tuple(_box(box) for box in row) for row in rows), tuple(labels), size)

    @classmethod
    def of_scene(cls, scene: Scene) -> Tracks:
        """The tracks of a Scene.

        Raises:
            InputError: it has no tracks, or no size.
        """
        if not scene.tracks or scene.size is None:
            raise InputError(f"Scene {scene.id!r} has no {'size' if scene.tracks else 'tracks'}.")
        return cls(
            tuple(track.boxes for track in scene.tracks),
            tuple(track.label or "thing" for track in scene.tracks),
            scene.size,
        )

    @property
    def frames(self) -> int:
        """How many there are; 0 without any thing."""
        return len(self.boxes[0]) if self.boxes else 0

    def fitted(self, frames: int, resample: bool = False) -> Tracks:
        """The same for a clip of so many frames.

        Args:
            frames: of the clip.
            resample: stretch or squeeze the tracks in time where their length differs.

        Raises:
            InputError: it differs, and is not to be changed.
        """
        if not self.boxes or self.frames == frames:
            return self
        if not resample:
            raise InputError(
                f"The tracks have {self.frames} frames and the clip has {frames}. Give as many boxes, or ask for "
                "resampling (resample=True, --resample)."
            )
        return replace(self, boxes=tuple(resampled(row, frames) for row in self.boxes))

    def clipped(self) -> Tracks:
        """The same, cut off at the edges of the picture; what lies wholly outside is out of sight."""
        width, height = self.size

        def cut(box: Box | None) -> Box | None:
            if box is None:
                return None
            left, top = max(0.0, box[0]), max(0.0, box[1])
            right, bottom = min(float(width), box[2]), min(float(height), box[3])
            return (left, top, right, bottom) if right > left and bottom > top else None

        return replace(self, boxes=tuple(tuple(map(cut, row)) for row in self.boxes))

    def cropped(self, left: float, top: float, width: float, height: float) -> Tracks:
        """The same as seen in a part of the picture, in whole pixels of it."""

        def moved(box: Box | None) -> Box | None:
            return None if box is None else (box[0] - left, box[1] - top, box[2] - left, box[3] - top)

        rows = tuple(tuple(map(moved, row)) for row in self.boxes)
        return Tracks(rows, self.labels, (max(1, round(width)), max(1, round(height)))).clipped()


def to_objects(clips: Sequence[Tracks], texts: Texts, slots: int) -> Objects:
    """Tracks of a batch of clips as tensors; all have one number of frames.

    Raises:
        InputError: a clip has more things than slots, or no clip has a frame.
    """
    frames = max((each.frames for each in clips), default=0)
    if not frames:
        raise InputError("There is no box in any of the tracks. Leave the tracks out.")
    most = max(len(each.labels) for each in clips)
    if most > slots:
        raise InputError(
            f"A clip has {most} things, and this model has {slots} slots. Leave out the least important ones, or train "
            "with more slots."
        )
    boxes, present = torch.zeros(len(clips), frames, most, 4), torch.zeros(len(clips), frames, most).bool()
    for row, clip in enumerate(clips):
        width, height = clip.size
        scale = torch.tensor([width, height, width, height], dtype=torch.float32)
        for thing, track in enumerate(clip.clipped().boxes):
            for frame, box in enumerate(track):
                if box is not None:
                    boxes[row, frame, thing], present[row, frame, thing] = torch.tensor(box) / scale, True
    flat = [label for clip in clips for label in (*clip.labels, *[""] * (most - len(clip.labels)))]
    return Objects(boxes, present, texts.names(flat).unflatten(0, (len(clips), most)))


def resampled(row: Boxes, frames: int) -> tuple[Box | None, ...]:
    """Boxes at even distances in time, straight between two that are seen; beside a gap the nearer one decides."""
    last = len(row) - 1
    found: list[Box | None] = []
    for frame in range(frames):
        place = 0.0 if frames == 1 else frame * last / (frames - 1)
        before, share = int(place), place - int(place)
        one, two = row[before], row[min(before + 1, last)]
        if one is None or two is None:
            found.append(one if share < 0.5 else two)
        else:
            found.append(_between(one, two, share))
    return tuple(found)


def interpolate_boxes(keys: Mapping[int, Any], frames: int) -> tuple[Box | None, ...]:
    """Boxes of all frames from those of some: straight between two of them, the nearest one outside.

    Args:
        keys: box by frame, from 0; None from where the thing is out of sight, until the next key.
        frames: of the clip.

    Raises:
        InputError: there is no key, or one outside the clip.
    """
    if not keys or min(keys) < 0 or max(keys) >= frames:
        raise InputError(f"Key boxes lie in frames 0 to {frames - 1}, at least one; got {sorted(keys) or 'none'}.")
    places = sorted(keys)
    found: list[Box | None] = []
    for frame in range(frames):
        before = max((place for place in places if place <= frame), default=places[0])
        after = min((place for place in places if place > frame), default=before)
        one, two = _box(keys[before]), _box(keys[after])
        if one is None or two is None or after <= before:
            found.append(one)
        else:
            found.append(_between(one, two, min(1.0, max(0.0, (frame - before) / (after - before)))))
    return tuple(found)


def read_tracks(path: str | Path, size: tuple[int, int] | None = None) -> Tracks:
    """Tracks of a JSON file.

    One of: `{"labels": […], "frames": [[box or null, …], …], "size": [width, height]}`; `{"tracks": [{"label", "boxes":
    [box or null, …]}], "size"}`; `track.json` of a clip folder (`{"object", "frames": [{"box": [x, y, width,
    height]}], "width", "height"}`); a Scene with tracks.

    Args:
        path: of the file.
        size: of the picture that the boxes lie in, where the file does not tell.

    Raises:
        InputError: not readable, or none of these.
    """
    try:
        values = json.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"The tracks in {str(path)!r} cannot be read: {error}.") from error
    if not isinstance(values, dict):
        raise InputError(f"{str(path)!r} must hold an object with labels and frames, or with tracks.")
    told = values.get("size") or ([values["width"], values["height"]] if {"width", "height"} <= set(values) else size)
    if not isinstance(told, Sequence) or len(told) != 2:
        raise InputError(f'{str(path)!r} does not tell "size": [width, height] of the picture that its boxes lie in.')
    edges = (int(told[0]), int(told[1]))
    try:
        if "tracks" in values:
            rows = tuple(tuple(_box(box) for box in track["boxes"]) for track in values["tracks"])
            return Tracks(rows, tuple(str(track.get("label") or "thing") for track in values["tracks"]), edges)
        if "object" in values:
            row = tuple(_from_corner(frame.get("box")) for frame in values["frames"])
            return Tracks((row,), (str(values["object"]),), edges)
        return Tracks.of_frames(values["frames"], values["labels"], edges)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{str(path)!r} lacks {error}: expected labels and frames, or tracks.") from error


def _between(one: Box, two: Box, share: float) -> Box:
    left, top, right, bottom = (a + (b - a) * share for a, b in zip(one, two, strict=True))
    return left, top, right, bottom


def _from_corner(box: Any) -> Box | None:
    found = _box(box)
    return None if found is None else (found[0], found[1], found[0] + found[2], found[1] + found[3])


def _box(box: Any) -> Box | None:
    if box is None:
        return None
    if isinstance(box, str) or not isinstance(box, Sequence) or len(box) != 4:
        raise InputError(f"A box is four numbers (left, top, right, bottom) or null; got {_shown(box)}.")
    try:
        left, top, right, bottom = map(float, box)
    except (TypeError, ValueError) as error:
        raise InputError(f"A box is four numbers (left, top, right, bottom) or null; got {_shown(box)}.") from error
    return left, top, right, bottom


def _check(box: Box | None, what: str) -> None:
    if box is None:
        return
    if not all(map(math.isfinite, box)):
        raise InputError(f"{what} is not finite: {_shown(box)}.")
    if box[2] <= box[0] or box[3] <= box[1]:
        raise InputError(
            f"{what} is empty: {_shown(box)}. Boxes are left, top, right, bottom in pixels; None where it is not seen."
        )


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:79] + "…"

"""Clips as folders of frames with boxes: one JSON file, the text files of GOT-10K and OTB, or one JSON object a box."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

from ...scene import Box, Scene, Track
from ..pictures import EXTENSIONS
from .boxes import Size, to_box
from .fields import Fields, parsed, to_id
from .format import Format
from .json_lines import json_lines
from .json_stream import read_json
from .lines import lines_of
from .problems import Problems, shown
from .source import Part, Source

TRACK, BOXES, GOT10K, OTB = "track.json", "boxes.jsonl", "groundtruth.txt", "groundtruth_rect*.txt"
_DIGITS = re.compile(r"(\d+)")
_UNSEEN = ("nan", "")


def read(source: Source) -> Iterator[Scene]:
    """One scene a clip: its frames in order, and a track of each thing with a box, or None, a frame."""
    together: dict[Path, list[Path]] = defaultdict(list)
    for path in source.all("boxes"):
        # OTB has a file a thing where it follows several in one clip.
        together[path.parent if fnmatch(path.name, OTB) else path].append(path)
    for first, *more in together.values():
        if first.name == TRACK:
            yield _from_json(source, first)
        elif first.suffix.lower() in (".jsonl", ".ndjson"):
            yield _from_lines(source, first)
        else:
            yield _from_text(source, [first, *more])


def _from_json(source: Source, path: Path) -> Scene:
    """`{"name", "width", "height", "object", "frames": [{"file", "box"}]}`, boxes as x, y, width, height from 0."""
    file = Fields(read_json(path), source.problems, str(path.relative_to(path.parents[1])))
    size = file.size()
    frames, boxes = [], []
    for fields in file.records("frames"):
        name = fields.text("file")
        if name is None:
            continue
        picture = source.picture(fields, name, size=size, near=path.parent)
        size = size or picture.size
        frames.append(picture.path)
        values = fields.values.get("box")
        boxes.append(None if values is None else to_box(values, "xywh", picture.size, source.problems, fields))
    track = Track(tuple(boxes), file.text("object", needed=False))
    name = file.text("name", needed=False) or path.parent.name
    return Scene(name, size=size, frames=tuple(frames), tracks=(track,) if boxes else ())


def _from_lines(source: Source, path: Path) -> Scene:
    """One JSON object a box: `{"file", "label", "bbox"}`, and `id` where two things share a label.

    Corners in pixels. Frames are the pictures beside the file, in the order of their numbers.
    """
    frames = _frames(source, path.parent)
    size = _size(source, frames, path)
    places = {frame.name: place for place, frame in enumerate(frames)}
    tracks: dict[str, list[Box | None]] = {}
    labels: dict[str, str | None] = {}
    for _, fields in json_lines(path, source.problems):
        name, label = fields.text("file"), fields.text("label", needed=False)
        id = fields.id("id", needed=False) or label
        if id is None:
            fields.note("wrong value", "a box needs a label or an id")
        if name is None or id is None:
            continue
        if name not in places:
            fields.note("unknown reference", f"there is no frame {name!r} beside the file")
            continue
        box = to_box(fields.values.get("bbox"), "xyxy", size, source.problems, fields)
        boxes = tracks.setdefault(id, [None] * len(frames))
        labels.setdefault(id, label)
        if boxes[places[name]] is not None:
            fields.note("duplicate id", f"{id!r} has a box in frame {name!r} already")
        elif box is not None:
            boxes[places[name]] = box
    made = tuple(Track(tuple(boxes), labels[id]) for id, boxes in tracks.items())
    return Scene(path.parent.name, size=size, frames=tuple(map(str, frames)), tracks=made)


def _from_text(source: Source, paths: Sequence[Path]) -> Scene:
    """Files of one clip, a thing each: a line of x, y, width, height a frame. OTB counts pixels from 1, GOT-10K from 0.

    GOT-10K names the object and what it does (`meta_info.ini`) and says where it is out of sight (`absence.label`).
    """
    place = paths[0].parent
    frames = _frames(source, place / "img" if (place / "img").is_dir() else place)
    size = _size(source, frames, paths[0])
    said = _said(place / "meta_info.ini", source.problems)
    absent = _numbers_of(place / "absence.label", source.problems)
    thing, motion = said.get("object_class"), said.get("motion_class")
    found = [_text_boxes(source, path, size, absent) for path in paths]
    for path, boxes in zip(paths, found, strict=True):
        if len(boxes) != len(frames):
            told = f"has {len(boxes)} boxes for {len(frames)} frames; paired from the first, the rest is left out"
            source.problems.add("wrong value", f"{place.name}/{path.name}", told)
    count = min(len(frames), *map(len, found))
    return Scene(
        place.name,
        size=size,
        captions=(f"A {thing} that is {motion}.",) if thing and motion else (),
        frames=tuple(map(str, frames[:count])),
        tracks=tuple(Track(tuple(boxes[:count]), thing) for boxes in found) if count else (),
    )


def _text_boxes(source: Source, path: Path, size: Size | None, absent: Sequence[str]) -> list[Box | None]:
    """The boxes of one thing, None where it is out of sight."""
    form = "xywh from one" if fnmatch(path.name, OTB) else "xywh"
    boxes: list[Box | None] = []
    for number, line in lines_of(path, source.problems):
        values = [parsed(text) for text in re.split(r"[,\s]+", line)]
        gone = len(absent) > len(boxes) and absent[len(boxes)] == "1"
        if gone or all(str(value).lower() in _UNSEEN for value in values):
            boxes.append(None)
        else:
            boxes.append(to_box(values, form, size, source.problems, f"{path.parent.name}/{path.name}, line {number}"))
    return boxes


def natural(path: Path) -> list[tuple[int, int, str]]:
    """A key that sorts names by the numbers in them: 2.jpg before 10.jpg."""
    parts = _DIGITS.split(path.name)
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts]


def _frames(source: Source, folder: Path) -> list[Path]:
    found = [item for item in folder.iterdir() if item.suffix.lower() in EXTENSIONS and item.is_file()]
    if not found:
        source.problems.add("missing picture", folder.name, "holds no frames")
    return sorted(found, key=natural)


def _size(source: Source, frames: Sequence[Path], path: Path) -> Size | None:
    """The size of the first frame, which all have."""
    if not frames or not source.look:
        return None
    return source.picture(path.parent.name, frames[0].name, near=frames[0].parent).size


def _said(path: Path, problems: Problems) -> dict[str, str]:
    """The settings of an .ini file that may be absent."""
    if not path.is_file():
        return {}
    pairs = (re.split(r"[:=]", line, maxsplit=1) for _, line in lines_of(path, problems))
    return {pair[0].strip(): pair[1].strip() for pair in pairs if len(pair) == 2}


def _numbers_of(path: Path, problems: Problems) -> list[str]:
    """The entries of a file with one a line, which may be absent."""
    if not path.is_file():
        return []
    found = [(number, line) for number, line in lines_of(path, problems)]
    for number, line in found:
        if to_id(line) not in ("0", "1"):
            problems.add(
                "wrong value", f"{path.parent.name}/{path.name}, line {number}", f"{shown(line)} is not 0 or 1"
            )
    return [line for _, line in found]


_NAMES = (TRACK, BOXES, GOT10K, OTB)
CLIPS = Format(
    "clips as frame folders with boxes",
    (Part("boxes", (*_NAMES, *(f"*/{name}" for name in _NAMES), *(f"*/*/{name}" for name in _NAMES))),),
    "frames, tracks",
    read,
    ("frames", "img"),
)

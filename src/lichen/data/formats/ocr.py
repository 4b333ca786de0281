"""Words in pictures, in the layouts of mmocr: crops with their word, street scenes with outlines of their words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from ...scene import Box, Scene, TextLine
from .boxes import Size, around, cut, to_box
from .fields import Fields, listed, to_number
from .format import Format
from .lines import lines_of
from .problems import shown
from .source import Part, Source


def read_crops(source: Source) -> Iterator[Scene]:
    """One scene a crop: a line of text that fills the picture.

    `labels.json` is read where it is there, `labels.txt` (a file's name, a blank, its word) otherwise: they say the
    same. Of a crop that is not found the size is unknown, and so is the box; its word becomes the scene's `text`.
    """
    files = source.all("labels")
    chosen = [path for path in files if path.suffix.lower() == ".json"] or files
    for path in chosen:
        records = _json_crops(source, path) if path.suffix.lower() == ".json" else _text_crops(source, path)
        for where, name, word in records:
            picture = source.picture(where, name)
            size = picture.size
            lines = () if size is None else (TextLine(word, (0.0, 0.0, float(size[0]), float(size[1]))),)
            text = word if size is None else None
            yield Scene(PurePosixPath(name).name or name, image=picture.path, text=text, size=size, lines=lines)


def _json_crops(source: Source, path: Path) -> Iterator[tuple[object, str, str]]:
    for fields in listed(path, "data_list", source.problems):
        name, instances = fields.text("img_path"), list(fields.records("instances"))
        if len(instances) != 1:
            fields.note("wrong value", f"a crop has one word; this one has {len(instances)}")
        word = instances[0].text("text") if instances else None
        if name is not None and word is not None:
            yield fields, name, word


def _text_crops(source: Source, path: Path) -> Iterator[tuple[object, str, str]]:
    for number, line in lines_of(path, source.problems):
        name, _, word = line.partition(" ")
        where = f"{path.name}, line {number}"
        if word.strip():
            yield where, name, word.strip()
        else:
            source.problems.add("wrong value", where, f"expected a file and its word, got {shown(line)}")


def read_scenes(source: Source) -> Iterator[Scene]:
    """One scene a picture; every word is a line with its outline, without text where the file has none.

    `metadata["ignored"]` are the places of lines that cannot be read, which the evaluation passes over.
    """
    for path in source.all("labels"):
        for fields in listed(path, "data_list", source.problems):
            name = fields.text("img_path")
            if name is None:
                continue
            picture = source.picture(fields, name, size=fields.size())
            lines: list[TextLine] = []
            ignored: list[int] = []
            for part in fields.records("instances"):
                line = _line(source, part, picture.size)
                if line is None:
                    continue
                if part.flag("ignore"):
                    ignored.append(len(lines))
                lines.append(line)
            metadata: dict[str, Any] = {"ignored": ignored} if ignored else {}
            yield Scene(
                PurePosixPath(name).stem or name,
                image=picture.path,
                size=picture.size,
                lines=tuple(lines),
                metadata=metadata,
            )


def _line(source: Source, part: Fields, size: Size | None) -> TextLine | None:
    text = part.text("text", needed=False) or ""
    points = _points(part)
    box: Box | None
    if points:
        box = cut(around(points), size, source.problems, part)
    else:
        box = to_box(part.values.get("bbox"), "xyxy", size, source.problems, part)
    return None if box is None else TextLine(text, box, points)


def _points(part: Fields) -> tuple[tuple[float, float], ...]:
    """The outline, as the file has it; noted and empty if it is none."""
    values = part.items("polygon", needed=False)
    numbers = [number for value in values if (number := to_number(value)) is not None]
    if len(numbers) != len(values) or len(numbers) % 2 or len(numbers) < 6:
        if values:
            part.note("wrong value", f"expected an outline of three points or more, got {shown(values)}")
        return ()
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


OCR_CROPS = Format(
    "word crops (mmocr recognition)",
    (Part("labels", ("*labels*.json", "*labels*.txt", "*textrecog*.json")),),
    "one text line each",
    read_crops,
    ("imgs", "images"),
)
OCR_SCENES = Format(
    "words in scenes (mmocr detection and spotting)",
    (Part("labels", ("*textdet*.json", "*textspotting*.json", "*.json")),),
    "text lines with outlines",
    read_scenes,
    ("imgs", "images"),
)

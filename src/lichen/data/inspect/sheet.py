"""A contact sheet: pictures in rows, their boxes and their first caption."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from ...errors import BadSample, InputError
from ...scene import Scene
from ..pictures import open_picture

CELL = 216
"""Edge of a picture on the sheet, in pixels."""
_LINES, _LEADING, _GAP = 3, 15, 10
_INK, _PAPER = (34, 48, 43), (255, 255, 255)
_COLOURS = ((214, 48, 44), (51, 101, 138), (63, 125, 88), (176, 138, 46), (109, 76, 141), (42, 157, 143), (140, 90, 60))


def contact_sheet(
    scenes: Sequence[Scene],
    base: Path,
    count: int = 24,
    columns: int = 6,
    boxes: bool = True,
    pictures: Mapping[str, Image.Image] | None = None,
) -> Image.Image:
    """Draw the sheet.

    Args:
        scenes: where to choose from; they are taken at even distances, so that all splits are seen.
        base: folder from which relative names of pictures start.
        count: most pictures on the sheet.
        columns: pictures in a row.
        boxes: whether to draw the boxes of entities.
        pictures: by id of the scene, where they are in no files.

    Raises:
        InputError: none of the chosen pictures can be read.
    """
    usable = [scene for scene in scenes if scene.image is not None or (pictures and scene.id in pictures)]
    step = max(1, len(usable) // max(1, count))
    cells, reason = [], "no scene has a picture"
    for scene in usable[::step][:count]:
        try:
            given = pictures.get(scene.id) if pictures else None
            picture = given or _opened(scene, base)
        except BadSample as bad:
            reason = str(bad)
            continue
        cells.append(_cell(scene, picture, boxes))
    if not cells:
        raise InputError(f"No picture for the contact sheet: {reason}.")
    columns = min(columns, len(cells))
    rows = -(-len(cells) // columns)
    width, height = cells[0].size
    sheet = Image.new("RGB", (columns * (width + _GAP) + _GAP, rows * (height + _GAP) + _GAP), _PAPER)
    for place, cell in enumerate(cells):
        sheet.paste(cell, (_GAP + place % columns * (width + _GAP), _GAP + place // columns * (height + _GAP)))
    return sheet


def _opened(scene: Scene, base: Path) -> Image.Image:
    """The picture of a scene; of a clip, four frames at even distances, each with the boxes of its tracks."""
    if len(scene.frames) < 4:
        return open_picture(base / (scene.image or ""), scene.id, size=CELL)
    edge = CELL // 2 - 1
    film = Image.new("RGB", (CELL, CELL), _PAPER)
    for place in range(4):
        number = round(place * (len(scene.frames) - 1) / 3)
        frame = open_picture(base / scene.frames[number], scene.id, size=edge)
        sx, sy = frame.width / (scene.size or frame.size)[0], frame.height / (scene.size or frame.size)[1]
        scale = min(edge / frame.width, edge / frame.height)
        frame = frame.resize((round(frame.width * scale), round(frame.height * scale)), Image.Resampling.BICUBIC)
        pen = ImageDraw.Draw(frame)
        for track, boxes in enumerate(scene.tracks):
            box = boxes.boxes[number]
            if box is not None:
                left, top, right, bottom = (v * s * scale for v, s in zip(box, (sx, sy, sx, sy), strict=True))
                pen.rectangle((left, top, right - 1, bottom - 1), outline=_COLOURS[track % len(_COLOURS)])
        film.paste(frame, (place % 2 * (CELL - edge), place // 2 * (CELL - edge)))
    return film


def _cell(scene: Scene, picture: Image.Image, boxes: bool) -> Image.Image:
    cell = Image.new("RGB", (CELL, CELL + _LINES * _LEADING + 4), _PAPER)
    scale = min(CELL / picture.width, CELL / picture.height)
    # Whole pixels stay square.
    scale = float(int(scale)) if scale >= 2 else scale
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    small = picture.resize(size, Image.Resampling.NEAREST if scale >= 2 else Image.Resampling.BICUBIC)
    left, top = (CELL - size[0]) // 2, (CELL - size[1]) // 2
    cell.paste(small, (left, top))
    pen = ImageDraw.Draw(cell)
    if boxes and scene.size is not None and len(scene.frames) < 4:
        sx, sy = size[0] / scene.size[0], size[1] / scene.size[1]
        for number, entity in enumerate(scene.entities):
            if entity.box is not None:
                x0, y0, x1, y1 = entity.box
                corners = (left + x0 * sx, top + y0 * sy, left + x1 * sx - 1, top + y1 * sy - 1)
                pen.rectangle(corners, outline=_COLOURS[number % len(_COLOURS)])
    font = ImageFont.load_default(size=11.5)
    said = scene.captions[0] if scene.captions else ", ".join(label.name for label in scene.labels) or scene.id
    for number, line in enumerate(_wrapped(said, font)):
        pen.text((0, CELL + 2 + number * _LEADING), line, fill=_INK, font=font)
    return cell


def _wrapped(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= CELL:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) > _LINES:
        lines = lines[:_LINES]
        while font.getlength(f"{lines[-1]} ...") > CELL:
            lines[-1] = lines[-1].rpartition(" ")[0]
        lines[-1] += " ..."
    return lines

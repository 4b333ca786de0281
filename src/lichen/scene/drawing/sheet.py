"""`draw`: a scene as one sheet, pictures above and words below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from PIL import Image

from ...errors import InputError, nearest
from ..clips import open_frames
from ..scene import Scene
from .config import DrawConfig
from .fonts import font_for, height_of
from .graph import draw_graph
from .naming import Names, name_things
from .palette import GREY, PAPER
from .pen import Pen
from .picture import draw_picture
from .projected import can_project, draw_projected
from .solids import draw_solids
from .tracks import strip
from .words import draw_words, rows_of

_EDGE = 12
"""Pixels around the sheet, and half of what lies between its parts."""
_NARROW = 560
"""Words are at least this wide."""
_COLUMN = 420
"""Width of words beside an upright picture."""
_TALL = 1.25
"""How much higher than wide a picture is that has its words beside it."""
_SIDE = 360
"""Of each view of a solid."""


def draw(scene: Scene, picture: Image.Image | Sequence[Image.Image] | None = None, **options: Any) -> Image.Image:
    """All that is known of a scene as one picture.

    The picture with boxes and labels, relations as a graph beside it, solids over the picture (where `metadata` holds
    its camera) and from two sides, tracks as trails with a strip of frames, and below captions (phrases in the colours
    of their boxes), expressions, questions and labels.

    Args:
        scene: what to draw. Boxes count in pixels of `scene.size`.
        picture: the picture, or the frames of the clip; without it the scene's own files are opened. If it has none,
            boxes are drawn on a blank ground.
        **options: fields of `DrawConfig`.

    Returns:
        A picture in RGB.

    Raises:
        InputError: an option is unknown, a file cannot be opened, or the scene does not hold together.
    """
    known = {item.name for item in fields(DrawConfig)}
    for name in options:
        if name not in known:
            raise InputError(f"There is no option {name!r} for drawing. {nearest(name, known)}")
    config = DrawConfig(**options)
    scene.validate()
    frames = _frames(scene, picture)
    still = picture if isinstance(picture, Image.Image) else frames[-1] if frames else _open(scene)
    names = name_things(scene, config)
    notes: list[str] = []
    above = _pictures(scene, still, names, config, notes)
    tall = bool(above) and above[0].height > _TALL * above[0].width
    if frames and scene.tracks and above:
        above[0] = _stack([above[0], strip(scene, frames, names, above[0].width, config)])
    rows = rows_of(scene, names, config)
    parts = [_beside(above)] if above else []
    if rows:
        upright = len(above) == 1 and tall
        words = draw_words(rows, _COLUMN if upright else max([_NARROW, *(part.width for part in parts)]), config)
        parts = [_beside([above[0], words], top=True)] if upright else [*parts, words]
    if notes:
        parts.append(_note("Not shown: " + ", ".join(notes) + ".", config))
    return _framed(parts or [_note(f"{scene.id}: nothing is known of it.", config)])


def _frames(scene: Scene, picture: Image.Image | Sequence[Image.Image] | None) -> list[Image.Image]:
    if isinstance(picture, Sequence):
        if scene.tracks and len(picture) != len(scene.tracks[0].boxes):
            raise InputError(
                f"There are {len(picture)} frames, and the tracks have {len(scene.tracks[0].boxes)} boxes each."
            )
        return list(picture)
    return open_frames(scene) if picture is None and scene.frames else []


def _open(scene: Scene) -> Image.Image | None:
    if scene.image is None:
        return None
    try:
        with Image.open(scene.image) as picture:
            return picture.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(
            f"Scene {scene.id!r}: the picture {scene.image!r} cannot be opened: {error}. Give it to draw() yourself."
        ) from error


def _pictures(
    scene: Scene, still: Image.Image | None, names: Names, config: DrawConfig, notes: list[str]
) -> list[Image.Image]:
    """Picture, graph and solids, from left to right."""
    parts = []
    boxed = any(entity.box is not None for entity in scene.entities) or scene.lines or scene.tracks
    if still is not None or boxed:
        sheet, lost = draw_picture(scene, still, names, config)
        parts.append(sheet)
        _count(notes, len([place for place in names.hidden if not _followed(scene, place)]), "box", "boxes")
        _count(notes, lost, "label without room", "labels without room")
    if scene.relations:
        graph, left = draw_graph(scene, names, parts[0].height if parts else 0, config)
        parts.append(graph)
        _count(notes, left, "relation", "relations")
    camera = scene.metadata.get("camera")
    if scene.solids and still is not None and isinstance(camera, dict) and can_project(camera):
        parts.append(draw_projected(still, scene.solids, camera))
    if scene.solids:
        parts.append(draw_solids(scene.solids, _SIDE, config))
    return parts


def _followed(scene: Scene, place: int) -> bool:
    return any(track.entity == place for track in scene.tracks)


def _count(notes: list[str], count: int, one: str, many: str) -> None:
    if count:
        notes.append(f"{count} {one if count == 1 else many}")


def _beside(parts: Sequence[Image.Image], top: bool = False) -> Image.Image:
    """Parts from left to right, in the middle of the tallest or from its top."""
    height = max(part.height for part in parts)
    sheet = Image.new("RGB", (sum(part.width for part in parts) + 2 * _EDGE * (len(parts) - 1), height), PAPER)
    left = 0
    for part in parts:
        sheet.paste(part, (left, 0 if top else (height - part.height) // 2))
        left += part.width + 2 * _EDGE
    return sheet


def _stack(parts: Sequence[Image.Image]) -> Image.Image:
    """Parts from top to bottom."""
    width, height = max(part.width for part in parts), sum(part.height for part in parts) + _EDGE * (len(parts) - 1)
    sheet, top = Image.new("RGB", (width, height), PAPER), 0
    for part in parts:
        sheet.paste(part, (0, top))
        top += part.height + _EDGE
    return sheet


def _framed(parts: Sequence[Image.Image]) -> Image.Image:
    inner = _stack(parts)
    sheet = Image.new("RGB", (inner.width + 2 * _EDGE, inner.height + 2 * _EDGE), PAPER)
    sheet.paste(inner, (_EDGE, _EDGE))
    return sheet


def _note(text: str, config: DrawConfig) -> Image.Image:
    font = font_for(text, max(10, config.font_size - 2), config.font)
    sheet = Image.new("RGB", (round(font.getlength(text)) + 2, height_of(font) + 2), PAPER)
    Pen(sheet).text((0, font.getmetrics()[0]), text, font, GREY)
    return sheet

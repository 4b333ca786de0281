"""Answers as pictures: what people look at before they read a table."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from ..data.pictures import open_picture
from ..figures import GREY, INK, blank_figure
from ..scene import Label, Scene

_COLUMNS = 4
_MOST = 24
"""Samples on one sheet."""
_LABELS = 3
"""Labels shown of each."""
_TRACK, _BEST, _OTHER = "#edf0ee", "#a8cfb6", "#d3d9d5"
"""Of bars; light enough for dark letters on them."""


def draw_labels(scenes: Sequence[Scene], pictures: Mapping[str, Image.Image], path: Path) -> None:
    """A sheet of samples with their best labels as bars: pictures side by side, texts one below the other.

    Args:
        scenes: with labels and scores.
        pictures: by scene id; a text is written out where there is none.
        path: PNG to write.
    """
    shown = scenes[:_MOST]
    found = [pictures.get(scene.id) for scene in shown]
    bars = max((len(scene.labels[:_LABELS]) for scene in shown), default=0)
    seen = any(picture is not None for picture in found)
    figure = _pictures(shown, found, bars) if seen else _texts(shown, bars)
    if len(scenes) > len(shown):
        figure.suptitle(f"the first {len(shown)} of {len(scenes)}", fontsize=9, color=GREY)
    figure.savefig(path)


def _pictures(scenes: Sequence[Scene], found: Sequence[Image.Image | None], bars: int) -> Any:
    columns = min(_COLUMNS, len(scenes))
    rows = -(-len(scenes) // columns)
    heights = [2.6, 0.26 * bars]
    figure = blank_figure(2.9 * columns + 0.2, (sum(heights) + 0.4) * rows + 0.3)
    grid = _blank_axes(figure, 2 * rows, columns, height_ratios=heights * rows)
    for number, (scene, picture) in enumerate(zip(scenes, found, strict=True)):
        row, column = divmod(number, columns)
        above, below = grid[2 * row][column], grid[2 * row + 1][column]
        _sample(above, scene, picture)
        if picture is not None:
            above.set_title(_name(scene.image or scene.id), fontsize=8, color=GREY, parse_math=False)
        _bars(below, scene.labels, bars)
    return figure


def _texts(scenes: Sequence[Scene], bars: int) -> Any:
    figure = blank_figure(8.4, max(0.3 * bars + 0.16, 0.6) * len(scenes) + 0.4)
    grid = _blank_axes(figure, len(scenes), 2, width_ratios=[5, 3])
    for (left, right), scene in zip(grid, scenes, strict=True):
        _paragraph(left, scene.text or scene.id, letters=62, lines=4)
        _bars(right, scene.labels, bars)
    return figure


def draw_ranking(queries: Sequence[Scene], pictures: Mapping[str, Image.Image], path: Path, best: int = 5) -> None:
    """A row a query: what was asked, and the best answers with their cosine.

    Args:
        queries: with the candidates as labels, best first.
        pictures: of candidates and queries, by what their labels or ids say; texts are written out.
        path: PNG to write.
        best: answers shown.
    """
    shown = queries[:_MOST]
    best = min(best, max(len(scene.labels) for scene in shown))
    answers = [[(label, pictures.get(label.name)) for label in scene.labels[:best]] for scene in shown]
    tall = any(picture is not None for row in answers for _, picture in row)
    figure = blank_figure(2.2 * (best + 1), (2.4 if tall else 1.5) * len(shown) + 0.1)
    for axes, scene, row in zip(_blank_axes(figure, len(shown), best + 1), shown, answers, strict=True):
        asked = pictures.get(scene.id)
        if asked is None:
            _paragraph(axes[0], scene.text or scene.id, letters=22, lines=7, size=10)
        else:
            axes[0].imshow(asked)
        for axis, (label, picture) in zip(axes[1:], row, strict=False):
            _sample(axis, Scene(label.name, text=label.name), picture)
            score = "" if label.score is None else f"{label.score:.2f}"
            title = score if picture is None else f"{score}  {_name(label.name)}".strip()
            axis.set_title(title, fontsize=8, color=INK, parse_math=False)
    figure.savefig(path)


def draw_scenes(scenes: Sequence[Scene], path: Path) -> None:
    """A sheet of samples, each with all that is said of it: boxes on the picture, words below.

    Args:
        scenes: of picture files, with sizes.
        path: picture to write; .svg and .pdf hold pixels too.
    """
    shown = [scene.draw(open_picture(str(scene.image), scene.id)) for scene in scenes[:_MOST]]
    columns = min(_COLUMNS, math.ceil(len(shown) ** 0.5))
    rows = [shown[start : start + columns] for start in range(0, len(shown), columns)]
    widths = [max(row[n].width for row in rows if n < len(row)) for n in range(columns)]
    sheet = Image.new("RGB", (sum(widths), sum(max(each.height for each in row) for row in rows)), "white")
    top = 0
    for row in rows:
        for number, each in enumerate(row):
            sheet.paste(each, (sum(widths[:number]), top))
        top += max(each.height for each in row)
    if path.suffix.lower() not in (".svg", ".pdf"):
        sheet.save(path)
        return
    figure = blank_figure(sheet.width / 100, sheet.height / 100)
    figure.set_layout_engine("none")
    axis = figure.add_axes((0, 0, 1, 1))
    axis.axis("off")
    axis.imshow(sheet)
    figure.savefig(path)


def _blank_axes(figure: Any, rows: int, columns: int, **ratios: Any) -> Any:
    """Axes by row and column, without frames."""
    grid = figure.subplots(rows, columns, squeeze=False, **ratios)
    for axis in grid.flat:
        axis.axis("off")
    return grid


def _sample(axis: Any, scene: Scene, picture: Image.Image | None) -> None:
    """A picture as it is, or a text as a paragraph."""
    if picture is None:
        _paragraph(axis, scene.text or scene.id, letters=28, lines=8)
    else:
        axis.imshow(picture)


def _paragraph(axis: Any, text: str, letters: int, lines: int, size: int = 9) -> None:
    """A text from the left edge on, cut after a number of lines."""
    wrapped = textwrap.wrap(text, letters, max_lines=lines, placeholder=" …", break_long_words=True)
    # Not as formulas: a price has a dollar sign too.
    axis.text(0.02, 0.5, "\n".join(wrapped), va="center", fontsize=size, color=INK, parse_math=False)
    axis.set_xlim(0, 1)
    axis.set_ylim(0, 1)


def _bars(axis: Any, labels: Sequence[Label], most: int) -> None:
    """Scores from 0 to 1, best on top, in a place for `most` of them."""
    for place, label in enumerate(labels[:most]):
        score = label.score or 0.0
        axis.barh(-place, 1.0, height=0.78, color=_TRACK)
        axis.barh(-place, score, height=0.78, color=_BEST if place == 0 else _OTHER)
        name = label.name if len(label.name) <= 24 else label.name[:23] + "…"
        axis.text(0.02, -place, name, va="center", fontsize=8, color=INK, parse_math=False)
        axis.text(0.98, -place, f"{100 * score:.0f} %", va="center", ha="right", fontsize=8, color=INK)
    axis.set_xlim(0, 1)
    axis.set_ylim(0.5 - most, 0.5)


def _name(file: str) -> str:
    """Name of a file without its folder; of a long one the end, which tells numbered files apart."""
    name = Path(file).name
    return name if len(name) <= 28 else "…" + name[-27:]

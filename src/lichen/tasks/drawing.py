"""Answers as pictures: what people look at before they read a table."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from ..figures import GREEN, GREY, INK, blank_figure
from ..scene import Label, Scene

_COLUMNS = 4
_MOST = 24
"""Samples on one sheet."""
_LABELS = 3
"""Labels shown of each."""


def draw_labels(scenes: Sequence[Scene], pictures: Mapping[str, Image.Image], path: Path) -> None:
    """A sheet of samples, each with its best labels as bars.

    Args:
        scenes: with labels and scores.
        pictures: by scene id; a text is written out where there is none.
        path: PNG to write.
    """
    shown = scenes[:_MOST]
    columns = min(_COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    figure = blank_figure(2.9 * columns + 0.2, 3.4 * rows + 0.3)
    grid = figure.subplots(2 * rows, columns, squeeze=False, height_ratios=[3, 1] * rows)
    for axis in grid.flat:
        axis.axis("off")
    for number, scene in enumerate(shown):
        row, column = divmod(number, columns)
        _sample(grid[2 * row, column], scene, pictures.get(scene.id))
        _bars(grid[2 * row + 1, column], scene.labels[:_LABELS])
    if len(scenes) > len(shown):
        figure.suptitle(f"the first {len(shown)} of {len(scenes)}", fontsize=9, color=GREY)
    figure.savefig(path)


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
    figure = blank_figure(2.2 * (best + 1), 2.3 * len(shown) + 0.1)
    grid = figure.subplots(len(shown), best + 1, squeeze=False)
    for axes, scene in zip(grid, shown, strict=True):
        for axis in axes:
            axis.axis("off")
        _sample(axes[0], scene, pictures.get(scene.id), colour=GREEN)
        for axis, label in zip(axes[1:], scene.labels, strict=False):
            _sample(axis, Scene(label.name, text=label.name), pictures.get(label.name))
            axis.set_title("" if label.score is None else f"{label.score:.2f}", fontsize=9, color=INK)
    figure.savefig(path)


def _sample(axis: Any, scene: Scene, picture: Image.Image | None, colour: str = INK) -> None:
    """A picture as it is, or a text as a paragraph."""
    if picture is not None:
        axis.imshow(picture)
        return
    text = textwrap.shorten(scene.text or scene.id, 180, placeholder=" …")
    text = text or (scene.text or scene.id)[:180]
    wrapped = "\n".join(textwrap.wrap(text, 28, break_long_words=True)[:8])
    axis.text(0.5, 0.5, wrapped, ha="center", va="center", fontsize=8, color=colour, transform=axis.transAxes)


def _bars(axis: Any, labels: Sequence[Label]) -> None:
    """Scores from 0 to 1, best on top."""
    for place, label in enumerate(labels):
        score = label.score or 0.0
        axis.barh(-place, 1.0, height=0.78, color="#edf0ee")
        axis.barh(-place, score, height=0.78, color=GREEN if place == 0 else GREY)
        axis.text(0.02, -place, _short(label.name), va="center", fontsize=8, color=INK)
        axis.text(0.98, -place, f"{100 * score:.0f} %", va="center", ha="right", fontsize=8, color=INK)
    axis.set_xlim(0, 1)
    axis.set_ylim(-_LABELS + 0.4, 0.5)


def _short(name: str) -> str:
    return name if len(name) <= 24 else name[:23] + "…"

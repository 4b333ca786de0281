"""`compare.png`: what each method reached against its time and against the bytes that it keeps."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

from ...figures import COLOURS, GREY, INK, blank_figure
from ...files import write_atomic
from ...memory import MIB
from .results import Comparison, Row, rows_of
from .tables import headline_of, scaled

_SIDES: tuple[tuple[int, Literal["left", "right"]], ...] = ((1, "left"), (-1, "right"))
MARKERS = {"stored": "o", "live": "s", "peer": "D"}
_WORDS = {
    "stored": "stored features",
    "live": "frozen backbone in every step",
    "peer": "gradients inside the backbone",
}
Place = tuple[float, float, Literal["left", "right", "center"]]
"""Where a label stands about its point, in points, and which edge of it stands there."""
Box = tuple[float, float, float, float]
"""Left, bottom, right, top in pixels."""
_NEAR: tuple[Place, ...] = (
    (8.0, 0.0, "left"),
    (-8.0, 0.0, "right"),
    (0.0, 10.0, "center"),
    (0.0, -10.0, "center"),
)
_PLACES: tuple[Place, ...] = (
    *_NEAR,
    *(
        (side * (6 + 2.0 * abs(far)), 10.0 * far, edge)
        for far in (1, -1, 2, -2, 3, -3, 4, -4, 6, -6)
        for side, edge in _SIDES
    ),
)
"""The first that hides nothing is taken."""


def draw_comparison(comparison: Comparison, picture: Path) -> None:
    """Draw the rows of a comparison as a PNG; nothing where no method has a result.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    rows = [row for row in rows_of(comparison) if row.mean is not None]
    if not rows:
        return
    figure = blank_figure(11.0, 4.8)
    left, right = figure.subplots(1, 2, sharey=True)
    _draw(left, comparison, rows, [row.total_seconds for row in rows], "training and features, seconds")
    # A probe may keep next to nothing; a logarithmic axis begins where it is told to.
    least = 1e-3
    _draw(right, comparison, rows, [max(row.kept_bytes / MIB, least) for row in rows], "kept for backward, MiB")
    kinds = list(dict.fromkeys(_kind(comparison, row) for row in rows))
    keys = [_key(right, MARKERS[kind]) for kind in kinds]
    figure.legend(
        keys, [_WORDS[kind] for kind in kinds], loc="outside upper center", ncols=3, frameon=False, fontsize=9
    )
    left.set_ylabel(headline_of(comparison), fontsize=10, color=INK)
    figure.draw_without_rendering()
    # Labels are placed in the final layout, and must not move it.
    figure.set_layout_engine("none")
    for axis in (left, right):
        _label(figure, axis, [row.method for row in rows])
    data = BytesIO()
    figure.savefig(data, format="png")
    write_atomic(picture, data.getvalue())


def _kind(comparison: Comparison, row: Row) -> str:
    return "stored" if row.method in comparison.stored else "peer" if row.method in comparison.peers else "live"


def _key(axis: Any, marker: str) -> Any:
    """An entry of the legend: a marker without a point."""
    return axis.plot([], [], linestyle="", marker=marker, color=GREY, markersize=7)[0]


def _draw(axis: Any, comparison: Comparison, rows: Sequence[Row], across: Sequence[float], title: str) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter

    for number, (row, x) in enumerate(zip(rows, across, strict=True)):
        kind = _kind(comparison, row)
        y, spread = scaled(row.mean or 0.0, comparison.unit), scaled(row.spread or 0.0, comparison.unit)
        colour = COLOURS[number % len(COLOURS)]
        axis.errorbar(
            x, y, yerr=spread or None, fmt=MARKERS[kind], color=colour, markersize=7, capsize=3, linewidth=1.2
        )
    axis.set_xscale("log")
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter("{x:g}")
    axis.xaxis.set_minor_formatter(NullFormatter())
    low, high = min(across), max(across)
    axis.set_xlim(low / 2.5, high * 2.5)
    axis.margins(y=0.15)
    axis.set_xlabel(title, fontsize=10, color=INK)
    axis.tick_params(labelsize=8)
    axis.grid(color="#e6e9e7", linewidth=0.8)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)


def _label(figure: Any, axis: Any, names: Sequence[str]) -> None:
    """Write each name where it hides no other name or point; further off, and with a line, where it must."""
    points = [axis.transData.transform(bar.lines[0].get_xydata()[0]).tolist() for bar in axis.containers]
    scale = figure.dpi / 72
    taken: list[Box] = [(x - 5 * scale, y - 5 * scale, x + 5 * scale, y + 5 * scale) for x, y in points]
    frame = axis.get_window_extent(figure.canvas.get_renderer())
    inside = (float(frame.x0), float(frame.y0), float(frame.x1), float(frame.y1))
    for number in sorted(range(len(points)), key=lambda number: -points[number][1]):
        x, y = points[number]
        size = _size(figure, names[number])
        hidden = {place: _hidden(_box(x, y, place, size, scale), taken, inside) for place in _PLACES}
        dx, dy, edge = best = min(hidden, key=hidden.__getitem__)
        taken.append(_box(x, y, best, size, scale))
        axis.annotate(
            names[number],
            axis.transData.inverted().transform((x, y)),
            xytext=(dx, dy),
            textcoords="offset points",
            ha=edge,
            va="center",
            fontsize=8,
            color=INK,
            arrowprops=None if best in _NEAR else {"arrowstyle": "-", "color": GREY, "linewidth": 0.6},
        )


def _box(x: float, y: float, place: Place, size: tuple[float, float], scale: float) -> Box:
    """Where a label of some size would stand about a point."""
    width, height = size
    left = x + place[0] * scale - {"left": 0.0, "right": width, "center": width / 2}[place[2]]
    middle = y + place[1] * scale
    return (left, middle - height / 2, left + width, middle + height / 2)


def _hidden(box: Box, taken: Sequence[Box], inside: Box) -> float:
    """Area of a box that lies on others or outside the axes."""
    outside = (box[2] - box[0]) * (box[3] - box[1]) - _overlap(box, inside)
    # Rounding alone is no reason to go further off.
    return round(outside + sum(_overlap(box, other) for other in taken), 3)


def _size(figure: Any, name: str) -> tuple[float, float]:
    """Width and height of a label in pixels."""
    text = figure.text(0, 0, name, fontsize=8)
    box = text.get_window_extent(figure.canvas.get_renderer())
    text.remove()
    return float(box.width), float(box.height)


def _overlap(first: Box, second: Box) -> float:
    """Area that two boxes share."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    return max(width, 0.0) * max(height, 0.0)

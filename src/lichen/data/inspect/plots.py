"""Statistics of Scenes as one figure: the long tail, classes, sizes of boxes, what there is of each kind."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import InputError
from ...figures import GREEN, GREY, INK, RED, blank_figure
from .statistics import Statistics

_BARS = 50


def draw_statistics(found: Statistics, path: Path) -> None:
    """Draw the figure into a file.

    Raises:
        MissingPackageError: matplotlib is not installed.
        InputError: the file cannot be written.
    """
    panels = [
        ("predicates, by frequency", found.predicates, True, GREEN),
        ("classes, by frequency", found.classes, True, GREEN),
        ("attributes", found.attributes, False, GREY),
        ("labels of pictures" if found.labels else "kinds of question", found.labels or found.questions, False, GREY),
    ]
    panels = [panel for panel in panels if panel[1]]
    # Where every scene holds as many there is nothing to draw.
    numbers = {"entities": found.entities, "solids": found.solids}
    numbers = {name: values for name, values in numbers.items() if len(set(values)) > 1}
    count = len(panels) + bool(found.edges) + len(numbers)
    rows = -(-count // 2)
    figure = blank_figure(11.0, 2.7 * rows + 0.4)
    axes = iter(figure.subplots(rows, 2, squeeze=False).flat)
    for title, counts, log, colour in panels:
        _bars(next(axes), title, counts, log, colour)
    if found.edges:
        axis = next(axes)
        axis.tick_params(axis="x", labelsize=7)
        axis.hist([100 * edge for edge in found.edges], bins=40, color=GREEN)
        _title(axis, "edge of boxes, in % of the picture's")
    for name, values in numbers.items():
        axis = next(axes)
        axis.tick_params(axis="x", labelsize=7)
        axis.hist(values, bins=[n - 0.5 for n in range(max(values) + 2)], color=GREY, rwidth=0.9)
        axis.locator_params(axis="x", integer=True)
        _title(axis, f"{name} in a scene")
    for axis in axes:
        axis.axis("off")
    tail = f", long tail {found.tail:,.0f} : 1" if found.tail else ""
    figure.suptitle(f"{found.scenes:,} scenes{tail}", fontsize=11, color=INK)
    try:
        figure.savefig(path)
    except OSError as error:
        raise InputError(f"Cannot write picture {str(path)!r}: {error.strerror or error}.") from error


def _bars(axis: Any, title: str, counts: Mapping[str, int], log: bool, colour: str) -> None:
    names, values = list(counts)[:_BARS], list(counts.values())[:_BARS]
    few = len(names) <= 20
    axis.bar(range(len(names)), values, color=[RED if v * 100 <= values[0] else colour for v in values], width=0.8)
    # Less than a decade has no ticks that can be read.
    if log and 0 < 10 * min(values) <= values[0]:
        axis.set_yscale("log")
    axis.set_xticks(range(len(names)), names, rotation=90 if not few else 55, fontsize=5.5 if not few else 7.5,
                    ha="center" if not few else "right", rotation_mode="default" if not few else "anchor")  # fmt: skip
    notes = [f"the first {_BARS} of {len(counts)}"] if len(counts) > len(names) else []
    notes += ["red: at most 1 % of the first"] if values[-1] * 100 <= values[0] else []
    _title(axis, title + (f" ({', '.join(notes)})" if notes else ""))


def _title(axis: Any, text: str) -> None:
    axis.set_title(text, fontsize=9, color=INK)
    axis.tick_params(axis="y", labelsize=7)
    axis.spines[["top", "right"]].set_visible(False)

"""The blank sheet that every picture of a result is drawn on, and its colours."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from .errors import MissingPackageError

INK, GREY, GREEN, RED = "#22302b", "#8a938f", "#3f7d58", "#b3392f"
COLOURS = (GREEN, RED, "#33658a", "#b08a2e", "#6d4c8d", "#2a9d8f", "#8c5a3c")
"""For several lines in one plot."""


def check_can_draw() -> None:
    """Make sure that pictures can be drawn, before hours of work and not after.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    if find_spec("matplotlib") is None:
        raise MissingPackageError(
            "Pictures are drawn by matplotlib, which is missing. Install it: pip install matplotlib"
        )


def blank_figure(width: float, height: float) -> Any:
    """A matplotlib figure that needs no window; sizes in inches.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    check_can_draw()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    return figure

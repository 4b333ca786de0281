"""Pictures that commands leave: a table of methods, and predictions on sample images."""

from __future__ import annotations

from pathlib import Path

from jaxtyping import Float, Int
from torch import Tensor

from ..figures import GREEN, GREY, INK, RED, blank_figure
from ..memory import MIB
from ..training.comparing.results import Comparison, reference_of, rows_of
from ..training.comparing.tables import headline_of


def draw_table(comparison: Comparison, path: Path) -> None:
    """Bars of kept bytes and step time on log scales, and of what was reached, one row a method.

    Args:
        comparison: with a reference that steps are relative to, its metric a share.
        path: PNG to write.
    """
    rows, base = rows_of(comparison), reference_of(comparison)
    figure = blank_figure(10.0, 0.62 * len(rows) + 1.5)
    columns: list[tuple[str, list[float], str, bool]] = [
        ("kept for backward, MiB", [row.kept_bytes / MIB for row in rows], "{:.2f}", True),
        (f"step time / {base} step", [row.step_ratio or 1.0 for row in rows], "{:.3f}", True),
        (headline_of(comparison), [100 * (row.mean or 0.0) for row in rows], "{:.1f}", False),
    ]
    axes = figure.subplots(1, len(columns), sharey=True)
    labels = [f"{row.method}\n{row.trained_parameters:,} trained" for row in rows]
    colours = [GREY if row.method == base else GREEN for row in rows]
    for axis, (title, values, pattern, log) in zip(axes, columns, strict=True):
        low = min(values) / 3 if log else max(0.0, min(values) - 5)
        axis.barh(
            range(len(rows)), [value - (0 if log else low) for value in values], left=0 if log else low, color=colours
        )
        if log:
            axis.set_xscale("log")
            axis.set_xlim(low, max(values) * 12)
            axis.xaxis.set_major_formatter("{x:g}")
        else:
            axis.set_xlim(low, 100 + 0.25 * (100 - low))
            axis.set_xticks([tick for tick in axis.get_xticks() if low <= tick <= 100])
        for row, value in enumerate(values):
            axis.annotate(
                pattern.format(value), (value, row), xytext=(4, 0), textcoords="offset points", va="center", color=INK
            )
        axis.set_title(title, fontsize=10, color=INK)
        axis.set_yticks(range(len(rows)), labels, fontsize=9)
        axis.tick_params(axis="x", labelsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].invert_yaxis()
    figure.suptitle("Less is better on the left and in the middle, more on the right", fontsize=10, color=GREY)
    figure.savefig(path)


def draw_predictions(
    images: Float[Tensor, "samples rows columns"],
    labels: Int[Tensor, " samples"],
    predicted: Int[Tensor, " samples"],
    method: str,
    path: Path,
    columns: int = 10,
) -> None:
    """A sheet of sample images with what was predicted; wrong ones in red with the true label.

    Args:
        images: ink from 0 to 1.
        labels, predicted: classes.
        method: named in the title.
        path: PNG to write.
        columns: images in a row.
    """
    rows = -(-len(images) // columns)
    figure = blank_figure(columns * 0.95, rows * 1.2 + 0.5)
    grid = figure.subplots(rows, columns, squeeze=False)
    for index, axis in enumerate(grid.flat):
        axis.axis("off")
        if index >= len(images):
            continue
        right = bool(labels[index] == predicted[index])
        axis.imshow(1 - images[index].numpy(), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        text = str(int(predicted[index])) if right else f"{int(predicted[index])}, is {int(labels[index])}"
        axis.set_title(text, fontsize=11, color=GREEN if right else RED, pad=3)
    wrong = int((labels != predicted).sum())
    figure.suptitle(f"{method}: {len(images) - wrong} of {len(images)} test digits right", fontsize=12, color=INK)
    figure.savefig(path)

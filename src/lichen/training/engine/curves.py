"""`curves.png`: the losses and the metrics of a run over its steps."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from ...errors import CheckpointError
from ...figures import COLOURS, GREY, INK, blank_figure, check_can_draw
from ...files import write_atomic
from .metrics_log import read_metrics

CURVES = "curves.png"
_LOSS, _DEV_LOSS = "loss", "eval_loss"
_FEW = 12
"""So few values are marked one by one: a line alone would hide how few they are."""


def draw_curves(metrics: Path, picture: Path) -> None:
    """Draw the lines of a `metrics.jsonl` as a PNG. Does nothing where there is no line yet.

    Args:
        metrics: file to read.
        picture: file to write.

    Raises:
        MissingPackageError: matplotlib is not installed.
        CheckpointError: the metrics cannot be read.
    """
    check_can_draw()
    lines = read_metrics(metrics)
    if not lines:
        return
    measured = dict.fromkeys(name for line in lines for name in line if name.startswith("eval_") and name != _DEV_LOSS)
    # A sum of recalls, of up to 600 points, would press those of up to 100 flat.
    sums = tuple(name for name in measured if name.endswith("rsum"))
    others = tuple(name for name in measured if name not in sums)
    panels = [("loss", (_LOSS, _DEV_LOSS))] + [("dev side", names) for names in (others, sums) if names]
    figure = blank_figure(5.2 * len(panels) + 0.4, 3.8)
    for axis, (title, names) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        _draw_panel(axis, title, lines, names)
    data = BytesIO()
    figure.savefig(data, format="png")
    write_atomic(picture, data.getvalue())


def _draw_panel(axis: Any, title: str, lines: Sequence[Mapping[str, Any]], names: Sequence[str]) -> None:
    """One set of axes with a curve for each name that the lines hold."""
    shown = 0
    for name in names:
        points = [(line["step"], line[name]) for line in lines if line.get(name) is not None]
        if not points:
            continue
        steps, values = zip(*points, strict=True)
        marker = "o" if name.startswith("eval_") or len(points) <= _FEW else ""
        label = {_LOSS: "training", _DEV_LOSS: "dev side"}.get(name, name.removeprefix("eval_"))
        colour = COLOURS[shown % len(COLOURS)]
        axis.plot(steps, values, color=colour, marker=marker, markersize=3.5, linewidth=1.6, label=label)
        shown += 1
    axis.set_title(title, fontsize=10, color=INK)
    axis.set_xlabel("step", fontsize=9, color=GREY)
    axis.set_xlim(0, 1.02 * max(line["step"] for line in lines))
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.tick_params(labelsize=8)
    axis.grid(color="#e6e9e7", linewidth=0.8)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    if shown > 1 or title != "loss":
        axis.legend(frameon=False, fontsize=8)


class DrawCurves(TrainerCallback):
    """Draws the curves when training ends or is stopped, from the first process only."""

    def __init__(self, metrics: Path, picture: Path) -> None:
        """Name the files.

        Raises:
            MissingPackageError: matplotlib is not installed.
        """
        check_can_draw()
        self.metrics = metrics
        self.picture = picture

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Draw what the metrics file holds. A training is not lost for want of a picture of it."""
        if not state.is_world_process_zero or not self.metrics.is_file():
            return
        try:
            draw_curves(self.metrics, self.picture)
        except (OSError, CheckpointError) as error:
            reason = getattr(error, "strerror", None) or error
            print(f"lichen: {self.picture.name} was not drawn: {reason}.", file=sys.stderr)

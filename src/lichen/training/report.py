"""Metrics as text, the same way in every verb."""

from __future__ import annotations

from collections.abc import Mapping

from ..tasks.task import Task

_IN_PERCENT = ("r1", "r5", "r10")


def of_one_class(name: str) -> bool:
    """Whether a metric concerns a single class, of which there may be a thousand."""
    return name.startswith(("accuracy/", "average_precision/"))


def shown(name: str, value: float) -> str:
    """A metric as people write it: shares in percent, ranks and sums as they are."""
    last = name.rpartition("/")[2]
    if last in ("rsum", "median_rank", "mean_rank"):
        return f"{value:.1f}"
    if last in ("left_out", "classes_without_positives"):
        return f"{value:.0f}"
    if last in ("matthews", "log_perplexity"):
        return f"{value:.4f}"
    # Papers print CIDEr times 100, without a sign.
    return f"{100 * value:.2f}" if last == "cider" else f"{100 * value:.2f} %"


def table_of_metrics(task: Task, metrics: Mapping[str, Mapping[str, float]]) -> str:
    """One row a metric, one column a split; the metric that counts stands first."""
    names = [name for name in next(iter(metrics.values())) if not of_one_class(name)]
    names.sort(key=lambda name: name != task.headline)
    width = max(map(len, names))
    rows = [" " * width + "".join(f"  {split:>10}" for split in metrics)]
    for name in names:
        rows.append(f"{name:<{width}}" + "".join(f"  {shown(name, values[name]):>10}" for values in metrics.values()))
    return "\n".join(rows)

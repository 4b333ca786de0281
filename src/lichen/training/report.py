"""Metrics as text, the same way in every verb."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

from ..tasks.task import Task

_OF_ONE_CLASS = (
    *("accuracy/", "average_precision/", "predicate/", "AP_rel/", "AP_phr/", "any_acc50/", "merged_acc50/"),
    *("AP/", "role_AP_S1/", "role_AP_S2/", "agent_AP/"),
)
_COUNTS = ("left_out", "classes_without_positives", "pictures", "pictures_skipped", "phrases", "invalid", "classes")


def of_one_class(name: str) -> bool:
    """Whether a metric concerns a single class, of which there may be a thousand."""
    return name.startswith(_OF_ONE_CLASS)


def shown(name: str, value: float) -> str:
    """A metric as people write it: shares in percent, ranks and sums as they are."""
    last = name.rpartition("/")[2]
    if last in ("rsum", "median_rank", "mean_rank"):
        return f"{value:.1f}"
    if last in ("count_error", "half_count_error"):
        return f"{value:.2f}"
    if last in ("hausdorff", "chamfer"):
        return f"{value:.4f}"
    if last in _COUNTS:
        return f"{value:.0f}"
    if last in ("matthews", "log_perplexity"):
        return f"{value:.4f}"
    # Papers print CIDEr times 100, without a sign.
    return f"{100 * value:.2f}" if last == "cider" else f"{100 * value:.2f} %"


def table_of_metrics(task: Task, metrics: Mapping[str, Mapping[str, float]]) -> str:
    """One row a metric, one column a split; the metric that counts stands first."""
    names = [name for name in dict.fromkeys(chain(*metrics.values())) if not of_one_class(name)]
    names.sort(key=lambda name: name != task.headline)
    width = max(map(len, names))
    rows = [" " * width + "".join(f"  {split:>10}" for split in metrics)]
    for name in names:
        # A split may lack what another has, such as triplets that training never showed.
        cells = [shown(name, values[name]) if name in values else "–" for values in metrics.values()]
        rows.append(f"{name:<{width}}" + "".join(f"  {cell:>10}" for cell in cells))
    return "\n".join(rows)

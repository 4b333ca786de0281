"""How often classes are right: one class a sample, or several.

All results are shares from 0 to 1 (Matthews: from -1 to 1). With `names`, results by class are added under
"accuracy/<name>" or "average_precision/<name>", for the classes that have samples.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from ..errors import InputError


def single_label(
    predictions: Int[np.ndarray, " samples"],
    targets: Int[np.ndarray, " samples"],
    classes: int,
    names: Sequence[str] | None = None,
) -> dict[str, float]:
    """Metrics where every sample has one class.

    Args:
        predictions: class numbers.
        targets: class numbers.
        classes: how many there are.
        names: of the classes, for results by class.

    Returns:
        `accuracy`: share of samples with the right class.
        `balanced_accuracy`: mean of the accuracies by class, over the classes that have samples.
        `macro_f1`: mean F1 over the classes that occur among targets or predictions.
        `matthews`: correlation of predictions and targets, for any number of classes; 0 where either never varies.

    Raises:
        InputError: no samples, numbers outside the classes, or arrays that do not belong together.
    """
    table = confusion(predictions, targets, classes)
    right, real, claimed = table.diagonal(), table.sum(1), table.sum(0)
    by_class = _ratio(right, real)
    f1 = _ratio(2 * right, real + claimed)
    found = {
        "accuracy": float(right.sum() / table.sum()),
        "balanced_accuracy": float(np.nanmean(by_class)),
        "macro_f1": float(np.nanmean(f1)),
        "matthews": matthews(table),
    }
    return found | _named("accuracy", by_class, names, classes)


def confusion(
    predictions: Int[np.ndarray, " samples"], targets: Int[np.ndarray, " samples"], classes: int
) -> Int[np.ndarray, "classes classes"]:
    """How often each class (row) was taken for each class (column).

    Raises:
        InputError: see `single_label`.
    """
    if not len(targets) or len(targets) != len(predictions):
        raise InputError(f"Give one prediction a target, at least one; got {len(predictions)} for {len(targets)}.")
    both = np.concatenate([targets, predictions])
    if both.min() < 0 or both.max() >= classes:
        raise InputError(f"Class numbers must lie in 0 to {classes - 1}; got {both.min()} to {both.max()}.")
    cells = targets.astype(np.int64) * classes + predictions
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def matthews(table: Int[np.ndarray, "classes classes"]) -> float:
    """Matthews correlation from a confusion matrix; Gorodkin's R_K for more than two classes."""
    # Python's whole numbers cannot overflow: these are fourth powers of the number of samples.
    real = [int(each) for each in table.sum(1)]
    claimed = [int(each) for each in table.sum(0)]
    total, right = sum(real), int(table.trace())
    covariance = right * total - sum(a * b for a, b in zip(real, claimed, strict=True))
    spread = (total**2 - sum(a * a for a in real)) * (total**2 - sum(b * b for b in claimed))
    return covariance / spread**0.5 if spread else 0.0


def multi_label(
    scores: Float[np.ndarray, "samples classes"],
    targets: Bool[np.ndarray, "samples classes"],
    threshold: float = 0.5,
    names: Sequence[str] | None = None,
) -> dict[str, float]:
    """Metrics where several classes may apply to a sample.

    Args:
        scores: probability of each class; for average precision only its order within the class counts.
        targets: whether each class applies.
        threshold: a class is predicted from this score on.
        names: of the classes, for results by class.

    Returns:
        `mean_average_precision`: mean of `average_precision` over the classes that apply to some sample.
        `classes_without_positives`: how many classes were left out of that mean.
        `micro_f1`: F1 of all decisions together; 0 where nothing applies and nothing was predicted.
        `macro_f1`: mean F1 over the classes that occur among targets or predictions.
        `hamming_loss`: share of wrong decisions.

    Raises:
        InputError: no samples, NaN among the scores, shapes that differ, or no class that applies to any sample.
    """
    if not scores.size or scores.shape != targets.shape:
        raise InputError(f"Give one score a target, at least one; got {scores.shape} for {targets.shape}.")
    if np.isnan(scores).any():
        raise InputError("The scores hold NaN: they cannot be ranked.")
    if not targets.any():
        raise InputError("No class applies to any sample: there is nothing to find. Check the labels.")
    by_class = average_precision(scores, targets)
    claimed = scores >= threshold
    right, all_real, all_claimed = (claimed & targets).sum(0), targets.sum(0), claimed.sum(0)
    f1 = _ratio(2 * right, all_real + all_claimed)
    found = {
        "mean_average_precision": float(np.nanmean(by_class)),
        "classes_without_positives": float(np.isnan(by_class).sum()),
        "micro_f1": float(2 * right.sum() / (all_real.sum() + all_claimed.sum())),
        "macro_f1": float(np.nanmean(f1)),
        "hamming_loss": float((claimed != targets).mean()),
    }
    return found | _named("average_precision", by_class, names, scores.shape[1])


def average_precision(
    scores: Float[np.ndarray, "samples classes"], targets: Bool[np.ndarray, "samples classes"]
) -> Float[np.ndarray, " classes"]:
    """Mean, over the samples that a class applies to, of the precision at their rank; NaN for a class without any.

    This is the average precision of multi-label classification on COCO and VOC: not interpolated, all ranks. Samples
    of equal score share the lowest of their ranks, so that the order of the data set changes nothing.
    """
    order = np.argsort(-scores, axis=0, kind="stable")
    ranked = np.take_along_axis(scores, order, 0)
    hits = np.take_along_axis(targets, order, 0)
    ends = np.ones_like(hits)
    ends[:-1] = ranked[:-1] != ranked[1:]
    last = len(scores) - 1
    positions = np.where(ends, np.arange(len(scores))[:, None], last)
    # For every rank the end of its run of equal scores: the smallest end at or after it.
    end = np.minimum.accumulate(positions[::-1], axis=0)[::-1]
    precision = np.take_along_axis(hits.cumsum(0), end, 0) / (end + 1)
    return _ratio((precision * hits).sum(0), hits.sum(0))


def _ratio(above: np.ndarray, below: np.ndarray) -> Float[np.ndarray, " classes"]:
    """Quotients; NaN where the divisor is 0."""
    return np.divide(above, below, out=np.full(len(below), np.nan), where=below > 0)


def _named(key: str, values: np.ndarray, names: Sequence[str] | None, classes: int) -> dict[str, float]:
    if names is None:
        return {}
    if len(names) != classes:
        raise InputError(f"There are {classes} classes but {len(names)} names.")
    return {f"{key}/{name}": float(value) for name, value in zip(names, values, strict=True) if not np.isnan(value)}

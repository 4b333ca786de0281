"""A mean over samples, and the same over the samples of each kind."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from jaxtyping import Shaped

from ..errors import InputError


def mean_by_kind(
    name: str, values: Shaped[np.ndarray, " samples"], kinds: Sequence[str | None] | None = None
) -> dict[str, float]:
    """The mean under `name`, and that of every kind under "<name>/<kind>". Those of kind None count in the first only.

    Args:
        name: of the metric.
        values: one a sample, numbers or truth values.
        kinds: one a sample, such as "yes/no"; None for no results by kind.

    Raises:
        InputError: there is no sample, or not one kind a sample.
    """
    if not len(values):
        raise InputError("There is nothing to measure: no prediction was given.")
    numbers = values.astype(np.float64)
    result = {name: float(numbers.mean())}
    if kinds is None:
        return result
    if len(kinds) != len(values):
        raise InputError(f"There are {len(values)} samples but {len(kinds)} kinds.")
    rows = defaultdict(list)
    for row, kind in enumerate(kinds):
        if kind is not None:
            rows[kind].append(row)
    return result | {f"{name}/{kind}": float(numbers[rows[kind]].mean()) for kind in sorted(rows)}


def check_pairs(predictions: Sequence[object], truths: Sequence[object], what: str) -> None:
    """Raise an `InputError` unless there is one prediction for each of at least one truth.

    Args:
        what: how the message calls the truths.
    """
    if isinstance(predictions, str) or isinstance(truths, str):
        raise InputError("A list of texts is expected; got one text. Put it into a list.")
    if not len(truths) or len(predictions) != len(truths):
        raise InputError(
            f"Give one prediction for each of the {what}, at least one; got {len(predictions)} for {len(truths)}."
        )


def check_answers(answers: Sequence[Sequence[object]], what: str) -> None:
    """Raise an `InputError` unless every row holds a list of texts, at least one.

    Args:
        what: how the message calls one of them.
    """
    for row, given in enumerate(answers):
        if isinstance(given, str):
            raise InputError(f"Row {row} holds one text, {given[:60]!r}, where a list of {what}s is expected.")
        if not len(given):
            raise InputError(f"Row {row} has no {what}: it cannot be measured. Leave it out, and say so.")

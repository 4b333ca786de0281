"""From label names to numbered classes, and the checks that a classifier's data must pass."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from ..errors import InputError, nearest
from ..scene import Label, Scene


def to_labels(names: Iterable[str]) -> tuple[Label, ...]:
    """Annotated labels, each name once, in the order given."""
    return tuple(Label(name) for name in dict.fromkeys(names))


def label_name(value: Any) -> str:
    """A label as it stands in a file, as text; "" for none. JSON's true and 3 become "true" and "3"."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).strip()


def class_order(names: Iterable[str]) -> tuple[str, ...]:
    """Names sorted as text, or by value if all are numbers."""
    found = set(names)
    try:
        values = {name: float(name) for name in found}
    except ValueError:
        return tuple(sorted(found))
    if not all(map(math.isfinite, values.values())):
        return tuple(sorted(found))
    return tuple(sorted(found, key=lambda name: (values[name], name)))


def choose_classes(
    scenes: Sequence[Scene], source: str, declared: Sequence[str] = (), *, multi_label: bool
) -> tuple[str, ...]:
    """The classes of a training set, in the order to number them.

    Args:
        scenes: all training samples.
        source: file or folder they come from, for messages.
        declared: all classes in their known order, where there is one.
        multi_label: whether samples may have any number of labels.

    Raises:
        InputError: a label that is not among the declared ones, no label at all, or nothing to tell apart.
    """
    found = {label.name for scene in scenes for label in scene.labels}
    for scene in scenes:
        for label in scene.labels:
            if declared and label.name not in declared:
                raise InputError(
                    f"{scene.id!r} of {source} has the label {label.name!r}, which is not one of the classes given. "
                    f"{nearest(label.name, declared)}"
                )
    if not found:
        raise InputError(f"No training sample of {source} has a label, so there is nothing to learn.")
    answers = {frozenset(label.name for label in scene.labels) for scene in scenes}
    if len(answers) == 1:
        (answer,) = answers
        what = f"has the label {next(iter(answer))!r}" if len(answer) == 1 else "has the same labels"
        every = f"Every one of the {len(scenes)} training samples" if len(scenes) > 1 else "The only training sample"
        raise InputError(
            f"{every} of {source} {what}, but a classifier needs at least two "
            "classes to tell apart. Check the label column or the folders."
        )
    return tuple(declared) or class_order(found)


def check_seen(scenes: Sequence[Scene], source: str, seen: set[str]) -> None:
    """Refuse samples that nothing in training could teach.

    Args:
        scenes: samples of dev or test.
        source: file or folder they come from, for messages.
        seen: the labels that training knows.

    Raises:
        InputError: a label is not among them; the message names it, the file and the nearest one.
    """
    for scene in scenes:
        for label in scene.labels:
            if label.name not in seen:
                raise InputError(
                    f"The label {label.name!r} ({scene.id!r} of {source}) occurs in no training sample, so it cannot "
                    f"be learnt. {nearest(label.name, seen)} Correct it, or add training samples."
                )

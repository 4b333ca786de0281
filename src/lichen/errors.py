"""What goes wrong, said once: what was expected, what came, what to do.

Every error that a user can cause is an `InputError`; the command line turns it into one message and exit code 2.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class LichenError(Exception):
    """Base of all errors raised on purpose by this library."""


class InputError(LichenError, ValueError):
    """The caller's input cannot be used: a setting, a batch, a file, a model."""


class CheckpointError(InputError):
    """A saved folder is damaged, incomplete, or belongs to another backbone."""


class MissingPackageError(InputError, ImportError):
    """An optional package is absent; the message holds the line that installs it."""


class BadSample(InputError):
    """One sample that cannot be used: a corrupt picture, an empty text. Others of its set may be fine."""

    def __init__(self, id: str, reason: str) -> None:
        super().__init__(f"{id}: {reason}")
        self.id = id
        self.reason = reason


class GradientLeakError(LichenError, RuntimeError):
    """Something inside the frozen backbone was kept for the backward pass."""


def nearest(name: str, choices: Iterable[str]) -> str:
    """A sentence that names the choice closest to `name`, or lists them all."""
    options = sorted(choices)
    close = difflib.get_close_matches(name, options, n=1, cutoff=0.5)
    return f"Did you mean {close[0]!r}?" if close else "Choose one of: " + ", ".join(options) + "."


def pick(kind: str, name: str, choices: Iterable[str]) -> str:
    """Return `name` if it is one of `choices`; otherwise raise an `InputError` that suggests the nearest one."""
    options = list(choices)
    if name not in options:
        raise InputError(f"Unknown {kind} {name!r}. {nearest(name, options)}")
    return name

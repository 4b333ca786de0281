"""Packages that only some formats need, imported when they are."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ..errors import MissingPackageError


def need(module: str, extra: str, what: str) -> Any:
    """Import an optional package.

    Args:
        module: its name, with dots for a module inside it.
        extra: the extra of this package that brings it.
        what: what it is needed for, to begin a sentence with.

    Raises:
        MissingPackageError: it is not installed; the message holds the line that installs it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingPackageError(
            f"{what} by the package {module.split('.')[0]!r}, which cannot be imported ({error}). "
            f"Install it: pip install 'lichen[{extra}]'"
        ) from error

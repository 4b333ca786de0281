"""What a run folder holds before the first step: recipe, environment, what was left out, and room for the weights."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .. import __version__
from ..errors import InputError
from ..files import to_json, write_atomic
from ..memory import MIB
from .engine.checkpoints import checkpoints
from .recipe import Recipe
from .run import RECIPE, resume_command

ENVIRONMENT = "environment.json"
SKIPPED = "skipped.json"
_SETTINGS_BYTES = 2**20
"""Ample for all that a run saves beside its weights."""
_BLOCK = 2**20
RESERVED = ".reserved"
"""File that keeps room in a run folder for what a training leaves."""


def refuse_old(folder: Path) -> None:
    """Leave a folder alone that holds checkpoints of another training.

    Raises:
        InputError: it does.
    """
    if checkpoints(folder):
        raise InputError(
            f"{str(folder)!r} holds an unfinished training. Go on: {resume_command(folder)}, or choose another --out."
        )


def open_folder(recipe: Recipe, folder: Path, skipped: Mapping[str, str]) -> None:
    """Write what is known before the first step.

    Raises:
        InputError: the folder cannot be written.
    """
    try:
        write_atomic(folder / RECIPE, recipe.to_toml().encode())
        write_atomic(folder / ENVIRONMENT, to_json(environment()))
        if skipped:
            write_atomic(folder / SKIPPED, to_json(skipped))
    except OSError as error:
        raise InputError(f"Cannot write to folder {str(folder)!r}: {error.strerror}. Choose one with --out.") from error


def reserve(folder: Path, model: nn.Module) -> None:
    """Take the room that the trained weights will need, so that a disk that fills up meanwhile does not cost them.

    Raises:
        InputError: there is not that much.
    """
    size = sum(value.nbytes for value in model.state_dict().values()) + _SETTINGS_BYTES
    try:
        with (folder / RESERVED).open("wb") as file:
            for start in range(0, size, _BLOCK):
                file.write(bytes(min(_BLOCK, size - start)))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        release(folder)
        raise InputError(
            f"Folder {str(folder)!r} has no room for the {size / MIB:.1f} MiB that this training will leave: "
            f"{error.strerror}. Make room, or choose another with --out."
        ) from error


def release(folder: Path) -> None:
    """Give that room back, for the weights to take it."""
    (folder / RESERVED).unlink(missing_ok=True)


def environment() -> dict[str, Any]:
    """Versions and machine of a run."""
    found: dict[str, Any] = {"lichen": __version__, "python": platform.python_version(), "machine": platform.machine()}
    for name in ("torch", "transformers", "accelerate", "safetensors", "numpy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return {**found, "cores": os.cpu_count(), "threads": torch.get_num_threads()}

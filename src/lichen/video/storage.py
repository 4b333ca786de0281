"""An adapter as a folder: weights as safetensors, settings as JSON, a digest for every file, and its base's name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from ..files import MANIFEST, read_json, staged_folder, to_json, verify_folder
from ..side.storage import CARD, SETTINGS, WEIGHTS, fill, read_tensors, write_tensors
from .adapter import Adapter
from .base import VideoBase
from .config import AdapterConfig

FORMAT = 1
KIND = "video-adapter"


@dataclass(frozen=True)
class Saved:
    """What the settings of an adapter's folder say."""

    config: AdapterConfig
    base: Mapping[str, Any]
    """Name and digest of the base model."""
    facts: Mapping[str, Any]
    """What its training left: metrics, steps, the table [sample]."""


def save_adapter(
    adapter: Adapter, base: Mapping[str, Any], folder: Path, facts: Mapping[str, Any] | None = None, card: str = ""
) -> None:
    """Write an adapter; other files of the folder stay.

    Args:
        adapter: trained.
        base: "name" and "digest" of the base that it was trained beside, taken before the training.
        folder: made if needed.
        facts: what is known of it.
        card: README.md.

    Raises:
        InputError: the folder cannot be written.
    """
    settings = {
        "format": FORMAT,
        "kind": KIND,
        "adapter": adapter.added.to_dict(),
        "base": dict(base),
        "facts": dict(facts or {}),
    }
    with staged_folder(folder, unlisted=[CARD]) as stage:
        write_tensors(adapter.state_dict(), stage / WEIGHTS)
        (stage / SETTINGS).write_bytes(to_json(settings))
        (stage / CARD).write_text(card, encoding="utf-8")


def is_adapter(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder holds an adapter."""
    path = Path(folder) / SETTINGS
    return path.is_file() and read_json(path).get("kind") == KIND


def saved_adapter(folder: str | os.PathLike[str]) -> Saved:
    """The settings of an adapter's folder, its digests checked.

    Raises:
        CheckpointError: none, damaged, or of another kind or format.
    """
    path = Path(folder)
    if not (path / MANIFEST).is_file() and not path.is_dir():
        raise CheckpointError(
            f"{os.fspath(folder)!r} is no folder. Give one that `lichen train` left for a film recipe."
        )
    verify_folder(path)
    settings = read_json(path / SETTINGS)
    if settings.get("kind") != KIND or settings.get("format") != FORMAT:
        raise CheckpointError(f"{str(path)!r} holds no video adapter that this version reads.")
    try:
        return Saved(AdapterConfig.from_dict(settings["adapter"]), settings["base"], settings["facts"])
    except (KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{str(path / SETTINGS)!r} does not describe a video adapter: {error}.") from error


def load_adapter(folder: str | os.PathLike[str], base: VideoBase, config: AdapterConfig | None = None) -> Adapter:
    """An adapter out of its folder, in eval mode, bound to a base model whose tuned parameters it replaces.

    Args:
        folder: that `save_adapter` wrote.
        base: the model that it was trained beside, as it was loaded.
        config: build a larger adapter that holds the saved one, such as a motion module with an image module beside
            it; what the folder lacks stays fresh. None: as saved.

    Raises:
        CheckpointError: damaged, or for another base.
    """
    saved = saved_adapter(folder)
    wanted, found = saved.base.get("digest"), base.digest()
    if wanted != found:
        raise CheckpointError(
            f"{os.fspath(folder)!r} was trained beside another base model: expected weights {str(wanted)[:12]}… "
            f"({saved.base.get('name') or 'unnamed'}), got {found[:12]}…. Give that base."
        )
    adapter = Adapter.of(base, config or saved.config)
    tensors = read_tensors(Path(folder) / WEIGHTS)
    if config is not None and config != saved.config:
        own = adapter.state_dict()
        tensors = {**{name: value.clone() for name, value in own.items()}, **tensors}
    fill(adapter, tensors)
    return adapter.eval().requires_grad_(False)

"""The files of a saved side network, and how they are found, read and written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ..errors import CheckpointError
from ..files import MANIFEST, read_json, verify_folder

WEIGHTS = "model.safetensors"
SETTINGS = "lichen.json"
CARD = "README.md"
FILES = [WEIGHTS, SETTINGS, CARD, MANIFEST]
"""All that belongs to a saved side network; a folder may hold more."""
FORMAT = 1


def local_folder(folder: str | os.PathLike[str], revision: str | None = None) -> Path:
    """A local folder as it is; a hub id is downloaded first, at a revision.

    Raises:
        CheckpointError: no such folder here, and no such repository that could be downloaded.
    """
    path = Path(folder)
    if path.exists():
        return path
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(os.fspath(folder), revision=revision, allow_patterns=FILES))
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise CheckpointError(
            f"{os.fspath(folder)!r} is neither a folder here nor a repository that could be downloaded: "
            f"{str(error).splitlines()[0]}"
        ) from error


def open_saved(folder: str | os.PathLike[str], revision: str | None = None) -> tuple[Path, dict[str, Any]]:
    """Find a saved side network, check every digest and read its settings.

    Args:
        folder: local folder or hub id. revision: of the hub repository.

    Returns:
        The local folder, and the contents of its settings file.

    Raises:
        CheckpointError: nothing there, damaged files, no side network, or one saved in another format.
    """
    path = local_folder(folder, revision)
    manifest = verify_folder(path)
    if not {WEIGHTS, SETTINGS} <= set(manifest["sha256"]):
        raise CheckpointError(f"{str(path)!r} is not a saved side network: its manifest lacks {WEIGHTS} or {SETTINGS}.")
    settings = read_json(path / SETTINGS)
    if settings.get("format") != FORMAT:
        raise CheckpointError(f"{SETTINGS} has format {settings.get('format')!r}; this version reads {FORMAT}.")
    return path, settings


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Tensors of a safetensors file. A pickle under this name is refused, never opened.

    Raises:
        CheckpointError: the file is not readable as safetensors.
    """
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{str(path)!r} is not a readable safetensors file: {error}.") from error


def write_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write tensors as safetensors; a full disk is an OSError as everywhere else."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    try:
        save_file(plain, path, metadata={"format": "pt"})
        path.chmod(0o644)
    except SafetensorError as error:
        raise OSError(str(error)) from error


def fill(module: nn.Module, tensors: Mapping[str, Tensor], prefix: str = "") -> None:
    """Copy saved tensors into a module, all or none.

    Raises:
        CheckpointError: a name is missing or unexpected, or a shape differs.
    """
    saved = {key.removeprefix(prefix): value for key, value in tensors.items()}
    own = module.state_dict()
    missing, extra = sorted(set(own) - set(saved)), sorted(set(saved) - set(own))
    if missing or extra:
        raise CheckpointError(f"The weights do not fit their settings: missing {missing[:4]}, unexpected {extra[:4]}.")
    for key, value in saved.items():
        if value.shape != own[key].shape:
            raise CheckpointError(f"{key}: expected shape {tuple(own[key].shape)}, saved {tuple(value.shape)}.")
    with torch.no_grad():
        module.load_state_dict(saved)

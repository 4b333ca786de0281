"""Folders that are either whole or absent: atomic writes, a digest for every file, no pickle.

A saved folder holds `manifest.json`, which lists the SHA-256 of every other file that belongs to it.
Weights are safetensors, settings are JSON. Nothing read from disk is ever executed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import CheckpointError, InputError

MANIFEST = "manifest.json"
_CHUNK = 1 << 20


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, as lower-case hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def write_atomic(path: Path, data: bytes) -> None:
    """Replace `path` by `data`; after a crash the old file or the new one is there, never a part."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def to_json(value: Any) -> bytes:
    """JSON text with sorted keys, ending in a newline, so that equal settings are equal bytes."""
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _sync(folder: Path) -> None:
    """Flush a folder and its files, so that a rename that follows cannot overtake their contents."""
    for path in [*folder.iterdir(), folder]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def staged_folder(target: Path) -> Iterator[Path]:
    """Yield a temporary folder whose files move into `target` together when the block ends well.

    The manifest is written last and holds the digest of every staged file. Files already in `target` that were not
    staged (a tokenizer, the optimiser state of a Trainer checkpoint) stay as they are.

    Raises:
        InputError: `target` cannot be created or written. Nothing is left behind in that case.
    """
    stage: Path | None = None
    try:
        target.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(dir=target, prefix=".staged."))
        yield stage
        files = sorted(path for path in stage.iterdir() if path.is_file())
        digests = {path.name: sha256(path) for path in files}
        (stage / MANIFEST).write_bytes(to_json({"sha256": digests}))
        _sync(stage)
        # The old manifest no longer describes what is about to be there: without it, a half-moved folder is refused.
        (target / MANIFEST).unlink(missing_ok=True)
        for path in [*files, stage / MANIFEST]:
            os.replace(path, target / path.name)
    except OSError as error:
        raise InputError(
            f"Cannot write to folder {str(target)!r}: {error.strerror or error}. "
            "Nothing was saved; choose a folder that you may write to and that has free space."
        ) from error
    finally:
        if stage is not None:
            shutil.rmtree(stage, ignore_errors=True)


def verify_folder(folder: Path) -> dict[str, Any]:
    """Check every file of a saved folder against its manifest and return the manifest.

    Raises:
        CheckpointError: the folder or a file is missing, or a digest differs (truncated or altered file).
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise CheckpointError(
            f"{str(folder)!r} holds no {MANIFEST}, so it is not a folder that Lichen saved, or the save was cut short. "
            "Give the folder that save_pretrained() wrote."
        )
    manifest = read_json(path)
    digests = manifest.get("sha256")
    if not isinstance(digests, dict) or not digests:
        raise CheckpointError(f"{str(path)!r} lists no digests. Save the model again.")
    for name, expected in digests.items():
        file = folder / name
        if Path(name).name != name or not file.is_file():
            raise CheckpointError(f"{name!r} is listed in {str(path)!r} but is not in the folder. Copy it again.")
        if (found := sha256(file)) != expected:
            raise CheckpointError(
                f"{str(file)!r} was altered or truncated: expected SHA-256 {expected[:12]}…, found {found[:12]}…. "
                "Copy the folder again from where it was saved."
            )
    return manifest


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file.

    Raises:
        CheckpointError: the file is absent, is not JSON, or holds something other than an object.
    """
    try:
        value = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(f"{str(path)!r} does not exist.") from error
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{str(path)!r} is not readable as JSON: {error}.") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{str(path)!r} holds a {type(value).__name__}; expected an object.")
    return value

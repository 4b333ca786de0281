"""Folders that are either whole or absent: atomic writes, a digest for every file, no pickle.

A saved folder holds `manifest.json`, which lists the SHA-256 of every other file that is read from it.
Weights are safetensors, settings are JSON. Nothing read from disk is ever executed.

A save has two steps. The staged files become the folder's contents by one rename, of their folder to
`.lichen-commit`; then they move to their places. Whoever finds `.lichen-commit`, the next reader or writer, completes
the moves. So a kill at any moment leaves the previous contents or the new ones.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import CheckpointError, InputError

MANIFEST = "manifest.json"
COMMIT = ".lichen-commit"
"""Holds files of a finished save that are not yet in their places."""
_STAGE = ".staged."
_CHUNK = 1 << 20
_DAY = 86_400


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, as lower-case hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def write_atomic(path: Path, data: bytes) -> None:
    """Replace `path` by `data`; after a crash the old file or the new one is there, never a part."""
    with _replacing(path) as part:
        part.write_bytes(data)


@contextmanager
def staged_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path whose file replaces `path` when the block ends well: for what is written bit by bit.

    Raises:
        InputError: the file cannot be written. What was there before is untouched.
    """
    try:
        with _replacing(path) as part:
            yield part
    except OSError as error:
        raise InputError(
            f"Cannot write {str(path)!r}: {error.strerror or error}. "
            "Choose a file in a folder that exists, that you may write to and that has free space."
        ) from error


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    os.close(handle)
    try:
        yield Path(name)
        sync(Path(name))
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def to_json(value: Any) -> bytes:
    """JSON text with sorted keys, ending in a newline, so that equal settings are equal bytes."""
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def sync(*paths: Path) -> None:
    """Flush files or folders, so that a rename that follows cannot overtake their contents."""
    for path in paths:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def staged_folder(target: Path, unlisted: Collection[str] = ()) -> Iterator[Path]:
    """Yield a temporary folder whose files move into `target` together when the block ends well.

    The manifest holds the digest of every staged file but the `unlisted`, which people edit (a model card). Files
    already in `target` that were not staged (a tokenizer, the optimiser of a Trainer checkpoint) stay as they are.

    Raises:
        InputError: `target` cannot be created or written. Nothing is left behind in that case.
    """
    stage: Path | None = None
    made = not target.exists()
    done = False
    try:
        target.mkdir(parents=True, exist_ok=True)
        _sweep(target)
        stage = Path(tempfile.mkdtemp(dir=target, prefix=_STAGE))
        yield stage
        files = sorted(path for path in stage.iterdir() if path.is_file())
        digests = {path.name: sha256(path) for path in files if path.name not in unlisted}
        (stage / MANIFEST).write_bytes(to_json({"sha256": digests}))
        sync(*stage.iterdir(), stage)
        _commit(stage, target)
        done = True
    except OSError as error:
        if (target / COMMIT).is_dir():
            raise InputError(
                f"The save into {str(target)!r} is complete, but its files cannot move to their places: "
                f"{error.strerror or error}. Make the folder writable; the next load or save finishes the move."
            ) from error
        raise InputError(
            f"Cannot write to folder {str(target)!r}: {error.strerror or error}. "
            "Nothing was saved; choose a folder that you may write to and that has free space."
        ) from error
    finally:
        if stage is not None:
            shutil.rmtree(stage, ignore_errors=True)
        if made and not done and target.is_dir() and not any(target.iterdir()):
            target.rmdir()


def _sweep(target: Path) -> None:
    """Remove what a killed save left. Younger leftovers stay: they may belong to a save that is still running."""
    for path in target.glob(f"{_STAGE}*"):
        if time.time() - path.stat().st_mtime > _DAY:
            shutil.rmtree(path, ignore_errors=True)


def _commit(stage: Path, target: Path) -> None:
    """Make the staged files the contents of `target` by one rename, then move them to their places."""
    for path in stage.iterdir():
        if (target / path.name).is_dir():
            raise IsADirectoryError(errno.EISDIR, f"{path.name!r} is a folder there")
    while True:
        _finish(target)
        try:
            os.replace(stage, target / COMMIT)
            break
        except OSError as error:
            # Another process has committed since; its files come first.
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
    sync(target)
    _finish(target)


def _finish(folder: Path) -> None:
    """Complete the moves of a committed save. Safe to repeat, and for several processes at once."""
    commit = folder / COMMIT
    if not commit.is_dir() or commit.is_symlink():
        return
    while commit.is_dir():
        try:
            for path in sorted(commit.iterdir()):
                os.replace(path, folder / path.name)
            commit.rmdir()
        except FileNotFoundError:
            continue
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise
    sync(folder)


def verify_folder(folder: Path) -> dict[str, Any]:
    """Check every file of a saved folder against its manifest and return the manifest.

    Raises:
        CheckpointError: the folder or a file is missing, or a digest differs (truncated or altered file).
    """
    try:
        _finish(folder)
    except OSError as error:
        raise CheckpointError(
            f"A save into {str(folder)!r} was cut short and cannot be completed: {error.strerror or error}. "
            "Make the folder writable, or copy it to where you may write, and load it again."
        ) from error
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
        try:
            found = sha256(file)
        except OSError as error:
            raise CheckpointError(f"{str(file)!r} cannot be read: {error.strerror or error}.") from error
        if found != expected:
            raise CheckpointError(
                f"{str(file)!r} was altered or truncated: expected SHA-256 {str(expected)[:12]}…, "
                f"found {found[:12]}…. Copy the folder again from where it was saved."
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
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{str(path)!r} is not readable as JSON: {error}.") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{str(path)!r} holds a {type(value).__name__}; expected an object.")
    return value

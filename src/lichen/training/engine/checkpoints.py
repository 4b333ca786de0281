"""Checkpoint folders that are whole or absent: written aside, flushed, listed by digest, renamed once.

    <run>/checkpoint-<step>/manifest.json   SHA-256 of every other file

A kill at any moment leaves the checkpoints that were there, or those and the new one. A reader checks every digest.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from safetensors import SafetensorError

from ...errors import CheckpointError, InputError
from ...files import MANIFEST, sha256, sync, to_json, verify_folder

FORMAT = "lichen-checkpoint-1"
"""Names the layout; a reader refuses any other."""
_NAME = re.compile(r"checkpoint-(\d+)")
_STAGED, _OLD = ".staged-", ".old-"
"""Prefixes of folders that are being written or removed, and of checkpoints that are being replaced."""


def checkpoint_path(run: Path, step: int) -> Path:
    """Where the checkpoint of a step lies."""
    return run / f"checkpoint-{step}"


def step_of(folder: Path) -> int:
    """The step in a checkpoint's name; -1 where it has another name."""
    match = _NAME.fullmatch(folder.name)
    return int(match.group(1)) if match else -1


def checkpoints(run: Path) -> list[Path]:
    """All checkpoint folders of a run, oldest step first, damaged ones too."""
    if not run.is_dir():
        return []
    return sorted((path for path in run.iterdir() if step_of(path) >= 0 and path.is_dir()), key=step_of)


def write_checkpoint(run: Path, step: int, write: Callable[[Path], None]) -> Path:
    """Make `checkpoint-<step>` from what `write` puts into the folder it is given.

    A checkpoint of the same step is replaced.

    Raises:
        InputError: the folder cannot be written or the disk is full. What was saved before is still there.
    """
    target = checkpoint_path(run, step)
    stage: Path | None = None
    try:
        stage = Path(tempfile.mkdtemp(dir=run, prefix=f"{_STAGED}{target.name}."))
        write(stage)
        files = sorted(stage.iterdir())
        digests = {path.name: sha256(path) for path in files}
        (stage / MANIFEST).write_bytes(to_json({"format": FORMAT, "sha256": digests}))
        sync(*files, stage / MANIFEST, stage)
        stage.chmod(0o755)
        _take_place(stage, target)
        sync(run)
    except (OSError, SafetensorError) as error:
        words = getattr(error, "strerror", None) or str(error)
        left = checkpoints(run)
        raise InputError(
            f"Cannot save {str(target)!r}: {words}. "
            + (f"{left[-1].name} is still there to resume from. " if left else "Nothing is saved yet. ")
            + "Free some space or make the folder writable, then resume."
        ) from error
    finally:
        if stage is not None:
            shutil.rmtree(stage, ignore_errors=True)
    return target


def _take_place(stage: Path, target: Path) -> None:
    """Rename a finished folder to its name, in place of an older one if there is one."""
    old: list[Path] = []
    while True:
        if target.exists():
            # Two renames: whoever comes between them, a reader too, puts the old one back.
            old.append(Path(tempfile.mkdtemp(dir=target.parent, prefix=f"{_OLD}{target.name}.")))
            os.rename(target, old[-1])
        try:
            os.rename(stage, target)
            break
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
    for path in old:
        shutil.rmtree(path, ignore_errors=True)


def _put_back(run: Path) -> None:
    """Rename checkpoints back that were about to be replaced when their writer was killed."""
    for path in sorted(run.glob(f"{_OLD}checkpoint-*")):
        target = run / path.name.removeprefix(_OLD).rpartition(".")[0]
        if step_of(target) >= 0 and not target.exists() and (path / MANIFEST).is_file():
            # Another reader may have been faster, or this one may not write here.
            with suppress(OSError):
                os.rename(path, target)


def remove_checkpoint(folder: Path) -> None:
    """Remove a checkpoint so that no half of it is ever found under its name."""
    shutil.rmtree(folder.rename(folder.with_name(f"{_STAGED}{folder.name}.removed")), ignore_errors=True)


def rotate(run: Path, limit: int | None, best: Path | None = None) -> None:
    """Keep the newest `limit` checkpoints, and the best one; None or 0 keeps all."""
    if not limit or limit < 0:
        return
    found = checkpoints(run)
    protected = {found[-1].name if found else "", best.name if best is not None else ""}
    spare = max(0, len(found) - max(limit, len(protected & {path.name for path in found})))
    for path in [path for path in found if path.name not in protected][:spare]:
        remove_checkpoint(path)


def sweep(run: Path) -> None:
    """Remove what killed trainings left half done. Only for the one who holds the run's lock."""
    if not run.is_dir():
        return
    _put_back(run)
    for prefix in (_OLD, _STAGED):
        for path in run.glob(f"{prefix}checkpoint-*"):
            shutil.rmtree(path, ignore_errors=True)


def verify_checkpoint(folder: Path) -> None:
    """Check every file of a checkpoint against its digest.

    Raises:
        CheckpointError: no checkpoint, an unknown layout, a missing, altered, truncated or unlisted file.
    """
    if not folder.is_dir():
        known = ", ".join(path.name for path in checkpoints(folder.parent)) or "none"
        raise CheckpointError(f"There is no checkpoint {str(folder)!r}. In its folder: {known}.")
    manifest = verify_folder(folder)
    if manifest.get("format") != FORMAT:
        raise CheckpointError(
            f"{str(folder)!r} has the layout {manifest.get('format')!r}, this version reads {FORMAT!r}. "
            "Resume it with the version of Lichen that wrote it."
        )
    if (folder / MANIFEST).read_bytes() != to_json(manifest):
        raise CheckpointError(f"{str(folder / MANIFEST)!r} is not as it was written. Copy the checkpoint again.")
    unlisted = {path.name for path in folder.iterdir()} - {MANIFEST, *manifest["sha256"]}
    if unlisted:
        raise CheckpointError(
            f"{str(folder)!r} holds {sorted(unlisted)[0]!r}, which its {MANIFEST} does not list, so one of the two was "
            "altered. Remove the file if you put it there, or copy the checkpoint again."
        )


def latest_checkpoint(run: Path, quiet: bool = False) -> Path | None:
    """The newest checkpoint of a run that is whole; None where none was saved.

    A damaged one is passed over, and stderr says so; `quiet` is for all but one of several processes.

    Raises:
        CheckpointError: there are checkpoints, but every one is damaged.
    """
    _put_back(run)
    found = checkpoints(run)
    problem: CheckpointError | None = None
    for folder in reversed(found):
        try:
            verify_checkpoint(folder)
        except CheckpointError as error:
            if not quiet:
                print(f"lichen: {folder.name} is damaged and is passed over: {error}", file=sys.stderr)
            problem = problem or error
            continue
        if problem is not None and not quiet:
            print(f"lichen: going on from {folder.name}, the newest checkpoint that is whole.", file=sys.stderr)
        return folder
    if problem is not None:
        raise CheckpointError(
            f"All {len(found)} checkpoints in {str(run)!r} are damaged. The newest: {problem} "
            "Train again in another folder."
        ) from problem
    return None

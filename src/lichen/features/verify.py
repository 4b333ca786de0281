"""Compares the files of a finished store with the digests in its manifest."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..errors import CheckpointError
from ..files import MANIFEST, read_json, sha256
from .folder import StoreFolder
from .record import INDEX, SKIPPED, STORE, Record, shard_name

_REPAIR = "Build it again in the same folder: what is whole is kept, the rest is computed anew."


def verify_store(folder: Path) -> None:
    """Compare every file of a finished store with its digest, several at a time.

    Raises:
        CheckpointError: files are missing, altered or truncated, or the manifest lists none.
    """
    digests = read_json(folder / MANIFEST).get("sha256")
    if not isinstance(digests, dict) or not {STORE, INDEX, SKIPPED} <= set(digests):
        raise CheckpointError(f"{str(folder / MANIFEST)!r} does not list the files of a store. {_REPAIR}")
    shards = Record.from_dict(read_json(folder / STORE)).shards if (folder / STORE).is_file() else 0
    unlisted = [shard_name(number) for number in range(shards) if shard_name(number) not in digests]

    def problem(name: str) -> str | None:
        file = folder / name
        if Path(name).name != name or not file.is_file():
            return f"{name!r} is missing"
        try:
            return None if sha256(file) == digests[name] else f"{name!r} was altered or truncated"
        except OSError as error:
            return f"{name!r} cannot be read ({error.strerror or error})"

    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        problems = [found for found in pool.map(problem, digests) if found]
    problems += [f"{name!r} is not in the manifest" for name in unlisted]
    if problems:
        more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
        raise CheckpointError(f"The store in {str(folder)!r} is damaged: {problems[0]}{more}. {_REPAIR}")


def unfinished(path: Path) -> str:
    """What is there of an unfinished store, and what to do."""
    record = Record.from_dict(read_json(path / STORE))
    made = StoreFolder(path).count_made(record)
    return (
        f"The store in {str(path)!r} is unfinished: {made} of {record.shards} shards are there. "
        "Run the same build again (all of its shares); it goes on where it stopped."
    )

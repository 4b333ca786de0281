"""The folder of a store while it is made: who owns it, which shards are whole, and how it becomes finished.

store.json                   what the store is; written first, once
basis-<digest>.safetensors   principal components (pca only); written before store.json, which names it
shard-00000.safetensors …    and, until the store is finished, shard-00000.safetensors.sha256 beside each
index.safetensors            ids, lengths and places of all samples
skipped.json                 samples that could not be used
manifest.json                SHA-256 of all these; with it the store is finished
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from ..errors import BadSample, CheckpointError, InputError
from ..files import MANIFEST, read_json, sha256, sync, to_json, write_atomic
from .index import index_bytes
from .pca import Basis
from .record import INDEX, SKIPPED, STORE, Record, basis_name, shard_name
from .shards import MappedFile, sweep
from .skipped import Tally

_STEMS = (STORE, INDEX, SKIPPED, MANIFEST, "shard-", "basis-")
_NOTE = ".sha256"


class StoreFolder:
    """Files of a store in the making. Safe for several processes: a file appears whole, and equal whoever wrote it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._listed: tuple[tuple[int, int], dict[str, str]] = ((0, 0), {})

    def check_own(self) -> None:
        """Refuse a folder that holds something other than a store.

        Raises:
            InputError: it does, or it is no folder.
        """
        if self.path.exists() and not self.path.is_dir():
            raise InputError(f"{str(self.path)!r} is a file. Give a folder for the store.")
        if not self.path.is_dir() or (self.path / STORE).is_file():
            return
        others = sorted(path.name for path in self.path.iterdir() if not path.name.startswith((".", "basis-")))
        if others and not (self.path / STORE).is_file():
            raise InputError(
                f"{str(self.path)!r} holds other files, such as {others[0]!r}, and no store. Choose an empty folder."
            )

    def prepare(self) -> None:
        """Make the folder and remove what writers killed long ago left."""
        self.path.mkdir(parents=True, exist_ok=True)
        sweep(self.path, _STEMS)

    def claimed(self, record: Record) -> Record | None:
        """The description that the folder holds, if it is that of this very store; None where there is none yet.

        Raises:
            InputError: the folder holds another store.
        """
        if not (self.path / STORE).is_file():
            return None
        try:
            held = Record.from_dict(read_json(self.path / STORE))
        except CheckpointError as error:
            raise CheckpointError(
                f"{error} Remove {str(self.path)!r} to build the store anew, or choose another folder."
            ) from error
        if wrong := held.differences(record):
            raise InputError(
                f"{str(self.path)!r} holds another store. {'; '.join(wrong)}. "
                "Choose another folder, or remove this one to build it anew."
            )
        return held

    def claim(self, record: Record, basis: bytes | None) -> Record:
        """Make the folder this store's; where another process was faster, what it wrote holds.

        Raises:
            InputError: that other process makes another store.
        """
        if basis is not None:
            digest = hashlib.sha256(basis).hexdigest()
            record = record.with_basis(digest)
            write_atomic(self.path / basis_name(digest), basis)
        _write_once(self.path / STORE, to_json(record.to_dict()))
        held = self.claimed(record)
        if held is None:
            raise CheckpointError(f"{str(self.path / STORE)!r} vanished while the store was being made.")
        if record.basis is not None and record.basis != held.basis:
            (self.path / basis_name(record.basis)).unlink(missing_ok=True)
        return held

    def restore_basis(self, record: Record, basis: bytes) -> bool:
        """Write lost principal components again, if these are the same ones."""
        if hashlib.sha256(basis).hexdigest() != record.basis:
            return False
        write_atomic(self.path / basis_name(record.basis), basis)
        return True

    @cached_property
    def identity(self) -> str:
        """Digest of the description; every shard bears it."""
        return sha256(self.path / STORE)

    def note(self, name: str, digest: str) -> None:
        """Record that a file is whole (in the format of sha256sum)."""
        # Not synced: a note that a power cut takes costs one shard, and it is never there before its file is.
        handle, temporary = tempfile.mkstemp(dir=self.path, prefix=f".{name}{_NOTE}.")
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(f"{digest}  {name}\n")
        os.replace(temporary, self.path / (name + _NOTE))

    def digest_of(self, name: str) -> str | None:
        """Digest that a finished file must have; None where nothing says that it is finished."""
        try:
            words = (self.path / (name + _NOTE)).read_text("ascii").split()
        except (OSError, ValueError):
            # Whoever finished the store has removed the notes; the manifest was there before.
            return self._manifest().get(name)
        return words[0] if len(words) == 2 and words[1] == name else None

    def _manifest(self) -> dict[str, str]:
        path = self.path / MANIFEST
        try:
            status = path.stat()
            stamp = (status.st_mtime_ns, status.st_ino)
            if stamp != self._listed[0]:
                digests = read_json(path).get("sha256")
                self._listed = (stamp, digests if isinstance(digests, dict) else {})
        except (OSError, CheckpointError):
            return {}
        return self._listed[1]

    def count_made(self, record: Record) -> int:
        """How many shards are there, as far as notes and manifest tell."""
        names = (shard_name(number) for number in range(record.shards))
        return sum(self.digest_of(name) is not None and (self.path / name).is_file() for name in names)

    def finish(self, record: Record, names: Sequence[str]) -> bool:
        """Write index and manifest if all shards are there, and remove the notes.

        Returns:
            False where shards are missing: other processes make them.

        Raises:
            InputError: more than the limit of all samples are bad.
        """
        shards = [shard_name(number) for number in range(record.shards)]
        digests = {name: self.digest_of(name) for name in shards}
        if any(digest is None or not (self.path / name).is_file() for name, digest in digests.items()):
            return False
        tally = Tally(len(names))
        parts: list[tuple[np.ndarray, np.ndarray]] = []
        for number, name in enumerate(shards):
            file, count = MappedFile(self.path / name), len(record.rows_of(number))
            parts.append((file.array("lengths", "I64", count), file.array("starts", "I64", count)))
            for bad, reason in json.loads(bytes(file.arrays["notes"])).items():
                tally.add(BadSample(bad, reason))
        lengths, starts = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        write_atomic(self.path / INDEX, index_bytes(names, lengths, starts))
        write_atomic(self.path / SKIPPED, to_json(tally.skipped))
        others = [STORE, INDEX, SKIPPED, *(() if record.basis is None else (basis_name(record.basis),))]
        listed = {**digests, **{name: sha256(self.path / name) for name in others}}
        write_atomic(self.path / MANIFEST, to_json({"sha256": listed}))
        sync(self.path)
        for name in shards:
            (self.path / (name + _NOTE)).unlink(missing_ok=True)
        return True


def read_basis(folder: Path, record: Record) -> Basis:
    """Principal components of a store.

    Raises:
        CheckpointError: their file is missing or damaged.
    """
    path = folder / basis_name(str(record.basis))
    if not path.is_file() or sha256(path) != record.basis:
        raise CheckpointError(
            f"{str(path)!r}, the principal components of the store, is missing or altered. Copy it again, or remove "
            "the folder and build the store anew."
        )
    tensors = {name: torch.from_numpy(np.array(array)) for name, array in MappedFile(path).arrays.items()}
    return Basis.from_tensors(tensors, [shape[0] for shape in record.shapes])


def _write_once(path: Path, data: bytes) -> None:
    """Write a file unless it is there already, whole or not at all."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.link(name, path)
    except FileExistsError:
        pass
    finally:
        Path(name).unlink(missing_ok=True)
    sync(path.parent)

"""Files of a store: safetensors, written sample by sample, renamed into place when whole, read through a memory map.

A shard's large tensor `data` grows while the backbone runs, so nothing has to fit into memory. What has a known size
stands before it. Everything read is checked against the bounds of the file first; nothing read is executed.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import torch

from ..errors import CheckpointError, InputError
from ..files import sha256

DTYPES: dict[str, np.dtype[Any]] = {
    "F32": np.dtype(np.float32),
    "BF16": np.dtype(np.uint16),  # numpy has no bfloat16; the bits are the same
    "F16": np.dtype(np.float16),
    "I64": np.dtype(np.int64),
    "I8": np.dtype(np.int8),
    "U8": np.dtype(np.uint8),
}
"""Names in safetensors headers and what numpy reads them as."""
DTYPE_NAMES = {
    torch.float32: "F32",
    torch.bfloat16: "BF16",
    torch.float16: "F16",
    torch.int8: "I8",
    torch.uint8: "U8",
}
"""Names of what codecs store."""
_HEADER = 1024
"""Bytes kept free for the header of a shard, which is known last."""
_LARGEST_HEADER = 1 << 20
_DAY = 86_400


class ShardFile:
    """A shard in the making: a hidden temporary file that `commit` moves to its name."""

    def __init__(self, path: Path, data: tuple[str, int], fixed: Mapping[str, tuple[str, tuple[int, ...]]]) -> None:
        """
        Args:
            path: of the finished file.
            data: dtype name and row length of the tensor that grows.
            fixed: dtype name and shape of the tensors before it, the widest dtype first, which keeps all aligned.
        """
        self.path = path
        self.dtype, self.width = data
        self.fixed = dict(fixed)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        self._temporary = Path(name)
        self._file = os.fdopen(handle, "wb")
        self._start = _HEADER + sum(_nbytes(dtype, shape) for dtype, shape in self.fixed.values())
        self._file.seek(self._start)

    def append(self, cells: np.ndarray) -> None:
        """Write the cells of one sample behind those of the last."""
        self._file.write(np.ascontiguousarray(cells).reshape(-1).view(np.uint8).data)

    def commit(self, arrays: Mapping[str, np.ndarray], notes: bytes, metadata: Mapping[str, str]) -> str:
        """Write what stands before the cells, and `notes` (text) behind them; sync; move into place.

        Returns:
            SHA-256 of the file.
        """
        end = self._file.tell()
        self._file.write(notes)
        self._file.seek(0)
        self._file.write(self._header(end - self._start, len(notes), metadata))
        for name, (dtype, shape) in self.fixed.items():
            array = np.ascontiguousarray(arrays[name], dtype=DTYPES[dtype]).reshape(shape)
            self._file.write(array.reshape(-1).view(np.uint8).data)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        digest = sha256(self._temporary)
        os.chmod(self._temporary, 0o644)
        os.replace(self._temporary, self.path)
        return digest

    def _header(self, size: int, notes: int, metadata: Mapping[str, str]) -> bytes:
        row = self.width * DTYPES[self.dtype].itemsize
        tensors = {**self.fixed, "data": (self.dtype, (size // row, self.width)), "notes": ("U8", (notes,))}
        header: dict[str, Any] = {"__metadata__": dict(metadata)}
        offset = 0
        for name, (dtype, shape) in tensors.items():
            end = offset + _nbytes(dtype, shape)
            header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, end]}
            offset = end
        text = json.dumps(header, separators=(",", ":")).encode()
        length = _HEADER - 8
        if len(text) > length:
            raise ValueError(f"the header needs {len(text)} bytes and has {length}")
        return length.to_bytes(8, "little") + text.ljust(length)

    def __enter__(self) -> ShardFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()
        except OSError:
            # A full disk fails here once more, in flushing; the first failure is the one to report.
            if error is None:
                raise
        finally:
            self._temporary.unlink(missing_ok=True)


def _nbytes(dtype: str, shape: tuple[int, ...]) -> int:
    return DTYPES[dtype].itemsize * math.prod(shape)


class MappedFile:
    """A safetensors file as read-only arrays over a memory map: reading one sample touches its pages only."""

    def __init__(self, path: Path) -> None:
        """
        Raises:
            CheckpointError: no such file, or it is cut short, or its header does not fit its contents.
        """
        self.path = path
        try:
            size = path.stat().st_size
            with path.open("rb") as file:
                length = int.from_bytes(file.read(8), "little")
                if size < 8 or length > min(size - 8, _LARGEST_HEADER):
                    raise self.damaged("its header is longer than the file")
                header = json.loads(file.read(length))
        except OSError as error:
            raise CheckpointError(f"{str(path)!r} cannot be read: {error.strerror or error}.") from error
        except (ValueError, RecursionError) as error:
            if isinstance(error, InputError):
                raise
            raise self.damaged("its header is not JSON") from error
        self._start = 8 + length
        places = self._places(header, size - self._start)
        # torch closes the file once it is mapped; numpy would hold a descriptor for every shard.
        pages = torch.from_file(str(path), shared=False, size=size, dtype=torch.uint8).numpy()
        pages.flags.writeable = False
        metadata = header.get("__metadata__", {})
        self.metadata: dict[str, str] = metadata if isinstance(metadata, dict) else {}
        self.arrays = {
            name: np.frombuffer(pages, DTYPES[dtype], math.prod(shape), self._start + begin).reshape(shape)
            for name, (dtype, shape, begin) in places.items()
        }

    def damaged(self, why: str) -> CheckpointError:
        """The error that says what is wrong with this file."""
        return CheckpointError(
            f"{str(self.path)!r} is damaged: {why}. Build the store again in its folder; whole files are kept."
        )

    def _places(self, header: Any, size: int) -> dict[str, tuple[str, tuple[int, ...], int]]:
        """Dtype, shape and first byte of every tensor, checked: together they fill the file without gap or overlap."""
        found: dict[str, tuple[str, tuple[int, ...], int]] = {}
        spans = []
        entries = header.items() if isinstance(header, dict) else ()
        for name, entry in entries:
            if name == "__metadata__":
                continue
            try:
                dtype, shape, (begin, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
                whole = all(type(number) is int and number >= 0 for number in (*shape, begin, end))
                fits = whole and end - begin == _nbytes(dtype, shape)
            except (KeyError, TypeError, ValueError):
                fits = False
            if not fits:
                raise self.damaged(f"the entry of tensor {name!r} makes no sense")
            found[name] = (dtype, shape, begin)
            spans.append((begin, end))
        edge = 0
        for begin, end in sorted(spans):
            if begin != edge:
                raise self.damaged("its tensors overlap or leave a gap")
            edge = end
        if edge != size or not spans:
            raise self.damaged(f"it holds {size} bytes of tensors, its header speaks of {edge}")
        return found

    def array(self, name: str, dtype: str, *shape: int) -> np.ndarray:
        """One tensor of known dtype and shape.

        Raises:
            CheckpointError: it is absent or another.
        """
        found = self.arrays.get(name)
        if found is None or found.dtype != DTYPES[dtype] or found.shape != shape:
            was = "nothing" if found is None else f"{found.dtype} {list(found.shape)}"
            raise self.damaged(f"tensor {name!r} should be {DTYPES[dtype]} {list(shape)}, but there is {was}")
        return found


@contextmanager
def disk(folder: Path, progress: Callable[[], str] = lambda: "Nothing was saved") -> Iterator[None]:
    """Turn a failing disk into a sentence; `progress` then says what is there so far.

    Raises:
        InputError: a file operation inside failed.
    """
    try:
        yield
    except OSError as error:
        raise InputError(
            f"Cannot write to folder {str(folder)!r}: {error.strerror or error}. {progress()}. Make room there, or "
            "choose another folder; a build in the same folder goes on where this one stopped."
        ) from error


def sweep(folder: Path, stems: tuple[str, ...]) -> None:
    """Remove temporary files that a killed writer left more than a day ago; younger ones may still be written to."""
    for path in folder.glob(".*"):
        if path.name.startswith(tuple(f".{stem}" for stem in stems)) and path.is_file():
            try:
                if time.time() - path.stat().st_mtime > _DAY:
                    path.unlink()
            except FileNotFoundError:
                continue

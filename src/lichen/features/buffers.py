"""Memory of batches, used again once nobody holds the batch: fresh pages cost as much time as the copy into them."""

from __future__ import annotations

import math
import os
import threading
import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

_SMALL = 1 << 20
"""Requests below this many bytes go to the allocator, which keeps such blocks itself."""
_KEPT = 8
"""Buffers that are remembered: those of the batches read ahead, of the one in use and of a backward pass."""


@dataclass(eq=False)
class _Buffer:
    memory: np.ndarray
    holder: weakref.ref[Any] | None = None
    """Dead once every tensor over this memory is gone."""

    @property
    def free(self) -> bool:
        return self.holder is None or self.holder() is None


class Buffers:
    """Hands out uninitialised tensors; takes their memory back by itself. Safe for threads and after a fork."""

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._owner = os.getpid()
        self._lock = threading.Lock()
        self._buffers: list[_Buffer] = []

    def take(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """A contiguous tensor of any contents. In a DataLoader's worker it lies in memory that the parent sees too."""
        size = math.prod(shape) * dtype.itemsize
        if torch.utils.data.get_worker_info() is not None:
            return _shared(shape, dtype, size)
        if size < _SMALL:
            return torch.empty(shape, dtype=dtype)
        if self._owner != os.getpid():
            # The lock may have been copied while a thread held it.
            self._reset()
        with self._lock:
            buffer = self._find(size)
            view = buffer.memory[:size]
            # PyTorch holds this very array until the last tensor over it is gone.
            tensor = torch.from_numpy(view)
            buffer.holder = weakref.ref(view)
        return tensor.view(dtype).view(shape)

    def _find(self, size: int) -> _Buffer:
        """The free buffer that was used last, since it is the likeliest to lie in the cache; or a new one."""
        free = [buffer for buffer in reversed(self._buffers) if buffer.free]
        found = next((buffer for buffer in free if len(buffer.memory) >= size), None)
        if found is None:
            for buffer in free:
                # Too small for this batch; the larger one that comes in its place serves both.
                self._buffers.remove(buffer)
            found = _Buffer(np.empty(size, np.uint8))
            if len(self._buffers) >= _KEPT:
                return found
        else:
            self._buffers.remove(found)
        self._buffers.append(found)
        return found


def _shared(shape: tuple[int, ...], dtype: torch.dtype, size: int) -> Tensor:
    """Memory that is handed over without a copy, as torch's own collate function does."""
    storage = torch.UntypedStorage._new_shared(max(size, 1), device="cpu")
    return torch.empty(0, dtype=torch.uint8).set_(storage)[:size].view(dtype).view(shape)

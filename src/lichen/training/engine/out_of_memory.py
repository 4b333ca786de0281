"""Says which settings help when memory runs out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ...errors import LichenError

_SIGNS = ("not enough memory", "can't allocate memory", "out of memory", "failed to allocate", "bad_alloc")
"""What allocators without an error class of their own write."""


class OutOfMemoryError(LichenError):
    """Training needs more memory than there is."""


def is_out_of_memory(error: BaseException) -> bool:
    """True for what GPU allocators, the CPU allocator and Python raise when memory runs out."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in _SIGNS)


@contextmanager
def out_of_memory_explained(batch: int, accumulate: int) -> Iterator[None]:
    """Turn a lack of memory inside the block into a message with the settings that need less.

    Args:
        batch: samples in one pass.
        accumulate: passes in one update.

    Raises:
        OutOfMemoryError: in place of the allocator's error.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        half, twice = max(1, batch // 2), accumulate * 2
        smaller = (
            f"train.batch = {half} with train.accumulate = {twice} (the same update in smaller parts)"
            if batch > 1
            else "the batch is 1 already; shorter texts or smaller pictures (max_tokens, size)"
        )
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise OutOfMemoryError(
            f"Memory ran out: {first}\n"
            "Three settings need less:\n"
            f"  1. {smaller}\n"
            '  2. store.tokens = "pooled" or "every-4", or side.keep = "int8" (less is kept for the backward pass)\n'
            "  3. a larger side.reduction, or fewer side.layers\n"
            "Checkpoints that were saved are whole; resume after the change, or start anew."
        ) from error

"""A counter of kept bytes of the tests' own, so that the library's is not its own judge."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor


def kept_bytes(run: Callable[[], Any], skip: Iterable[Tensor] = ()) -> int:
    """Bytes of the unique storages that autograd keeps while `run` is executed, but for those of `skip`."""
    known = {value.untyped_storage().data_ptr() for value in skip}
    kept: dict[int, int] = {}
    held = []

    def pack(value: Tensor) -> Tensor:
        held.append(value)  # an address must not be given to another tensor meanwhile
        kept[value.untyped_storage().data_ptr()] = value.untyped_storage().nbytes()
        return value

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value):
        run()
    return sum(size for address, size in kept.items() if address not in known)

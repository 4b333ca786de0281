"""Work of a processor, counted operator by operator, and how long this machine takes for it, roughly."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

aten = torch.ops.aten
FLOPS: dict[Any, Callable[..., int]] = {
    **flop_registry,
    # PyTorch counts attention on GPUs only; on a CPU the operators have other names.
    aten._scaled_dot_product_flash_attention_for_cpu: flop_registry[aten._scaled_dot_product_flash_attention],
    aten._scaled_dot_product_flash_attention_for_cpu_backward: flop_registry[
        aten._scaled_dot_product_flash_attention_backward
    ],
}
"""Floating-point operations of an operator, from its arguments and `out_val`, what it returned."""


@dataclass(frozen=True)
class Work:
    """What a processor has to do."""

    flops: int
    """Floating-point operations of matrix products, convolutions and attention; a multiply-add is two."""
    moved_bytes: int
    """Sizes of all tensors that operators read and write."""
    operators: int
    """Calls of operators that do more than look at a tensor in another shape."""

    def __add__(self, other: Work) -> Work:
        return Work(self.flops + other.flops, self.moved_bytes + other.moved_bytes, self.operators + other.operators)


class Meter(TorchDispatchMode):
    """Context manager that adds up the work of the operators called inside, forward and backward; fake tensors too."""

    def __init__(self) -> None:
        super().__init__()
        self._flops = self._moved = self._operators = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        output = func(*args, **kwargs)
        if not isinstance(output, Tensor | tuple | list):
            return output
        read = [value for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)]
        written = [value for value in tree_leaves(output) if isinstance(value, Tensor)]
        known = {value.untyped_storage()._cdata for value in read}
        if not func._schema.is_mutable and all(value.untyped_storage()._cdata in known for value in written):
            return output
        self._operators += 1
        if func.overloadpacket in FLOPS:
            self._flops += int(FLOPS[func.overloadpacket](*args, **kwargs, out_val=output))
        for value in (*read, *written):
            # An expanded tensor is read from a smaller storage.
            self._moved += min(value.numel() * value.element_size(), value.untyped_storage().nbytes())
        return output

    @property
    def work(self) -> Work:
        """Done so far."""
        return Work(self._flops, self._moved, self._operators)


@dataclass(frozen=True)
class Speed:
    """How fast this machine is, roughly."""

    gflops: float
    """10**9 floating-point operations a second in matrix products."""
    read_bytes_per_second: float
    """Bytes that are copied from one place in memory to another in a second."""
    moved_bytes_per_second: float
    """Bytes that an activation function reads and writes in a second."""
    operator_seconds: float
    """Time to call an operator that has next to nothing to do."""


def machine_speed(budget: float = 0.3) -> Speed:
    """Measure this machine's speed for about `budget` seconds, with the number of threads that PyTorch uses now."""
    left, right = torch.ones(1024, 768), torch.ones(768, 768)
    source, target = torch.zeros(2**22), torch.zeros(2**22)
    hidden = torch.zeros(2**20)
    small = torch.ones(8, requires_grad=True)

    def chain() -> None:
        value = small
        for _ in range(50):
            value = value * small
        value.sum().backward()

    share = budget / 4
    with torch.enable_grad():
        # 50 products forward, two products and a sum for each backward.
        called = _fastest(chain, share) / 200
    product = _fastest(lambda: left @ right, share)
    copied = _fastest(lambda: target.copy_(source), share)
    moved = _fastest(lambda: torch.nn.functional.gelu(hidden), share)
    return Speed(
        gflops=2 * 1024 * 768 * 768 / product / 1e9,
        read_bytes_per_second=4 * len(source) / copied,
        moved_bytes_per_second=2 * 4 * len(hidden) / moved,
        operator_seconds=called,
    )


def _fastest(run: Callable[[], Any], budget: float) -> float:
    """Seconds of the fastest of several runs; others may have been disturbed."""
    end, best = time.perf_counter() + budget, float("inf")
    while best == float("inf") or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
    return best


def seconds(work: Work, speed: Speed) -> float:
    """Rough time of some work on a machine: arithmetic, traffic and calls, one after the other.

    On one core of an x86 server, forward and backward of LoRA, UniPT, SHERL, LST and Pooled on MiniLM took between half
    and twice as long.
    """
    arithmetic = work.flops / (1e9 * speed.gflops)
    return arithmetic + work.moved_bytes / speed.moved_bytes_per_second + work.operators * speed.operator_seconds

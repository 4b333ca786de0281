"""Bytes that autograd keeps for the backward pass, counted exactly.

Every tensor saved for backward is seen by a saved-tensor hook; tensors that share a storage count once, and the
storage counts whole, since all of it stays alive. Parameters and buffers are there anyway and do not count. On a CPU
the count is exact and repeatable. Units: bytes; MiB = 2**20 bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from .errors import InputError

MIB = 2**20
_ADAM_STATES = 2


class KeptBytes:
    """Context manager that counts what the enclosed forward pass saves for backward.

    Nested counters each see the tensors saved inside the innermost only, as PyTorch's hooks do. For the same reason
    what activation checkpointing holds in order to recompute (the inputs of its segments) is not counted.
    """

    counting: ClassVar[int] = 0
    """How many counters are open; code that counts by itself stands back while another does."""

    def __init__(self, exclude: Iterable[Tensor] = ()) -> None:
        self.bytes = 0
        """Bytes of unique storages saved so far."""
        self._exclude = {tensor.untyped_storage().data_ptr() for tensor in exclude}
        self._seen: dict[int, Tensor] = {}
        self._hooks = torch.autograd.graph.saved_tensors_hooks(self._pack, _unpack)

    def _pack(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        address = storage.data_ptr()
        if address not in self._exclude and address not in self._seen:
            # Holding the tensor keeps the allocator from handing its address to another one during the count.
            self._seen[address] = tensor.detach()
            self.bytes += storage.nbytes()
        # Handing back the tensor itself would tie an output to its own graph, which then is never freed.
        return tensor.detach()

    def shapes(self) -> list[tuple[tuple[int, ...], torch.dtype]]:
        """Shape and dtype of each tensor counted, in the order saved."""
        return [(tuple(tensor.shape), tensor.dtype) for tensor in self._seen.values()]

    def __enter__(self) -> KeptBytes:
        self._hooks.__enter__()
        KeptBytes.counting += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        KeptBytes.counting -= 1
        self._hooks.__exit__(kind, error, trace)
        self._seen.clear()


def _unpack(tensor: Tensor) -> Tensor:
    return tensor


@dataclass(frozen=True)
class MemoryReport:
    """What training a model on one batch needs beyond its weights. All sizes in bytes."""

    kept_bytes: int
    """Kept by autograd between forward and backward: unique storages, parameters and buffers excluded."""
    trained_parameters: int
    """Number of parameters that receive gradients."""
    total_parameters: int
    """Number of all parameters, frozen ones included."""
    gradient_bytes: int
    """Gradients of the trained parameters."""
    optimiser_bytes: int
    """State of AdamW: two tensors for every trained parameter."""
    peak_bytes: int | None
    """Peak of a forward and backward pass on a GPU, weights included; None on a CPU, where it is not measured."""

    def __str__(self) -> str:
        share = 100 * self.trained_parameters / max(self.total_parameters, 1)
        peak = "" if self.peak_bytes is None else f" | GPU peak {self.peak_bytes / MIB:,.1f} MiB"
        return (
            f"trained {self.trained_parameters:,} of {self.total_parameters:,} parameters ({share:.3g} %) | "
            f"kept for backward {self.kept_bytes / MIB:,.2f} MiB | "
            f"optimiser {self.optimiser_bytes / MIB:,.2f} MiB{peak}"
        )

    def to_dict(self) -> dict[str, int | None]:
        """Field names and values."""
        return asdict(self)


def loss_of(output: Any) -> Tensor:
    """The loss of a model output, or the mean of its first floating tensor where there are no labels."""
    loss = output.get("loss") if isinstance(output, Mapping) else getattr(output, "loss", None)
    if isinstance(loss, Tensor):
        return loss
    values = output.values() if isinstance(output, Mapping) else output if isinstance(output, tuple) else (output,)
    for value in values:
        if isinstance(value, Tensor) and value.is_floating_point():
            return value.float().mean()
    raise InputError("The model returned neither a loss nor a floating tensor, so there is nothing to differentiate.")


@contextmanager
def _left_as_it_was(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Put back the mode of every module, the buffers (running statistics) and the random state."""
    modes = {module: module.training for module in model.modules()}
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            yield
    finally:
        for module, mode in modes.items():
            module.training = mode
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)


def memory_report(model: nn.Module, batch: Mapping[str, Any]) -> MemoryReport:
    """Count what one training step of `model` on `batch` keeps. Weights, gradients and random state stay as they were.

    Args:
        model: any module that takes the batch as keyword arguments, attached or not.
        batch: keyword arguments of its forward, on the model's device; with labels where the loss is to count.

    Raises:
        InputError: nothing in the model is trained, or its output has no floating tensor.
    """
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not trained:
        raise InputError("No parameter of this model requires a gradient, so no step can be measured.")
    # Addresses are taken once the parameters are where the forward will find them.
    kept = KeptBytes([*model.parameters(), *model.buffers()])
    device = trained[0].device
    peak: int | None = None
    with _left_as_it_was(model, device), torch.enable_grad():
        model.train()
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        with kept:
            loss = loss_of(model(**batch))
        if device.type == "cuda":
            torch.autograd.grad(loss, trained, allow_unused=True)
            peak = torch.cuda.max_memory_allocated(device)
    sizes = [parameter.numel() * parameter.element_size() for parameter in trained]
    return MemoryReport(
        kept_bytes=kept.bytes,
        trained_parameters=sum(parameter.numel() for parameter in trained),
        total_parameters=sum(parameter.numel() for parameter in model.parameters()),
        gradient_bytes=sum(sizes),
        optimiser_bytes=_ADAM_STATES * sum(sizes),
        peak_bytes=peak,
    )

"""Bytes that training needs: what autograd keeps for the backward pass, and the peak of a whole step, both counted.

Every tensor saved for backward is seen by a saved-tensor hook (`KeptBytes`), every tensor that an operator makes by a
dispatch mode (`PeakBytes`). Tensors that share a storage count once, and the storage counts whole, since all of it
stays alive. Both counts are exact and repeatable on a CPU, and hold for fake tensors too, which have a size but no
memory. Units: bytes; MiB = 2**20 bytes.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, is_dataclass
from functools import partial
from types import TracebackType
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from .errors import InputError

MIB = 2**20
ADAM_STATES = 2
"""Tensors of its size that AdamW holds for every trained parameter."""


def _address(storage: torch.UntypedStorage) -> int:
    """What tells one living storage from another. Fake tensors have no memory, so the storage object stands for it."""
    return storage._cdata if storage.device.type == "meta" else storage.data_ptr()


def tensors_in(value: Any) -> Iterator[Tensor]:
    """All tensors inside nested mappings, sequences and dataclasses."""
    if isinstance(value, Tensor):
        yield value
        return
    if isinstance(value, Mapping):
        value = value.values()
    elif is_dataclass(value) and not isinstance(value, type):
        value = [getattr(value, field.name) for field in fields(value)]
    elif not isinstance(value, list | tuple):
        return
    for item in value:
        yield from tensors_in(item)


class KeptBytes:
    """Context manager that counts what the enclosed forward pass saves for backward.

    Parameters do not count, whoever owns them, nor do the tensors in `exclude` (such as buffers).
    Nested counters each see the tensors saved inside the innermost only, as PyTorch's hooks do. For the same reason
    what activation checkpointing holds in order to recompute (the inputs of its segments) is not counted.
    """

    counting: ClassVar[int] = 0
    """How many counters are open; code that counts by itself stands back while another does."""

    def __init__(self, exclude: Iterable[Tensor] = ()) -> None:
        self.bytes = 0
        """Bytes of unique storages saved so far."""
        self._exclude = {_address(tensor.untyped_storage()) for tensor in exclude}
        self._seen: dict[int, Tensor] = {}
        self._hooks = torch.autograd.graph.saved_tensors_hooks(self._pack, _unpack)

    def _pack(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        address = _address(storage)
        owner = tensor if tensor._base is None else tensor._base
        if not isinstance(owner, nn.Parameter) and address not in self._exclude and address not in self._seen:
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


class PeakBytes(TorchDispatchMode):
    """Context manager that follows the bytes of all living tensors that operators made inside, and notes the peak.

    It sees what operators return, in forward and backward, not the workspace that one operator takes and frees by
    itself (a convolution's rearranged input, a matrix product's packed weights): what a process needs is higher by
    the largest of these. Operators run as they would without it, only slower.

    Args:
        held: nested mappings, sequences or dataclasses of tensors that are alive already and count from the start.
    """

    def __init__(self, held: Any = ()) -> None:
        super().__init__()
        self.live = 0
        """Bytes alive now."""
        self.peak = 0
        """Most bytes alive at one time so far."""
        self._sizes: dict[int, int] = {}
        self._watched: dict[int, weakref.ref[torch.UntypedStorage]] = {}
        for tensor in tensors_in(held):
            self._watch(tensor.untyped_storage())

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        output = func(*args, **kwargs)
        if not isinstance(output, Tensor | tuple | list):
            return output
        # A view of something that was there before the block is nothing new.
        given = {value.untyped_storage()._cdata for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)}
        for value in tree_leaves(output):
            if isinstance(value, Tensor):
                storage = value.untyped_storage()
                if storage._cdata in self._sizes or storage._cdata not in given:
                    self._watch(storage)
        return output

    def _watch(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key not in self._sizes:
            self._watched[key] = weakref.ref(storage, partial(self._forget, key))
        # Storages can grow: outputs given by `out=` often start empty.
        self.live += size - self._sizes.get(key, 0)
        self._sizes[key] = size
        self.peak = max(self.peak, self.live)

    def _forget(self, key: int, storage: object) -> None:
        self.live -= self._sizes.pop(key)
        del self._watched[key]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._watched.clear()
        self._sizes.clear()


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
    peak_bytes: int
    """Peak of a forward and backward pass: batch, activations and gradients. On a CPU the sum of all tensors alive (see
    `PeakBytes`), on a GPU what its allocator measured."""

    def __str__(self) -> str:
        share = 100 * self.trained_parameters / max(self.total_parameters, 1)
        return (
            f"trained {self.trained_parameters:,} of {self.total_parameters:,} parameters ({share:.3g} %) | "
            f"kept for backward {self.kept_bytes / MIB:,.2f} MiB | "
            f"optimiser {self.optimiser_bytes / MIB:,.2f} MiB | peak {self.peak_bytes / MIB:,.1f} MiB"
        )

    def to_dict(self) -> dict[str, int]:
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


def backpropagate(model: nn.Module, loss: Tensor) -> None:
    """The backward pass of a measured step. Gradients held before stay as they were; new ones are dropped."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not loss.requires_grad:
        return
    if not any(getattr(module, "gradient_checkpointing", False) for module in model.modules()):
        # Not loss.backward(): an optimiser that steps in a gradient hook would change the weights.
        torch.autograd.grad(loss.sum(), trained, allow_unused=True)
        return
    # Reentrant checkpoints refuse autograd.grad.
    before = [parameter.grad for parameter in trained]
    try:
        for parameter in trained:
            parameter.grad = None
        loss.sum().backward()
    finally:
        for parameter, gradient in zip(trained, before, strict=True):
            parameter.grad = gradient


def _step(model: nn.Module, batch: Mapping[str, Any], kept: KeptBytes) -> None:
    with kept:
        loss = loss_of(model(**batch))
    backpropagate(model, loss)


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
    device = trained[0].device
    with _left_as_it_was(model, device), torch.enable_grad():
        model.train()
        # Addresses are taken once the parameters are where the forward will find them.
        kept = KeptBytes([*model.parameters(), *model.buffers()])
        living = PeakBytes(dict(batch))
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            before = torch.cuda.memory_allocated(device) - living.live
            _step(model, batch, kept)
            peak = torch.cuda.max_memory_allocated(device) - before
        else:
            with living:
                _step(model, batch, kept)
            peak = living.peak
    sizes = [parameter.numel() * parameter.element_size() for parameter in trained]
    return MemoryReport(
        kept_bytes=kept.bytes,
        trained_parameters=sum(parameter.numel() for parameter in trained),
        total_parameters=sum(parameter.numel() for parameter in model.parameters()),
        gradient_bytes=sum(sizes),
        optimiser_bytes=ADAM_STATES * sum(sizes),
        peak_bytes=peak,
    )

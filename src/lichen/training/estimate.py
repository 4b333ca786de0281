"""What a training step costs, counted without weights: the planner's engine.

Models are built on PyTorch's meta device (`with torch.device("meta"):`), where tensors have shapes and no memory. For
the count their weights become fake tensors, which behave as tensors on a CPU do but hold nothing, while the batch stays
real. What follows from real tensors alone (token ids, masks, positions, labels) is then computed for real, so that code
which looks at values runs as it will; what touches a weight is only followed for its size. One step of the real code,
forward and backward, is counted in this way; no formula of a method stands here.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from ..backbones.backbone import PREFIX, Backbone
from ..backbones.embedded import embedded_config, register_architectures
from ..backbones.features import Features
from ..backbones.late import LateLayers
from ..errors import InputError
from ..memory import ADAM_STATES, KeptBytes, PeakBytes, backpropagate, loss_of

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


class _Meter(TorchDispatchMode):
    """Context manager that adds up the work of the operators called inside."""

    def __init__(self) -> None:
        super().__init__()
        self.work = Work(0, 0, 0)

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
        flops = FLOPS[func.overloadpacket](*args, **kwargs, out_val=output) if func.overloadpacket in FLOPS else 0
        self.work += Work(int(flops), sum(map(_size, read)) + sum(map(_size, written)), 1)
        return output


def _size(tensor: Tensor) -> int:
    # An expanded tensor is read from a smaller storage.
    return min(tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes())


def fake_backbone(
    name: str | os.PathLike[str],
    *,
    part: str | None = None,
    dtype: torch.dtype = torch.float32,
    revision: str | None = None,
) -> Backbone:
    """A backbone with the shapes of `Backbone.from_pretrained` and without weights, by its settings alone.

    It has no processor. Of an embedded model not even the package is needed, of one on the hub only config.json.

    Args:
        name: "embedded:<name>", local folder, or hub id.
        part: which trunk to read where there are several.
        dtype: of the weights.
        revision: of the hub repository.

    Raises:
        InputError: there are no usable settings under this name, or the model leaves no hidden states.
    """
    from transformers import AutoConfig, AutoModel

    name = os.fspath(name)
    register_architectures()
    try:
        if name.startswith(PREFIX):
            config = embedded_config(name.removeprefix(PREFIX))
        else:
            config = AutoConfig.from_pretrained(name, revision=revision)
        with torch.device("meta"):
            model: Any = AutoModel.from_config(config)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"No settings of a transformers model under {name!r}: {str(error).splitlines()[0]}") from error
    model.config._name_or_path = name
    if _saved_without_pooler(config):
        model.pooler = None
    return Backbone(model.to(dtype), part=part)


def _saved_without_pooler(config: Any) -> bool:
    """Whether the class that saved the weights has no pooler, so that `Backbone.from_pretrained` drops a random one."""
    import transformers

    names = getattr(config, "architectures", None) or []
    kind = getattr(transformers, names[0], None) if names else None
    if kind is None:
        return False
    with torch.device("meta"):
        model = kind(config)
    return getattr(getattr(model, model.base_model_prefix, model), "pooler", None) is None


@functools.cache
def _fakes() -> FakeTensorMode:
    """One for all: fake tensors of several modes cannot be mixed."""
    return FakeTensorMode(allow_non_fake_inputs=True)


def _stand_in(tensor: Tensor) -> Tensor:
    """A tensor without memory for one on the meta device; whole numbers are few, and become real zeros."""
    if not tensor.is_meta:
        return tensor
    if not tensor.is_floating_point():
        return torch.zeros(tensor.shape, dtype=tensor.dtype, device="cpu")
    with _fakes():
        value = torch.empty(tensor.shape, dtype=tensor.dtype, device="cpu")
    return nn.Parameter(value, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else value


def _with_stand_ins(value: Any) -> Any:
    """The same nested mappings, sequences and dataclasses with a stand-in for each tensor on the meta device."""
    if isinstance(value, Tensor):
        return _stand_in(value)
    if isinstance(value, Mapping):
        return {key: _with_stand_ins(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)([_with_stand_ins(item) for item in value])
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{each.name: _with_stand_ins(getattr(value, each.name)) for each in fields(value)})
    return value


class _Blank(TorchDispatchMode):
    """Context manager that makes blank floating tensors fake, for they are made to be written into."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if not func._schema.is_mutable and func.overloadpacket not in _BLANK:
            return func(*args, **kwargs)
        if func.overloadpacket in _BLANK and _is_floating(args, kwargs):
            with _fakes():
                return func(*args, **kwargs)
        written = [
            value
            for value, argument in zip(args, func._schema.arguments, strict=False)
            if isinstance(value, Tensor) and argument.alias_info is not None and argument.alias_info.is_write
        ]
        if any(not isinstance(value, FakeTensor) for value in written) and any(
            isinstance(value, FakeTensor) for value in tree_leaves((args, kwargs))
        ):
            raise InputError(
                "This step writes what follows from weights into a tensor that has memory, so it cannot be counted "
                'without weights. Build the whole model under torch.device("meta").'
            )
        return func(*args, **kwargs)


_BLANK = {aten.empty, aten.zeros, aten.full, aten.empty_strided}
"""Not `ones`: those are masks, which transformers looks at in order to leave them out."""


def _is_floating(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    dtype: torch.dtype | None = kwargs.get("dtype")
    # `full` takes its dtype from the value: (shape, value).
    whole = len(args) > 1 and isinstance(args[1], int)
    return not whole if dtype is None else dtype.is_floating_point


@contextmanager
def fake_weights(*modules: nn.Module) -> Iterator[None]:
    """Modules on the meta device compute with fake tensors on a CPU inside the block, as real ones would.

    Raises:
        InputError: what runs inside looks at values that are not there.
    """
    places: list[tuple[dict[str, Any], str, Any]] = []
    stand_ins: dict[int, Tensor] = {}

    def replaced(value: Any) -> Any:
        if isinstance(value, list) and any(isinstance(item, Tensor) for item in value):
            # Recurrent networks hold their weights in a list, too.
            return [replaced(item) for item in value]
        if not isinstance(value, Tensor) or not value.is_meta:
            return value
        if id(value) not in stand_ins:
            # A weight that two modules share stays shared.
            stand_ins[id(value)] = _stand_in(value)
        return stand_ins[id(value)]

    try:
        for module in (child for each in modules for child in each.modules()):
            tables: list[Any] = [module._parameters, module._buffers, vars(module)]
            for table in tables:
                for key, value in list(table.items()):
                    new = replaced(value)
                    if new is not value:
                        places.append((table, key, value))
                        table[key] = new
        with torch.device("cpu"), torch.random.fork_rng(devices=[]), _Blank():
            yield
    except DataDependentOutputException as error:
        raise InputError(
            "This step depends on values that are not there without weights. Give token ids, masks, pictures and "
            "labels as real tensors; only stored features may lie on the meta device."
        ) from error
    finally:
        for table, key, value in places:
            table[key] = value


@dataclass(frozen=True)
class StepEstimate:
    """What one training step needs. Sizes in bytes; the same counts as `lichen.memory_report` makes of real weights."""

    trained_parameters: int
    """Number of parameters that receive gradients."""
    kept_bytes: int
    """Kept by autograd between forward and backward, parameters and buffers excluded."""
    gradient_bytes: int
    """Gradients of the trained parameters."""
    optimiser_bytes: int
    """State of AdamW."""
    peak_bytes: int
    """Peak of forward and backward pass: batch, activations and gradients."""
    forward: Work
    """Of the forward pass."""
    backward: Work
    """Of the backward pass, recomputation included."""

    @property
    def forward_flops(self) -> int:
        """Floating-point operations of the forward pass."""
        return self.forward.flops

    @property
    def backward_flops(self) -> int:
        """Floating-point operations of the backward pass."""
        return self.backward.flops


def estimate_step(model: nn.Module, batch: Mapping[str, Any]) -> StepEstimate:
    """Count one training step of a model that was built on the meta device.

    Kept bytes are exact. The peak differs from a real one by a few per cent at most, where an operator leaves out a
    result nobody asked for (the input gradient of a convolution) and its fake does not.

    Args:
        model: takes the batch as keyword arguments and returns a loss; its weights stay on the meta device.
        batch: arguments of its forward. Features may lie on the meta device or come from `estimate_pass`; ids, masks,
            pictures and labels must be real tensors (zeros will do).

    Raises:
        InputError: nothing in the model is trained, or the step looks at values that are not there.
    """
    late = (getattr(child, "late", None) for child in model.modules())
    borrowed = [each.trunk.module for each in late if isinstance(each, LateLayers)]
    with fake_weights(model, *borrowed), torch.enable_grad():
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        if not trained:
            raise InputError("No parameter of this model requires a gradient, so no step can be counted.")
        arguments = _with_stand_ins(dict(batch))
        model.train()
        kept = KeptBytes([*model.parameters(), *model.buffers()])
        with _Meter() as meter, PeakBytes(arguments) as living:
            with kept:
                loss = loss_of(model(**arguments))
            forward = meter.work
            meter.work = Work(0, 0, 0)
            backpropagate(model, loss)
        backward = meter.work
    sizes = [parameter.numel() * parameter.element_size() for parameter in trained]
    return StepEstimate(
        trained_parameters=sum(parameter.numel() for parameter in trained),
        kept_bytes=kept.bytes,
        gradient_bytes=sum(sizes),
        optimiser_bytes=ADAM_STATES * sum(sizes),
        peak_bytes=living.peak,
        forward=forward,
        backward=backward,
    )


@dataclass(frozen=True)
class PassEstimate:
    """What one frozen pass over a batch needs."""

    features: Features
    """What it leaves, without memory; ready for `estimate_step`."""
    peak_bytes: int
    """Peak of batch, activations and features, in bytes."""
    work: Work
    """Of the pass."""


def estimate_pass(
    backbone: Backbone, inputs: Mapping[str, Tensor], layers: int | Sequence[int] | None = None
) -> PassEstimate:
    """Count one pass of a backbone from `fake_backbone`, as it is made to fill a store and at each live step.

    Args:
        backbone: without weights.
        inputs: a batch of what it reads, in real tensors.
        layers: hidden states to keep, by timm's rules.

    Raises:
        InputError: as a real backbone would.
    """
    with fake_weights(backbone.model), _Meter() as meter, PeakBytes(inputs) as living:
        features = backbone(layers=layers, **inputs)
    return PassEstimate(features, living.peak, meter.work)


@dataclass(frozen=True)
class Speed:
    """How fast this machine is, roughly."""

    gflops: float
    """10**9 floating-point operations a second in matrix products."""
    read_bytes_per_second: float
    """Bytes that are copied from one place in memory to another in a second."""
    operator_seconds: float
    """Time to call an operator that has next to nothing to do."""


def machine_speed(budget: float = 0.3) -> Speed:
    """Measure this machine's speed for about `budget` seconds, with the number of threads that PyTorch uses now."""
    left, right = torch.ones(1024, 768), torch.ones(768, 768)
    source, target = torch.zeros(2**22), torch.zeros(2**22)
    small = torch.ones(8, requires_grad=True)

    def chain() -> None:
        value = small
        for _ in range(50):
            value = value * small
        value.sum().backward()

    share = budget / 3
    product = _fastest(lambda: left @ right, share)
    copied = _fastest(lambda: target.copy_(source), share)
    # 50 products forward, two products and a sum for each backward.
    called = _fastest(chain, share) / 200
    return Speed(2 * 1024 * 768 * 768 / product / 1e9, 4 * len(source) / copied, called)


def _fastest(run: Callable[[], Any], budget: float) -> float:
    """Seconds of the fastest of several runs; others may have been disturbed."""
    end, best = time.perf_counter() + budget, float("inf")
    while best == float("inf") or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
    return best


def seconds(work: Work, speed: Speed) -> float:
    """Rough time of some work on a machine: arithmetic, traffic and calls one after the other."""
    traffic = work.moved_bytes / (2 * speed.read_bytes_per_second)
    return work.flops / (1e9 * speed.gflops) + traffic + work.operators * speed.operator_seconds

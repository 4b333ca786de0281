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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ...backbones.backbone import PREFIX, Backbone
from ...backbones.embedded import embedded_config, register_architectures
from ...backbones.features import Features
from ...backbones.late import LateLayers
from ...errors import InputError
from ...memory import ADAM_STATES, KeptBytes, PeakBytes, backpropagate, loss_of
from .speed import Meter, Work

aten = torch.ops.aten


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


def _with_stand_ins(value: Any, known: dict[int, Tensor]) -> Any:
    """The same nested mappings, sequences and dataclasses with a stand-in for each tensor on the meta device."""
    if isinstance(value, Tensor):
        if id(value) not in known:
            # A tensor that stands in two places stays one.
            known[id(value)] = _stand_in(value)
        return known[id(value)]
    if isinstance(value, Mapping):
        return {key: _with_stand_ins(item, known) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)([_with_stand_ins(item, known) for item in value])
    if is_dataclass(value) and not isinstance(value, type):
        changed = {each.name: _with_stand_ins(getattr(value, each.name), known) for each in fields(value)}
        return replace(value, **changed)
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
        # Recurrent networks hold their weights in a list, too.
        in_list = isinstance(value, list) and any(isinstance(item, Tensor) for item in value)
        if in_list or (isinstance(value, Tensor) and value.is_meta):
            return _with_stand_ins(value, stand_ins)
        return value

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
        arguments = _with_stand_ins(dict(batch), {})
        model.train()
        kept = KeptBytes([*model.parameters(), *model.buffers()])
        with PeakBytes(arguments) as living:
            with kept, Meter() as forward:
                loss = loss_of(model(**arguments))
            with Meter() as backward:
                backpropagate(model, loss)
    sizes = [parameter.numel() * parameter.element_size() for parameter in trained]
    return StepEstimate(
        trained_parameters=sum(parameter.numel() for parameter in trained),
        kept_bytes=kept.bytes,
        gradient_bytes=sum(sizes),
        optimiser_bytes=ADAM_STATES * sum(sizes),
        peak_bytes=living.peak,
        forward=forward.work,
        backward=backward.work,
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
    with fake_weights(backbone.model), Meter() as meter, PeakBytes(inputs) as living:
        features = backbone(layers=layers, **inputs)
    return PassEstimate(features, living.peak, meter.work)

"""Runs one trunk frozen, hands its hidden states to the active side network, and puts the answer where the head looks.

A graft changes the class of the trunk in place to a subclass with the same name, so that hooks, devices, deep copies,
`generate()` and isinstance checks work as before. Removing it restores the class.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutput, BaseModelOutputWithPooling

from ...backbones.features import Features
from ...backbones.late import replace_input
from ...backbones.tap import Tap, first_tensor, grid_of, own_pass
from ...backbones.trunk import Trunk
from ...errors import GradientLeakError, InputError
from .bank import Plan, SideBank, Slot
from .caches import side_cache


@dataclass
class SideEncoderOutput(BaseModelOutput):
    """An encoder's frozen output with the side network's memory, so that `generate()` carries both to the decoder."""

    side_memory: Tensor | None = None


@dataclass
class StoredOutput(BaseModelOutputWithPooling):
    """A trunk's output made from stored features: what only a live pass can give is None."""

    past_key_values: Any = None
    cross_attentions: Any = None
    reshaped_hidden_states: Any = None


def subclass(kind: type, **members: Any) -> type:
    """A subclass that cannot be told from `kind` by name: transformers keys several tables by class name."""
    names = {"__module__": kind.__module__, "__qualname__": kind.__qualname__, "__doc__": kind.__doc__}
    return type(kind.__name__, (kind,), {**names, **members, "lichen_original": kind})


class Graft:
    """What a grafted trunk calls instead of its own forward."""

    def __init__(self, trunk: Trunk, part: str, bank: SideBank, projection: nn.Module | None) -> None:
        self.trunk = trunk
        self.part = part
        # In tuples, so that no module is registered twice.
        self._bank = (bank,)
        self._projection = (projection,)

    @property
    def bank(self) -> SideBank:
        """The model's side networks."""
        return self._bank[0]

    def __call__(self, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run the trunk with the active side network, or as it was where none is active."""
        slot = self.bank.current
        if slot is None:
            return forward(*args, **kwargs)
        stored = self.bank.call.features.get(self.part)
        if stored is not None and self.bank.call.recording is None:
            output = self._from_features(slot, stored)
        else:
            output = Pass(self, slot).run(forward, args, kwargs)
        return output.to_tuple() if kwargs.get("return_dict") is False else output

    def _from_features(self, slot: Slot, features: Features) -> Any:
        """Answer from stored features: the trunk does not run, but for SHERL's late layers."""
        plan, side = slot.plans[self.part], slot.side(self.part)
        if "decoder" in slot.plans:
            raise InputError("Encoder-decoders cannot be trained from stored features: every target changes them.")
        if features.indices is not None and plan.needed is not None:
            features = features.select(plan.needed)
        precision = features.final.dtype
        adapted = side(features.to(_precision_of(side, precision))).to(precision)
        output = StoredOutput(last_hidden_state=self.trunk.to_native(features.final))
        if plan.late:
            output.last_hidden_state = self.trunk.to_native(adapted.final)
            if adapted.pooled is not None:
                output.pooler_output = self.trunk.to_native_pooled(adapted.pooled)
            return output
        return self.put(output, adapted, plan)

    @torch.no_grad()
    def with_embedding(self, rest: Features) -> Features:
        """Replace the pooled output by the projected embedding, where the model has a projection."""
        projection: Any = self._projection[0]
        if projection is None or rest.pooled is None:
            return rest
        return replace(rest, pooled=nn.functional.linear(rest.pooled, projection.weight, projection.bias))

    def put(self, output: Any, adapted: Features, plan: Plan) -> Any:
        """Write adapted features into a trunk's output, in the model's own layout and pooling."""
        if plan.output != "embedding":
            output.last_hidden_state = self.trunk.to_native(adapted.final)
        if plan.output == "tokens":
            pooled = self.trunk.repool(output.last_hidden_state, adapted.anchor)
            if pooled is not None:
                output.pooler_output = pooled
        elif adapted.pooled is not None:
            output.pooler_output = self.trunk.to_native_pooled(adapted.pooled)
            if self._projection[0] is not None:
                self.bank.call.embeddings[self.part] = adapted.pooled
        return output


class Pass:
    """One live pass: the trunk runs without gradients, the side network with the caller's."""

    def __init__(self, graft: Graft, slot: Slot) -> None:
        self.graft = graft
        self.trunk = graft.trunk
        self.call = graft.bank.call
        self.plan: Plan = slot.plans[graft.part]
        self.side: Any = slot.side(graft.part)
        self.recording = self.call.recording is not None
        self.grad = torch.is_grad_enabled()
        self.mask: Tensor | None = None
        self.reduced: list[Tensor] = []
        self.guide: Tensor | None = None
        """The last chosen hidden state as it is; SHERL's fusion needs it."""
        self.last: Tensor | None = None
        """What the last layer gave, before the final norm."""

    def run(self, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run the trunk and return its output with the side network's answer in it."""
        look = self.grad and not self.call.checked
        if look and any(parameter.requires_grad for parameter in self.trunk.module.parameters()):
            raise GradientLeakError(
                "A parameter of the frozen backbone requires a gradient again. A side network never trains its "
                "backbone: undo requires_grad_(True), or detach() first."
            )
        inputs = self.trunk.bind(args, kwargs)
        self.mask = self.trunk.mask_of(inputs)
        handles = []
        if self.plan.late:
            first, *others = self.trunk.blocks[-self.plan.late :]
            handles.append(first.register_forward_pre_hook(own_pass(self._enter_late), with_kwargs=True))
            read = own_pass(self._read_memory)
            handles += [block.register_forward_pre_hook(read, with_kwargs=True) for block in others]
        if hasattr(self.side, "finish"):
            handles.append(self.trunk.layers[-1].register_forward_hook(own_pass(self._keep_last)))
        try:
            with torch.no_grad(), Tap(self.trunk, self.plan.indices, self._consume):
                output = forward(*args, **{**kwargs, "return_dict": True})
        finally:
            for handle in handles:
                handle.remove()
        rest = self.graft.with_embedding(self.trunk.rest(inputs, output))
        if self.recording:
            assert self.call.recording is not None
            self.call.recording[self.graft.part] = replace(rest, states=tuple(self.reduced), indices=self.plan.needed)
            return output
        self._guard(output)
        return self._answer(rest, output)

    def _consume(self, position: int, state: Tensor) -> None:
        if self.recording:
            self.reduced.append(state)
            return
        state = state.to(_precision_of(self.side, state.dtype))
        self.guide = state if self.plan.fused else None
        with torch.set_grad_enabled(self.grad):
            self.reduced.append(self.side.reduce(position, state, self.mask))

    def _enter_late(self, layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Fuse what came so far and let the late layer see it. From here on gradients flow, until the trunk returns."""
        guide = self.trunk.to_state(first_tensor(args, kwargs).detach(), grid_of(args[1:]))
        if self.plan.reads_entry:
            self._consume(len(self.plan.indices), guide)
        if self.recording:
            return None
        torch.set_grad_enabled(self.grad)
        last = guide.to(_precision_of(self.side, guide.dtype))
        fused = self.side.fuse(self.reduced, last).to(guide.dtype)
        args, kwargs = replace_input(layer, args, kwargs, hidden=self.trunk.to_native(fused))
        return self._read_memory(layer, args, kwargs)

    def _read_memory(self, layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Every late layer of a decoder reads the side memory in place of the frozen encoder output."""
        if self.call.memory is None or self.recording:
            return args, kwargs
        memory = self.call.memory.final.to(first_tensor(args, kwargs).dtype)
        return replace_input(layer, args, kwargs, encoder_hidden_states=memory)

    def _keep_last(self, layer: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        self.last = output if isinstance(output, Tensor) else output[0]

    def _guard(self, output: Any) -> None:
        """Nothing of the frozen pass may hang on to an autograd graph; late layers are the one exception."""
        if not self.plan.late and output.last_hidden_state.grad_fn is not None:
            raise GradientLeakError(
                f"{type(self.trunk.module).__name__} recorded gradients although it ran frozen: some layer switches "
                "them on by itself. Training would keep all its activations."
            )

    def _answer(self, rest: Features, output: Any) -> Any:
        precision = output.last_hidden_state.dtype
        rest = rest.to(_precision_of(self.side, precision))
        if self.plan.output == "memory":
            if self.guide is not None:
                rest = replace(rest, states=(self.guide,))
            adapted = self.side.combine(self.reduced, rest)
            self.call.memory = adapted
            return SideEncoderOutput(last_hidden_state=output.last_hidden_state, side_memory=adapted.final)
        if hasattr(self.side, "finish"):
            assert self.last is not None
            last = self.last.to(_precision_of(self.side, precision))
            output.last_hidden_state = self.side.finish(last).to(precision)
            return output
        if self.plan.late:
            return output
        cache = side_cache(output.get("past_key_values"), len(self.trunk.layers)) if self.trunk.causal else None
        memory = self.call.memory
        if self.graft.part == "decoder" and memory is None:
            raise InputError(
                "encoder_outputs hold no side memory: they come from the model before attach(), or from elsewhere. "
                "Compute them with model.get_encoder()(…) of the attached model, or pass input_ids."
            )
        adapted = self.side.combine(self.reduced, rest, cache, memory)
        return self.graft.put(output, adapted.to(precision), self.plan)


def _precision_of(side: nn.Module, default: torch.dtype) -> torch.dtype:
    """What a side network computes in: float32 beside a backbone in half precision, in which it would not train."""
    return next((parameter.dtype for parameter in side.parameters()), default)


def graft_trunk(trunk: Trunk, part: str, bank: SideBank, projection: nn.Module | None) -> None:
    """Let the trunk's forward go through a `Graft`, and keep it in eval mode whatever its owner's mode is."""
    kind = type(trunk.module)

    @functools.wraps(kind.forward)
    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self is not self.lichen_graft.trunk.module:
            # A shortened copy that re-runs late layers (see LateLayers): it answers as it was.
            return kind.forward(self, *args, **kwargs)
        return self.lichen_graft(functools.partial(kind.forward, self), args, kwargs)

    def train(self: Any, mode: bool = True) -> Any:
        return kind.train(self, False)

    trunk.module.__class__ = subclass(kind, forward=forward, train=train)
    trunk.module.lichen_graft = Graft(trunk, part, bank, projection)  # type: ignore[assignment]
    trunk.module.eval()


def graft_projection(projection: nn.Module, part: str, bank: SideBank) -> None:
    """Let a tower's frozen projection give the adapted embedding, which was made from its own output."""
    kind = type(projection)
    holder = (bank,)

    @functools.wraps(kind.forward)
    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        adapted = self.lichen_holder[0].call.embeddings.pop(part, None)
        return kind.forward(self, *args, **kwargs) if adapted is None else adapted

    projection.__class__ = subclass(kind, forward=forward)
    projection.lichen_holder = holder  # type: ignore[assignment]


def ungraft(module: nn.Module) -> None:
    """Give a grafted module its own class back."""
    kind: Any = type(module)
    module.__class__ = kind.lichen_original
    for name in ("lichen_graft", "lichen_holder"):
        module.__dict__.pop(name, None)

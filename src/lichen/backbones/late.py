"""Runs the last frozen layers again on a changed hidden state, with gradients (SHERL's late route).

The model's own forward builds masks, rotary angles and position codes, so nothing of it is written again here: a
shallow copy of the trunk shares all weights but lists only its last layers, and a hook replaces what enters the first.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError
from .features import Features
from .outline import Outline
from .tap import own_pass
from .trunk import Trunk


def replace_input(
    layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], **new: Any
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Exchange some arguments of a layer's call by name; `hidden` stands for its first argument.

    Names that the layer does not have are an error of the caller, so they raise TypeError.
    """
    signature = inspect.signature(layer.forward)
    bound = signature.bind(*args, **kwargs)
    first = next(iter(signature.parameters))
    for name, value in new.items():
        target = first if name == "hidden" else name
        if target not in signature.parameters:
            raise TypeError(f"{type(layer).__name__}.forward has no argument {target!r}")
        bound.arguments[target] = value
    return bound.args, bound.kwargs


def check_late(trunk: Trunk, late_layers: int) -> int:
    """Return `late_layers` if that many of the trunk's last blocks can be re-run on their own.

    Raises:
        InputError: too many. Of a token model one layer has to stay before them; of a staged one the last stage may be
            re-run whole, if it is nothing but its blocks.
    """
    return Outline.of(trunk).check_late(late_layers)


def last_stage_is_blocks(trunk: Trunk) -> bool:
    """True for a staged model whose last stage holds a list of blocks and nothing else, no down-sampling before it."""
    return trunk.kind == "maps" and len(list(trunk.layers[-1].children())) == 1


def _share(module: nn.Module) -> nn.Module:
    """A copy of one module that shares its children and weights, with containers of its own."""
    twin = copy.copy(module)
    twin.__dict__ = {**module.__dict__, "training": False}
    for name in ("_modules", "_forward_hooks", "_forward_pre_hooks"):
        twin.__dict__[name] = copy.copy(module.__dict__[name])
    return twin


def _shorten(module: nn.Module, path: str, keep: int) -> nn.Module:
    """Share `module` but for the list at `path`, of which only the last `keep` entries stay."""
    if not path:
        return nn.ModuleList(list(module.children())[-keep:])
    head, _, tail = path.partition(".")
    twin = _share(module)
    twin._modules[head] = _shorten(module.get_submodule(head), tail, keep)
    return twin


class LateLayers:
    """The last blocks of a trunk, callable on a fused state; a callable, not a module, since it trains nothing."""

    def __init__(self, trunk: Trunk, late_layers: int) -> None:
        self.trunk = trunk
        self.count = check_late(trunk, late_layers)
        if getattr(trunk.config, "model_type", "") == "t5":
            # A T5 layer other than the first has no relative position table, and the short stack lacks the first.
            raise InputError("T5 layers cannot be re-run from stored features; run the model on its inputs instead.")
        self._short = _shorten(trunk.module, trunk.path, self.count) if trunk.kind == "tokens" else None

    def __call__(self, fused: Tensor, rest: Features) -> Features:
        """The late layers' answer as features, with gradients to `fused`.

        Args:
            fused: (batch, tokens, width) or (batch, width, rows, columns): what enters the first late layer.
            rest: features of the same pass; mask, grid and anchor are read.
        """
        fused = fused.to(next(self.trunk.module.parameters()).dtype)
        if self.trunk.kind == "maps":
            final = self._run_blocks(fused)
            pooled = self.trunk.repool(self.trunk.to_native(final), rest.anchor)
            pooled = None if pooled is None else pooled.flatten(1)
        else:
            after = self.trunk.rest({}, self._run_short(fused, rest))
            final, pooled = after.final, after.pooled
        return replace(rest, states=(final,), final=final, pooled=pooled)

    def _run_blocks(self, fused: Tensor) -> Tensor:
        """Staged models: the last blocks of the last stage, which take and give a map."""
        blocks = self.trunk.blocks[-self.count :]
        if not self.trunk.final_is_tokens:
            for block in blocks:
                fused = block(fused)
            return fused
        grid = (fused.shape[2], fused.shape[3])
        tokens = fused.flatten(2).transpose(1, 2)
        for block in blocks:
            tokens = block(tokens, grid)
            tokens = tokens if isinstance(tokens, Tensor) else tokens[0]
        return self.trunk.to_state(self.trunk.module.layernorm(tokens), grid)  # type: ignore[operator]

    def _run_short(self, fused: Tensor, rest: Features) -> Any:
        def enter(layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
            return replace_input(layer, args, kwargs, hidden=fused)

        short = self._short
        first = short.get_submodule(self.trunk.path)[0]  # type: ignore[index, union-attr]
        handle = first.register_forward_pre_hook(own_pass(enter), with_kwargs=True)
        try:
            return short(**self._blank_inputs(fused, rest), return_dict=True)  # type: ignore[misc]
        finally:
            handle.remove()

    def _blank_inputs(self, fused: Tensor, rest: Features) -> dict[str, Any]:
        """Inputs of the right shape and no content: only masks and positions are made from them."""
        if rest.grid is not None and rest.mask is None:
            config: Any = self.trunk.config
            patch = config.patch_size
            rows, columns = (patch, patch) if isinstance(patch, int) else patch
            size = (len(fused), config.num_channels, rest.grid[0] * rows, rest.grid[1] * columns)
            inputs: dict[str, Any] = {"pixel_values": fused.new_zeros(size)}
            if "interpolate_pos_encoding" in self.trunk.signature.parameters:
                # Pictures of another size than the model was made for come back as they were read.
                inputs["interpolate_pos_encoding"] = True
            return inputs
        ids = torch.zeros(fused.shape[:2], dtype=torch.long, device=fused.device)
        if rest.anchor is not None:
            # CLIP's text model looks for the end token in the ids; put it back where it was.
            ids = ids.scatter(1, rest.anchor[:, None], max(self.trunk.config.eos_token_id, 3))
        return {"input_ids": ids, "attention_mask": None if rest.mask is None else rest.mask.long()}


Late = Callable[[Tensor, Features], Features]
"""Re-runs frozen late layers: (fused state, rest of the features) to the features that the task head reads."""


def place_late(model: nn.Module, device: torch.device) -> None:
    """Put SHERL's frozen late layers, which belong to no module, where the network is."""
    for module in model.modules():
        late = getattr(module, "late", None)
        if isinstance(late, LateLayers):
            for tensor in (*late.trunk.module.parameters(), *late.trunk.module.buffers()):
                # Layers that never run have no memory to move.
                tensor.data = tensor.data if tensor.is_meta else tensor.data.to(device)

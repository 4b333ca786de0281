"""A trunk: the frozen stack of layers inside a transformers model, and how to read its inputs and outputs.

Nothing here is written family by family, except how each pools its last hidden state (`REPOOL`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor, nn

from .features import Features


@dataclass(frozen=True)
class Trunk:
    """One stack of layers of a frozen model."""

    module: nn.Module
    """The module whose forward runs the stack, e.g. a BertModel, T5Stack or CLIPVisionModel."""
    path: str
    """Dotted path of the list of layers inside `module`."""
    kind: Literal["tokens", "maps"]
    """tokens: states are (batch, tokens, width); maps: (batch, width, rows, columns)."""
    widths: tuple[int, ...]
    """Width of every hidden state; state 0 is the embedding output."""
    causal: bool
    """True when a token only sees those before it."""
    pooled: int | None = None
    """Width of the model's pooled output; None where it has none."""

    @property
    def config(self) -> Any:
        """Settings of the trunk's model (a transformers config)."""
        return self.module.config

    @property
    def layers(self) -> nn.ModuleList:
        """The layers (for maps: the stages), in order."""
        return self.module.get_submodule(self.path)  # type: ignore[return-value]

    @cached_property
    def blocks(self) -> tuple[nn.Module, ...]:
        """The smallest units that can be re-run on their own: layers, or for maps the blocks of the last stage."""
        if self.kind == "tokens":
            return tuple(self.layers)
        lists: list[nn.Module] = [
            child for child in self.layers[-1].children() if isinstance(child, nn.ModuleList | nn.Sequential)
        ]
        largest = max(lists, key=lambda child: sum(parameter.numel() for parameter in child.parameters()))
        return tuple(largest.children())

    @cached_property
    def signature(self) -> inspect.Signature:
        """Signature of the trunk's own forward."""
        return inspect.signature(type(self.module).forward)

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Arguments of a call by name; what the forward takes as **kwargs is merged in."""
        bound = self.signature.bind(self.module, *args, **kwargs).arguments
        bound.pop("self")
        extra = bound.pop("kwargs", {})
        return {**bound, **extra}

    def to_state(self, tensor: Tensor, grid: tuple[int, int] | None) -> Tensor:
        """Bring a layer's output into the library's layout: Swin's tokens become maps."""
        if self.kind == "maps" and tensor.ndim == 3:
            if grid is None:
                side = int(tensor.shape[1] ** 0.5)
                grid = (side, tensor.shape[1] // side)
            return tensor.transpose(1, 2).unflatten(2, grid)
        return tensor

    def to_native(self, tensor: Tensor) -> Tensor:
        """The inverse of `to_state` for the final output."""
        return tensor.flatten(2).transpose(1, 2) if self.final_is_tokens and tensor.ndim == 4 else tensor

    def to_native_pooled(self, pooled: Tensor) -> Tensor:
        """A (batch, width) vector in the shape of the model's own pooled output: ResNet gives (batch, width, 1, 1)."""
        as_map = self.kind == "maps" and not self.final_is_tokens and getattr(self.module, "pooler", None) is not None
        return pooled[:, :, None, None] if as_map else pooled

    @property
    def final_is_tokens(self) -> bool:
        """True where the model itself gives its last output as (batch, tokens, width)."""
        return self.kind == "tokens" or getattr(self.config, "model_type", "") in {"swin", "swinv2"}

    def rest(self, inputs: dict[str, Any], output: Any) -> Features:
        """Everything of a pass but its hidden states.

        Args:
            inputs: the trunk's arguments by name, see `bind`.
            output: what the trunk returned (a ModelOutput).
        """
        final = output.last_hidden_state
        grid = self._grid(inputs, final)
        pooled = getattr(output, "pooler_output", None)
        return Features(
            states=(),
            final=self.to_state(final, grid),
            mask=self.mask_of(inputs),
            grid=grid,
            pooled=None if pooled is None else pooled.flatten(1),
            anchor=self._anchor(inputs),
        )

    def mask_of(self, inputs: dict[str, Any]) -> Tensor | None:
        """(batch, tokens), True where a token is real; None where the trunk's arguments mark no padding."""
        mask = inputs.get("attention_mask")
        return None if mask is None or mask.ndim != 2 else mask.bool()

    def _grid(self, inputs: dict[str, Any], final: Tensor) -> tuple[int, int] | None:
        if final.ndim == 4:
            return final.shape[2], final.shape[3]
        pixels = inputs.get("pixel_values")
        patch = getattr(self.config, "patch_size", None)
        if pixels is None or patch is None:
            return None
        patch = (patch, patch) if isinstance(patch, int) else tuple(patch)
        if self.kind == "tokens":
            return pixels.shape[-2] // patch[0], pixels.shape[-1] // patch[1]
        # Swin pads uneven pictures, hence the ceiling.
        scale = 2 ** (len(self.layers) - 1)
        return -(-pixels.shape[-2] // (patch[0] * scale)), -(-pixels.shape[-1] // (patch[1] * scale))

    def _anchor(self, inputs: dict[str, Any]) -> Tensor | None:
        ids = inputs.get("input_ids")
        if ids is None or getattr(self.config, "model_type", "") != "clip_text_model":
            return None
        if self.config.eos_token_id == 2:
            # Early CLIP configs hold a wrong end token; transformers then takes the largest id, and so do we.
            return ids.int().argmax(dim=-1)
        return (ids == self.config.eos_token_id).int().argmax(dim=-1)

    def repool(self, final: Tensor, anchor: Tensor | None) -> Tensor | None:
        """Pool a (changed) final output as the model itself does; None where the model has no pooled output.

        Args:
            final: native layout, see `to_native`.
            anchor: position of the summary token, where the model reads one.
        """
        model_type = getattr(self.config, "model_type", "")
        if model_type in REPOOL:
            return REPOOL[model_type](self.module, final, anchor)
        pooler = getattr(self.module, "pooler", None)
        return None if pooler is None else pooler(final)


def _first(module: nn.Module, final: Tensor, anchor: Tensor | None) -> Tensor:
    return final[:, 0]


def _clip_vision(module: Any, final: Tensor, anchor: Tensor | None) -> Tensor:
    return module.post_layernorm(final[:, 0])


def _clip_text(module: nn.Module, final: Tensor, anchor: Tensor | None) -> Tensor:
    return final[torch.arange(len(final), device=final.device), anchor]


def _siglip_vision(module: Any, final: Tensor, anchor: Tensor | None) -> Tensor | None:
    return module.head(final) if getattr(module, "use_head", True) else None


def _siglip_text(module: Any, final: Tensor, anchor: Tensor | None) -> Tensor:
    return module.head(final[:, -1])


def _swin(module: Any, final: Tensor, anchor: Tensor | None) -> Tensor | None:
    return None if module.pooler is None else module.pooler(final.transpose(1, 2)).flatten(1)


def _convnext(module: Any, final: Tensor, anchor: Tensor | None) -> Tensor:
    return module.layernorm(final.mean([-2, -1]))


REPOOL: dict[str, Callable[[Any, Tensor, Tensor | None], Tensor | None]] = {
    "dinov2": _first,
    "dinov2_with_registers": _first,
    "dinov3_vit": _first,
    "clip_vision_model": _clip_vision,
    "clip_text_model": _clip_text,
    "siglip_vision_model": _siglip_vision,
    "siglip_text_model": _siglip_text,
    "swin": _swin,
    "swinv2": _swin,
    "convnext": _convnext,
    "convnextv2": _convnext,
}

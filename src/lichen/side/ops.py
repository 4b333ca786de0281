"""Small pieces that the side networks share: masked means, norms, down-projections, and recomputation in backward."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ..errors import InputError
from .config import Keep
from .lean import LeanLinear, lean_linear

NormKind = Literal["layer", "rms", "none"]


def side_width(width: int, reduction: int) -> int:
    """Width of a side network: `width // reduction`.

    Raises:
        InputError: nothing is left after the division.
    """
    if reduction > width:
        raise InputError(
            f"reduction={reduction} leaves no channel of a width of {width}. Give a reduction of at most {width}."
        )
    return width // reduction


def at_least(count: int, widths: tuple[int, ...], name: str) -> None:
    """Raise an `InputError` if fewer than `count` hidden states are chosen."""
    if len(widths) < count:
        raise InputError(
            f"{name} needs at least {count} hidden states, but {len(widths)} were chosen. Set layers=None to take all."
        )


def build_norm(kind: NormKind, width: int, eps: float) -> nn.Module:
    """LayerNorm, RMSNorm or nothing."""
    if kind == "none":
        return nn.Identity()
    return nn.RMSNorm(width, eps=eps) if kind == "rms" else nn.LayerNorm(width, eps=eps)


def wide(dtype: torch.dtype) -> torch.dtype:
    """The dtype to sum in: at least float32."""
    return torch.promote_types(dtype, torch.float32)


def without_autocast(device: torch.device) -> AbstractContextManager[Any]:
    """Switch automatic mixed precision off where the device knows it."""
    if torch.amp.is_autocast_available(device.type):
        return torch.autocast(device.type, enabled=False)
    return contextlib.nullcontext()


def l2_normalise(x: Float[Tensor, "... width"], eps: float) -> Float[Tensor, "... width"]:
    """`x / (|x|_2 + eps)` over the last axis; a zero vector stays zero and has a finite gradient."""
    return x / (torch.linalg.vector_norm(x, dim=-1, keepdim=True) + eps)


def masked_mean(
    x: Float[Tensor, "batch tokens width"], mask: Bool[Tensor, "batch tokens"] | None
) -> Float[Tensor, "batch width"]:
    """Mean over the valid tokens; zero for a sample that has none."""
    if mask is None:
        return x.mean(1)
    count = mask.sum(1, keepdim=True).clamp(min=1)
    return torch.where(mask.unsqueeze(-1), x, 0).sum(1) / count


def running_mean(
    x: Float[Tensor, "batch tokens width"], mask: Bool[Tensor, "batch tokens"] | None
) -> Float[Tensor, "batch tokens width"]:
    """Mean over the valid tokens up to and including each token, summed in float32 or wider."""
    if mask is None:
        count = torch.arange(1, x.shape[1] + 1, device=x.device).unsqueeze(-1)
        return x.cumsum(1, dtype=wide(x.dtype)) / count
    count = mask.cumsum(1).clamp(min=1).unsqueeze(-1)
    return torch.where(mask.unsqueeze(-1), x, 0).cumsum(1, dtype=wide(x.dtype)) / count


def at_anchor(
    x: Float[Tensor, "batch tokens width"], anchor: Int[Tensor, " batch"] | None
) -> Float[Tensor, "batch width"]:
    """The token at each sample's anchor position; token 0 when there is none."""
    if anchor is None:
        return x[:, 0]
    return x[torch.arange(len(x), device=x.device), anchor]


def spatial_ratio(size: tuple[int, int], target: tuple[int, int]) -> tuple[int, int]:
    """How many rows and columns of a map fall into one cell of a smaller map.

    Raises:
        InputError: the sizes do not divide.
    """
    if size[0] % target[0] or size[1] % target[1]:
        raise InputError(
            f"A map of {size[0]} x {size[1]} does not divide into the last map's {target[0]} x {target[1]} cells. "
            "Resize pictures so that every stage divides evenly, or choose other stages."
        )
    return size[0] // target[0], size[1] // target[1]


def to_tokens(maps: Float[Tensor, "batch width rows columns"]) -> Float[Tensor, "batch cells width"]:
    """Flatten a map row by row."""
    return maps.flatten(2).transpose(1, 2)


def to_maps(
    tokens: Float[Tensor, "batch cells width"], size: tuple[int, int]
) -> Float[Tensor, "batch width rows cols"]:
    """Undo `to_tokens`."""
    return tokens.transpose(1, 2).unflatten(2, size)


class _Recompute(torch.autograd.Function):
    """Runs a function, keeps only its inputs, and runs it again in backward."""

    @staticmethod
    def forward(ctx: Any, function: Callable[..., Tensor], *tensors: Tensor | None) -> Tensor:
        kind = next(tensor.device.type for tensor in tensors if tensor is not None)
        ctx.function, ctx.kind = function, kind
        ctx.amp = None
        if torch.amp.is_autocast_available(kind):
            ctx.amp = (torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind))
        ctx.save_for_backward(*tensors)
        return function(*tensors)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        needs = ctx.needs_input_grad[1:]
        inputs = [
            None if saved is None else saved.detach().requires_grad_(need)
            for saved, need in zip(ctx.saved_tensors, needs, strict=True)
        ]
        amp: AbstractContextManager[Any] = contextlib.nullcontext()
        if ctx.amp is not None:
            amp = torch.autocast(ctx.kind, enabled=ctx.amp[0], dtype=ctx.amp[1])
        with torch.enable_grad(), amp:
            output = ctx.function(*inputs)
        wanted = [tensor for tensor, need in zip(inputs, needs, strict=True) if need and tensor is not None]
        grads = iter(torch.autograd.grad(output, wanted, grad, allow_unused=True))
        return None, *(next(grads) if need else None for need in needs)


def recompute(function: Callable[..., Tensor], *tensors: Tensor | None) -> Tensor:
    """`function(*tensors)`, keeping nothing but the inputs for backward.

    `function` must be deterministic and must not reach for tensors that need gradients by any other way.
    """
    return _Recompute.apply(function, *tensors)


class LinearNorm(nn.Module):
    """`LN(W x + b)`."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, out)
        self.norm = nn.LayerNorm(out)

    def forward(self, x: Float[Tensor, "... width"]) -> Float[Tensor, "... out"]:
        return self.norm(self.linear(x))


class FeedForward(nn.Module):
    """`LN(W2 R(W1 x))` with a hidden layer of another width."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.expand = nn.Linear(width, hidden)
        self.contract = nn.Linear(hidden, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Float[Tensor, "... width"]) -> Float[Tensor, "... width"]:
        return self.norm(self.contract(self.expand(x).relu()))


class Down(nn.Module):
    """Down-projection of a frozen hidden state: [ReLU], linear, [LayerNorm]."""

    def __init__(self, width: int, out: int, *, keep: Keep, activate: bool = False, norm: bool = True) -> None:
        super().__init__()
        self.activate = activate
        self.linear = LeanLinear(width, out, keep=keep)
        self.norm = nn.LayerNorm(out) if norm else nn.Identity()

    def forward(self, x: Float[Tensor, "... width"]) -> Float[Tensor, "... out"]:
        return self.norm(self.linear(x.relu() if self.activate else x))


class LeanPointwise(nn.Conv2d):
    """1 x 1 convolution of a frozen map that may keep a smaller copy of the map for the weight gradient."""

    def __init__(self, width: int, out: int, keep: Keep) -> None:
        super().__init__(width, out, 1)
        self.keep = keep

    def forward(self, x: Float[Tensor, "batch width rows columns"]) -> Float[Tensor, "batch out rows columns"]:
        if self.keep == "exact":
            return super().forward(x)
        return to_maps(
            lean_linear(to_tokens(x), self.weight.flatten(1), self.bias, self.keep), (x.shape[2], x.shape[3])
        )


def init_normal(module: nn.Module, std: float) -> None:
    """Draw the weights of all linear layers from N(0, std) and set their biases to zero."""
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.normal_(part.weight, 0.0, std)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


def init_xavier(module: nn.Module) -> None:
    """Draw every parameter of two or more axes from the Xavier uniform distribution."""
    for parameter in module.parameters():
        if parameter.ndim > 1:
            nn.init.xavier_uniform_(parameter)


def init_zero(layer: nn.Linear | nn.Conv2d) -> None:
    """Set a layer's weight and bias to zero, so that it adds nothing until it is trained."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)

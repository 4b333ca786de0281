"""Linear layers on frozen inputs that keep less for the weight gradient.

The weight gradient of `y = x W^T + b` needs `x`. A hidden state of a frozen backbone needs no gradient of its own, so a
rounded copy of it serves: the forward stays exact, only the weight gradient is rounded. In bytes a value: exact keeps
the tensor itself, bfloat16 keeps 2, int8 keeps 1 and four more a token. Source: docs/papers.md, "Pooled".
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ..errors import pick
from .config import Keep

KEEPS: tuple[Keep, ...] = ("exact", "bfloat16", "int8")
_PIECE = 2**17
"""Values that a CPU rounds at a time: few enough for its cache, which halves the time."""


def compress(x: Float[Tensor, "*tokens width"], keep: Keep) -> tuple[Tensor, ...]:
    """Make the copy of `x` that is kept for backward.

    Returns:
        exact: `(x,)`, no copy. bfloat16: `(x rounded,)`. int8: `(values, scale)`, `values` int8 of x's shape and
        `scale` float32 of shape `tokens`, the largest magnitude of a token divided by 127.

    Raises:
        InputError: `keep` is none of exact, bfloat16, int8.
    """
    pick("keep", keep, KEEPS)
    if keep == "exact":
        return (x,)
    if keep == "bfloat16":
        return (x.to(torch.bfloat16),)
    scale = torch.maximum(x.amax(-1), -x.amin(-1)).float() / 127
    # An all-zero token has scale 0; any divisor gives it zeros.
    step = torch.where(scale > 0, scale, torch.ones_like(scale))
    values = torch.empty_like(x, dtype=torch.int8, memory_format=torch.contiguous_format)
    width = x.shape[-1]
    rows = max(1, _PIECE // width) if x.device.type == "cpu" else max(1, scale.numel())
    # Dividing in x's own dtype: bfloat16 has 8 bits, enough to reach every int8 step.
    pieces = (x.reshape(-1, width), step.to(x.dtype).reshape(-1, 1), values.view(-1, width))
    for part, divisor, out in zip(*(tensor.split(rows) for tensor in pieces), strict=True):
        out.copy_((part / divisor).round_().clamp_(-127, 127))
    return values, scale


def expand(parts: tuple[Tensor, ...], keep: Keep, dtype: torch.dtype) -> Float[Tensor, "*tokens width"]:
    """Undo `compress`, up to its rounding, in the wanted dtype."""
    if keep == "int8":
        values, scale = parts
        return values.to(dtype).mul_(scale.to(dtype).unsqueeze(-1))
    return parts[0].to(dtype)


class _LeanLinear(torch.autograd.Function):
    """F.linear whose backward reads a compressed input. The input itself gets no gradient."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None, keep: Keep) -> Tensor:
        return F.linear(x, weight, bias)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor | None, Keep], output: Tensor) -> None:
        x, _, _, keep = inputs
        ctx.keep = keep
        # Saved here and nowhere else: saved-tensor hooks must see every byte.
        ctx.save_for_backward(*compress(x, keep))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor | None, Tensor | None, None]:
        rows = grad.reshape(-1, grad.shape[-1])
        weight_grad = bias_grad = None
        with torch.autocast(grad.device.type, enabled=False):
            if ctx.needs_input_grad[1]:
                x = expand(ctx.saved_tensors, ctx.keep, grad.dtype)
                weight_grad = rows.mT @ x.reshape(-1, x.shape[-1])
            if ctx.needs_input_grad[2]:
                bias_grad = rows.sum(0)
        return None, weight_grad, bias_grad, None


def lean_linear(
    x: Float[Tensor, "*tokens inputs"],
    weight: Float[Tensor, "outputs inputs"],
    bias: Float[Tensor, " outputs"] | None = None,
    keep: Keep = "exact",
) -> Float[Tensor, "*tokens outputs"]:
    """F.linear that keeps `x` for the weight gradient exactly, as bfloat16 or as int8.

    An `x` that needs a gradient itself, or a frozen weight, gives plain F.linear. Under autocast it computes in the
    autocast dtype, as F.linear does.

    Raises:
        InputError: `keep` is none of exact, bfloat16, int8.
    """
    pick("keep", keep, KEEPS)
    if x.requires_grad or not weight.requires_grad or not torch.is_grad_enabled():
        return F.linear(x, weight, bias)
    device = x.device.type
    if torch.is_autocast_enabled(device) and x.dtype != torch.float64:
        # The casts stand outside the Function so that autograd returns each gradient in its parameter's own dtype.
        low = torch.get_autocast_dtype(device)
        x, weight = x.to(low), weight.to(low)
        bias = None if bias is None else bias.to(low)
    return _LeanLinear.apply(x, weight, bias, keep)


class LeanLinear(nn.Linear):
    """nn.Linear for inputs that need no gradient, such as a frozen backbone's hidden states. Same parameters."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True, keep: Keep = "exact") -> None:
        super().__init__(in_features, out_features, bias)
        self.keep: Keep = pick("keep", keep, KEEPS)  # type: ignore[assignment]

    def forward(self, input: Float[Tensor, "*tokens inputs"]) -> Float[Tensor, "*tokens outputs"]:
        return lean_linear(input, self.weight, self.bias, self.keep)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, keep={self.keep}"

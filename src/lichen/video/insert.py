"""Where an adapter's units go in a UNet of diffusers, without changing its class.

`BasicTransformerBlock.forward` calls `self.fuser(hidden, objs)` between its self-attention and its text attention
wherever `cross_attention_kwargs["gligen"]` is given, which is the place that SMCD chose. Here `fuser` is a plain
object, no module, and what it is given says which adapter answers: so the UNet's parameters and files stay its own,
and without conditions it runs as it always did.

Source: solids_and_video.md B9.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from diffusers import UNetMotionModel
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from torch import Tensor, nn

from ..errors import InputError
from .units import Shape

TEMPORAL = ("TransformerTemporalModel", "AnimateDiffTransformer3D")
"""Classes of transformers over frames."""


@dataclass(frozen=True)
class Slot:
    """What stands in `block.fuser`."""

    number: int | None
    """Of the spatial block; None in blocks that nothing is added to."""

    def __call__(self, hidden: Tensor, conditions: Any) -> Tensor:
        """The visual tokens, as the adapter of these conditions changes them."""
        return hidden if self.number is None else conditions.change(self.number, hidden)


def spatial_blocks(unet: nn.Module) -> list[BasicTransformerBlock]:
    """Transformer blocks over the cells of a frame, in the order of the UNet's modules.

    Raises:
        InputError: the UNet has none.
    """
    found = [
        block
        for transformer in unet.modules()
        if isinstance(transformer, Transformer2DModel)
        for block in transformer.modules()
        if isinstance(block, BasicTransformerBlock)
    ]
    if not found:
        raise InputError(
            f"{type(unet).__name__} has no spatial transformer blocks (Transformer2DModel), so boxes and pictures have "
            "no place in it. Take a UNet3DConditionModel or UNetMotionModel with CrossAttn blocks."
        )
    return found


def insert(unet: nn.Module) -> list[Shape]:
    """Put a slot into every transformer block of a UNet; once is enough for any number of adapters.

    Returns:
        Shapes of the spatial blocks, in the order of their numbers.

    Raises:
        InputError: it has no spatial blocks.
    """
    numbers = {id(block): number for number, block in enumerate(spatial_blocks(unet))}
    for block in unet.modules():
        if isinstance(block, BasicTransformerBlock):
            block.fuser = Slot(numbers.get(id(block)))  # type: ignore[assignment]
    return [
        Shape(int(block.attn1.query_dim), int(block.attn1.heads), int(block.attn1.inner_dim // block.attn1.heads))
        for block in spatial_blocks(unet)
    ]


def ask(unet: Any, sample: Tensor, times: Tensor, text: Tensor, **told: Any) -> Tensor:
    """What a UNet says of noisy latents.

    Args:
        unet: `UNet3DConditionModel` repeats prompts for the frames of a clip, `UNetMotionModel` wants them repeated.
        sample: (batch, channels, frames, rows, columns).
        times: one for all clips, or one a clip.
        text: (batch, length, width).
        told: further arguments of its forward.
    """
    if isinstance(unet, UNetMotionModel):
        text = text.repeat_interleave(sample.shape[2], 0)
    found: Tensor = unet(sample, times, encoder_hidden_states=text, **told).sample
    return found


def remove(unet: nn.Module) -> None:
    """Take the slots out again."""
    for block in unet.modules():
        if isinstance(block, BasicTransformerBlock) and isinstance(getattr(block, "fuser", None), Slot):
            del block.fuser


def tuned_names(unet: nn.Module) -> list[str]:
    """Parameters of the base that SMCD's second stage trains: the first convolution and, in the temporal transformers
    but the one right behind it, attention and feed-forward; not their projections and norms (B4)."""
    names = [f"conv_in.{name}" for name, _ in unet.get_submodule("conv_in").named_parameters()]
    for path, module in unet.named_modules():
        if type(module).__name__ in TEMPORAL and path != "transformer_in":
            names += [
                f"{path}.transformer_blocks.{name}"
                for name, _ in module.get_submodule("transformer_blocks").named_parameters()
                if ".norm" not in f".{name}"
            ]
    return names

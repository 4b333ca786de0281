"""`PictureEncoder`: the latents of the first picture as tokens.

Source: solids_and_video.md B3 and C5: plain convolutions without norms; every residual block starts with one more
3×3 convolution, whose output is the skip; every stage but the first starts with one of stride 2.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn


class PictureBlock(nn.Module):
    """[stride-2 convolution,] convolution, then a residual branch of convolution, ReLU, convolution."""

    def __init__(self, given: int, width: int, halve: bool) -> None:
        """
        Args:
            given: channels in.
            width: channels out.
            halve: whether the map is halved first.
        """
        super().__init__()
        self.down_opt = nn.Conv2d(given, given, 3, stride=2, padding=1) if halve else None
        self.in_conv = nn.Conv2d(given, width, 3, padding=1)
        self.block1 = nn.Conv2d(width, width, 3, padding=1)
        self.block2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Float[Tensor, "batch given rows columns"]) -> Float[Tensor, "batch width less fewer"]:
        """The map after the block."""
        if self.down_opt is not None:
            x = self.down_opt(x)
        x = self.in_conv(x)
        return x + self.block2(torch.relu(self.block1(x)))


class PictureEncoder(nn.Module):
    """A small convolutional network; its last map, row by row, is the tokens."""

    def __init__(self, latents: int, channels: Sequence[int], blocks: int) -> None:
        """
        Args:
            latents: channels of the latents.
            channels: of the stages.
            blocks: of each stage.
        """
        super().__init__()
        self.conv_in = nn.Conv2d(latents, channels[0], 3, padding=1)
        widths = [channels[0], *(width for width in channels for _ in range(blocks))]
        self.body = nn.ModuleList(
            PictureBlock(widths[place], widths[place + 1], halve=place > 0 and place % blocks == 0)
            for place in range(len(channels) * blocks)
        )
        self.width = channels[-1]

    def forward(self, latents: Float[Tensor, "batch channels rows columns"]) -> Float[Tensor, "batch tokens width"]:
        """Tokens of each picture."""
        x = self.conv_in(latents)
        for block in self.body:
            x = block(x)
        return x.flatten(2).transpose(1, 2)

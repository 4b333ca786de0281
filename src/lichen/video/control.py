"""`ControlBranch`: a copy of a UNet's encoder half, whose features are added to the skips (ControlNet).

One of the variants that SMCD compares; the authors' code concatenates the features to the skips, here they are added
as ControlNet publishes it, which `UNet3DConditionModel` has arguments for. As in the authors' code only the layers
that begin at zero and the first picture's convolution are trained.

Source: solids_and_video.md B3, and Zhang et al. 2023 (ControlNet), §3.
"""

from __future__ import annotations

import copy
from typing import Any

from diffusers import UNet3DConditionModel
from jaxtyping import Float
from torch import Tensor, nn

from ..errors import InputError
from .codec import Latents


class ControlBranch(nn.Module):
    """Reads the noisy latents and the first picture, and returns what is added to the skips."""

    def __init__(self, unet: Any) -> None:
        """
        Args:
            unet: whose encoder half is copied, as it is now.

        Raises:
            InputError: not a `UNet3DConditionModel`.
        """
        super().__init__()
        wanted: Any = UNet3DConditionModel
        if not isinstance(unet, wanted):
            raise InputError(
                f'integration = "control" copies a UNet3DConditionModel; got {type(unet).__name__}. Choose "both".'
            )
        # Modules that are not registered are neither trained nor saved: they are the base's own.
        self._copy = (copy.deepcopy(_Encoder(unet)).eval().requires_grad_(False),)
        first = unet.conv_in
        self.hint = nn.Conv2d(first.in_channels, first.out_channels, 3, padding=1)
        widths = [first.out_channels]
        for block in unet.down_blocks:
            widths += [resnet.out_channels for resnet in block.resnets]
            widths += [widths[-1]] * (block.downsamplers is not None)
        self.zeros = nn.ModuleList(nn.Conv2d(width, width, 1) for width in [*widths, widths[-1]])
        for value in self.zeros.parameters():
            nn.init.zeros_(value)

    def forward(
        self, sample: Latents, times: Tensor, text: Float[Tensor, "batch length width"], first: Tensor
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        """What is added to the skips, shallow to deep, and to the middle.

        Args:
            sample: noisy latents.
            times: of the noise, one a clip.
            text: prompts.
            first: (batch, channels, rows, columns), latents of the first picture.
        """
        encoder = self._copy[0].to(sample.device)
        hint = self.hint(first).repeat_interleave(sample.shape[2], 0)
        features = encoder(sample, times, text, hint)
        added = [zero(feature) for zero, feature in zip(self.zeros, features, strict=True)]
        return tuple(added[:-1]), added[-1]


class _Encoder(nn.Module):
    """The half of a `UNet3DConditionModel` before its up blocks."""

    def __init__(self, unet: Any) -> None:
        super().__init__()
        self.time_proj, self.time_embedding = unet.time_proj, unet.time_embedding
        self.conv_in, self.transformer_in = unet.conv_in, unet.transformer_in
        self.down_blocks, self.mid_block = unet.down_blocks, unet.mid_block

    def forward(self, sample: Latents, times: Tensor, text: Tensor, hint: Tensor) -> list[Tensor]:
        """Features of every skip, and of the middle."""
        frames = sample.shape[2]
        times = times.expand(len(sample))
        embedded = self.time_embedding(self.time_proj(times).to(sample.dtype)).repeat_interleave(frames, 0)
        words = text.repeat_interleave(frames, 0)
        x = self.conv_in(sample.transpose(1, 2).flatten(0, 1)) + hint
        x = self.transformer_in(x, num_frames=frames, return_dict=False)[0]
        found = [x]
        for block in self.down_blocks:
            told = {"encoder_hidden_states": words} if getattr(block, "has_cross_attention", False) else {}
            x, skips = block(hidden_states=x, temb=embedded, num_frames=frames, **told)
            found += skips
        return [*found, self.mid_block(x, embedded, encoder_hidden_states=words, num_frames=frames)]

"""`Codec`: from frames to the latents that a diffusion model works on, and back.

Frames are (batch, frames, 3, height, width) from -1 to 1; latents are (batch, channels, frames, rows, columns).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from ..errors import InputError

Frames = Float[Tensor, "batch frames 3 height width"]
Latents = Float[Tensor, "batch channels frames rows columns"]
_TOGETHER = 16
"""Frames that a VAE reads at a time."""


class Codec(ABC):
    """Frames to latents and back."""

    channels: int
    """Of the latents."""
    factor: int
    """Pixels to an edge of a latent."""

    @abstractmethod
    def encode(self, frames: Frames) -> Latents:
        """Frames as latents."""

    @abstractmethod
    def decode(self, latents: Latents) -> Frames:
        """Latents as frames, from -1 to 1."""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """What tells it from another one, as JSON can hold it."""


class PixelCodec(Codec):
    """Pixels themselves: a square of `patch` × `patch` pixels becomes the channels of one latent. Nothing is lost.

    Source: solids_and_video.md C2 (pixel-unshuffle as an exact invertible "VAE").
    """

    def __init__(self, patch: int = 2) -> None:
        """
        Args:
            patch: pixels to an edge of the square.
        """
        if patch < 1:
            raise InputError(f"PixelCodec.patch must be at least 1; got {patch}.")
        self.patch = self.factor = patch
        self.channels = 3 * patch**2

    def encode(self, frames: Frames) -> Latents:
        """Frames as latents."""
        return pixel_unshuffle(frames, self.patch).transpose(1, 2).contiguous()

    def decode(self, latents: Latents) -> Frames:
        """Latents as frames, from -1 to 1."""
        return pixel_shuffle(latents.transpose(1, 2), self.patch).clamp(-1, 1)

    def settings(self) -> dict[str, Any]:
        """The patch."""
        return {"kind": "pixels", "patch": self.patch}


class VaeCodec(Codec):
    """The autoencoder of a diffusers pipeline (`AutoencoderKL`), frame by frame; its mean, without noise.

    Source: solids_and_video.md B1.
    """

    def __init__(self, vae: Any) -> None:
        """
        Args:
            vae: frozen in place.
        """
        self.vae = vae.eval().requires_grad_(False)
        self.channels = int(vae.config.latent_channels)
        self.factor = 2 ** (len(vae.config.block_out_channels) - 1)
        self.scale = float(vae.config.scaling_factor)

    @torch.no_grad()
    def encode(self, frames: Frames) -> Latents:
        """Frames as latents."""
        flat = frames.flatten(0, 1).to(self.vae.dtype)
        found = torch.cat([self.vae.encode(some).latent_dist.mode() for some in flat.split(_TOGETHER)])
        return (found * self.scale).unflatten(0, frames.shape[:2]).transpose(1, 2).to(frames.dtype)

    @torch.no_grad()
    def decode(self, latents: Latents) -> Frames:
        """Latents as frames, from -1 to 1."""
        by_frame = latents.transpose(1, 2)
        flat = by_frame.flatten(0, 1).to(self.vae.dtype) / self.scale
        found = torch.cat([self.vae.decode(some).sample for some in flat.split(_TOGETHER)])
        return found.unflatten(0, by_frame.shape[:2]).to(latents.dtype).clamp(-1, 1)

    def settings(self) -> dict[str, Any]:
        """Its sizes."""
        return {"kind": "vae", "channels": self.channels, "factor": self.factor, "scale": self.scale}


def to_frames(pixels: UInt8[Tensor, "batch frames height width 3"]) -> Frames:
    """Bytes as frames."""
    return pixels.movedim(-1, 2).float() / 127.5 - 1.0


def to_pixels(frames: Frames) -> UInt8[Tensor, "batch frames height width 3"]:
    """Frames as bytes."""
    return ((frames + 1.0) * 127.5).round().clamp(0, 255).to(torch.uint8).movedim(2, -1)

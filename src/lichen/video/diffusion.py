"""`VideoDiffusion`: noise is put on latents, and a model learns to tell what was put there.

Sources: solids_and_video.md B4; min-SNR weighting by Hang et al. 2023, Eq. 6 and its forms for other targets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from diffusers import DDPMScheduler
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..errors import InputError
from .average import Average
from .codec import Latents
from .config import LossConfig
from .insert import ask
from .objects import Objects, coverage

TARGETS = ("epsilon", "sample", "v_prediction")


class Schedule(nn.Module):
    """The noise levels of a scheduler, for training."""

    alphas: Tensor

    def __init__(self, scheduler: Any) -> None:
        """
        Args:
            scheduler: of diffusers; its betas and its `prediction_type` count.

        Raises:
            InputError: it predicts something else than noise, the sample or v.
        """
        super().__init__()
        config = scheduler.config
        if config.get("prediction_type") not in TARGETS:
            raise InputError(f"prediction_type must be one of {TARGETS}; got {config.get('prediction_type')!r}.")
        self.target = str(config["prediction_type"])
        known = DDPMScheduler.from_config(config)
        self.register_buffer("alphas", known.alphas_cumprod.clone(), persistent=False)

    def __len__(self) -> int:
        return len(self.alphas)

    def levels(self, times: Int[Tensor, " batch"]) -> tuple[Tensor, Tensor]:
        """Factors of signal and noise, ready to multiply latents."""
        alpha = self.alphas[times][:, None, None, None, None]
        return alpha.sqrt(), (1 - alpha).sqrt()

    def noisy(self, clean: Latents, noise: Latents, times: Int[Tensor, " batch"]) -> Latents:
        """Latents with noise on them."""
        signal, spread = self.levels(times)
        return signal * clean + spread * noise

    def wanted(self, clean: Latents, noise: Latents, times: Int[Tensor, " batch"]) -> Latents:
        """What the model is to say."""
        if self.target == "epsilon":
            return noise
        if self.target == "sample":
            return clean
        signal, spread = self.levels(times)
        return signal * noise - spread * clean

    def weights(self, times: Int[Tensor, " batch"], config: LossConfig) -> Float[Tensor, " batch"]:
        """Weight of each sample's error."""
        alpha = self.alphas[times]
        if config.weighting == "plain":
            return torch.ones_like(alpha)
        if config.floor and self.target == "epsilon":
            raise InputError("LossConfig.floor is for models that predict the sample or v; this one predicts noise.")
        ratio = alpha / (1 - alpha).clamp(min=1e-12)
        least = ratio.clamp(min=config.floor, max=config.gamma)
        if self.target == "sample":
            return least
        return least / (ratio + 1) if self.target == "v_prediction" else least / ratio.clamp(min=1e-12)


class VideoDiffusion(nn.Module):
    """What a training of video models trains: a UNet, or an adapter beside a frozen one, and its running average.

    The frozen UNet is held without being a part of the module, so it is neither saved nor counted.
    """

    nothing: Tensor

    def __init__(
        self,
        unet: nn.Module,
        schedule: Schedule,
        nothing: Float[Tensor, "length width"],
        config: LossConfig,
        adapter: Any = None,
        average: float = 0.999,
    ) -> None:
        """
        Args:
            unet: trained where there is no adapter, otherwise frozen.
            schedule: of the noise.
            nothing: the empty prompt.
            config: of the loss.
            adapter: see `adapter.py`; its stage is set.
            average: share of the old in each update of the running average; 0: none.
        """
        super().__init__()
        self.trained = unet if adapter is None else adapter
        self._unet = (unet,)
        self.schedule = schedule
        self.learning = config
        self.register_buffer("nothing", nothing.clone(), persistent=False)
        self.average = Average(self.trained, average) if average else None

    def train(self, mode: bool = True) -> VideoDiffusion:
        """As of every module, but the dropout inside the blocks of diffusers stays off: small models lack capacity."""
        super().train(mode)
        self.trained.eval()
        return self

    @property
    def unet(self) -> Any:
        """Trained or frozen."""
        return self._unet[0]

    def forward(self, features: Mapping[str, Any], targets: Mapping[str, Any]) -> dict[str, Tensor]:
        """Loss of a batch.

        Args:
            features: nothing: latents come with the targets.
            targets: "latents" (batch, channels, frames, rows, columns), "text" (batch, length, width), and where there
                is an adapter "objects", an `Objects`, and "seen", tokens of the first picture where it looks at such.

        Returns:
            "loss"; "inside", the plain squared error inside the boxes, where there are boxes.
        """
        clean, text, objects = targets["latents"], targets["text"], targets.get("objects")
        batch, device = len(clean), clean.device
        first = int(self.learning.from_step * len(self.schedule))
        times = torch.randint(first, len(self.schedule), (batch,), device=device)
        noise = torch.randn_like(clean)
        drop = {name: torch.rand(batch, device=device) for name in ("text", "boxes", "image", "input")}
        text = torch.where((drop["text"] < self.learning.drop_text)[:, None, None], self.nothing, text)
        noisy = self.schedule.noisy(clean, noise, times)
        if self.trained is self.unet:
            found = ask(self.unet, noisy, times, text)
        else:
            found = self.trained(
                self.unet,
                noisy,
                times,
                text,
                None if objects is None else objects.without(drop["boxes"] < self.learning.drop_boxes),
                clean[:, :, 0],
                seen=targets.get("seen"),
                without_tokens=drop["image"] < self.learning.drop_image,
                without_input=drop["input"] < self.learning.drop_input,
            )
        errors = (found.float() - self.schedule.wanted(clean, noise, times)).square()
        weight = self.schedule.weights(times, self.learning)[:, None, None, None, None]
        if objects is None:
            return {"loss": (weight * errors).mean()}
        held = inside(objects, *clean.shape[-2:])[:, None]
        spread = 1 + (self.learning.inside - 1) * held
        loss = (weight * spread * errors).mean() / spread.mean()
        return {"loss": loss, "inside": (held * errors).mean() / held.mean().clamp(min=1e-6)}


def inside(objects: Objects, rows: int, columns: int) -> Float[Tensor, "batch frames rows columns"]:
    """Share of every cell that lies in any present box, at most 1."""
    found = coverage(objects.boxes, rows, columns) * objects.present[..., None]
    return found.sum(2).clamp(max=1).unflatten(-1, (rows, columns))

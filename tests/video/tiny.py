"""Models that answer in milliseconds: they show that all parts fit, not that anything is learnt."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lichen.training.pretraining.video import VideoSettings, make_base
from lichen.video.base import VideoBase
from lichen.video.config import AdapterConfig, ImageConfig, MotionConfig
from lichen.video.objects import Objects

SETTINGS = VideoSettings(
    clips=8, steps=2, batch=2, size=32, frames=2, channels=(16, 32), head=8, groups=4, precision="float32", save_every=1
)
NAMES = ["dog", "cat", "ball"]


@cache
def texts() -> Any:
    return make_base(SETTINGS).texts


def tiny_base() -> VideoBase:
    """Two frames of 32 × 32 pixels; its weights are random but alive."""
    base = make_base(SETTINGS)
    base.texts = texts()
    torch.manual_seed(1)
    shake(base.unet, 0.05)
    return base


@torch.no_grad()
def shake(module: nn.Module, size: float = 0.2) -> None:
    """Move all weights off zero."""
    for value in module.parameters():
        value.add_(torch.randn_like(value) * size)


def config(
    integration: Any = "both", arrangement: Any = "after", gates: Any = "closed", **motion: Any
) -> AdapterConfig:
    """Both modules, small."""
    return AdapterConfig(
        MotionConfig(slots=4, gates=gates, **motion),
        ImageConfig(integration, arrangement, channels=(8, 16), blocks=1, gates=gates),
    )


def inputs(batch: int = 2, seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Objects]:
    """Noisy latents, times, prompts, objects."""
    chance = torch.Generator().manual_seed(seed)
    sample = torch.randn(batch, 12, 2, 16, 16, generator=chance)
    times = torch.randint(0, 1000, (batch,), generator=chance)
    corner = torch.rand(batch, 2, 3, 2, generator=chance) * 0.5
    boxes = torch.cat([corner, corner + 0.3], -1)
    present = torch.ones(batch, 2, 3).bool()
    present[:, 1, 2] = False
    names = texts().names(NAMES * batch).unflatten(0, (batch, 3))
    prompts = texts().prompts(["a red dog walks", "a cat", "a ball", "a car"][:batch])
    return sample, times, prompts, Objects(boxes, present, names)


def save_pipeline(folder: Path) -> Path:
    """A tiny random text-to-video pipeline of diffusers, as ModelScope's is laid out."""
    from diffusers import AutoencoderKL, DDIMScheduler, TextToVideoSDPipeline, UNet3DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    letters = [chr(97 + place) for place in range(26)]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({word: place for place, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=16)
    torch.manual_seed(0)
    parts: dict[str, Any] = {
        "tokenizer": tokenizer,
        "text_encoder": CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(words),
                hidden_size=16,
                intermediate_size=32,
                num_hidden_layers=2,
                num_attention_heads=2,
                max_position_embeddings=16,
                bos_token_id=52,
                eos_token_id=53,
                pad_token_id=53,
            )
        ),
        "unet": UNet3DConditionModel(
            sample_size=8,
            block_out_channels=(8, 16),
            layers_per_block=1,
            norm_num_groups=4,
            cross_attention_dim=16,
            attention_head_dim=8,
            down_block_types=("CrossAttnDownBlock3D", "DownBlock3D"),
            up_block_types=("UpBlock3D", "CrossAttnUpBlock3D"),
        ),
        "vae": AutoencoderKL(block_out_channels=(8,), norm_num_groups=4),
        "scheduler": DDIMScheduler(beta_schedule="scaled_linear", clip_sample=False),
    }
    TextToVideoSDPipeline(**parts).save_pretrained(folder / "pipeline")
    return folder / "pipeline"

"""`playground-video`: a small text-to-video model of the playground's clips, in pixels, a UNet of diffusers.

It is the base on which box and picture control is learnt; `recipes/playground-video-*.toml` go on from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import DDIMScheduler
from transformers import TrainingArguments

from ...data.playground.clips.config import ClipConfig
from ...data.playground.clips.dataset import PlaygroundClips
from ...data.playground.clips.kept import kept_clips
from ...errors import InputError
from ...video.base import VideoBase, build_unet
from ...video.codec import PixelCodec
from ...video.config import LossConfig
from ...video.diffusion import Schedule, VideoDiffusion
from ...video.texts import BackboneTexts
from ..engine.checkpoints import checkpoints
from ..filming.table import ClipTable
from ..filming.trainer import FilmTrainer
from .pictures import Progress

CLASSES = ("ball", "bird", "car", "cat", "dog", "sheep")
"""What moves in its clips."""


@dataclass(frozen=True)
class VideoSettings:
    """How the model is built and trained."""

    seed: int = 0
    """Of weights and order. The playground's own seed is always 0."""
    clips: int = 10_000
    """Of the playground's train split."""
    steps: int = 5_000
    """Updates."""
    batch: int = 8
    """Clips in one update."""
    lr: float = 6e-4
    """Peak learning rate of AdamW, cosine after 2 % warm-up."""
    weight_decay: float = 0.01
    """On matrices and kernels."""
    average: float = 0.999
    """Share of the old in the running average of the weights, which is what is saved."""
    size: int = 32
    """Edge of the frames in pixels."""
    frames: int = 8
    """Of a clip."""
    patch: int = 2
    """Pixels to an edge of a latent."""
    channels: tuple[int, ...] = (48, 96)
    """Of the levels of the UNet."""
    layers: int = 1
    """Residual blocks of a level on the way down; one more on the way up."""
    head: int = 16
    """Width of an attention head."""
    groups: int = 8
    """Of the group norms."""
    text: str = "embedded:playground-clip"
    """Backbone that reads prompts."""
    tokens: int = 24
    """Of a prompt."""
    target: str = "sample"
    """What the model says: epsilon, sample or v_prediction."""
    weighting: str = "min-snr"
    """Of the loss: plain or min-snr."""
    floor: float = 0.3
    """min-snr: as `LossConfig.floor`."""
    precision: str = "bfloat16"
    """Of activations in training."""
    save_every: int = 150
    """Steps between checkpoints."""


def clip_config(settings: VideoSettings) -> ClipConfig:
    """The clips that the model sees: one thing that moves before a plain background, the camera still."""
    return ClipConfig(
        frames=(settings.frames, settings.frames),
        size=settings.size,
        panning=0.0,
        movers=1,
        props=0,
        classes=CLASSES,
        plain=True,
        grown=(0.8, 1.1),
        speed=0.8,
    )


def make_base(settings: VideoSettings) -> VideoBase:
    """The model with fresh weights."""
    codec, texts = PixelCodec(settings.patch), BackboneTexts(settings.text, settings.tokens)
    levels = len(settings.channels)
    torch.manual_seed(settings.seed)
    unet = build_unet(
        {
            "sample_size": settings.size // settings.patch,
            "in_channels": codec.channels,
            "out_channels": codec.channels,
            "down_block_types": ("CrossAttnDownBlock3D",) * levels,
            "up_block_types": ("CrossAttnUpBlock3D",) * levels,
            "block_out_channels": settings.channels,
            "layers_per_block": settings.layers,
            "norm_num_groups": settings.groups,
            "cross_attention_dim": texts.width,
            "attention_head_dim": settings.head,
        }
    )
    scheduler = DDIMScheduler(
        beta_schedule="squaredcos_cap_v2",
        prediction_type=settings.target,
        clip_sample=True,
        rescale_betas_zero_snr=settings.target != "epsilon",
        timestep_spacing="trailing",
    )
    return VideoBase(unet, codec, texts, scheduler, settings.frames, (settings.size, settings.size), guidance=2.0)


def train_video(
    settings: VideoSettings, folder: Path, drawing: Progress | None = None, quiet: bool = False
) -> tuple[VideoBase, dict[str, float]]:
    """Train the model; a training that was cut short goes on from its newest checkpoint in the folder.

    Args:
        settings: of model and training.
        folder: of checkpoints and metrics.
        drawing: told how many clips are drawn.
        quiet: show no progress.

    Returns:
        The model with averaged weights, and facts: seconds of this call, steps, the last loss.
    """
    if settings.size % settings.patch:
        raise InputError(f"size = {settings.size} is no multiple of patch = {settings.patch}.")
    base = make_base(settings)
    clips = kept_clips(PlaygroundClips(0, "train", settings.clips, clip_config(settings)), drawing)
    table = ClipTable(clips.pixels, clips.scenes, base.codec, base.texts, 1)
    base.unet.requires_grad_(True)
    loss = LossConfig(weighting=settings.weighting, floor=settings.floor)  # type: ignore[arg-type]
    model = VideoDiffusion(
        base.unet, Schedule(base.scheduler), base.texts.prompts([""])[0], loss, average=settings.average
    )
    args = TrainingArguments(
        output_dir=str(folder),
        max_steps=settings.steps,
        per_device_train_batch_size=settings.batch,
        learning_rate=settings.lr,
        weight_decay=settings.weight_decay,
        warmup_steps=0.02,
        lr_scheduler_type="cosine",
        max_grad_norm=1.0,
        logging_steps=20,
        logging_first_step=True,
        save_strategy="steps",
        save_steps=settings.save_every,
        save_total_limit=2,
        bf16=settings.precision == "bfloat16",
        seed=settings.seed,
        report_to=[],
        disable_tqdm=True,
        use_cpu=not torch.accelerator.is_available(),
    )
    trainer = FilmTrainer(model, args, table, table.dataset(), quiet=quiet, resume_command="the same command again")
    result: Any = trainer.train(resume_from_checkpoint=bool(checkpoints(folder)) or None)
    if model.average is not None:
        model.average.settle()
    base.unet.eval().requires_grad_(False)
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    facts = {"steps": float(trainer.state.global_step), "loss": float(losses[-1]) if losses else float("nan")}
    return base, {"seconds": float(result.metrics.get("train_runtime", 0.0)), **facts}


@torch.no_grad()
def measure_video(base: VideoBase, settings: VideoSettings, split: str, count: int) -> dict[str, float]:
    """How well the model tells noise from clips that it has not seen: 100 × the mean squared error of its answer.

    Args:
        base: trained.
        settings: of its clips.
        split: of the playground.
        count: clips.
    """
    clips = kept_clips(PlaygroundClips(0, split, count, clip_config(settings)))
    table = ClipTable(clips.pixels, clips.scenes, base.codec, base.texts, 1)
    model = VideoDiffusion(
        base.unet, Schedule(base.scheduler), base.texts.prompts([""])[0], LossConfig(drop_text=0.0), average=0.0
    )
    torch.manual_seed(0)
    rows = torch.arange(len(table)).split(16)
    losses = [float(model({}, table(some.tolist())["targets"])["loss"]) * len(some) for some in rows]
    return {"clips": float(len(table)), "error": 100 * sum(losses) / len(table)}

"""What the added modules of a video model cost, and what keeping latents and text vectors saves.

    python benchmarks/video.py [--rounds 5] [--clips 4]

Weights are fresh: time and memory do not depend on them. Ratios are of runs that take turns in one process.

1. One guided step of sampling (two branches): the bare UNet, and the same with boxes, with a first picture, with both,
   in the sizes of the shipped recipes; and with the feed-forward of the papers.
   Time is the median over rounds; memory the most bytes alive at once, weights included.
2. One training step of the motion stage on clips encoded by an autoencoder: from kept latents and text vectors, and
   with both computed in the step.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from diffusers import AutoencoderKL

from lichen.data.playground.clips.dataset import PlaygroundClips
from lichen.data.playground.clips.kept import kept_clips
from lichen.memory import MIB, PeakBytes
from lichen.training.filming.table import ClipTable
from lichen.training.pretraining.video import VideoSettings, clip_config, make_base
from lichen.video.adapter import Adapter
from lichen.video.base import VideoBase, build_unet
from lichen.video.codec import VaeCodec
from lichen.video.config import AdapterConfig, ImageConfig, LossConfig, MotionConfig
from lichen.video.diffusion import Schedule, VideoDiffusion
from lichen.video.sampling import SampleConfig, Told, guided

MOTION = MotionConfig(slots=2, gates="open", raster=True, feed=1)
IMAGE = ImageConfig(channels=(32, 64), blocks=2, gates="open", tune=False, feed=1)
VARIANTS = {
    "bare UNet": None,
    "boxes": AdapterConfig(MOTION),
    "first picture": AdapterConfig(None, IMAGE),
    "boxes and first picture": AdapterConfig(MOTION, IMAGE),
    "the same, feed = 4": AdapterConfig(replace(MOTION, feed=4), replace(IMAGE, feed=4)),
}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="times that each variant has its turn")
    parser.add_argument("--clips", type=int, default=4, help="in a batch")
    args = parser.parse_args()
    sampling(args.rounds, args.clips)
    training(args.rounds, args.clips)
    return 0


def sampling(rounds: int, count: int) -> None:
    """Cost of the added modules."""
    settings = VideoSettings()
    base = make_base(settings)
    data = kept_clips(PlaygroundClips(0, "val", count, clip_config(settings)))
    table = ClipTable(data.pixels, data.scenes, base.codec, base.texts, 2)
    told = table(range(count))["targets"]
    noise, scales = torch.randn_like(told["latents"]), SampleConfig(text_scale=2.0)
    steps: dict[str, Callable[[], Any]] = {}
    sizes = {}
    for name, config in VARIANTS.items():
        adapter = None if config is None else Adapter.of(base, config)
        with_boxes = config is not None and config.motion is not None
        with_image = config is not None and config.image is not None
        conditions = Told(
            told["text"],
            base.texts.prompts([""])[0],
            told["objects"] if with_boxes else None,
            told["latents"][:, :, 0] if with_image else None,
        )

        def step(adapter: Any = adapter, conditions: Told = conditions) -> None:
            with torch.no_grad():
                guided(base.unet, adapter, noise, torch.tensor(500), conditions, scales)

        steps[name] = step
        sizes[name] = 0 if adapter is None else sum(value.numel() for value in adapter.parameters())
    own = sum(value.numel() for value in base.unet.parameters())
    print(f"one guided step of sampling, {count} clips of 8 frames of 32 × 32 pixels, UNet of {own:,} parameters")
    report(steps, rounds, base, sizes)


def training(rounds: int, count: int) -> None:
    """A training step from kept latents and text vectors, and with both computed in it."""
    settings = replace(VideoSettings(), size=64)
    small = make_base(settings)
    torch.manual_seed(0)
    vae: Any = AutoencoderKL(
        block_out_channels=(32, 64, 64),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        norm_num_groups=8,
    )
    unet = build_unet({**dict(small.unet.config), "in_channels": 4, "out_channels": 4})
    base = VideoBase(unet, VaeCodec(vae), small.texts, small.scheduler, 8, (64, 64))
    data = kept_clips(PlaygroundClips(0, "val", count, clip_config(settings)))
    adapter = Adapter.of(base, AdapterConfig(MOTION))
    model = VideoDiffusion(unet, Schedule(base.scheduler), base.texts.prompts([""])[0], LossConfig(), adapter)
    steps: dict[str, Callable[[], Any]] = {}
    for name, live in (("kept", False), ("live", True)):
        table = ClipTable(data.pixels, data.scenes, base.codec, base.texts, 2, live=live)

        def step(table: ClipTable = table) -> None:
            model({}, table(range(count))["targets"])["loss"].backward()

        steps[name] = step
    print(f"\none training step of the motion stage, {count} clips of 8 frames of 64 × 64 pixels behind an autoencoder")
    report(steps, rounds, base, {})


def report(steps: dict[str, Callable[[], Any]], rounds: int, base: VideoBase, sizes: dict[str, int]) -> None:
    """Take turns, and print medians and ratios to the first."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        step()
    for _ in range(rounds):
        for name, step in steps.items():
            started = time.process_time()
            step()
            times[name].append(time.process_time() - started)
    peaks = {}
    for name, step in steps.items():
        with PeakBytes(list(base.unet.parameters())) as peak:
            step()
        peaks[name] = peak.peak + 4 * sizes.get(name, 0)
    first = next(iter(steps))
    print(f"{'':<26}{'CPU s':>8}{'ratio':>8}{'MiB':>9}{'ratio':>8}{'added parameters':>20}")
    for name in steps:
        middle, least = statistics.median(times[name]), statistics.median(times[first])
        print(
            f"{name:<26}{middle:8.3f}{middle / least:8.3f}{peaks[name] / MIB:9.1f}{peaks[name] / peaks[first]:8.3f}"
            f"{sizes.get(name, 0):20,}",
            flush=True,
        )


if __name__ == "__main__":
    raise SystemExit(main())

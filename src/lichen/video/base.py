"""`VideoBase`: a text-to-video model as it is found: UNet, codec, text encoder, noise schedule.

Two kinds of folders are read: a pipeline of diffusers (`model_index.json`: ModelScope, ZeroScope and whatever has a
`UNet3DConditionModel` or `UNetMotionModel`), and the small models that this library trains, which hold no VAE and no
text encoder of their own (`lichen.json`).
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import DDIMScheduler, DiffusionPipeline, UNet3DConditionModel

from ..errors import CheckpointError, InputError
from ..files import read_json, staged_folder, to_json, verify_folder
from ..side.storage import fill, read_tensors, write_tensors
from .codec import Codec, PixelCodec, VaeCodec
from .quick import quicken
from .texts import BackboneTexts, PipelineTexts, Texts

FORMAT = 1
KIND = "video-base"
SETTINGS, WEIGHTS, CONFIG, SCHEDULER, CARD = (
    "lichen.json",
    "model.safetensors",
    "unet.json",
    "scheduler.json",
    "README.md",
)


@dataclass
class VideoBase:
    """A frozen text-to-video model."""

    unet: Any
    """`UNet3DConditionModel`, or another with spatial transformers, frozen and in eval mode."""
    codec: Codec
    texts: Texts
    scheduler: Any
    """Of diffusers."""
    frames: int
    """Of the clips that it was made for."""
    size: tuple[int, int]
    """Height and width of their frames, in pixels."""
    name: str = ""
    guidance: float = 7.5
    """Scale of the prompt where nobody says another."""

    def __post_init__(self) -> None:
        self.unet.eval().requires_grad_(False)
        if self.unet.config.in_channels != self.codec.channels:
            raise InputError(
                f"The UNet reads {self.unet.config.in_channels} channels and its codec gives {self.codec.channels}."
            )

    @classmethod
    def from_pretrained(cls, name: str | os.PathLike[str], dtype: torch.dtype | None = None) -> VideoBase:
        """Read a folder or a hub repository.

        Args:
            name: folder that `save` or diffusers wrote, or a hub id of a diffusers pipeline.
            dtype: of UNet, VAE and text encoder; None: as saved, in float32.

        Raises:
            CheckpointError: a damaged folder, or one of another kind.
            InputError: no such folder or repository, or a pipeline without UNet, VAE and text encoder.
        """
        folder = Path(name)
        if (folder / SETTINGS).is_file():
            return _read(folder, dtype)
        return _of_pipeline(os.fspath(name), dtype)

    def save(self, folder: str | os.PathLike[str], card: str = "", half: bool = False) -> None:
        """Write a small model of this library: UNet, schedule, settings and digests.

        Args:
            folder: made if needed.
            card: README.md.
            half: store the weights in half precision.

        Raises:
            InputError: the folder cannot be written, or the model is one of diffusers, which saves itself.
        """
        if not isinstance(self.codec, PixelCodec) or not isinstance(self.texts, BackboneTexts):
            raise InputError("Only models without a VAE and text encoder of their own are saved so; use diffusers.")
        settings = {
            "format": FORMAT,
            "kind": KIND,
            "codec": self.codec.settings(),
            "texts": self.texts.settings(),
            "frames": self.frames,
            "size": list(self.size),
            "guidance": self.guidance,
        }
        weights = self.unet.state_dict()
        with staged_folder(Path(folder), unlisted=[CARD]) as stage:
            write_tensors({name: value.half() if half else value for name, value in weights.items()}, stage / WEIGHTS)
            (stage / CONFIG).write_bytes(to_json(_plain(self.unet.config)))
            (stage / SCHEDULER).write_bytes(to_json(_plain(self.scheduler.config)))
            (stage / SETTINGS).write_bytes(to_json(settings))
            (stage / CARD).write_text(card, encoding="utf-8")

    def digest(self) -> str:
        """SHA-256 of the UNet's weights, names included; what an adapter remembers of its base."""
        digest = hashlib.sha256()
        for name, value in sorted(self.unet.state_dict().items()):
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()


def _plain(config: Any) -> dict[str, Any]:
    """A diffusers configuration without its private entries."""
    return {name: value for name, value in dict(config).items() if not name.startswith("_")}


def _read(folder: Path, dtype: torch.dtype | None) -> VideoBase:
    verify_folder(folder)
    settings = read_json(folder / SETTINGS)
    if settings.get("kind") != KIND or settings.get("format") != FORMAT:
        raise CheckpointError(f"{str(folder)!r} holds no video model that this version reads.")
    try:
        unet = build_unet(read_json(folder / CONFIG))
        fill(unet, {name: value.float() for name, value in read_tensors(folder / WEIGHTS).items()})
        codec, texts = settings["codec"], settings["texts"]
        return VideoBase(
            unet.to(dtype),
            PixelCodec(codec["patch"]),
            BackboneTexts(texts["name"], texts["length"]),
            DDIMScheduler.from_config(read_json(folder / SCHEDULER)),
            settings["frames"],
            tuple(settings["size"]),
            str(folder),
            float(settings.get("guidance", 2.0)),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{str(folder / SETTINGS)!r} does not describe a video model: {error}.") from error


def build_unet(config: dict[str, Any]) -> Any:
    """A UNet with fresh weights, with the faster ways of `quick.py`."""
    unet: Any = UNet3DConditionModel.from_config(config)
    quicken(unet)
    return unet


def _of_pipeline(name: str, dtype: torch.dtype | None) -> VideoBase:
    try:
        pipe: Any = DiffusionPipeline.from_pretrained(name, dtype=dtype or torch.float32, use_safetensors=True)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{name!r} is neither a video model of this library nor a pipeline of diffusers with safetensors: "
            f"{str(error).splitlines()[0]}"
        ) from error
    return of_pipeline(pipe, name)


def of_pipeline(pipe: Any, name: str = "") -> VideoBase:
    """The parts of a loaded text-to-video pipeline of diffusers.

    Raises:
        InputError: it lacks one of them.
    """
    parts = {part: getattr(pipe, part, None) for part in ("unet", "vae", "text_encoder", "tokenizer", "scheduler")}
    lacking = [part for part, value in parts.items() if value is None]
    if lacking:
        raise InputError(
            f"{type(pipe).__name__} has no {', '.join(lacking)}. Boxes and pictures are added to text-to-video "
            "pipelines with a UNet, such as TextToVideoSDPipeline or AnimateDiffPipeline."
        )
    unet: Any = parts["unet"]
    quicken(unet)
    size = unet.config.sample_size or 32
    rows, columns = (size, size) if isinstance(size, int) else size
    codec = VaeCodec(parts["vae"])
    return VideoBase(
        unet,
        codec,
        PipelineTexts(parts["tokenizer"], parts["text_encoder"]),
        DDIMScheduler.from_config(parts["scheduler"].config),  # type: ignore[union-attr]
        8,
        (rows * codec.factor, columns * codec.factor),
        name,
    )

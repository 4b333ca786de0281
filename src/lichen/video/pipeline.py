"""`LichenVideoPipeline`: a prompt, a first picture and moving boxes become a clip."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from ..errors import InputError, pick
from ..scene import Box
from ..scene.clips import write_clip
from .adapter import Adapter, First
from .base import VideoBase
from .codec import to_frames, to_pixels
from .config import AdapterConfig
from .sampling import Progress, SampleConfig, Told, sample
from .storage import load_adapter, saved_adapter
from .tracks import Tracks, to_objects

Fit = Literal["squeeze", "crop"]
BoxesByFrame = Sequence[Sequence[Any]]


@dataclass(frozen=True, eq=False)
class VideoOutput:
    """Clips that were sampled."""

    pixels: UInt8[Tensor, "batch frames height width 3"]
    """RGB."""
    tracks: tuple[Tracks, ...] = ()
    """What was asked for, in pixels of these frames."""

    @property
    def frames(self) -> list[list[Image.Image]]:
        """Pictures by clip and frame."""
        return [[Image.fromarray(frame) for frame in clip] for clip in self.pixels.numpy()]

    def save(self, path: str | Path, number: int = 0, fps: float = 8.0, boxes: bool = False, scale: int = 1) -> None:
        """Write one clip as GIF or MP4.

        Args:
            path: with the suffix .gif or .mp4.
            number: of the clip.
            fps: frames a second.
            boxes: draw the boxes that were asked for.
            scale: whole number of times that frames are enlarged.

        Raises:
            InputError: as `lichen.scene.clips.write_clip`, or there is no such clip.
            MissingPackageError: an MP4, and PyAV is not installed.
        """
        if not 0 <= number < len(self.pixels):
            raise InputError(f"There are {len(self.pixels)} clips, numbered from 0; got {number}.")
        tracks = self.tracks[number] if boxes and self.tracks else None
        write_clip(path, shown(self.pixels[number].numpy(), tracks, scale), fps)


class LichenVideoPipeline:
    """A text-to-video model with an adapter. `pipe(prompt, image=first, tracks=boxes, labels=names).frames`."""

    def __init__(self, base: VideoBase, adapter: Adapter | None = None, config: SampleConfig | None = None) -> None:
        """
        Args:
            base: the frozen model.
            adapter: bound to it; None: prompts alone.
            config: how clips are sampled where a call does not say.
        """
        self.base, self.adapter = base, adapter
        self.config = config or SampleConfig(text_scale=base.guidance)

    @classmethod
    def from_pretrained(
        cls,
        base: str | os.PathLike[str] | VideoBase | None = None,
        motion: str | os.PathLike[str] | None = None,
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str = "cpu",
    ) -> LichenVideoPipeline:
        """Load a base model and what was trained beside it.

        Args:
            base: a folder or hub id of a diffusers text-to-video pipeline, a folder that this library wrote, or a
                loaded `VideoBase`; None: the base that the run names.
            motion: run folder of a film recipe, or whatever `save_adapter` wrote; None: the base alone.
            dtype: of the UNet; its gates stay in float32.
            device: to run on.

        Raises:
            InputError: no base is known, or it cannot be read.
            CheckpointError: a damaged folder, or an adapter for another base.
        """
        if base is None:
            if motion is None:
                raise InputError("Name a base model: LichenVideoPipeline.from_pretrained(base, motion=run).")
            base = str(saved_adapter(motion).base.get("name") or "")
            if not base:
                raise InputError(f"{os.fspath(motion)!r} does not tell its base model. Give it as base=….")
        model = base if isinstance(base, VideoBase) else VideoBase.from_pretrained(base)
        adapter = None if motion is None else load_adapter(motion, model)
        config = None
        if motion is not None and (kept := saved_adapter(motion).facts.get("sample")):
            config = SampleConfig(**kept)
        pipe = cls(model, adapter, config)
        return pipe.to(device, dtype)

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> LichenVideoPipeline:
        """Move all models, in place; scalar gates stay in float32."""
        self.base.unet.to(device=device, dtype=dtype)
        if self.adapter is not None:
            self.adapter.to(device=device, dtype=dtype)
            for value in self.adapter.parameters():
                if value.ndim == 0:
                    value.data = value.data.float()
        for part in (getattr(self.base.codec, "vae", None), getattr(self.base.texts, "encoder", None)):
            if part is not None:
                part.to(device=device, dtype=dtype)
        return self

    @property
    def added(self) -> AdapterConfig | None:
        """What the adapter adds; None without one."""
        return None if self.adapter is None else self.adapter.added

    @torch.no_grad()
    def __call__(
        self,
        prompt: str | Sequence[str],
        *,
        image: Image.Image | Sequence[Image.Image] | None = None,
        tracks: BoxesByFrame | Tracks | Sequence[Tracks] | None = None,
        labels: Sequence[str] | None = None,
        frames: int | None = None,
        resample: bool = False,
        fit: Fit = "squeeze",
        seed: int | Sequence[int] = 0,
        progress: Progress | None = None,
        **settings: Any,
    ) -> VideoOutput:
        """Sample clips.

        Args:
            prompt: one, or one a clip.
            image: first picture of all clips, or one a clip; with an adapter that has an image module.
            tracks: boxes by frame and thing, in pixels of the first picture where there is one, otherwise of the clip:
                `tracks[frame][thing]` is left, top, right, bottom, or None for what is not seen. Or `Tracks`, for all
                clips or one a clip, which know their size.
            labels: name of each thing, where `tracks` are plain boxes.
            frames: of a clip; None: as the base was made for.
            resample: stretch tracks of another length in time.
            fit: how a picture of another shape becomes a frame: squeeze all of it, or crop its middle. Boxes follow.
            seed: of the noise of the first clip, the next one for the next clip; or one a clip.
            progress: told how many steps are done, and how many there are.
            settings: fields of `SampleConfig` that differ from the pipeline's.

        Raises:
            InputError: something is asked for that the model has no module for, or does not fit the others.
        """
        prompts = [prompt] if isinstance(prompt, str) else list(prompt)
        if not prompts:
            raise InputError("There is no prompt.")
        config = replace(self.config, **_known(settings))
        count, length = len(prompts), frames or self.base.frames
        pick("fit", fit, ("squeeze", "crop"))
        pictures = self._pictures(image, count)
        given = self._tracks(tracks, labels, count, pictures)
        if given is not None:
            given = [each.fitted(length, resample) for each in given]
            if fit == "crop":
                given = [_cropped(each, self.base.size) for each in given]
        told = self._told(prompts, pictures, given, fit)
        height, width = self.base.size
        grid = (self.base.codec.channels, length, height // self.base.codec.factor, width // self.base.codec.factor)
        seeds = [seed + number for number in range(count)] if isinstance(seed, int) else list(seed)
        if len(seeds) != count:
            raise InputError(f"There are {count} clips and {len(seeds)} seeds; give one a clip, or one for the first.")
        latents = sample(self.base.unet, self.adapter, self.base.scheduler, told, grid, config, seeds, progress)
        pixels = to_pixels(self.base.codec.decode(latents)).cpu()
        return VideoOutput(pixels, tuple(scaled(each, (width, height)) for each in given or ()))

    def _pictures(self, image: Any, count: int) -> list[Image.Image] | None:
        if image is None:
            return None
        if self.added is None or self.added.image is None:
            raise InputError("This model has no image module, so it takes no first picture. Train stage = image.")
        found = [image] * count if isinstance(image, Image.Image) else list(image)
        if len(found) != count:
            raise InputError(f"There are {count} prompts and {len(found)} pictures; give one for all, or one a prompt.")
        return [picture.convert("RGB") for picture in found]

    def _tracks(
        self, tracks: Any, labels: Sequence[str] | None, count: int, pictures: Sequence[Image.Image] | None
    ) -> list[Tracks] | None:
        if tracks is None:
            if labels:
                raise InputError("There are labels and no tracks. Give the boxes of the things, or leave both out.")
            return None
        if self.added is None or self.added.motion is None:
            raise InputError("This model has no motion module, so it takes no boxes. Train stage = motion.")
        if isinstance(tracks, Tracks):
            return [tracks] * count
        if tracks and all(isinstance(each, Tracks) for each in tracks):
            if len(tracks) != count:
                raise InputError(f"There are {count} prompts and tracks of {len(tracks)} clips.")
            return list(tracks)
        if labels is None:
            raise InputError("Boxes need labels, the name of each thing: labels=['dog'].")
        height, width = self.base.size
        sizes = [picture.size for picture in pictures] if pictures else [(width, height)] * count
        return [Tracks.of_frames(tracks, labels, size) for size in sizes]

    def _told(
        self, prompts: list[str], pictures: list[Image.Image] | None, tracks: list[Tracks] | None, fit: Fit
    ) -> Told:
        texts, objects = self.base.texts, None
        if tracks is not None and any(each.labels for each in tracks):
            assert self.added is not None and self.added.motion is not None
            objects = to_objects(tracks, texts, self.added.motion.slots)
        first = seen = None
        if pictures is not None:
            framed = [framed_picture(picture, self.base.size, fit) for picture in pictures]
            first = self.first(framed)
            sight = None if self.adapter is None else self.adapter.sight
            seen = None if sight is None else sight(framed)
        return Told(texts.prompts(prompts), texts.prompts([""])[0], objects, first, seen)

    def first(self, pictures: Sequence[Image.Image]) -> First:
        """Latents of first pictures that have the size of a frame."""
        framed = np.stack([np.array(picture) for picture in pictures])
        device = self.base.unet.device
        return self.base.codec.encode(to_frames(torch.from_numpy(framed)[:, None]).to(device))[:, :, 0]


def framed_picture(picture: Image.Image, size: tuple[int, int], fit: Fit = "squeeze") -> Image.Image:
    """A picture as a frame of a height and width: all of it squeezed, or the largest middle part of that shape."""
    height, width = size
    box = None if fit == "squeeze" else middle(picture.size, size)
    return picture.convert("RGB").resize((width, height), Image.Resampling.BOX, box=box)


def middle(of: tuple[int, int], size: tuple[int, int]) -> Box:
    """The largest middle part of a picture (width, height) with the shape of a frame (height, width)."""
    height, width = size
    scale = min(of[0] / width, of[1] / height)
    wide, high = width * scale, height * scale
    left, top = (of[0] - wide) / 2, (of[1] - high) / 2
    return left, top, left + wide, top + high


def _cropped(tracks: Tracks, size: tuple[int, int]) -> Tracks:
    left, top, right, bottom = middle(tracks.size, size)
    return tracks.cropped(left, top, right - left, bottom - top)


def scaled(tracks: Tracks, size: tuple[int, int]) -> Tracks:
    """Tracks in pixels of a picture of another size (width, height)."""
    x, y = size[0] / tracks.size[0], size[1] / tracks.size[1]
    rows = tuple(
        tuple(None if box is None else (box[0] * x, box[1] * y, box[2] * x, box[3] * y) for box in row)
        for row in tracks.clipped().boxes
    )
    return Tracks(rows, tracks.labels, size)


def shown(
    frames: UInt8[np.ndarray, "frames height width 3"], tracks: Tracks | None, scale: int = 1
) -> list[Image.Image]:
    """Frames for people to look at: enlarged, with boxes where there are tracks."""
    from ..scene.drawing.palette import colour_of

    found = []
    for number, frame in enumerate(frames):
        picture = Image.fromarray(frame)
        picture = picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)
        if tracks is not None:
            from PIL import ImageDraw

            pen = ImageDraw.Draw(picture)
            for thing, row in enumerate(tracks.boxes):
                box = row[number] if number < len(row) else None
                if box is not None:
                    left, top, right, bottom = (edge * scale for edge in box)
                    pen.rectangle((left, top, max(left, right - 1), max(top, bottom - 1)), outline=colour_of(thing))
        found.append(picture)
    return found


def _known(settings: dict[str, Any]) -> dict[str, Any]:
    for name in settings:
        pick("setting of the sampling", name, SampleConfig.__dataclass_fields__)
    return settings

"""What a video model does with the prompts, boxes and first pictures of clips that it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from ...metrics.tracking import Tracker
from ...metrics.video import (
    FrameEmbedder,
    box_control,
    clip_features,
    clip_similarity,
    first_frame_fidelity,
    frechet_distance,
    psnr,
    ssim,
)
from ...scene import Box
from ...video.pipeline import LichenVideoPipeline, shown
from ...video.tracks import Tracks
from .clips import Clips

EMBEDDER = "embedded:playground-clip"
Progress = Callable[[str, int, int], Any]
Pixels = UInt8[Tensor, "clips frames height width 3"]


@dataclass(frozen=True)
class Given:
    """Which conditions a model is given."""

    boxes: bool = True
    image: bool = True

    @classmethod
    def all_of(cls, pipe: LichenVideoPipeline) -> Given:
        """All that it has a module for."""
        added = pipe.added
        return cls(added is not None and added.motion is not None, added is not None and added.image is not None)

    @property
    def name(self) -> str:
        """Such as "text + boxes"."""
        return " + ".join(["text", *(["boxes"] if self.boxes else []), *(["image"] if self.image else [])])


def sample_clips(
    pipe: LichenVideoPipeline,
    clips: Clips,
    given: Given,
    batch: int = 16,
    seed: int = 0,
    progress: Progress | None = None,
    **settings: Any,
) -> Pixels:
    """A clip for each prompt.

    Args:
        pipe: the model.
        clips: whose captions, boxes and first frames are given.
        given: which of them.
        batch: clips at a time.
        seed: of the first clip's noise.
        progress: told what is sampled, how many clips are done, how many there are.
        settings: of the sampling.
    """
    found = []
    for start in range(0, len(clips), batch):
        rows = range(start, min(start + batch, len(clips)))
        told: dict[str, Any] = {}
        if given.boxes:
            told["tracks"] = [Tracks.of_scene(clips.scenes[row]) for row in rows]
        if given.image:
            told["image"] = [Image.fromarray(np.array(clips.pixels[row][0])) for row in rows]
        prompts = [clips.scenes[row].captions[0] if clips.scenes[row].captions else "" for row in rows]
        frames = clips.pixels.shape[1]
        found.append(pipe(prompts, seed=seed + start, frames=frames, **told, **settings).pixels)
        if progress is not None:
            progress(given.name, rows.stop, len(clips))
    return torch.cat(found)


def measure(pixels: Pixels, clips: Clips, tracker: Tracker, embedder: FrameEmbedder | None = None) -> dict[str, float]:
    """Metrics of sampled clips against those that their prompts, boxes and first frames are of.

    Args:
        pixels: sampled.
        clips: real.
        tracker: tells where things are.
        embedder: of frames and captions; None loads playground-clip.

    Returns:
        ao, sr50, sr75, lost: shares. psnr (dB), ssim: of the first frame. fff: cosine of the first picture with all
        frames. clip_similarity: of captions, times 100. playground_clip_distance: Fréchet distance of features of
        playground-clip, no FVD.
    """
    embedder = embedder or FrameEmbedder(EMBEDDER)
    real = torch.from_numpy(np.array(clips.pixels))
    captions = [scene.captions[0] if scene.captions else "" for scene in clips.scenes]
    vectors, real_vectors = embedder.clips(pixels), embedder.clips(real)
    found = control(pixels, clips, tracker)
    found |= {
        "psnr": float(psnr(pixels[:, 0], real[:, 0]).clamp(max=99.0).mean()),
        "ssim": float(ssim(pixels[:, 0], real[:, 0]).mean()),
        "fff": first_frame_fidelity(vectors, real_vectors[:, 0])["all"],
        "clip_similarity": clip_similarity(vectors, embedder.texts(captions)),
    }
    if len(clips) > 1:
        found["playground_clip_distance"] = frechet_distance(clip_features(vectors), clip_features(real_vectors))
    return found


def control(pixels: Pixels, clips: Clips, tracker: Tracker) -> dict[str, float]:
    """Box control of the first thing of each clip."""
    wanted = [scene.tracks[0].boxes for scene in clips.scenes]
    found = [tracker(clip, _first(row)) for clip, row in zip(pixels.numpy(), wanted, strict=True)]
    return box_control(found, wanted, skip_first=tracker.name == "mil")


def ceiling(clips: Clips, tracker: Tracker) -> dict[str, float]:
    """What the tracker reaches on the real clips."""
    return control(torch.from_numpy(np.array(clips.pixels)), clips, tracker)


def _first(row: Sequence[Box | None]) -> Box | None:
    return row[0]


def contact_sheet(real: Clips, sampled: dict[str, Pixels], rows: Sequence[int], scale: int = 2) -> Image.Image:
    """Real clips and what models made of their conditions, one below the other, with the boxes that were asked for.

    Args:
        real: clips.
        sampled: by name of the model.
        rows: which clips.
        scale: whole number of times that frames are enlarged.
    """
    gap = 3
    frames, height, width = real.pixels.shape[1:4]
    lines = [(row, pixels) for row in rows for pixels in (torch.from_numpy(np.array(real.pixels)), *sampled.values())]
    size = (frames * (width * scale + gap) - gap, len(lines) * (height * scale + gap) - gap)
    sheet = Image.new("RGB", size, "white")
    for place, (row, pixels) in enumerate(lines):
        tracks = Tracks.of_scene(real.scenes[row])
        for column, picture in enumerate(shown(pixels[row].numpy(), tracks, scale)):
            sheet.paste(picture, (column * (width * scale + gap), place * (height * scale + gap)))
    return sheet

"""Metrics of generated clips: whether things move as told, whether the first picture is kept, how real clips look.

Sources: solids_and_video.md B6; GOT-10K (Huang et al., TPAMI 2019) for AO and SR; Wang et al. 2004 for SSIM; Heusel et
al. 2017 for the Fréchet distance. Nothing here is FVD or LPIPS, whose networks are not at hand.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor
from torch.nn.functional import conv2d, normalize

from ..backbones.backbone import Backbone
from ..data.framing import Framing
from ..errors import InputError
from ..features.reading import read
from ..regions.overlap import matched_iou
from ..scene import Box

SUCCESS = (0.5, 0.75)
"""IoU above which a frame is a success."""
_WINDOW, _SPREAD = 11, 1.5
_TOGETHER = 256
Pixels = UInt8[Tensor, "clips frames height width 3"]
Vectors = Float[Tensor, "clips frames features"]
"""Unit vectors of frames, as `FrameEmbedder.clips` gives them."""


def box_control(
    found: Sequence[Sequence[Box | None]], wanted: Sequence[Sequence[Box | None]], skip_first: bool = False
) -> dict[str, float]:
    """How well tracked boxes follow those that were asked for.

    Args:
        found: by thing and frame, of a tracker; None, where it lost its thing, counts as IoU 0.
        wanted: by thing and frame; frames in which a thing is not to be seen (None) are left out.
        skip_first: leave the first frame out, where the tracker was shown it, as GOT-10K does.

    Returns:
        Shares: `ao`, mean IoU over all frames of all things; `sr50` and `sr75`, frames with IoU above 0.5 and 0.75;
        `lost`, frames without a found box.

    Raises:
        InputError: things or frames do not match, or nothing is left to measure.
    """
    if len(found) != len(wanted) or any(len(one) != len(two) for one, two in zip(found, wanted, strict=True)):
        raise InputError("Found and wanted boxes must be of the same things and frames.")
    pairs = [
        (one, two)
        for row, asked in zip(found, wanted, strict=True)
        for frame, (one, two) in enumerate(zip(row, asked, strict=True))
        if two is not None and not (skip_first and frame == 0)
    ]
    if not pairs:
        raise InputError("There is no frame with a wanted box, so nothing can be measured.")
    nowhere = (0.0, 0.0, 0.0, 0.0)
    first = torch.tensor([one or nowhere for one, _ in pairs], dtype=torch.float64)
    overlap = matched_iou(first, torch.tensor([two for _, two in pairs], dtype=torch.float64))
    rates = {f"sr{round(100 * least)}": float((overlap > least).double().mean()) for least in SUCCESS}
    lost = sum(one is None for one, _ in pairs) / len(pairs)
    return {"ao": float(overlap.mean()), **rates, "lost": lost}


def psnr(
    first: UInt8[Tensor, "pictures height width 3"], second: UInt8[Tensor, "pictures height width 3"]
) -> Float[Tensor, " pictures"]:
    """Peak signal-to-noise ratio of each pair, in dB; infinite for equal pictures."""
    error = (first.double() - second.double()).square().mean((1, 2, 3))
    return 10 * torch.log10(255.0**2 / error)


def ssim(
    first: UInt8[Tensor, "pictures height width 3"], second: UInt8[Tensor, "pictures height width 3"]
) -> Float[Tensor, " pictures"]:
    """Structural similarity of each pair, -1 to 1, mean over colours and all whole 11 × 11 Gaussian windows.

    Raises:
        InputError: pictures smaller than a window.
    """
    if min(first.shape[1:3]) < _WINDOW:
        raise InputError(f"SSIM looks at windows of {_WINDOW} × {_WINDOW} pixels; the pictures are smaller.")
    line = torch.exp(-((torch.arange(_WINDOW, dtype=torch.float64) - _WINDOW // 2) ** 2) / (2 * _SPREAD**2))
    line = line / line.sum()
    window = (line[:, None] * line)[None, None]

    def mean(values: Tensor) -> Tensor:
        return conv2d(values.flatten(0, 1)[:, None], window)

    one, two = (each.double().movedim(-1, 1) for each in (first, second))
    mean_one, mean_two = mean(one), mean(two)
    spread_one, spread_two = mean(one * one) - mean_one**2, mean(two * two) - mean_two**2
    shared = mean(one * two) - mean_one * mean_two
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    light = (2 * mean_one * mean_two + c1) / (mean_one**2 + mean_two**2 + c1)
    found = light * (2 * shared + c2) / (spread_one + spread_two + c2)
    return found.mean((1, 2, 3)).unflatten(0, one.shape[:2]).mean(1)


def frechet_distance(first: Float[Tensor, "some width"], second: Float[Tensor, "others width"]) -> float:
    """Distance of two sets of features as two normal distributions: |μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2 (Σ₁Σ₂)^½).

    Say with it which network gave the features: with others than I3D's it is no FVD.

    Raises:
        InputError: a set has fewer than two rows.
    """
    if min(len(first), len(second)) < 2:
        raise InputError("A Fréchet distance needs at least two clips on each side.")
    one, two = first.double(), second.double()
    spread_one, spread_two = torch.atleast_2d(torch.cov(one.T)), torch.atleast_2d(torch.cov(two.T))
    # tr (Σ₁Σ₂)^½ by the symmetric Σ₁^½ Σ₂ Σ₁^½, which has the same eigenvalues.
    values, vectors = torch.linalg.eigh(spread_one)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    shared = torch.linalg.eigvalsh(root @ spread_two @ root).clamp(min=0).sqrt().sum()
    apart = (one.mean(0) - two.mean(0)).square().sum()
    return float(apart + spread_one.trace() + spread_two.trace() - 2 * shared)


class FrameEmbedder:
    """Frames as unit vectors of a vision backbone: of the common space where it has a text tower."""

    def __init__(self, name: str) -> None:
        """
        Args:
            name: such as embedded:playground-clip or embedded:dinov2-small.
        """
        self.name = name
        self.backbone = Backbone.from_pretrained(name)
        processor = self.backbone.processor
        self._processor = getattr(processor, "image_processor", processor)
        self._framing = Framing.of(self._processor, None, True)

    def frames(self, pixels: UInt8[Tensor, "pictures height width 3"]) -> Float[Tensor, "pictures features"]:
        """A vector of each picture; its whole is squeezed into the backbone's square."""
        skipped = {step: False for step in ("do_resize", "do_center_crop", "do_pad") if hasattr(self._processor, step)}
        found = []
        for some in pixels.split(_TOGETHER):
            pictures = [self._framing.apply(Image.fromarray(each)) for each in some.numpy()]
            ready = [
                {"pixel_values": self._processor(images=each, return_tensors="pt", **skipped)["pixel_values"][0]}
                for each in pictures
            ]
            features = read(self.backbone, ready, 1)
            values = features.pooled if features.pooled is not None else features.final.flatten(2).mean(1)
            found.append(normalize(values, dim=-1))
        return torch.cat(found)

    def texts(self, texts: Sequence[str]) -> Float[Tensor, "texts width"]:
        """A vector of each text.

        Raises:
            InputError: the backbone has no text tower.
        """
        if "text" not in self.backbone.paths:
            raise InputError(f"{self.name!r} reads no texts. Choose a CLIP, such as embedded:playground-clip.")
        tokenizer = self.backbone.processor.tokenizer
        ids = tokenizer(list(texts), truncation=True, max_length=tokenizer.model_max_length)["input_ids"]
        features = read(self.backbone, [{"input_ids": torch.tensor(row)} for row in ids], 1)
        assert features.pooled is not None
        return normalize(features.pooled, dim=-1)

    def clips(self, pixels: Pixels) -> Vectors:
        """A vector of each frame."""
        return self.frames(pixels.flatten(0, 1)).unflatten(0, pixels.shape[:2])


def clip_features(vectors: Vectors) -> Float[Tensor, "clips twice"]:
    """Features of clips for a Fréchet distance: the mean of the frames' vectors, and the mean of how far each number
    of them moves from frame to frame."""
    return torch.cat([vectors.mean(1), vectors.diff(dim=1).abs().mean(1)], -1)


def clip_similarity(vectors: Vectors, texts: Float[Tensor, "clips features"]) -> float:
    """100 × the cosine of each frame and its clip's caption, mean over frames and clips (CLIP-SIM, B6)."""
    return 100 * float(torch.einsum("nfd,nd->nf", vectors, texts).mean())


def first_frame_fidelity(vectors: Vectors, pictures: Float[Tensor, "clips features"]) -> dict[str, float]:
    """Cosine of the first picture's vector with those of the frames (FFF, B6): of all frames, and of the first."""
    found = torch.einsum("nfd,nd->nf", vectors, pictures)
    return {"all": float(found.mean()), "first": float(found[:, 0].mean())}

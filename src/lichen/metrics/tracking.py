"""Trackers that follow a thing through a clip, to find out whether it moves as it was told to.

They know nothing of the boxes that were asked for but, where a tracker must be shown its thing, the first one. A frame
in which the thing is not found counts as IoU 0 (`metrics.video.box_control`), and every result should stand beside the
tracker's ceiling: what it reaches on real clips.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, UInt8

from ..errors import InputError, MissingPackageError, pick
from ..scene import Box

Clip = UInt8[np.ndarray, "frames height width 3"]
_SHADOW = 0.8
"""A shadow is the background, at least so bright."""
_LEAST = 0.08
"""Distance of colours, of at most √3, below which nothing stands out."""


class Tracker(ABC):
    """Follows one thing."""

    name: str

    @abstractmethod
    def __call__(self, frames: Clip, first: Box | None = None) -> list[Box | None]:
        """Its box in every frame, in pixels; None where it is lost.

        Args:
            frames: RGB.
            first: box of the thing in the first frame, for trackers that must be shown what to follow.
        """


@dataclass(frozen=True)
class PlainTracker(Tracker):
    """An oracle for clips of one thing before a background of one colour, as the playground's plain clips are.

    Every frame is searched by itself for the largest connected part whose colour is neither the background's, the
    median of the frame, nor that of its shadow, a darker shade of it. How far a pixel's colour has gone from the
    background's to the thing's is how much of it the thing covers, which places the box's edges inside pixels.
    """

    threshold: float = 0.3
    """Covered share from which a pixel belongs to the thing."""
    name: str = "plain"

    def __call__(self, frames: Clip, first: Box | None = None) -> list[Box | None]:
        """As `Tracker`; `first` is not looked at."""
        found: list[Box | None] = []
        for distance in away_from_background(frames):
            standing = distance[distance > _LEAST / 2]
            top = float(np.quantile(standing, 0.8)) if standing.size > 3 else 0.0
            if top < _LEAST:
                found.append(None)
                continue
            covered = np.clip(distance / (0.6 * top), 0.0, 1.0)
            held = largest_part(covered > self.threshold, covered)
            found.append(None if held is None else _box(np.where(held, covered, 0.0), self.threshold))
        return found


@dataclass(frozen=True)
class MilTracker(Tracker):
    """OpenCV's tracker by multiple-instance learning, for real clips; it learns its thing from the first box.

    Source: Babenko et al., "Visual Tracking with Online Multiple Instance Learning", CVPR 2009.
    """

    enlarge: int = 1
    """Whole number of times that frames are enlarged first; small things are lost otherwise."""
    name: str = "mil"

    def __call__(self, frames: Clip, first: Box | None = None) -> list[Box | None]:
        """As `Tracker`.

        Raises:
            InputError: `first` is None.
            MissingPackageError: OpenCV is not installed.
        """
        if first is None:
            raise InputError("This tracker must be shown its thing: give the box of the first frame.")
        cv2 = _opencv()
        # It draws samples at random.
        cv2.setRNGSeed(0)
        tracker = cv2.TrackerMIL_create()
        left, top, right, bottom = (edge * self.enlarge for edge in first)
        size = (frames.shape[2] * self.enlarge, frames.shape[1] * self.enlarge)
        ready = [cv2.resize(frame[..., ::-1], size, interpolation=cv2.INTER_CUBIC) for frame in frames]
        corner = (round(left), round(top))
        tracker.init(ready[0], (*corner, max(2, round(right) - corner[0]), max(2, round(bottom) - corner[1])))
        found: list[Box | None] = [first]
        for frame in ready[1:]:
            seen, (x, y, width, height) = tracker.update(frame)
            scale = 1 / self.enlarge
            box = (x * scale, y * scale, (x + width) * scale, (y + height) * scale)
            found.append(box if seen else None)
        return found


def make_tracker(name: str, enlarge: int = 1) -> Tracker:
    """A tracker by name: plain, mil.

    Raises:
        InputError: an unknown name.
    """
    return MilTracker(enlarge) if pick("tracker", name, ("plain", "mil")) == "mil" else PlainTracker()


def away_from_background(frames: Clip) -> Float[np.ndarray, "frames height width"]:
    """How far each pixel's colour lies from the background's and all its shadows', of colours from 0 to 1."""
    values = frames.astype(np.float64) / 255
    ground = np.median(values.reshape(len(values), -1, 3), axis=1)[:, None, None]
    along = (values * ground).sum(-1, keepdims=True) / np.maximum((ground * ground).sum(-1, keepdims=True), 1e-9)
    return np.sqrt(((values - np.clip(along, _SHADOW, 1.0) * ground) ** 2).sum(-1))


def largest_part(
    mask: Bool[np.ndarray, "height width"], weights: Float[np.ndarray, "height width"]
) -> Bool[np.ndarray, "height width"] | None:
    """The connected part of a mask with the largest sum of weights; None of an empty mask.

    Raises:
        MissingPackageError: OpenCV is not installed.
    """
    count, labels = _opencv().connectedComponents(mask.astype(np.uint8), connectivity=8)
    if count < 2:
        return None
    sums = np.bincount(labels.ravel(), weights.ravel(), minlength=count)
    found: np.ndarray = labels == 1 + int(np.argmax(sums[1:]))
    return found


def _box(covered: Float[np.ndarray, "height width"], threshold: float) -> Box:
    """Extent of what is covered; the outermost columns and rows count as far as they are."""

    def along(shares: Sequence[float]) -> tuple[float, float]:
        places = [place for place, share in enumerate(shares) if share > threshold]
        return places[0] + 1 - shares[places[0]], places[-1] + shares[places[-1]]

    left, right = along(covered.max(0).tolist())
    top, bottom = along(covered.max(1).tolist())
    return left, top, right, bottom


def _opencv() -> Any:
    try:
        import cv2
    except ImportError as error:
        raise MissingPackageError("Trackers use OpenCV. Install it: pip install 'lichen[detect]'") from error
    return cv2

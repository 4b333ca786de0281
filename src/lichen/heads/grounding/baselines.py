"""What a grounding network must beat: answers that look at no picture, or at each box by itself.

Each gives a number for every candidate, so that the same code picks the box. The published matching-only baseline is
the network itself without its second stage: `GroundingConfig(**VARIANTS["matching"])`.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...regions import NO_CLASS, Regions, area
from .candidates import Candidates


def pick_boxes(
    candidates: Candidates, scores: Float[Tensor, " candidates"], regions: Regions
) -> Float[Tensor, "phrases 4"]:
    """The box of the highest score of each phrase, of equals the first; NaN where a phrase has no candidate."""
    place = candidates.best(scores)
    rows = torch.cat([candidates.region, candidates.region.new_zeros(1)])[place]
    boxes = torch.cat([regions.boxes, regions.boxes.new_zeros(1, 4)])[rows]
    return torch.where(place[:, None] >= 0, boxes, torch.nan)


def random_scores(candidates: Candidates, seed: int = 0) -> Float[Tensor, " candidates"]:
    """Any box."""
    chance = torch.rand(len(candidates), generator=torch.Generator().manual_seed(seed))
    return chance.to(candidates.phrase.device)


def size_scores(candidates: Candidates, regions: Regions) -> Float[Tensor, " candidates"]:
    """The largest box."""
    return area(regions.boxes)[candidates.region]


def confidence_scores(candidates: Candidates, regions: Regions) -> Float[Tensor, " candidates"]:
    """The box that the detector is surest of."""
    return regions.scores[candidates.region]


def prior_scores(
    candidates: Candidates, regions: Regions, prior: Float[Tensor, "phrases classes"]
) -> Float[Tensor, " candidates"]:
    """The box whose class suits the phrase best; among equals the one that the detector is surest of.

    Args:
        prior: see `prior.py`. A box without class suits nothing.
    """
    label = regions.labels[candidates.region]
    fits = torch.where(label == NO_CLASS, 0, prior[candidates.phrase, label.clamp(min=0)])
    # Confidence decides between boxes of one class only: it is scaled below the differences that floats can hold.
    return fits.double() + 1e-9 * regions.scores[candidates.region].double()


def similarity_scores(
    candidates: Candidates, phrases: Float[Tensor, "phrases width"], crops: Float[Tensor, "boxes width"]
) -> Float[Tensor, " candidates"]:
    """The box whose crop a model of pictures and texts finds most like the phrase.

    Args:
        phrases, crops: of length one, see `crops.py`.
    """
    return (phrases[candidates.phrase] * crops[candidates.region]).sum(1)


def expected_accuracy(
    candidates: Candidates, right: Float[Tensor, " candidates"], wanted: Int[Tensor, " phrases"] | None = None
) -> float:
    """What a random box gets right on average: the mean over phrases of the share of their boxes that are right.

    Args:
        right: 1 for every candidate that answers its phrase.
        wanted: phrases that count; None for all that have a candidate.
    """
    counts = torch.bincount(candidates.phrase, minlength=candidates.phrases)
    share = candidates.sum(right) / counts.clamp(min=1)
    rows = (counts > 0).nonzero()[:, 0] if wanted is None else wanted
    return float(share[rows].mean())

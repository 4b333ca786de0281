"""Relatedness taught by the network itself: labels of pictures and its own scores say which pairs interact.

Only what the paper's abstract tells is sure; the rule is the specification's reconstruction (hoi.md 1.7).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from ...graphs.aggregate import largest_at
from ...regions.groups import cross, starts_of
from ...regions.overlap import matched_iou
from .bags import best_of_bag
from .config import HOIConfig
from .inputs import HOIInputs, HOIScores


@dataclass(frozen=True, eq=False)
class Lesson:
    """What relatedness is to become."""

    targets: Float[Tensor, " pairs"]
    """From 0 to 1."""
    counts: Bool[Tensor, " pairs"]
    """Which pairs are learnt from."""


@torch.no_grad()
def self_taught(
    scores: HOIScores,
    inputs: HOIInputs,
    labels: Bool[Tensor, "pictures interactions"],
    teachable: Bool[Tensor, " interactions"],
    config: HOIConfig,
) -> Lesson:
    """Choose the pairs that do what a picture is labelled with.

    Args:
        scores: of the network, from which no gradient is taken.
        inputs: of the same batch.
        labels: interactions of the pictures.
        teachable: interactions that relate two things; "no_interaction" does not.
        config: how pairs are chosen.

    Returns:
        The lesson; pictures without a label teach that their pairs are unrelated.
    """
    wanted = inputs.compatible & (labels & teachable)[inputs.picture]
    value = scores.pair.sigmoid()
    if config.taught_by_related and scores.related is not None:
        value = value * scores.related.sigmoid()[:, None]
    if config.taught_by_detector:
        value = value * inputs.detected[:, None]
    best = best_of_bag(value, wanted, inputs.picture, inputs.pictures)
    chosen = best.any(1)
    if config.self_taught == "soft":
        top = largest_at(value * wanted, inputs.picture, inputs.pictures, 0.0)
        share = torch.where(wanted, value / top[inputs.picture].clamp(min=1e-9), 0.0)
        return Lesson(share.amax(1) if share.shape[1] else chosen.to(value), torch.ones_like(chosen))
    return Lesson(chosen.to(value), ~near_duplicates(inputs, chosen, config.duplicates))


def near_duplicates(inputs: HOIInputs, chosen: Bool[Tensor, " pairs"], least: float) -> Bool[Tensor, " pairs"]:
    """Pairs that were not chosen but lie on one that was: both IoUs above `least`."""
    picture, rows = inputs.picture, chosen.nonzero().flatten()
    counts, others = (torch.bincount(each, minlength=inputs.pictures) for each in (picture, picture[rows]))
    which, first, second = cross(counts, others)
    one = starts_of(counts)[which] + first
    two = rows[starts_of(others)[which] + second]
    boxes = inputs.regions.boxes
    near = torch.ones_like(one, dtype=torch.bool)
    for side in (0, 1):
        near &= matched_iou(boxes[inputs.pairs[one, side]], boxes[inputs.pairs[two, side]]) > least
    found = torch.zeros_like(chosen)
    found[one[near]] = True
    return found & ~chosen


def relatedness_loss(related: Float[Tensor, " pairs"], lesson: Lesson) -> Float[Tensor, ""]:
    """Binary cross-entropy in which related and unrelated pairs have the same weight in all; 0 without pairs.

    Pairs that interact are about one in twenty (hoi.md 1.7, guards).
    """
    each = binary_cross_entropy_with_logits(related, lesson.targets, reduction="none") * lesson.counts
    positive = lesson.targets * lesson.counts
    negative = (1 - lesson.targets) * lesson.counts
    shares = [(each * part).sum() / part.sum().clamp(min=1) for part in (positive, negative)]
    return (shares[0] + shares[1]) / 2

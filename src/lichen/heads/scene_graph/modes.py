"""The three questions of the field: whose boxes and whose classes a scene graph is made of.

predcls  annotated boxes with their classes: only predicates are asked for
sgcls    annotated boxes, classes as a classifier or detector sees them
sggen    detected boxes with the detector's classes

Source: graphs.md 1.1.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...errors import InputError, pick
from ...regions.groups import segment_rows
from ...regions.overlap import iou
from ...regions.regions import NO_CLASS, Regions

MODES = ("predcls", "sgcls", "sggen")


def as_mode(
    mode: str,
    *,
    truths: Regions | None = None,
    found: Regions | None = None,
    probabilities: Float[Tensor, "boxes classes"] | None = None,
    unclassified: bool = False,
) -> Regions:
    """The regions that a head is told of.

    Args:
        mode: predcls, sgcls or sggen.
        truths: annotated boxes with classes; needed by predcls and sgcls.
        found: detected boxes; needed by sggen.
        probabilities: of each class for each annotated box; needed by sgcls.
        unclassified: of sgcls: nobody has looked at the boxes yet, and the head will (`SceneGraphConfig.entities`), so
            that no probabilities are needed.

    Returns:
        predcls: the annotations, sure of themselves. Set `GraphInputs.labels_known` beside them. sgcls: the annotated
        boxes with the likeliest class, and its probability as score; unclassified, without any class. sggen: the
        detections.

    Raises:
        InputError: an unknown mode, or something that it needs is missing.
    """
    pick("mode", mode, MODES)
    if mode == "sggen":
        if found is None:
            raise InputError("sggen needs detected boxes: give found=.")
        return found
    if truths is None:
        raise InputError(f"{mode} needs annotated boxes: give truths=.")
    if mode == "predcls":
        if bool((truths.labels == NO_CLASS).any()):
            row = int((truths.labels == NO_CLASS).nonzero()[0, 0])
            raise InputError(f"predcls needs a class for every box, and box {row} has none.")
        return replace(truths, scores=torch.ones_like(truths.scores), probabilities=None)
    if unclassified:
        labels = torch.full_like(truths.labels, NO_CLASS)
        return replace(truths, labels=labels, scores=torch.ones_like(truths.scores), probabilities=None)
    if probabilities is None or len(probabilities) != len(truths):
        count = "none" if probabilities is None else len(probabilities)
        raise InputError(f"sgcls needs the probability of every class for {len(truths)} boxes; got {count}.")
    scores, labels = probabilities.max(1)
    return replace(truths, labels=labels, scores=scores, probabilities=probabilities)


def distinct_labels(
    regions: Regions, overlap: float | int = 0.5, offset: float | int = 0
) -> tuple[Int[Tensor, " boxes"], Float[Tensor, " boxes"]]:
    """Classes that boxes on the same spot do not share: greedily, the surest (box, class) of a picture first.

    Once a box has its class, that class is taken away from all boxes that overlap it. The released code labels
    detections so; the sweep is over the boxes of a picture, of all pictures at once.

    Source: graphs.md 1.5, "per-class overlap suppression".

    Args:
        regions: with probabilities.
        overlap: IoU from which boxes are on the same spot.
        offset: 1 for boxes that count pixels inclusively.

    Returns:
        Class and score of each box. A box whose classes were all taken away keeps its likeliest, with a score of 0.

    Raises:
        InputError: regions without probabilities.
    """
    if regions.probabilities is None:
        raise InputError("Distinct labels are chosen by probabilities, and these regions have none.")
    if not len(regions):
        return regions.labels, regions.scores
    left = _padded(regions.probabilities, regions, 0.0)
    boxes = _padded(regions.boxes, regions, 0.0)
    pictures, most, classes = left.shape
    near = iou(boxes, boxes, offset) >= overlap
    open_ = _padded(torch.ones_like(regions.labels, dtype=torch.bool), regions, False)
    labels, scores = left.argmax(2), left.new_zeros(pictures, most)
    every = torch.arange(pictures, device=left.device)
    for _ in range(most):
        rest = torch.where(open_[..., None], left, -1.0).flatten(1)
        score, best = rest.max(1)
        box, label = torch.div(best, classes, rounding_mode="floor"), best % classes
        found = score > 0
        labels[every[found], box[found]] = label[found]
        scores[every[found], box[found]] = score[found]
        taken = near[every, box] & found[:, None]
        left[every, :, label] = torch.where(taken, 0.0, left[every, :, label])
        open_[every, box] &= ~found
    places = _places(regions)
    return labels[places], scores[places]


def _padded(values: Tensor, regions: Regions, fill: float | bool) -> Tensor:
    """(pictures, most boxes of one, ...)."""
    most = int(regions.counts.max())
    table = values.new_full((regions.pictures, most, *values.shape[1:]), fill)
    table[_places(regions)] = values
    return table


def _places(regions: Regions) -> tuple[Int[Tensor, " boxes"], Int[Tensor, " boxes"]]:
    """Picture of each box, and which of its boxes it is."""
    counts = regions.counts
    return regions.picture, segment_rows(torch.zeros_like(counts), counts)

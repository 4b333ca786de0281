"""The relation metrics of Open Images: recall over all pictures, weighted average precision of relations and phrases.

Source: graphs.md 1.10, after the evaluation code that PySGG, RelTR and EGTR share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from ..errors import InputError
from ..graphs.found import FoundGraph, TrueGraph
from ..regions.boxes import enclosing
from ..regions.overlap import iou
from .matching import hits
from .ranked import average_precisions, ranked

RECALL_SHARE, RELATION_SHARE, PHRASE_SHARE = 0.2, 0.4, 0.4
"""Of the weighted score."""


@dataclass(frozen=True, kw_only=True)
class OpenImagesProtocol:
    """Conventions; the defaults are those of the field's code but for `plus_one`.

    Raises:
        InputError: a value out of range.
    """

    most: int = 100
    """Predictions of a picture that are looked at."""
    per_pair: int = 2
    """Predicates of a pair among them."""
    least: float = 1e-5
    """Score up to which predictions are dropped."""
    at: int = 50
    """K of the recall."""
    overlap: float = 0.5
    """IoU that recall needs at least, and average precision more of."""
    plus_one: bool = False
    """Count pixels inclusively, as the field's code does."""

    def __post_init__(self) -> None:
        if min(self.most, self.per_pair, self.at) < 1 or not 0 < self.overlap < 1:
            raise InputError("OpenImagesProtocol: most, per_pair and at are at least 1, overlap lies in (0, 1).")


class OpenImagesRelations:
    """Measures predicted graphs, picture by picture.

    Args:
        predicates: names, in the order of their numbers.
        protocol: conventions.
    """

    def __init__(self, predicates: Sequence[str], protocol: OpenImagesProtocol = OpenImagesProtocol()) -> None:
        self.names, self.protocol = tuple(predicates), protocol
        self.hit, self.annotated = 0, 0
        self.counts = np.zeros(len(self.names), np.int64)
        """Annotated relations of each predicate."""
        self.rows: list[tuple[np.ndarray, ...]] = []
        """Of each picture's predictions: predicate, score, number of the relation each fits best (rel, phr; -1)."""

    def add(self, found: FoundGraph, truth: TrueGraph) -> None:
        """Count one picture; its predictions count as false where nothing was annotated.

        Raises:
            InputError: the graphs have other predicates than this.
        """
        if found.predicates.shape[1] != len(self.names):
            raise InputError(f"The graph has {found.predicates.shape[1]} predicates; {len(self.names)} are measured.")
        if len(truth.triplets) and int(truth.triplets[:, 2].max()) >= len(self.names):
            raise InputError(f"A relation has a predicate that is not among {len(self.names)}.")
        protocol = self.protocol
        best, scores = found.best(protocol.most, protocol.per_pair)
        kept = scores > protocol.least
        best, scores = best[kept], scores[kept]
        table = hits(found, truth, best[: protocol.at], truth.triplets, protocol.overlap, protocol.plus_one, "any")
        self.hit += int(table.any(0).sum())
        fits = [
            _best_fit(found, truth, best, protocol.overlap, protocol.plus_one, union=union) for union in (False, True)
        ]
        numbered = [np.where(fit >= 0, fit + self.annotated, -1) for fit in fits]
        self.rows.append((best[:, 2].numpy(), scores.double().numpy(), *numbered))
        self.annotated += len(truth.triplets)
        self.counts += np.bincount(truth.triplets[:, 2].numpy(), minlength=len(self.names))

    def compute(self) -> dict[str, float]:
        """All measures, as shares from 0 to 1.

        Returns:
            `R@50` (or another K): relations found among all that were annotated; `wmAP_rel`, `wmAP_phr`: mean average
            precision, weighted by the relations of each predicate; `score_wtd`: 0.2, 0.4 and 0.4 of these three;
            `mAP_rel`, `mAP_phr`, `final_score`: the same with predicates that occur weighted alike;
            `AP_rel/<name>`, `AP_phr/<name>`.

        Raises:
            InputError: nothing was annotated.
        """
        if not self.annotated:
            raise InputError("There is nothing to measure: no picture has an annotated relation.")
        predicate, score, *fits = (np.concatenate(parts) for parts in zip(*self.rows, strict=True))
        recall = self.hit / self.annotated
        found = {f"R@{self.protocol.at}": recall}
        weight = self.counts / self.annotated
        for kind, fit in zip(("rel", "phr"), fits, strict=True):
            precision = average_precisions(ranked(predicate, score, fit, len(self.names)), self.counts)
            occurs = self.counts > 0
            found[f"wmAP_{kind}"] = float((precision * weight)[occurs].sum())
            found[f"mAP_{kind}"] = float(precision[occurs].mean())
            found |= {f"AP_{kind}/{self.names[number]}": float(precision[number]) for number in np.flatnonzero(occurs)}
        for name, prefix in (("score_wtd", "wmAP"), ("final_score", "mAP")):
            parts = RELATION_SHARE * found[f"{prefix}_rel"] + PHRASE_SHARE * found[f"{prefix}_phr"]
            found[name] = RECALL_SHARE * recall + parts
        return found


def _best_fit(
    found: FoundGraph,
    truth: TrueGraph,
    predicted: Int[Tensor, "predictions 3"],
    overlap: float,
    plus_one: bool,
    *,
    union: bool,
) -> Int[np.ndarray, " predictions"]:
    """The annotated relation that each prediction overlaps most, among those of equal labels; -1 where not enough.

    The overlap is the smaller IoU of both boxes, or that of the boxes around both.
    """
    annotated = truth.triplets
    if not len(annotated) or not len(predicted):
        return np.full(len(predicted), -1)
    offset = int(plus_one)
    boxes = [graph.boxes.double() for graph in (found, truth)]
    ends = [[each[rows[:, side]] for side in (0, 1)] for each, rows in zip(boxes, (predicted, annotated), strict=True)]
    if union:
        shared = iou(enclosing(*ends[0]), enclosing(*ends[1]), offset)
    else:
        shared = torch.minimum(iou(ends[0][0], ends[1][0], offset), iou(ends[0][1], ends[1][1], offset))
    same: Bool[Tensor, "predictions relations"] = predicted[:, 2, None] == annotated[None, :, 2]
    for side in (0, 1):
        same = same & (found.labels[predicted[:, side]][:, None] == truth.labels[annotated[:, side]][None])
    value, place = torch.where(same, shared, -1.0).max(1)
    return torch.where(value > overlap, place, -1).numpy()

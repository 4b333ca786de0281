"""HICO-DET's mean average precision of interactions, and average precision of relatedness.

The rule of the official tool, for each class: a detection looks at the annotated pair of its picture and class whose
smaller IoU, of human or object, is largest. It is right if that IoU is at least 0.5 and no detection of a higher score
has taken the pair; it is never handed on to the next best pair. Detections of pictures without such a pair are wrong.

Boxes here have edges between pixels, as everywhere in the library. The official files name the first and the last
pixel of a box and the tool adds 1 to every side, which is the same: `edges_of_pixels` moves the last corner by 1.

Source: hoi.md 3.2, after `eval_one.m` and `VOCevaldet_bboxpair.m`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from ..data.interactions import Interactions
from ..errors import InputError, pick
from ..files import write_atomic
from ..regions.groups import joined
from ..regions.overlap import matched_iou
from ..scene import Scene
from .classification import average_precision
from .ranked import Curve, average_precisions, ranked

CHUNK = 2**21
"""Pairs of a detection and an annotation whose IoU is computed at a time: a few hundred MB."""
Groups = Mapping[str, Sequence[int]]
"""Names of sets of classes, such as "rare", and the classes in them."""


@dataclass(frozen=True, eq=False)
class InteractionBoxes:
    """Pairs of boxes with a class, found or annotated, flat over all pictures.

    Raises:
        InputError: columns of different lengths, negative numbers, or values that are not finite.
    """

    picture: Int[np.ndarray, " rows"]
    """Number of each row's picture, from 0, in any order."""
    category: Int[np.ndarray, " rows"]
    """Number of its interaction, from 0."""
    humans: Float[np.ndarray, "rows 4"]
    """x1, y1, x2, y2; see `HoiProtocol.inclusive`."""
    objects: Float[np.ndarray, "rows 4"]
    scores: Float[np.ndarray, " rows"] | None = None
    """Of detections, any range; None for annotations."""

    def __post_init__(self) -> None:
        columns = [self.picture, self.category, self.humans, self.objects]
        columns += [] if self.scores is None else [self.scores]
        if len({len(column) for column in columns}) > 1:
            raise InputError(f"The columns have {', '.join(str(len(column)) for column in columns)} rows.")
        for name, column in (("picture", self.picture), ("category", self.category)):
            if len(column) and column.min() < 0:
                raise InputError(f"A {name} has the number {column.min()}; they count from 0.")
        for name, column in zip(("human boxes", "object boxes", "scores"), columns[2:], strict=False):
            if not np.isfinite(column).all():
                raise InputError(f"The {name} hold NaN or infinity: they can be neither compared nor ranked.")

    def __len__(self) -> int:
        return len(self.picture)

    def take(self, rows: np.ndarray) -> InteractionBoxes:
        """Some of the rows, by place or by mask."""
        scores = None if self.scores is None else self.scores[rows]
        return InteractionBoxes(self.picture[rows], self.category[rows], self.humans[rows], self.objects[rows], scores)


@dataclass(frozen=True, kw_only=True)
class HoiProtocol:
    """Conventions; the defaults are HICO-DET's.

    Raises:
        InputError: an overlap out of range, or an unknown curve.
    """

    overlap: float = 0.5
    """Least IoU of both boxes, itself included."""
    inclusive: bool = False
    """Whether boxes name their first and last pixel: 1 is added to every width, height and side of an intersection,
    and nothing is moved. Both sides must count pixels from the same number: the official tool adds 1 to all corners of
    detections, since its annotations count from 1. False: edges between pixels."""
    curve: Curve = "11 points"
    """How precision over recall becomes a number; see `Curve` for what MATLAB's rounding changes."""

    def __post_init__(self) -> None:
        if not 0 < self.overlap <= 1:
            raise InputError(f"HoiProtocol.overlap must lie in (0, 1]; got {self.overlap}.")
        pick("curve", self.curve, get_args(Curve))


@dataclass(frozen=True, eq=False)
class HoiScores:
    """What `interaction_precision` found, by class: shares from 0 to 1, NaN for a class without an annotated pair."""

    precision: Float[np.ndarray, " classes"]
    """Average precision, Default setting."""
    recall: Float[np.ndarray, " classes"]
    """Share of the annotated pairs that some detection found, at whatever score."""
    counts: Int[np.ndarray, " classes"]
    """Annotated pairs."""
    known_precision: Float[np.ndarray, " classes"] | None = None
    """Average precision, Known Object setting; None where it was not asked for."""
    known_recall: Float[np.ndarray, " classes"] | None = None

    def summary(self, groups: Groups | None = None) -> dict[str, float]:
        """Means over classes, shares from 0 to 1; classes that nothing is annotated of are left out.

        Args:
            groups: sets of classes to take means of as well, such as "rare" and "non_rare", "unseen" and "seen".

        Returns:
            `mAP`, `mRec` and, of groups, `mAP_rare`, `mRec_rare`; with Known Object `mAP_known`, `mAP_known_rare`. A
            group without a measured class is left out. `mAP_harmonic`: the harmonic mean of `mAP_unseen` and
            `mAP_seen`, if both are there. `classes`: how many were measured.

        Raises:
            InputError: a group names a class that does not exist.
        """
        found = {"mAP": self.precision, "mRec": self.recall}
        if self.known_precision is not None:
            found["mAP_known"] = self.known_precision
        measured = self.counts > 0
        result = {name: float(values[measured].mean()) for name, values in found.items()}
        for group, ids in (groups or {}).items():
            own = _members(group, ids, len(self.counts)) & measured
            if own.any():
                result |= {f"{name}_{group}": float(values[own].mean()) for name, values in found.items()}
        for name in ("mAP", "mAP_known"):
            both = result.get(f"{name}_unseen"), result.get(f"{name}_seen")
            if both[0] is not None and both[1] is not None:
                total = both[0] + both[1]
                result[f"{name}_harmonic"] = 2 * both[0] * both[1] / total if total else 0.0
        return result | {"classes": float(measured.sum())}

    def write_csv(self, path: Path, names: Sequence[str], groups: Groups | None = None) -> None:
        """Write a table with a row a class: id, name, annotated pairs, AP and recall in per cent, a column a group.

        Cells of classes that nothing is annotated of are empty.

        Raises:
            InputError: not one name a class, or a group names a class that does not exist.
        """
        if len(names) != len(self.counts):
            raise InputError(f"There are {len(self.counts)} classes but {len(names)} names.")
        columns = {"ap": self.precision, "recall": self.recall}
        if self.known_precision is not None and self.known_recall is not None:
            columns |= {"ap_known": self.known_precision, "recall_known": self.known_recall}
        marks = {group: _members(group, ids, len(names)) for group, ids in (groups or {}).items()}
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(["id", "name", "pairs", *columns, *marks])
        for id, name in enumerate(names):
            cells = ["" if np.isnan(values[id]) else f"{100 * values[id]:.4f}" for values in columns.values()]
            table.writerow([id, name, self.counts[id], *cells, *(int(mark[id]) for mark in marks.values())])
        write_atomic(path, text.getvalue().encode())


def interaction_precision(
    found: InteractionBoxes,
    truth: InteractionBoxes,
    classes: int,
    known: Bool[np.ndarray, "pictures classes"] | None = None,
    protocol: HoiProtocol = HoiProtocol(),
) -> HoiScores:
    """Average precision of every class, over all pictures.

    Of equal scores the detection of the earlier picture counts first, then the one that was given first, which is the
    official order. There is no limit on the number of detections.

    Args:
        found: detections, with scores.
        truth: annotated pairs that are visible.
        classes: how many interactions there are.
        known: for the Known Object setting, which pictures count for which class; see `known_objects`.
        protocol: conventions.

    Raises:
        InputError: no annotated pair, detections without scores, an annotated box that ends before it begins, or
            classes or pictures that do not exist.
    """
    _check(found, truth, classes, known)
    fit = best_fits(found, truth, protocol)
    # Rows of earlier pictures first: the official tool pools picture by picture.
    order = np.argsort(found.picture, kind="stable")
    counts = np.bincount(truth.category, minlength=classes)
    precision, recall = _measured(found, fit, order, counts, protocol)
    if known is None:
        return HoiScores(precision, recall, counts)
    kept = order[known[found.picture[order], found.category[order]]]
    return HoiScores(precision, recall, counts, *_measured(found, fit, kept, counts, protocol))


def interval(
    found: InteractionBoxes,
    truth: InteractionBoxes,
    classes: int,
    draws: int = 1000,
    protocol: HoiProtocol = HoiProtocol(),
    seed: int = 0,
) -> tuple[float, float]:
    """Between what mAP lies in 95 of 100 test sides like this one: percentiles over pictures drawn with replacement.

    Classes that a draw shows no pair of are left out of its mean.

    Args:
        found, truth, classes, protocol: as for `interaction_precision`; pictures without an annotated pair count too,
            if anything was found in them.
        draws: how many test sides are drawn.
        seed: of the draws.
    """
    _check(found, truth, classes, None)
    fit = best_fits(found, truth, protocol)
    order = np.argsort(found.picture, kind="stable")
    pictures = 1 + max(int(found.picture.max(initial=-1)), int(truth.picture.max()))
    generator = np.random.default_rng(seed)
    values: list[float] = []
    while len(values) < draws:
        times = np.bincount(generator.integers(pictures, size=pictures), minlength=pictures)
        counts = np.bincount(truth.category, weights=times[truth.picture], minlength=classes).astype(np.int64)
        if not counts.any():
            continue
        # A picture that is drawn twice has its detections and its pairs twice.
        often = times[found.picture[order]]
        rows = order.repeat(often)
        copy = np.arange(len(rows)) - (often.cumsum() - often).repeat(often)
        again = np.where(fit[rows] >= 0, fit[rows] + copy * len(truth), -1)
        assert found.scores is not None
        answers = ranked(found.category[rows], found.scores[rows], again, classes)
        precision = average_precisions(answers, counts, protocol.curve)
        values.append(float(precision[counts > 0].mean()))
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def best_fits(
    found: InteractionBoxes, truth: InteractionBoxes, protocol: HoiProtocol = HoiProtocol()
) -> Int[np.ndarray, " found"]:
    """The row of the annotated pair that each detection looks at; -1 where its boxes overlap too little.

    Among pairs of the detection's picture and class it is the one of the largest min(IoU of humans, IoU of objects),
    the first one of equals. Several detections may look at the same pair.
    """
    result = np.full(len(found), -1)
    if not len(found) or not len(truth):
        return result
    classes = 1 + max(int(found.category.max()), int(truth.category.max()))
    keys, place = np.unique(truth.picture.astype(np.int64) * classes + truth.category, return_inverse=True)
    by_key = np.argsort(place, kind="stable")
    own = found.picture.astype(np.int64) * classes + found.category
    at = np.minimum(np.searchsorted(keys, own), len(keys) - 1)
    rows = np.flatnonzero(keys[at] == own)
    # Chunks of so many detections that their pairs with annotations fit into memory.
    total = np.bincount(place)[at[rows]].cumsum()
    cuts = np.searchsorted(total, np.arange(0, total[-1] if len(total) else 0, CHUNK), "right")
    sorted_places = torch.from_numpy(place[by_key])
    for part in np.split(rows, np.unique(cuts[cuts > 0])):
        left, right = (each.numpy() for each in joined(torch.from_numpy(at[part]), sorted_places, len(keys)))
        value = _shared(found, truth, part[left], by_key[right], protocol)
        starts = np.flatnonzero(np.diff(left, prepend=-1))
        best = np.maximum.reduceat(value, starts) if len(starts) else value
        fits = np.flatnonzero((value == best[left]) & (value >= protocol.overlap))
        detection, first = np.unique(left[fits], return_index=True)
        result[part[detection]] = by_key[right[fits[first]]]
    return result


def _shared(
    found: InteractionBoxes, truth: InteractionBoxes, rows: np.ndarray, others: np.ndarray, protocol: HoiProtocol
) -> Float[np.ndarray, " pairs"]:
    """The smaller IoU of both boxes, in double precision."""
    sides = ((found.humans, truth.humans), (found.objects, truth.objects))
    overlaps = [
        matched_iou(
            torch.from_numpy(mine[rows].astype(np.float64)),
            torch.from_numpy(theirs[others].astype(np.float64)),
            int(protocol.inclusive),
        ).numpy()
        for mine, theirs in sides
    ]
    return np.minimum(*overlaps)


def annotated_pairs(scenes: Iterable[Scene], interactions: Interactions) -> InteractionBoxes:
    """Annotated pairs of scenes, pictures numbered as they come.

    A pair of which a box is missing cannot be found and is left out.
    """
    rows = [
        (picture, number, scene.entities[person].box, scene.entities[thing].box)
        for picture, scene in enumerate(scenes)
        for person, thing, number in interactions.pairs_of(scene)
        if scene.entities[person].box is not None and scene.entities[thing].box is not None
    ]
    return InteractionBoxes(
        np.array([row[0] for row in rows], np.int64),
        np.array([row[1] for row in rows], np.int64),
        np.array([row[2] for row in rows], np.float64).reshape(-1, 4),
        np.array([row[3] for row in rows], np.float64).reshape(-1, 4),
    )


def known_objects(
    present: Bool[np.ndarray, "pictures classes"], objects: Int[np.ndarray, " classes"]
) -> Bool[np.ndarray, "pictures classes"]:
    """Which pictures count for which class in the Known Object setting: those with any interaction with its object.

    Args:
        present: whether the label of the whole picture says that the interaction is there (1, not unclear). Labels, not
            boxes, are what the official tool asks: a picture may have a label and no visible pair.
        objects: number of each interaction's object, as `Interactions.object_numbers`.

    Raises:
        InputError: objects of another number of interactions.
    """
    if len(objects) != present.shape[1]:
        raise InputError(f"There are labels of {present.shape[1]} interactions, but objects of {len(objects)}.")
    member = objects[:, None] == np.arange(objects.max(initial=-1) + 1)
    return (present.astype(np.float32) @ member.astype(np.float32) > 0)[:, objects]


def edges_of_pixels(boxes: Float[np.ndarray, "boxes 4"], first: int) -> Float[np.ndarray, "boxes 4"]:
    """Boxes that name their first and last pixel, as boxes with edges between pixels.

    Args:
        boxes: x1, y1, x2, y2 of pixels.
        first: the number of the first pixel: 1 in the annotations of HICO-DET, 0 in what its tool takes as detections.
    """
    return boxes - first + np.array([0, 0, 1, 1])


def relatedness_precision(scores: Float[np.ndarray, " pairs"], related: Bool[np.ndarray, " pairs"]) -> dict[str, float]:
    """How well a score tells pairs that interact from those that do not.

    Args:
        scores: of all pairs of all pictures.
        related: whether any interaction of the pair is annotated.

    Returns:
        `relatedness_AP`: average precision, not interpolated, from 0 to 1; `relatedness_chance`: that of a random
        order, which is the share of related pairs.

    Raises:
        InputError: lengths that differ, NaN, or no related pair.
    """
    if len(scores) != len(related) or np.isnan(scores).any():
        raise InputError(f"Give one score a pair and no NaN; got {len(scores)} for {len(related)}.")
    if not related.any():
        raise InputError("No pair is related: there is nothing to find. Check the annotations.")
    precision = average_precision(scores[:, None], related[:, None])[0]
    return {"relatedness_AP": float(precision), "relatedness_chance": float(related.mean())}


def _measured(
    found: InteractionBoxes, fit: np.ndarray, rows: np.ndarray, counts: np.ndarray, protocol: HoiProtocol
) -> tuple[Float[np.ndarray, " classes"], Float[np.ndarray, " classes"]]:
    """Average precision and recall of these rows, by class."""
    assert found.scores is not None
    answers = ranked(found.category[rows], found.scores[rows], fit[rows], len(counts))
    precision = average_precisions(answers, counts, protocol.curve)
    some = np.where(counts > 0, counts, np.nan)
    return np.where(counts > 0, precision, np.nan), answers.true / some


def _members(group: str, ids: Sequence[int], classes: int) -> Bool[np.ndarray, " classes"]:
    """Which classes belong to a group."""
    places = np.asarray(ids, np.int64).reshape(-1)
    if len(places) and not 0 <= places.min() <= places.max() < classes:
        raise InputError(f"The group {group!r} names classes {places.min()} to {places.max()} of {classes}.")
    mask = np.zeros(classes, bool)
    mask[places] = True
    return mask


def _check(found: InteractionBoxes, truth: InteractionBoxes, classes: int, known: np.ndarray | None) -> None:
    if found.scores is None:
        raise InputError("The detections have no scores: they cannot be ranked.")
    if not len(truth):
        raise InputError("There is nothing to measure: no pair was annotated.")
    for name, boxes in (("detection", found), ("annotation", truth)):
        if len(boxes) and int(boxes.category.max()) >= classes:
            raise InputError(f"A {name} has class {boxes.category.max()}; there are {classes}.")
    for name, corners in (("human", truth.humans), ("object", truth.objects)):
        if (corners[:, 2:] < corners[:, :2]).any():
            raise InputError(f"An annotated {name} box ends before it begins. Boxes are x1, y1, x2, y2.")
    if known is not None:
        pictures = 1 + max(int(found.picture.max(initial=-1)), int(truth.picture.max()))
        if known.shape[0] < pictures or known.shape[1] != classes:
            raise InputError(f"`known` is {known.shape}; there are {pictures} pictures and {classes} classes.")

"""`Proposals` and `Told`: the boxes and pairs of a split with all that is known of them, a batch of them at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ...heads.hoi.distillation import TeacherScores
from ...heads.hoi.inputs import choose_proposals, human_pairs
from ...heads.hoi.teacher import expand
from ...regions import Regions, best_pairs
from ...regions.groups import cross, segment_rows, starts_of
from ...regions.overlap import matched_iou
from ...regions.pairs import PairTable
from .config import InteractConfig
from .labels import Annotated

_OVERLAP = 0.5
"""IoU from which on a pair is an annotated one, by both boxes: the rule of the metric."""


@dataclass(frozen=True, eq=False)
class Told:
    """What the head is told of a batch of pictures."""

    regions: Regions
    pairs: Int[Tensor, "pairs 2"]
    labels: Bool[Tensor, "pictures interactions"]
    """Interactions of the whole pictures."""
    unclear: Bool[Tensor, "pictures interactions"]
    """Entries that nobody was sure of."""
    truths: Bool[Tensor, "pairs interactions"]
    """What each pair really does; measured, and learnt from by the supervised method alone."""
    teacher: TeacherScores | None = None

    def to(self, device: torch.device | str) -> Told:
        """The same on another device."""
        return Told(
            self.regions.to(device),
            self.pairs.to(device),
            self.labels.to(device),
            self.unclear.to(device),
            self.truths.to(device),
            None if self.teacher is None else self.teacher.to(device),
        )


@dataclass(frozen=True, eq=False)
class Taught:
    """The teacher's scores of a split, as they are kept."""

    image: Float[Tensor, "pictures interactions"]
    """Cosines of whole pictures with all texts."""
    union: Float[Tensor, "pairs widest"]
    """Cosines of the crops around pairs with the texts of their object's class; see `heads.hoi.teacher.compact`."""


@dataclass(frozen=True, eq=False)
class Proposals:
    """Boxes and pairs of a split."""

    table: PairTable
    annotated: Annotated
    true_pairs: Int[Tensor, "known 2"]
    """Pair and interaction, by pair: which pairs lie on annotated ones."""
    columns: Int[Tensor, "classes widest"]
    """Interactions with each class, see `heads.hoi.teacher.columns_of`."""
    taught: Taught | None = None

    @classmethod
    def of(
        cls,
        regions: Regions,
        annotated: Annotated,
        people: Bool[Tensor, " classes"],
        columns: Int[Tensor, "classes widest"],
        config: InteractConfig,
    ) -> Proposals:
        """Choose boxes, pair them, and look which pairs are annotated.

        Args:
            regions: all boxes of the pictures, annotated or found.
            annotated: what is known of the same pictures.
            people: which classes are people.
            columns: interactions with each class.
            config: which boxes take part.
        """
        chosen = choose_proposals(regions, people, config.proposals())
        pairs = human_pairs(chosen, people)
        if config.pairs:
            pairs = best_pairs(chosen, pairs, config.pairs)
        table = PairTable(chosen, pairs)
        return cls(table, annotated, true_pairs(table, annotated), columns)

    def with_teacher(self, taught: Taught) -> Proposals:
        """The same with what a teacher says."""
        return replace(self, taught=taught)

    def take(self, pictures: Int[Tensor, " chosen"]) -> Told:
        """The boxes and pairs of some pictures, as a batch in this order."""
        regions, pairs, rows = self.table.take(pictures)
        labels = self.annotated.labels[pictures]
        columns = self.columns[regions.labels[pairs[:, 1]]]
        taught = None
        if self.taught is not None:
            union = expand(self.taught.union[rows].float(), columns, labels.shape[1])
            taught = TeacherScores(self.taught.image[pictures].float(), union)
        truths = torch.zeros(len(rows), labels.shape[1], dtype=torch.bool)
        counts = torch.bincount(self.true_pairs[:, 0], minlength=len(self.table.pairs))
        known = segment_rows(starts_of(counts)[rows], counts[rows])
        owner = torch.arange(len(rows)).repeat_interleave(counts[rows])
        truths[owner, self.true_pairs[known, 1]] = True
        return Told(regions, pairs, labels, self.annotated.unclear[pictures], truths, taught)


def true_pairs(table: PairTable, annotated: Annotated) -> Int[Tensor, "known 2"]:
    """Which pairs lie on annotated ones: (pair, interaction), each once, by pair."""
    counts = torch.bincount(annotated.picture, minlength=table.regions.pictures)
    which, first, second = cross(table.counts, counts)
    pair, truth = table.starts[which] + first, starts_of(counts)[which] + second
    boxes = table.regions.boxes
    near = matched_iou(boxes[table.pairs[pair, 0]], annotated.humans[truth]) >= _OVERLAP
    near &= matched_iou(boxes[table.pairs[pair, 1]], annotated.objects[truth]) >= _OVERLAP
    # An object of another class is another thing, whatever its box.
    near &= table.regions.labels[table.pairs[pair, 1]] == annotated.object_class[truth]
    return torch.stack([pair[near], annotated.interaction[truth[near]]], 1).unique(dim=0)

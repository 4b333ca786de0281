"""Pairs of regions of one picture: who could do something to whom."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from .boxes import enclosing
from .groups import rank_within, segment_rows, starts_of
from .regions import NO_CLASS, Regions
from .stored import take_pictures


def ordered_pairs(
    regions: Regions,
    subjects: Bool[Tensor, " boxes"] | None = None,
    objects: Bool[Tensor, " boxes"] | None = None,
) -> Int[Tensor, "pairs 2"]:
    """All pairs of different boxes of one picture, as (subject, object) rows of the regions.

    They come by subject, then by object, so pairs of a picture lie together. Two people are a pair both ways round.

    Args:
        subjects: which boxes may come first: the people, for human-object interactions. None for all.
        objects: which may come second; None for all.
    """
    counts = regions.counts[regions.picture]
    first = torch.arange(len(regions), device=regions.boxes.device).repeat_interleave(counts)
    second = segment_rows(regions.starts[regions.picture], counts)
    wanted = first != second
    if subjects is not None:
        wanted &= subjects[first]
    if objects is not None:
        wanted &= objects[second]
    return torch.stack([first[wanted], second[wanted]], 1)


def best_pairs(regions: Regions, pairs: Int[Tensor, "pairs 2"], most: int) -> Int[Tensor, "kept 2"]:
    """The pairs of every picture with the largest products of scores, at most `most` each, in the order they came."""
    product = regions.scores[pairs].prod(1)
    return pairs[rank_within(product, regions.picture[pairs[:, 0]]) < most]


def union_regions(regions: Regions, pairs: Int[Tensor, "pairs 2"]) -> Regions:
    """The smallest box around each pair, as regions without class; its score is the product of both.

    Args:
        pairs: rows of the regions; pairs of a picture lie together, in the order of the pictures.
    """
    first, second = pairs.unbind(1)
    return Regions(
        boxes=enclosing(regions.boxes[first], regions.boxes[second]),
        picture=regions.picture[first],
        sizes=regions.sizes,
        labels=torch.full_like(first, NO_CLASS),
        scores=regions.scores[pairs].prod(1),
    )


@dataclass(frozen=True, eq=False)
class PairTable:
    """Pairs of boxes of many pictures, of which a batch takes some pictures at a time."""

    regions: Regions
    """Of all pictures."""
    pairs: Int[Tensor, "pairs 2"]
    """Rows of the regions; pairs of a picture lie together, in the order of the pictures."""

    @cached_property
    def picture(self) -> Int[Tensor, " pairs"]:
        """Which picture each pair is in."""
        return self.regions.picture[self.pairs[:, 0]]

    @cached_property
    def counts(self) -> Int[Tensor, " pictures"]:
        """How many pairs each picture has."""
        return torch.bincount(self.picture, minlength=self.regions.pictures)

    @cached_property
    def starts(self) -> Int[Tensor, " pictures"]:
        """First pair of each picture."""
        return starts_of(self.counts)

    def take(self, pictures: Int[Tensor, " chosen"]) -> tuple[Regions, Int[Tensor, "taken 2"], Int[Tensor, " taken"]]:
        """The boxes and pairs of some pictures, as a batch in this order, and which of all pairs they are."""
        rows = segment_rows(self.starts[pictures], self.counts[pictures])
        taken = take_pictures(self.regions, pictures)
        # A box keeps its place within its picture.
        within = self.pairs[rows] - self.regions.starts[self.picture[rows]][:, None]
        owner = torch.arange(len(pictures)).repeat_interleave(self.counts[pictures])
        return taken, within + taken.starts[owner][:, None], rows

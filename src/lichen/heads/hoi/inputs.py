"""What a head for interactions is told of a batch: boxes, pairs, which interactions suit a pair, what they look like.

Everything lies flat over the batch. A pair is (person, object), two rows of the boxes; two people are a pair both ways.
"""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Bool, Float, Int
from torch import Tensor

from ...errors import InputError
from ...regions import Regions, ordered_pairs
from ...regions.groups import keep_best
from ...regions.regions import NO_CLASS


@dataclass(frozen=True, eq=False)
class HOIInputs:
    """A batch as the networks read it."""

    regions: Regions
    """Boxes."""
    pairs: Int[Tensor, "pairs 2"]
    """Rows of person and object; pairs of a picture lie together, in the order of the pictures."""
    compatible: Bool[Tensor, "pairs interactions"]
    """Which interactions are with the class of each pair's object: K of hoi.md 1.2."""
    image: Float[Tensor, "pictures image_width"]
    """What the whole picture looks like."""
    boxes: Float[Tensor, "boxes box_width"]
    """What lies under each box."""
    unions: Float[Tensor, "pairs box_width"]
    """What lies under the box around each pair."""
    places: Float[Tensor, "pairs 36"]
    """How the two boxes lie: `regions.spatial.pair_encoding`."""

    @property
    def picture(self) -> Int[Tensor, " pairs"]:
        """Which picture each pair is in."""
        return self.regions.picture[self.pairs[:, 0]]

    @property
    def pictures(self) -> int:
        """Number of pictures, also of those without a pair."""
        return self.regions.pictures

    @property
    def detected(self) -> Float[Tensor, " pairs"]:
        """Product of the scores of both boxes."""
        return self.regions.scores[self.pairs].prod(1)


@dataclass(frozen=True, eq=False)
class HOIScores:
    """Logits of a network; those of interactions that do not suit a pair mean nothing."""

    image: Float[Tensor, "pictures interactions"]
    """Of the whole picture."""
    pair: Float[Tensor, "pairs interactions"]
    """Of person and object."""
    related: Float[Tensor, " pairs"] | None = None
    """Whether the two interact at all; None for a network that does not ask."""
    union: Float[Tensor, "pairs interactions"] | None = None
    """Of the box around both; None for a network that does not ask."""


@dataclass(frozen=True)
class ProposalConfig:
    """Which boxes may take part, the defaults of SCG, UPT and ADA-CM (hoi.md 1.2).

    Raises:
        InputError: a number out of range.
    """

    threshold: float = 0.2
    """Lowest score of a box."""
    least: int = 3
    """People, and other things, of a picture that are kept though they score lower."""
    most: int = 15
    """People, and other things, of a picture at most."""

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1 or not 0 <= self.least <= self.most or self.most < 1:
            raise InputError(
                "Proposals have a threshold in [0, 1], and 0 <= least <= most with most at least 1; got "
                f"{self.threshold}, {self.least}, {self.most}."
            )


def choose_proposals(
    regions: Regions, people: Bool[Tensor, " classes"], config: ProposalConfig = ProposalConfig()
) -> Regions:
    """The boxes that may take part: the best people and the best other things of each picture.

    Args:
        regions: annotated or detected; boxes of no class are left out.
        people: which classes are people.
    """
    known = regions.select(regions.labels != NO_CLASS)
    human = people[known.labels]
    kept = keep_best(
        known.scores,
        known.picture * 2 + human.long(),
        config.most,
        threshold=config.threshold,
        least=config.least,
    )
    return known.select(kept)


def human_pairs(regions: Regions, people: Bool[Tensor, " classes"]) -> Int[Tensor, "pairs 2"]:
    """Every person with every other box of its picture, other people included (hoi.md 1.2, step 3)."""
    return ordered_pairs(regions, subjects=people[regions.labels])


def compatible_pairs(
    labels: Int[Tensor, " boxes"], pairs: Int[Tensor, "pairs 2"], objects: Bool[Tensor, "classes interactions"]
) -> Bool[Tensor, "pairs interactions"]:
    """Which interactions are with the class of each pair's object.

    Args:
        labels: classes of boxes.
        pairs: rows of the boxes.
        objects: which interactions are with each class; a class may have none.
    """
    return objects.index_select(0, labels[pairs[:, 1]])

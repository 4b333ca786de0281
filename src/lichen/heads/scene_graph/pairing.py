"""Which pairs a training step asks about, and what each of them teaches.

Two ways, after the two kinds of boxes (graphs.md 1.7): annotated boxes, whose pairs have their relations or none; and
detected boxes, of which several may stand for the same annotated one.

Everything is drawn from the given generator, so a step can be repeated. It draws on the generator's device.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ...errors import InputError
from ...graphs.relations import Relations
from ...regions.groups import cross, first_of_runs, rank_within, starts_of
from ...regions.overlap import matched_iou
from ...regions.pairs import ordered_pairs
from ...regions.regions import NO_CLASS, Regions
from .targets import IGNORED, NONE, GraphTargets

Drawn = tuple[Int[Tensor, "pairs 2"], GraphTargets]
"""Pairs, which lie together by picture, and what they teach."""


@dataclass(frozen=True)
class PairSampling:
    """How many pairs of a picture are learnt from, and of which kind."""

    most: int = 1000
    """Pairs of a picture."""
    foreground: float = 0.25
    """Largest share of `most` that pairs with a relation make up."""
    per_relation: int = 4
    """Detected pairs that stand for one annotated relation."""
    overlap: float = 0.5
    """IoU above which a detected box of the same class stands for an annotated one."""
    released: bool = False
    """Whether relations that resampling left out are taught as "no relation" with annotated boxes, which is what the
    released code does, instead of being ignored."""

    def __post_init__(self) -> None:
        if self.most < 1 or self.per_relation < 1:
            raise InputError(f"At least one pair is drawn; got most={self.most}, per_relation={self.per_relation}.")
        if not 0 < self.foreground <= 1 or not 0 < self.overlap < 1:
            raise InputError(
                f"foreground lies in (0, 1] and overlap in (0, 1); got {self.foreground} and {self.overlap}."
            )


def sample_annotated(
    regions: Regions,
    relations: Relations,
    sampling: PairSampling = PairSampling(),
    *,
    dropped: Bool[Tensor, " relations"] | None = None,
    generator: torch.Generator | None = None,
) -> Drawn:
    """Pairs of annotated boxes (PredCls, SGCls).

    Where a pair has several predicates, one of them is drawn.

    Args:
        regions: the annotated boxes.
        relations: theirs, as `Relations.validate` wants them.
        dropped: relations that resampling left out of this step. The predicate loss ignores them, unless
            `sampling.released`; the confidence estimation learns from them all the same.
        generator: of chance; None takes PyTorch's own.
    """
    pairs = ordered_pairs(regions)
    kept = torch.zeros(len(pairs), dtype=torch.long, device=pairs.device)
    own = _one_each(relations, len(regions), generator)
    place = torch.searchsorted(_key(pairs, len(regions)), _key(relations.pairs[own], len(regions)))
    kept[place] = relations.predicate[own] + 1
    sure = kept.clone()
    if dropped is not None:
        gone = place[dropped[own]]
        kept[gone] = NONE if sampling.released else IGNORED
        if sampling.released:
            sure[gone] = NONE
    chosen = _limited(regions.picture[pairs[:, 0]], sure > NONE, sampling, generator)
    return pairs[chosen], GraphTargets(kept[chosen], sure[chosen], regions.labels)


def sample_detected(
    found: Regions,
    truths: Regions,
    relations: Relations,
    sampling: PairSampling = PairSampling(),
    *,
    dropped: Bool[Tensor, " relations"] | None = None,
    generator: torch.Generator | None = None,
) -> Drawn:
    """Pairs of detected boxes (SGGen).

    A detected pair stands for a relation if both its boxes have the class of the annotated ones and overlap them
    enough; of all such pairs a few are drawn, by the product of both overlaps. Pairs without a relation are drawn from
    those of boxes that stand for something, the best half by their scores first.

    Args:
        found: detected boxes with labels and scores.
        truths: annotated boxes of the same pictures.
        relations: of the annotated boxes.
        dropped, generator: as in `sample_annotated`; the predicate loss ignores what is dropped.

    Raises:
        InputError: the two are not of as many pictures.
    """
    stands, overlap, entities = _matches(found, truths, sampling.overlap)
    candidates, relation = _candidates(stands, overlap, relations, truths, sampling, generator)
    key = _key(candidates, len(found))
    # One relation a pair, drawn at random where it stands for several.
    order = _shuffled_sort(key, generator)
    own = order[first_of_runs(key[order])]
    candidates, relation = candidates[own], relation[own]
    pairs = ordered_pairs(found)
    label = torch.zeros(len(pairs), dtype=torch.long, device=pairs.device)
    place = torch.searchsorted(_key(pairs, len(found)), _key(candidates, len(found)))
    label[place] = relations.predicate[relation] + 1
    sure = label.clone()
    if dropped is not None:
        label[place[dropped[relation]]] = IGNORED
    # A pair that also stands for a relation that was not drawn is not an example of none.
    related = _stands_for_any(pairs, stands, relations, truths, len(found)) & (sure == NONE)
    usable = (entities[pairs] != NO_CLASS).all(1) & ~related
    picture = found.picture[pairs[:, 0]]
    chosen = _limited(picture, sure > NONE, sampling, generator, usable, found.scores[pairs].prod(1))
    return pairs[chosen], GraphTargets(label[chosen], sure[chosen], entities)


def _one_each(relations: Relations, boxes: int, generator: torch.Generator | None) -> Int[Tensor, " pairs"]:
    """A relation of each related pair, drawn at random, in the order of the pairs."""
    key = _key(relations.pairs, boxes)
    order = _shuffled_sort(key, generator)
    return order[first_of_runs(key[order])]


def _key(pairs: Tensor, boxes: int) -> Int[Tensor, " pairs"]:
    """One number a pair; pairs from `ordered_pairs` have rising ones."""
    return pairs[:, 0] * boxes + pairs[:, 1]


def _uniform(like: Tensor, generator: torch.Generator | None) -> Float[Tensor, " n"]:
    device = like.device if generator is None else generator.device
    return torch.rand(len(like), generator=generator, device=device, dtype=torch.float64).to(like.device)


def _shuffled_sort(key: Tensor, generator: torch.Generator | None) -> Int[Tensor, " n"]:
    """The order that sorts by key, equal ones at random."""
    order = _uniform(key, generator).argsort()
    return order[key[order].argsort(stable=True)]


def _limited(
    picture: Tensor,
    related: Tensor,
    sampling: PairSampling,
    generator: torch.Generator | None,
    usable: Tensor | None = None,
    score: Tensor | None = None,
) -> Int[Tensor, " chosen"]:
    """Rows of the pairs that are learnt from, in their order: related ones first, then others until it is enough."""
    chance = _uniform(picture, generator)
    most = max(int(sampling.most * sampling.foreground), 1)
    group = picture * 2 + related
    chosen = related & (rank_within(chance, group) < most)
    pictures = int(picture.max()) + 1 if len(picture) else 0
    free = sampling.most - torch.bincount(picture[chosen], minlength=pictures)
    rest = ~related if usable is None else ~related & usable
    if score is not None:
        # Of the best twice as many as are wanted.
        hopeful = torch.where(rest, score.to(chance.dtype), -1)
        rest = rest & (rank_within(hopeful, picture) < 2 * free[picture])
    order = rank_within(torch.where(rest, chance, -1.0), picture)
    return (chosen | (rest & (order < free[picture]))).nonzero()[:, 0]


def _matches(
    found: Regions, truths: Regions, least: float
) -> tuple[Int[Tensor, "matches 2"], Float[Tensor, " matches"], Int[Tensor, " boxes"]]:
    """(Annotated, detected) rows that stand for each other, by annotated row, with their IoU; class of each detected.

    A detected box has the class of the annotated one that it overlaps most, from the least overlap on; else none.
    """
    if found.pictures != truths.pictures:
        raise InputError(f"There are boxes of {found.pictures} pictures and annotations of {truths.pictures}.")
    picture, first, second = cross(truths.counts, found.counts)
    truth, row = truths.starts[picture] + first, found.starts[picture] + second
    overlap = matched_iou(truths.boxes[truth], found.boxes[row])
    good = (truths.labels[truth] == found.labels[row]) & (overlap > least)
    best = torch.full((len(found),), 0.0, dtype=overlap.dtype, device=overlap.device)
    best = best.scatter_reduce(0, row, overlap, "amax")
    entities = torch.full_like(found.labels, NO_CLASS)
    winner = (overlap >= least) & (overlap == best[row])
    entities[row[winner]] = truths.labels[truth[winner]]
    return torch.stack([truth[good], row[good]], 1), overlap[good], entities


def _sides(stands: Tensor, relations: Relations, truths: Regions) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """For each relation all combinations of a match of its subject and one of its object: relation, both matches."""
    counts = torch.bincount(stands[:, 0], minlength=len(truths))
    starts = starts_of(counts)
    subject, thing = relations.pairs.unbind(1)
    which, first, second = cross(counts[subject], counts[thing])
    first, second = starts[subject[which]] + first, starts[thing[which]] + second
    pair = torch.stack([stands[first, 1], stands[second, 1]], 1)
    apart = pair[:, 0] != pair[:, 1]
    return which[apart], first[apart], second[apart], pair[apart]


def _candidates(
    stands: Tensor,
    overlap: Tensor,
    relations: Relations,
    truths: Regions,
    sampling: PairSampling,
    generator: torch.Generator | None,
) -> tuple[Int[Tensor, "candidates 2"], Int[Tensor, " candidates"]]:
    """Detected pairs that are drawn for relations, with the relation each stands for."""
    which, first, second, pair = _sides(stands, relations, truths)
    weight = (overlap[first] * overlap[second]).double()
    # Gumbel's trick: the largest of log weight plus noise are a draw without replacement by weight.
    noise = -(-_uniform(weight, generator).clamp(1e-12, 1 - 1e-12).log()).log()
    drawn = rank_within(weight.log() + noise, which) < sampling.per_relation
    return pair[drawn], which[drawn]


def _stands_for_any(
    pairs: Tensor, stands: Tensor, relations: Relations, truths: Regions, boxes: int
) -> Bool[Tensor, " pairs"]:
    """Which pairs stand for a relation, drawn or not."""
    pair = _sides(stands, relations, truths)[3]
    return torch.isin(_key(pairs, boxes), _key(pair, boxes))

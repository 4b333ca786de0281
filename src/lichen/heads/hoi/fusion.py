"""Scores of pairs out of the scores of all levels, and the answers that they come to.

Sources: hoi.md 1.8 for the weak method, 2.5 for the zero-shot one; both products are reconstructions.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ...regions.groups import group_order, rank_within
from ...regions.overlap import iou
from ...regions.suppression import keep_sorted
from .config import HOIConfig
from .distillation import TeacherScores, distribution, present
from .inputs import HOIInputs, HOIScores

_RANDOM_SEED = 0


def weak_scores(
    scores: HOIScores, inputs: HOIInputs, teachable: Bool[Tensor, " interactions"], config: HOIConfig
) -> Float[Tensor, "pairs interactions"]:
    """The product of the factors that are asked for: pair, picture, relatedness and the detector's.

    Args:
        scores: of a `WeakHOI`.
        inputs: of the same batch.
        teachable: interactions that relate two things; the others count relatedness as `no_interaction` says.
        config: which factors.
    """
    found = inputs.compatible.to(scores.pair)
    if "pair" in config.factors:
        found = found * scores.pair.sigmoid()
    if "random" in config.factors:
        generator = torch.Generator().manual_seed(_RANDOM_SEED)
        found = found * torch.rand(found.shape, generator=generator).to(found)
    if "image" in config.factors:
        found = found * scores.image.sigmoid()[inputs.picture]
    if "related" in config.factors and scores.related is not None:
        found = found * _related(scores.related.sigmoid(), teachable, config.no_interaction)
    return found * _detector(inputs, config)


def _related(
    related: Float[Tensor, " pairs"], teachable: Bool[Tensor, " interactions"], rule: str
) -> Float[Tensor, "pairs interactions"]:
    own = related[:, None].expand(-1, len(teachable))
    other = {"inverse": 1 - own, "without": torch.ones_like(own), "same": own}[rule]
    return torch.where(teachable, own, other)


def _detector(inputs: HOIInputs, config: HOIConfig) -> Float[Tensor, "pairs 1"]:
    if config.method != "zero-shot" and "detector" not in config.factors:
        return torch.ones_like(inputs.detected)[:, None]
    return inputs.detected.pow(config.gamma)[:, None]


def zero_shot_scores(scores: HOIScores, inputs: HOIInputs, config: HOIConfig) -> Float[Tensor, "pairs interactions"]:
    """Scores of a `ZeroShotHOI` by the levels that were learnt: the picture's times the mean of the pair's two.

    Args:
        scores: of the student.
        inputs: of the same batch.
        config: which levels, and how they are put together.
    """
    there = present(inputs.compatible, inputs.picture, inputs.pictures)
    levels = {
        "image": lambda: _probability(scores.image, there, config)[inputs.picture],
        "union": lambda: _probability(scores.union, inputs.compatible, config),
        "instances": lambda: _probability(scores.pair, inputs.compatible, config),
    }
    found = {name: make() for name, make in levels.items() if name in config.levels}
    return _fused(found, config.fusion) * inputs.compatible * _detector(inputs, config)


def _probability(logits: Tensor | None, allowed: Tensor, config: HOIConfig) -> Tensor:
    assert logits is not None
    return distribution(logits, allowed) if config.divergence == "kl" else logits.sigmoid() * allowed


def _fused(levels: dict[str, Tensor], fusion: str) -> Tensor:
    every = list(levels.values())
    if fusion == "sum":
        return torch.stack(every).mean(0)
    if fusion == "product":
        return torch.stack(every).prod(0)
    pairs = [value for name, value in levels.items() if name != "image"]
    mixed = torch.stack(pairs).mean(0) if pairs else torch.ones_like(every[0])
    return levels["image"] * mixed if "image" in levels else mixed


def teacher_scores(
    teacher: TeacherScores, inputs: HOIInputs, config: HOIConfig, levels: tuple[str, ...] = ("union",)
) -> Float[Tensor, "pairs interactions"]:
    """The teacher alone, nothing learnt: what the student has to beat.

    Args:
        teacher: cosines for the same pictures and pairs.
        inputs: of the batch.
        config: the teacher's scale and gamma.
        levels: "image", "union" or both, multiplied.
    """
    there = present(inputs.compatible, inputs.picture, inputs.pictures)
    found = inputs.compatible.to(teacher.union)
    if "image" in levels:
        found = found * distribution(config.teacher_scale * teacher.image, there)[inputs.picture]
    if "union" in levels:
        found = found * distribution(config.teacher_scale * teacher.union, inputs.compatible)
    return found * inputs.detected.pow(config.gamma)[:, None]


@dataclass(frozen=True, eq=False)
class FoundInteractions:
    """Answers, flat over a batch: pairs that do something, with their scores."""

    pair: Int[Tensor, " found"]
    """Row of the pairs."""
    interaction: Int[Tensor, " found"]
    """Number of the interaction."""
    score: Float[Tensor, " found"]


def best_interactions(
    scores: Float[Tensor, "pairs interactions"],
    inputs: HOIInputs,
    most: int = 100,
    suppress: float | int = 1,
) -> FoundInteractions:
    """The best answers of every picture.

    Args:
        scores: of pairs; zeros are no answers.
        inputs: of the same batch.
        most: answers of a picture.
        suppress: of two answers of one interaction, the worse goes if IoU of the people times the root of that of the
            objects is above this (GEN-VLKT has 0.7), among the best four times `most`; 1 keeps all.
    """
    pair, interaction = (scores > 0).nonzero().unbind(1)
    value = scores[pair, interaction]
    picture = inputs.picture[pair]
    # What is worse pushes nothing out; only where three answers of four go, one that ranks lower would be missed.
    kept = rank_within(value, picture) < (most if suppress >= 1 else 4 * most)
    pair, interaction, value, picture = (each[kept] for each in (pair, interaction, value, picture))
    if suppress < 1 and len(pair):
        kept = _suppressed(inputs, pair, picture * scores.shape[1] + interaction, value, suppress)
        pair, interaction, value, picture = (each[kept] for each in (pair, interaction, value, picture))
        kept = rank_within(value, picture) < most
        pair, interaction, value = (each[kept] for each in (pair, interaction, value))
    return FoundInteractions(pair, interaction, value)


def _suppressed(inputs: HOIInputs, pair: Tensor, groups: Tensor, value: Tensor, most: float | int) -> Tensor:
    """Which answers stay, by their place."""
    ends = inputs.regions.boxes[inputs.pairs[pair]].flatten(1)
    order = group_order(value, groups)

    def above(first: Tensor, second: Tensor) -> Tensor:
        return iou(first[..., :4], second[..., :4]) * iou(first[..., 4:], second[..., 4:]).sqrt() > most

    kept = torch.zeros(len(pair), dtype=torch.bool, device=pair.device)
    kept[order] = keep_sorted(ends[order], groups[order], above)
    return kept

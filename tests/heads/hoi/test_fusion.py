"""Scores of pairs out of those of all levels, by hand; answers, how many, and which of two alike."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from lichen.heads.hoi import (
    HOIConfig,
    HOIInputs,
    HOIScores,
    TeacherScores,
    best_interactions,
    teacher_scores,
    weak_scores,
    zero_shot_scores,
)

from .tiny import TEACHABLE, make_inputs


def logit(*chances: float) -> Tensor:
    return torch.tensor(chances).logit()


def scored(inputs: HOIInputs, *values: float) -> HOIInputs:
    return replace(inputs, regions=replace(inputs.regions, scores=torch.tensor(values)))


# A person with a thing of interactions 0 and 1, and with one of 2 and 3, of which 3 is "no_interaction".
INPUTS = scored(make_inputs(((1, 1, 1),)), 0.5, 0.8, 0.4)
PAIR = torch.stack([logit(0.1, 0.2, 0.9, 0.9, 0.9), logit(0.9, 0.9, 0.3, 0.4, 0.9)])
IMAGE = logit(0.5, 0.6, 0.7, 0.8, 0.9)[None]
RELATED = logit(0.25, 0.75)
UNION = torch.stack([logit(0.3, 0.4, 0.9, 0.9, 0.9), logit(0.9, 0.9, 0.5, 0.6, 0.9)])
SCORES = HOIScores(IMAGE, PAIR, RELATED)
SQUARED = torch.tensor([[0.4**2], [0.2**2]])


def weak(*factors: str, **changes: Any) -> Tensor:
    config = HOIConfig(factors=factors, gamma=2.0, **changes)
    return weak_scores(SCORES, INPUTS, TEACHABLE, config)


def close(found: Tensor, expected: list[list[float]]) -> None:
    torch.testing.assert_close(found, torch.tensor(expected))


def test_every_factor_alone() -> None:
    close(weak("pair"), [[0.1, 0.2, 0, 0, 0], [0, 0, 0.3, 0.4, 0]])
    close(weak("image"), [[0.5, 0.6, 0, 0, 0], [0, 0, 0.7, 0.8, 0]])
    close(weak("related"), [[0.25, 0.25, 0, 0, 0], [0, 0, 0.75, 0.25, 0]])
    close(weak("detector"), [[0.16, 0.16, 0, 0, 0], [0, 0, 0.04, 0.04, 0]])
    random = weak("random")
    assert torch.equal(random, weak("random")) and not random[~INPUTS.compatible].any()
    assert len(random[INPUTS.compatible].unique()) == 4 and bool((random <= 1).all())


def test_all_factors_together() -> None:
    close(
        weak("pair", "image", "related", "detector"),
        [
            [0.1 * 0.5 * 0.25 * 0.16, 0.2 * 0.6 * 0.25 * 0.16, 0, 0, 0],
            [0, 0, 0.3 * 0.7 * 0.75 * 0.04, 0.4 * 0.8 * 0.25 * 0.04, 0],
        ],
    )
    # Relatedness that a network does not tell is left out.
    told = weak_scores(replace(SCORES, related=None), INPUTS, TEACHABLE, HOIConfig(factors=("pair", "related")))
    assert torch.equal(told, weak("pair"))


@pytest.mark.parametrize(("rule", "value"), [("inverse", 0.25), ("without", 1.0), ("same", 0.75)])
def test_no_interaction_counts_relatedness_its_own_way(rule: str, value: float) -> None:
    close(weak("related", no_interaction=rule), [[0.25, 0.25, 0, 0, 0], [0, 0, 0.75, value, 0]])


def test_every_pair_counts_its_own_picture() -> None:
    inputs = make_inputs(((1, 1, 0), (0, 1, 0), (1, 1, 0)))
    image = logit(0.1, 0.2, 0.3)[:, None].expand(-1, 5)
    scores = HOIScores(image, torch.zeros(2, 5), torch.zeros(2), torch.zeros(2, 5))
    found = weak_scores(scores, inputs, TEACHABLE, HOIConfig(factors=("image",)))
    torch.testing.assert_close(found[:, 0], torch.tensor([0.1, 0.3]))
    config = HOIConfig(method="zero-shot", levels=("image",), gamma=0.0)
    torch.testing.assert_close(zero_shot_scores(scores, inputs, config)[:, 0], torch.tensor([0.1, 0.3]))


def student(fusion: str, levels: tuple[str, ...] = ("image", "union", "instances"), kind: str = "bce") -> Tensor:
    config = HOIConfig(method="zero-shot", fusion=fusion, levels=levels, gamma=2.0, divergence=kind)  # type: ignore[arg-type]
    return zero_shot_scores(HOIScores(IMAGE, PAIR, None, UNION), INPUTS, config)


def test_levels_are_fused() -> None:
    """hoi.md 2.5: the picture times the mean of both pair levels; or all multiplied; or their mean."""
    close(
        student("mixed") / SQUARED,
        [
            [0.5 * (0.3 + 0.1) / 2, 0.6 * (0.4 + 0.2) / 2, 0, 0, 0],
            [0, 0, 0.7 * (0.5 + 0.3) / 2, 0.8 * (0.6 + 0.4) / 2, 0],
        ],
    )
    close(
        student("product") / SQUARED,
        [[0.5 * 0.3 * 0.1, 0.6 * 0.4 * 0.2, 0, 0, 0], [0, 0, 0.7 * 0.5 * 0.3, 0.8 * 0.6 * 0.4, 0]],
    )
    close(
        student("sum") / SQUARED,
        [
            [(0.5 + 0.3 + 0.1) / 3, (0.6 + 0.4 + 0.2) / 3, 0, 0, 0],
            [0, 0, (0.7 + 0.5 + 0.3) / 3, (0.8 + 0.6 + 0.4) / 3, 0],
        ],
    )


@pytest.mark.parametrize("fusion", ["mixed", "product", "sum"])
def test_a_level_alone_is_fused_with_nothing(fusion: str) -> None:
    close(student(fusion, ("image",)) / SQUARED, [[0.5, 0.6, 0, 0, 0], [0, 0, 0.7, 0.8, 0]])
    close(student(fusion, ("union",)) / SQUARED, [[0.3, 0.4, 0, 0, 0], [0, 0, 0.5, 0.6, 0]])
    close(student(fusion, ("instances",)) / SQUARED, [[0.1, 0.2, 0, 0, 0], [0, 0, 0.3, 0.4, 0]])


def test_a_student_of_shares_answers_in_shares() -> None:
    pair = student("mixed", ("instances",), "kl") / SQUARED
    torch.testing.assert_close(pair.sum(1), torch.ones(2))
    odds = [each / (1 - each) for each in (0.1, 0.2)]
    torch.testing.assert_close(pair[0, 0], torch.tensor(odds[0] / sum(odds)))
    # The picture shares among all that is there, not among those with one object.
    image = student("mixed", ("image",), "kl") / SQUARED
    torch.testing.assert_close(image.sum(), torch.tensor(1.0))


def test_the_teacher_alone() -> None:
    told = TeacherScores(
        torch.tensor([[0.1, 0.2, 0.3, 0.4, 9.0]]), torch.tensor([[0.1, 0.3, 9, 9, 9], [9, 9, 0.2, 0.2, 9]])
    )
    config = HOIConfig(method="zero-shot", teacher_scale=10.0, gamma=2.0)
    e = torch.tensor([[1.0, 3.0], [2.0, 2.0]]).softmax(1)
    union = torch.zeros(2, 5)
    union[0, :2], union[1, 2:4] = e[0], e[1]
    torch.testing.assert_close(teacher_scores(told, INPUTS, config), union * SQUARED)
    image = torch.cat([torch.tensor([1.0, 2.0, 3.0, 4.0]).softmax(0), torch.zeros(1)])[None] * INPUTS.compatible
    torch.testing.assert_close(teacher_scores(told, INPUTS, config, ("image",)), image * SQUARED)
    torch.testing.assert_close(teacher_scores(told, INPUTS, config, ("image", "union")), image * union * SQUARED)


def test_answers_are_the_best_of_every_picture() -> None:
    inputs = make_inputs()
    scores = torch.rand(6, 5, generator=torch.Generator().manual_seed(0)) * inputs.compatible
    found = best_interactions(scores, inputs, 3)
    for picture in range(4):
        own = scores[inputs.picture == picture].flatten()
        expected = own[own > 0].sort(descending=True).values[:3]
        got = found.score[inputs.picture[found.pair] == picture].sort(descending=True).values
        torch.testing.assert_close(got, expected)
    assert torch.equal(found.score, scores[found.pair, found.interaction])
    whole = best_interactions(scores, inputs, 100)
    assert len(whole.pair) == int((scores > 0).sum()), "all that is not zero"
    empty = make_inputs(((0, 1, 0),))
    assert len(best_interactions(torch.zeros(0, 5), empty, 3, 0.7).pair) == 0


def crowd() -> HOIInputs:
    """A person seen twice, with two things of one class."""
    inputs = make_inputs(((2, 2, 0),))
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 8], [20, 0, 30, 10], [60, 0, 70, 10]])
    made = replace(inputs, regions=replace(inputs.regions, boxes=boxes))
    assert made.pairs.tolist() == [[0, 1], [0, 2], [0, 3], [1, 0], [1, 2], [1, 3]]
    return made


def test_of_two_triplets_alike_the_worse_goes() -> None:
    """GEN-VLKT's rule (hoi.md 1.8): IoU of the people is 0.8, of the things 1; times its root that is 0.8."""
    inputs, scores = crowd(), torch.zeros(6, 5)
    scores[1, 0], scores[4, 0], scores[5, 0], scores[4, 1] = 0.9, 0.8, 0.7, 0.6
    for most, expected in ((0.7, [0.9, 0.7, 0.6]), (0.81, [0.9, 0.8, 0.7, 0.6]), (1, [0.9, 0.8, 0.7, 0.6])):
        found = best_interactions(scores, inputs, 100, most)
        assert sorted(found.score.tolist(), reverse=True) == pytest.approx(expected), most
    # What went makes room for what would have come later.
    assert best_interactions(scores, inputs, 2, 0.7).score.tolist() == pytest.approx([0.9, 0.7])
    # A worse thing counts by its root: people 0.8 times root of 0.64 is 0.64.
    moved = inputs.regions.boxes.clone()
    moved[3] = torch.tensor([20.0, 0, 30, 6.4])
    near = replace(inputs, regions=replace(inputs.regions, boxes=moved))
    apart = torch.zeros(6, 5)
    apart[1, 0], apart[5, 0] = 0.9, 0.8
    assert len(best_interactions(apart, near, 100, 0.63).pair) == 1
    assert len(best_interactions(apart, near, 100, 0.65).pair) == 2

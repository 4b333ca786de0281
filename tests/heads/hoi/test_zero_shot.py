"""The student: its levels by themselves, what the teacher teaches each, poor batches."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn.functional import cosine_similarity

from lichen.heads.hoi import HOIConfig, TeacherScores, ZeroShotHOI, zero_shot_scores
from lichen.heads.hoi.bags import bag_logits
from lichen.heads.hoi.distillation import distribution, divergence

from ...families import shake
from .tiny import make_inputs

TEXTS = torch.randn(5, 7, generator=torch.Generator().manual_seed(3))
INPUTS = make_inputs()
LEVELS = ("image", "union", "instances")


def network(**changes: Any) -> ZeroShotHOI:
    torch.manual_seed(0)
    return shake(ZeroShotHOI(8, 6, TEXTS, HOIConfig(method="zero-shot", width=16, **changes)))  # type: ignore[no-any-return]


def teacher(pictures: int = 4, pairs: int = 6) -> TeacherScores:
    draw = torch.Generator().manual_seed(7)
    return TeacherScores(*(0.1 * torch.randn(n, 5, generator=draw) for n in (pictures, pairs)))


@torch.no_grad()
def test_logits_of_every_level_are_scaled_cosines() -> None:
    made = network()
    scores = made(INPUTS)
    assert made.image is not None and made.unions is not None and made.pairs is not None
    vectors = made.pairs(INPUTS)
    for rows, found, level in (
        (made.image(INPUTS.image), scores.image, "image"),
        (made.unions(INPUTS), scores.union, "union"),
        (vectors + made.bank.read(vectors), scores.pair, "instances"),
    ):
        cosines = cosine_similarity(rows[:, None], made.bank.rows[None], dim=2)
        judge = made.judges[level]
        torch.testing.assert_close(found, cosines * judge.log_scale.exp() + judge.offset)
    assert scores.related is None
    assert set(made.unions.parts) == {"union"} and set(made.pairs.parts) == {"human", "object", "places"}


@pytest.mark.parametrize("kind", ["bce", "kl"])
@torch.no_grad()
def test_losses_of_the_levels(kind: str) -> None:
    """hoi.md 2.4, put together from its parts."""
    made = network(divergence=kind, teacher_scale=20.0, instance_mix=0.25)
    scores, told = made(INPUTS), teacher()
    # Picture 0 has things of both classes, 1 people and a thing, the others no pair.
    there = torch.zeros(4, 5, dtype=torch.bool)
    there[0, :4] = True
    there[1, [0, 1, 4]] = True
    whole = distribution(20 * told.image, there)
    crops = distribution(20 * told.union, INPUTS.compatible)
    bags, _ = bag_logits(scores.pair, INPUTS.compatible, INPUTS.picture, 4)
    assert scores.union is not None
    expected = {
        "image": divergence(scores.image, whole, there, kind),
        "union": divergence(scores.union, crops, INPUTS.compatible, kind),
        "instances": divergence(bags, whole, there, kind)
        + 0.25 * divergence(scores.pair, crops, INPUTS.compatible, kind),
    }
    found = made.losses(scores, INPUTS, told)
    assert set(found) == set(LEVELS)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value)


def test_rows_of_the_teacher_sum_to_one_over_the_classes_of_the_object() -> None:
    """hoi.md 5.4 (f)."""
    rows = distribution(50 * teacher().union, INPUTS.compatible)
    torch.testing.assert_close(rows.sum(1), torch.ones(6))
    assert not rows[~INPUTS.compatible].any()


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", ["bce", "kl"])
def test_every_level_alone(level: str, kind: str) -> None:
    made = network(levels=(level,), divergence=kind)
    scores = made(INPUTS)
    found = made.losses(scores, INPUTS, teacher())
    assert set(found) == {level} and set(made.judges) == {level}
    found[level].backward()
    assert all(bool(each.grad is not None and each.grad.isfinite().all()) for each in made.judges.parameters())
    answers = zero_shot_scores(scores, INPUTS, made.config)
    assert not answers[~INPUTS.compatible].any() and bool((answers[INPUTS.compatible] > 0).all())
    # What another level would say counts for nothing.
    whole = network(divergence=kind)
    names = {name.split(".")[0] for name, _ in made.named_parameters()}
    assert names < {name.split(".")[0] for name, _ in whole.named_parameters()}


def test_each_level_learns_by_its_own_branch() -> None:
    made = network()
    branches = {"image": made.image, "union": made.unions, "instances": made.pairs}
    for level in LEVELS:
        made.zero_grad(set_to_none=True)
        made.losses(made(INPUTS), INPUTS, teacher())[level].backward()
        for name, branch in branches.items():
            assert branch is not None
            touched = any(each.grad is not None and bool(each.grad.any()) for each in branch.parameters())
            assert touched == (name == level), (level, name)


def test_a_student_comes_to_agree_with_its_teacher() -> None:
    for kind in ("bce", "kl"):
        made, told = network(divergence=kind), teacher()
        optimiser = torch.optim.Adam(made.parameters(), 1e-2)
        first = None
        for _ in range(60):
            total = torch.stack(list(made.losses(made(INPUTS), INPUTS, told).values())).sum()
            first = float(total.detach()) if first is None else first
            optimiser.zero_grad()
            total.backward()
            optimiser.step()
        assert float(total.detach()) < 0.8 * (first or 0)
        with torch.no_grad():
            union = made(INPUTS).union
        assert union is not None
        best, wanted = (each.masked_fill(~INPUTS.compatible, -1e9).argmax(1) for each in (union, told.union))
        assert torch.equal(best, wanted), kind


@pytest.mark.parametrize("kind", ["bce", "kl"])
@pytest.mark.parametrize("rule", ["max", "noisy-or"])
@pytest.mark.parametrize("counts", [((1, 0, 0),), ((0, 1, 1),), ((0, 0, 0), (0, 0, 0)), ((3, 0, 0), (0, 0, 0))])
def test_poor_batches(kind: str, rule: str, counts: tuple[tuple[int, int, int], ...]) -> None:
    made, inputs = network(divergence=kind, bags=rule), make_inputs(counts)
    found = made.losses(made(inputs), inputs, teacher(len(counts), len(inputs.pairs)))
    assert all(bool(each.isfinite()) for each in found.values())
    if not len(inputs.pairs):
        assert all(float(each.detach()) == 0 for each in found.values())
    torch.stack(list(found.values())).sum().backward()
    assert all(bool(each.grad.isfinite().all()) for each in made.parameters() if each.grad is not None)

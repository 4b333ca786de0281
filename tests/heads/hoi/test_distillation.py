"""Targets of the teacher, and how far a student is from them."""

from __future__ import annotations

import torch

from lichen.heads.hoi.distillation import TeacherScores, distribution, divergence, present

LOGITS = torch.tensor([[1.0, 2.0, -1.0], [0.5, 0.0, 3.0], [0.0, 0.0, 0.0]])
ALLOWED = torch.tensor([[True, True, False], [True, True, True], [False, False, False]])


def test_a_distribution_sums_to_one_over_what_is_allowed() -> None:
    found = distribution(LOGITS, ALLOWED)
    e = torch.exp(torch.tensor(1.0))
    torch.testing.assert_close(found[0], torch.stack([1 / (1 + e), e / (1 + e), torch.zeros(())]))
    torch.testing.assert_close(found.sum(1), torch.tensor([1.0, 1.0, 0.0]))


def test_what_was_found_is_there() -> None:
    picture = torch.tensor([0, 0, 2])
    compatible = torch.tensor([[True, False, False], [False, True, False], [False, False, True]])
    assert present(compatible, picture, 3).tolist() == [[True, True, False], [False] * 3, [False, False, True]]


def test_cross_entropy_against_scores_by_the_largest_of_their_row() -> None:
    targets = torch.tensor([[0.2, 0.8, 0.0], [0.25, 0.25, 0.5], [0.0, 0.0, 0.0]])
    soft = torch.tensor([[0.25, 1.0, 0.0], [0.5, 0.5, 1.0], [0.0, 0.0, 0.0]])
    p = LOGITS.sigmoid()
    each = -(soft * p.log() + (1 - soft) * (1 - p).log()) * ALLOWED
    torch.testing.assert_close(divergence(LOGITS, targets, ALLOWED, "bce"), each.sum() / 2)


def test_kullback_leibler() -> None:
    targets = distribution(LOGITS.flip(0).roll(1, 0), ALLOWED)
    found = divergence(LOGITS, targets, ALLOWED, "kl")
    student = distribution(LOGITS, ALLOWED)
    expected = sum(
        float(t * (t / s).log()) for t, s in zip(targets[ALLOWED], student[ALLOWED], strict=True) if float(t) > 0
    )
    torch.testing.assert_close(found, torch.tensor(expected / 2))
    assert abs(float(divergence(LOGITS, student, ALLOWED, "kl"))) < 1e-6, "a student that knows all"


def test_gradients_stay_within_what_is_allowed_and_are_finite() -> None:
    for kind in ("bce", "kl"):
        logits = LOGITS.clone().requires_grad_()
        divergence(logits, distribution(torch.zeros_like(LOGITS), ALLOWED), ALLOWED, kind).backward()
        assert logits.grad is not None and bool(logits.grad.isfinite().all())
        assert not logits.grad[~ALLOWED].any() and bool(logits.grad[ALLOWED].any())


def test_nothing_is_no_distance() -> None:
    nothing = torch.zeros(0, 3)
    for kind in ("bce", "kl"):
        assert divergence(nothing, nothing, nothing.bool(), kind) == 0
        assert divergence(LOGITS, torch.zeros_like(LOGITS), torch.zeros_like(ALLOWED), kind) == 0


def test_scores_move_between_devices() -> None:
    moved = TeacherScores(LOGITS, LOGITS).to("meta")
    assert moved.image.is_meta and moved.union.is_meta

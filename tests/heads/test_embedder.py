"""Embeddings: length one, what is projected before and what after pooling."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from lichen.backbones.features import Features
from lichen.errors import InputError
from lichen.heads.embedder import Embedder
from lichen.heads.given import Given
from lichen.heads.summary import Summary
from lichen.testing import check_head

GIVEN = Given("tokens", 8)
MASK = torch.tensor([[True] * 6, [True] * 4 + [False] * 2, [True] + [False] * 5])


def features(dtype: torch.dtype = torch.float64) -> Features:
    final = torch.randn(3, 6, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return Features((), final.to(dtype), mask=MASK)


@pytest.mark.parametrize("width", [None, 7])
def test_conforms(width: int | None) -> None:
    check_head(lambda given: Embedder(Summary(given), width))


@pytest.mark.parametrize("width", [None, 7])
def test_conforms_with_gpo(width: int | None) -> None:
    kinds = ("text", "causal", "picture", "maps")
    check_head(lambda given: Embedder(Summary(given, "gpo"), width, token_dropout=0.3), kinds=kinds)


@pytest.mark.parametrize("pooling", ["mean", "gpo"])
def test_length_is_one(pooling) -> None:
    vectors = Embedder(Summary(GIVEN, pooling), 7)(features(torch.float32))
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(3))


def test_projection_of_the_standardised_summary() -> None:
    head = Embedder(Summary(GIVEN, "mean"), 7).double()
    mean = torch.stack([features().final[row][MASK[row]].mean(0) for row in range(3)])
    standard = (mean - mean.mean(1, keepdim=True)) / (mean.var(1, correction=0, keepdim=True) + 1e-5).sqrt()
    assert head.project is not None
    wanted = torch.nn.functional.normalize(head.project(standard), dim=1)
    torch.testing.assert_close(head(features()), wanted, rtol=0, atol=1e-7)


def test_gpo_pools_projected_tokens() -> None:
    """As published: W x of every token, then the ranked values of every channel."""
    head = Embedder(Summary(GIVEN, "gpo"), 7).double()
    assert head.project is not None and head.summary.gpo is not None
    pooled = head.summary.gpo(head.project(features().final), MASK)
    torch.testing.assert_close(head(features()), pooled / pooled.norm(dim=1, keepdim=True), rtol=0, atol=1e-7)
    # Ranks of projected channels are not projections of ranks: the order matters.
    late = head.project(head.summary.gpo(features().final, MASK))
    assert not torch.allclose(late / late.norm(dim=1, keepdim=True), head(features()), atol=1e-3)


def test_without_projection_the_joint_space_stays() -> None:
    """CLIP's own embedding keeps its angles: no standardising, no weights."""
    given = replace(GIVEN, pooled=5, projected=True)
    head = Embedder(Summary(given), None)
    pooled = torch.randn(3, 5, generator=torch.Generator().manual_seed(1))
    found = head(replace(features(torch.float32), pooled=pooled))
    torch.testing.assert_close(found, torch.nn.functional.normalize(pooled, dim=1))
    assert head.width == 5 and not list(head.parameters())


def test_a_vector_of_zeros_has_a_finite_gradient() -> None:
    head = Embedder(Summary(GIVEN, "mean"), None)
    final = torch.zeros(2, 3, 8, requires_grad=True)
    found = head(Features((), final))
    found.sum().backward()
    assert not found.any() and final.grad is not None and final.grad.isfinite().all()


def test_tokens_are_dropped_in_training_only() -> None:
    head = Embedder(Summary(GIVEN, "gpo"), 7, token_dropout=0.5)
    torch.manual_seed(0)
    eval_twice = [head.eval()(features(torch.float32)) for _ in range(2)]
    assert torch.equal(*eval_twice)
    train_twice = [head.train()(features(torch.float32)) for _ in range(2)]
    assert not torch.equal(train_twice[0][0], train_twice[1][0])
    # A text of one token keeps it whatever is drawn.
    torch.testing.assert_close(train_twice[0][2], eval_twice[0][2])


def test_dropping_hides_the_stated_share_of_real_tokens() -> None:
    head = Embedder(Summary(GIVEN, "gpo"), 7, token_dropout=0.2).train()
    torch.manual_seed(0)
    kept = head._drop(torch.zeros(400, 50, 8), None)
    assert kept is not None and kept.float().mean().item() == pytest.approx(0.8, abs=0.02)
    mask = torch.rand(400, 50) < 0.5
    kept = head._drop(torch.zeros(400, 50, 8), mask)
    assert kept is not None and not (kept & ~mask).any() and kept.any(1).all()


@pytest.mark.parametrize(
    ("pooling", "settings", "sentence"),
    [
        ("mean", {"width": 0}, "at least 1; got 0"),
        ("gpo", {"token_dropout": 1.0}, r"must lie in \[0, 1\)"),
        ("mean", {"token_dropout": 0.2}, "is for pooling='gpo'; this embedder pools by 'mean'"),
    ],
)
def test_settings_out_of_range(pooling, settings: dict, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        Embedder(Summary(GIVEN, pooling), **settings)

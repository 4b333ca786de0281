"""Pooled: the plain formula, gradients, exact bytes kept, what heads receive."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from lichen.backbones.features import Features
from lichen.errors import InputError
from lichen.side.base import Layout
from lichen.side.config import PooledConfig
from lichen.side.pooled import EPS, Pooled, pool

from .golden import count, mask
from .kept import kept_bytes


def plain(x: Tensor, scores: Tensor, valid: Tensor | None) -> Tensor:
    """The definition, token by token."""
    tokens = (x - x.mean(-1, keepdim=True)) / (x.var(-1, correction=0, keepdim=True) + EPS).sqrt()
    logits = tokens @ scores.T
    if valid is not None:
        logits = logits.masked_fill(~valid[..., None], -torch.inf)
    return torch.einsum("bnq,bnd->bqd", logits.softmax(1), tokens)


def draw(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


VALID = mask("111111", "111100", "100000")


@pytest.mark.parametrize("valid", [None, VALID], ids=["all", "padded"])
@pytest.mark.parametrize("keep", ["exact", "bfloat16", "int8"])
@pytest.mark.parametrize("needs", [False, True], ids=["frozen", "open"])
def test_forward_is_exact(keep, valid, needs):
    x, scores = draw(3, 6, 8).requires_grad_(needs), draw(2, 8, seed=1).requires_grad_()
    torch.testing.assert_close(pool(x, scores, valid, keep), plain(x, scores, valid), rtol=0, atol=1e-13)


@pytest.mark.parametrize("valid", [None, VALID], ids=["all", "padded"])
def test_exact_passes_gradcheck_and_equals_autograd(valid):
    x, scores = draw(3, 6, 8) * 2 + 1, draw(2, 8, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda s: pool(x, s, valid), (scores,))
    up = draw(3, 2, 8, seed=2)
    (lean,) = torch.autograd.grad(pool(x, scores, valid), scores, up)
    (full,) = torch.autograd.grad(plain(x, scores, valid), scores, up)
    torch.testing.assert_close(lean, full, rtol=0, atol=1e-12)


def test_states_that_need_a_gradient_get_it():
    x, scores = draw(3, 6, 8).requires_grad_(), draw(2, 8, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, s: pool(a, s, VALID, "int8"), (x, scores))


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 4), st.integers(1, 9), st.integers(2, 12), st.integers(1, 3), st.floats(-5, 5), st.floats(0.1, 10)
)
def test_any_shape_any_offset(batch, tokens, width, queries, offset, scale):
    x, scores = draw(batch, tokens, width) * scale + offset, draw(queries, width, seed=1).requires_grad_()
    up = draw(batch, queries, width, seed=2)
    torch.testing.assert_close(pool(x, scores), plain(x, scores, None), rtol=0, atol=1e-9)
    (lean,) = torch.autograd.grad(pool(x, scores), scores, up)
    (full,) = torch.autograd.grad(plain(x, scores, None), scores, up)
    torch.testing.assert_close(lean, full, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(("keep", "bound"), [("bfloat16", 0.005), ("int8", 0.015)])
def test_rounded_copies_bound_the_gradient(keep, bound):
    x, scores = draw(8, 50, 64), (0.1 * draw(2, 64, seed=1)).requires_grad_()
    up = draw(8, 2, 64, seed=2)
    (lean,) = torch.autograd.grad(pool(x, scores, None, keep), scores, up)
    (full,) = torch.autograd.grad(plain(x, scores, None), scores, up)
    error = ((lean - full).norm() / full.norm()).item()
    assert 0 < error < bound


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("keep", ["exact", "bfloat16", "int8"])
def test_each_state_keeps_its_copy_and_four_numbers_a_token(keep, dtype):
    layout = Layout((16, 16, 16), 16)
    side = Pooled(PooledConfig(rank=3, queries=2, keep=keep), layout)
    x = torch.randn(4, 7, 16).to(dtype)
    copy = {"exact": 16 * x.element_size(), "bfloat16": 32, "int8": 16 + 4}[keep]
    numbers = 4 * (1 + 1 + 2)  # mean, inverse deviation, one weight a query, in float32
    assert kept_bytes(lambda: side.reduce(1, x, None), tuple(side.parameters())) == 4 * 7 * (copy + numbers)


def test_maps_keep_their_own_storage_when_exact():
    side = Pooled(PooledConfig(rank=3, keep="exact"), Layout((16, 16), 16, kind="maps"))
    x = torch.randn(2, 16, 3, 5)
    assert kept_bytes(lambda: side.reduce(0, x, None), (*side.parameters(), x)) == 2 * 15 * 16
    assert torch.equal(side.reduce(0, x, None), side.reduce(0, x.flatten(2).mT, None))


def test_bytes_of_a_whole_step_do_not_hold_a_float_state():
    layout = Layout((64,) * 5, 64)
    side = Pooled(PooledConfig(rank=4, dropout=0.0), layout)
    states = tuple(torch.randn(2, 100, 64) for _ in range(5))
    given_ = Features(states, states[-1])
    assert kept_bytes(lambda: side(given_), tuple(side.parameters())) < 0.5 * 5 * states[0].nbytes


def shaken(layout: Layout, **settings: object) -> Pooled:
    side = Pooled(PooledConfig(rank=3, **settings), layout).double().eval()
    with torch.no_grad():
        for parameter in side.parameters():
            parameter.add_(0.3 * draw(*parameter.shape, seed=parameter.numel()))
    return side


def test_the_form_of_the_spec():
    layout = Layout((8, 6), 8)
    side = shaken(layout)
    states = (draw(3, 6, 8), draw(3, 6, 6, seed=1))
    given_ = Features(states, draw(3, 6, 8, seed=2), VALID)
    parts = []
    for index, state in enumerate(states):
        pooled = plain(state, side.scores[index], VALID)
        for query in range(2):
            part = pooled[:, query] @ side.projections[index][query]
            norm = side.norms[index]
            parts.append(nn.functional.layer_norm(part, (3,), norm.weight, norm.bias))
    vector = side.out(nn.functional.gelu(side.mix(torch.cat(parts, 1))))
    adapted = side(given_)
    torch.testing.assert_close(adapted.pooled, vector)
    torch.testing.assert_close(adapted.final, given_.final + vector[:, None])


@pytest.mark.parametrize("kind", ["tokens", "maps"])
@pytest.mark.parametrize("embed", [None, 8, 5])
def test_step_zero_is_the_frozen_model(kind, embed):
    layout = Layout((8, 8), 8, kind=kind, embed=embed)
    states = tuple(draw(3, 6, 8) if kind == "tokens" else draw(3, 8, 2, 3) for _ in range(2))
    given_ = Features(states, states[-1], pooled=None if embed is None else draw(3, embed, seed=5))
    side = Pooled(PooledConfig(rank=3), layout).double()
    adapted = side(given_)
    assert torch.equal(adapted.final, given_.final)
    assert torch.equal(adapted.pooled, torch.zeros(3, 8).double() if embed is None else given_.pooled)
    adapted.pooled.sum().backward()
    assert side.out.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("kind", ["tokens", "maps"])
def test_a_summary_of_its_own_width_alone_is_adapted(kind):
    side = shaken(Layout((8, 8), 8, kind=kind, embed=5))
    states = tuple(draw(3, 6, 8, seed=i) if kind == "tokens" else draw(3, 8, 2, 3, seed=i) for i in range(2))
    given_ = Features(states, states[-1], pooled=draw(3, 5, seed=5))
    adapted = side(given_)
    assert torch.equal(adapted.final, given_.final)
    vector = side(replace(given_, pooled=None)).pooled
    assert vector.shape == (3, 5) and vector.abs().min() > 0
    torch.testing.assert_close(adapted.pooled, given_.pooled + vector)


def test_pooled_output_of_another_width_is_replaced():
    side = shaken(Layout((8, 8), 8))
    states = (draw(3, 6, 8), draw(3, 6, 8, seed=1))
    bare = side(Features(states, states[-1]))
    torch.testing.assert_close(side(Features(states, states[-1], pooled=draw(3, 5))).pooled, bare.pooled)
    both = side(Features(states, states[-1], pooled=draw(3, 8)))
    torch.testing.assert_close(both.pooled, draw(3, 8) + bare.pooled)


def test_parameter_count_at_the_measured_size():
    """D = 384, seven states, r = 48, q = 2."""
    side = Pooled(PooledConfig(rank=48, queries=2), Layout((384,) * 7, 384))
    pooled = 7 * (2 * 384 + 2 * 384 * 48 + 2 * 48)
    assert count(side) == pooled + (7 * 2 * 48 * 96 + 96) + (96 * 384 + 384)


def test_low_precision_states_and_autocast():
    side = Pooled(PooledConfig(rank=3), Layout((8, 8), 8))
    states = tuple(torch.randn(3, 6, 8).bfloat16() for _ in range(2))
    adapted = side(Features(states, states[-1], VALID))
    assert adapted.final.dtype == torch.bfloat16
    with torch.autocast("cpu", torch.bfloat16):
        adapted = side(Features(states, states[-1], VALID))
    adapted.pooled.float().square().sum().backward()
    assert all(parameter.grad is None or parameter.grad.dtype == torch.float32 for parameter in side.parameters())


def test_a_sample_without_tokens_stays_finite_and_wrong_masks_are_refused():
    x, scores = draw(3, 6, 8), draw(2, 8, seed=1).requires_grad_()
    out = pool(x, scores, VALID & mask("111111", "000000", "111111"), "int8")
    out.sum().backward()
    assert out.isfinite().all() and scores.grad.isfinite().all()
    with pytest.raises(InputError, match="one entry a token"):
        pool(x, scores, VALID[:, :4])


def test_dropout_acts_in_training_only():
    side = shaken(Layout((8, 8), 8), dropout=0.5)
    states = (draw(3, 6, 8), draw(3, 6, 8, seed=1))
    given_ = Features(states, states[-1])
    assert torch.equal(side(given_).final, side(given_).final)
    side.train()
    assert not torch.equal(side(given_).final, side(given_).final)
    assert replace(given_, states=()).final is given_.final

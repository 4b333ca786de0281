"""The interaction without kept maps equals plain autograd, in value, gradient and what it may see."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from lichen.errors import InputError
from lichen.side.interaction import Rule, confidence, interact
from lichen.side.ops import running_mean

BATCH, KEYS, WIDTH, TARGETS = 2, 5, 3, 3


def plain(guide: Tensor, targets: list[Tensor], weights: Tensor, mask: Tensor | None, rule: Rule) -> Tensor:
    """The equations as they stand in docs/papers.md 1.1, for autograd."""
    queries, keys = guide.shape[1], targets[0].shape[1]
    result = torch.zeros_like(guide)
    for index, target in enumerate(targets):
        scores = torch.einsum("bqd,bkd->bqk", guide, target)
        if mask is not None:
            scores = scores * mask[:, None, :]
        if rule.causal:
            row, column = torch.arange(queries)[:, None], torch.arange(keys)[None]
            scores = scores * (column <= row + keys - queries)
        scores = scores.relu()
        total = scores.sum(-1, keepdim=True)
        attention = scores / (total.clamp(min=rule.eps) if rule.clamp else total + rule.eps)
        if rule.identity:
            attention = attention + torch.eye(keys, dtype=guide.dtype)[keys - queries :]
        weight = weights[..., index].reshape(guide.shape[0], -1, 1)
        result = result + weight * (attention @ target)
    return result


def tensors(queries: int, per_token: bool, seed: int = 0) -> tuple[Tensor, list[Tensor], Tensor]:
    """Random guide, targets and weights that need gradients."""
    torch.manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, dtype=torch.float64, requires_grad=True)

    weights = draw(BATCH, queries, TARGETS) if per_token else draw(BATCH, TARGETS)
    return draw(BATCH, queries, WIDTH), [draw(BATCH, KEYS, WIDTH) for _ in range(TARGETS)], weights


RULES = [
    Rule(),
    Rule(causal=True),
    Rule(identity=False, eps=1e-6, clamp=True),
    Rule(causal=True, identity=False, eps=1e-2),
    Rule(eps=3.0, clamp=True),
]
MASK = torch.tensor([[True] * 5, [False, True, True, False, True]])


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("queries", [5, 2, 1])
@pytest.mark.parametrize("per_token", [False, True])
@pytest.mark.parametrize("mask", [None, MASK])
def test_equals_plain_autograd(rule: Rule, queries: int, per_token: bool, mask: Tensor | None) -> None:
    guide, targets, weights = tensors(queries, per_token)
    inputs = [guide, weights, *targets]
    ours, theirs = interact(guide, targets, weights, mask, rule), plain(guide, targets, weights, mask, rule)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    direction = torch.randn_like(ours)
    for found, wanted in zip(
        torch.autograd.grad(ours, inputs, direction), torch.autograd.grad(theirs, inputs, direction), strict=True
    ):
        torch.testing.assert_close(found, wanted, rtol=1e-11, atol=1e-11)
    with torch.no_grad():
        assert torch.equal(interact(guide, targets, weights, mask, rule), ours)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("queries,per_token,mask", [(5, False, None), (2, True, MASK)])
def test_gradcheck(rule: Rule, queries: int, per_token: bool, mask: Tensor | None) -> None:
    guide, targets, weights = tensors(queries, per_token, seed=1)
    assert torch.autograd.gradcheck(
        lambda guide, weights, *targets: interact(guide, targets, weights, mask, rule), (guide, weights, *targets)
    )


def test_some_inputs_need_no_gradient() -> None:
    guide, targets, weights = tensors(5, False)
    targets[1] = targets[1].detach()
    interact(guide.detach(), targets, weights.detach()).sum().backward()
    assert targets[0].grad is not None and targets[1].grad is None and guide.grad is None and weights.grad is None
    wanted = torch.autograd.grad(plain(guide, targets, weights, None, Rule()).sum(), targets[0])[0]
    torch.testing.assert_close(targets[0].grad, wanted)


def test_keeps_its_inputs_and_no_map() -> None:
    guide, targets, weights = tensors(5, False)
    kept: list[Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x) or x, lambda x: x):
        interact(guide, targets, weights, MASK)
    storages = {tensor.untyped_storage().data_ptr() for tensor in kept}
    assert storages == {tensor.untyped_storage().data_ptr() for tensor in (guide, weights, MASK, *targets)}


def test_rows_without_a_positive_score_are_finite() -> None:
    guide, targets, weights = tensors(5, False)
    dead = [target.detach().abs().requires_grad_() for target in targets]
    query = (-guide.detach().abs()).requires_grad_()
    for rule in (Rule(), Rule(eps=1e-6, clamp=True)):
        result = interact(query, dead, weights, None, rule)
        torch.testing.assert_close(
            result, sum(weights[:, i, None, None] * target for i, target in enumerate(dead)), rtol=0, atol=1e-14
        )
        grads = torch.autograd.grad(result.sum(), [query, *dead])
        assert all(grad.isfinite().all() for grad in grads) and not grads[0].any()


def test_half_precision_and_autocast() -> None:
    guide, targets, weights = tensors(5, False)
    wanted = interact(guide, targets, weights)
    low = interact(guide.bfloat16(), [target.bfloat16() for target in targets], weights.bfloat16())
    assert low.dtype == torch.bfloat16
    torch.testing.assert_close(low.double(), wanted, rtol=0.05, atol=0.1)
    single, queries = [target.float() for target in targets], guide.float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = interact(queries, single, weights.float())
    assert mixed.dtype == torch.float32
    torch.testing.assert_close(mixed.double(), wanted, rtol=1e-5, atol=1e-5)
    mixed.sum().backward()


@pytest.mark.parametrize("mask", [None, MASK])
@pytest.mark.parametrize("queries", [5, 2])
def test_causal_confidence(mask: Tensor | None, queries: int) -> None:
    guide, targets, _ = tensors(5, False)
    gate = nn.Linear(WIDTH, 1).double()
    found = confidence(guide, targets, gate, mask, queries)
    means = torch.stack([running_mean(target, mask) for target in targets], 2)
    wanted = gate(running_mean(guide, mask).unsqueeze(2) * means).squeeze(-1).softmax(-1)[:, -queries:]
    torch.testing.assert_close(found, wanted)
    inputs = [guide, gate.weight, *targets]
    direction = torch.randn_like(found)
    for ours, theirs in zip(
        torch.autograd.grad(found, inputs, direction), torch.autograd.grad(wanted, inputs, direction), strict=True
    ):
        torch.testing.assert_close(ours, theirs)
    # a running mean by hand
    valid = MASK[1, :4] if mask is not None else torch.ones(4, dtype=torch.bool)
    torch.testing.assert_close(running_mean(guide, mask)[1, 3], guide[1, :4][valid].mean(0))


def test_bad_sizes() -> None:
    guide, targets, weights = tensors(5, False)
    with pytest.raises(InputError, match="at least one target"):
        interact(guide, [], weights)
    with pytest.raises(InputError, match="one entry a key"):
        interact(guide, targets, weights, MASK[:, :4])
    with pytest.raises(InputError, match="last of 5 keys"):
        interact(torch.cat([guide, guide], 1), targets, weights)
    with pytest.raises(InputError, match="with 3 targets"):
        interact(guide, targets, weights[:, :2])

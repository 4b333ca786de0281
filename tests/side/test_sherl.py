"""SHERL for tokens: golden values, counts, the closed gate, dead rows, the late layer."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from lichen.backbones.features import Features
from lichen.errors import InputError
from lichen.side.base import Layout
from lichen.side.config import SHERLConfig
from lichen.side.ops import recompute
from lichen.side.sherl import FORMS, SHERL, GatedDown, _aggregate, anti_redundancy

from .golden import check, count, inp, load

STATES = [inp(index, 2, 5, 6) for index in range(4)]


def fuse(side: SHERL, states: list[Tensor], last: Tensor | None = None) -> Tensor:
    reduced = [side.reduce(index, state, None) for index, state in enumerate(states)]
    return side.fuse(reduced, states[-1] if last is None else last)


@pytest.mark.parametrize(
    "case,config,form",
    [
        ("SHERL.BERT", SHERLConfig(form="bert", embed=8, dropout=0.1), "sherl/bert"),
        ("SHERL.CLIPViL", SHERLConfig(form="joint", reduction=1), "sherl/joint"),
        ("SHERL.MDETR", SHERLConfig(form="detr", reduction=1), "sherl/detr"),
    ],
)
def test_golden(case: str, config: SHERLConfig, form: str) -> None:
    side = golden_side(case, config, form)
    check(case, fuse(side, STATES))


def golden_side(case: str, config: SHERLConfig, form: str) -> SHERL:
    """The toy cases have a width of 6 and a bottleneck of 4, which no whole reduction gives; so it is set here."""
    side = SHERL(config, [6] * 4)
    if case != "SHERL.BERT":
        side.mtsa = type(side.mtsa)([6] * 4, 6, 4, FORMS[config.form])
    load(side, case, form)
    return side


def test_counts_at_published_sizes() -> None:
    with torch.device("meta"):
        assert count(SHERL(SHERLConfig(form="bert", embed=1024), [768] * 12)) == 5_133_058
        assert count(SHERL(SHERLConfig(form="joint"), [768] * 12)) == 7_387_778
        assert 2 * count(SHERL(SHERLConfig(form="detr"), [256] * 4)) == 464_900
        assert count(SHERL(SHERLConfig(), [768] * 12)) == 7_387_778


def test_closed_gate_hides_the_last_state() -> None:
    side = SHERL(SHERLConfig(), [6] * 4).double()
    assert side.mtsa.skip.item() == 0
    other = torch.randn(2, 5, 6, dtype=torch.float64)
    assert torch.equal(fuse(side, STATES), fuse(side, STATES, other))
    fuse(side, STATES).square().sum().backward()
    # the slope is 1 / 0.1 at zero, so the gate can open in either direction
    fused = fuse(side, STATES)
    wanted = 10 * (2 * fused * STATES[-1]).sum()
    torch.testing.assert_close(side.mtsa.skip.grad, wanted.detach()[None])
    with torch.no_grad():
        side.mtsa.skip.fill_(0.05)
    torch.testing.assert_close(fuse(side, STATES, other) - fused, torch.tensor(0.5, dtype=torch.float64).tanh() * other)


def test_aggregation_by_hand() -> None:
    torch.manual_seed(0)
    shallow = [torch.randn(3, dtype=torch.float64) for _ in range(4)]
    guide, relevance = torch.randn(3, dtype=torch.float64), nn.Linear(3, 1).double()
    nn.init.constant_(relevance.bias, 0.5)
    units = [state / (state.norm() + 1e-6) for state in shallow]
    scores = []
    for state, unit in zip(shallow, units, strict=True):
        rho = sum(max(float(unit @ each), 0.0) for each in units)
        m = max((state * guide).dot(relevance.weight[0]).add(relevance.bias[0]).item(), 0.0)
        scores.append(m / rho)
    wanted = sum(score / (sum(scores) + 1e-6) * state for score, state in zip(scores, shallow, strict=True))
    assert sum(score > 0 for score in scores) > 1
    torch.testing.assert_close(anti_redundancy(shallow, guide, relevance, 1e-6), wanted)


def test_aggregation_gradients() -> None:
    torch.manual_seed(0)
    tensors = [torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True) for _ in range(4)]
    weight = torch.randn(1, 4, dtype=torch.float64, requires_grad=True)
    bias = torch.full((1,), 0.7, dtype=torch.float64, requires_grad=True)

    def run(guide: Tensor, weight: Tensor, bias: Tensor, *shallow: Tensor) -> Tensor:
        return recompute(lambda *inputs: _aggregate(1e-6, *inputs), guide, weight, bias, *shallow)

    assert torch.autograd.gradcheck(run, (tensors[0], weight, bias, *tensors[1:]))
    down = GatedDown(4, 3, "exact").double()
    state = torch.randn(2, 4, dtype=torch.float64)
    hidden = down.linear(state).relu()
    wanted = (down.residual(hidden) + hidden) * down.gate(hidden).sigmoid()
    torch.testing.assert_close(down(state), wanted)
    parameters = list(down.parameters())
    for ours, theirs in zip(
        torch.autograd.grad(down(state).square().sum(), parameters),
        torch.autograd.grad(wanted.square().sum(), parameters),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("form", ["generic", "t5", "bert", "detr"])
def test_dead_relu_is_finite(form: str) -> None:
    side = SHERL(SHERLConfig(form=form), [6] * 4).double()
    with torch.no_grad():
        side.mtsa.relevance.weight.zero_()
        side.mtsa.relevance.bias.fill_(-1)
    fused = fuse(side, STATES)
    fused.square().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in side.parameters() if parameter.grad is not None)
    assert not side.mtsa.relevance.weight.grad.any()
    assert not side.mtsa.down[0].linear.weight.grad.any() and side.mtsa.down[-1].linear.weight.grad.any()


def test_zero_states_are_finite() -> None:
    """All units of a gated block may be dead; the vector is then zero and has no direction."""
    side = SHERL(SHERLConfig(form="t5"), [6] * 4).double()
    with torch.no_grad():
        side.mtsa.down[0].linear.weight.zero_()
        side.mtsa.down[0].linear.bias.fill_(-1)
        side.mtsa.relevance.bias.fill_(1)
    fused = fuse(side, STATES)
    fused.sum().backward()
    assert fused.isfinite().all() and side.mtsa.relevance.bias.grad.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in side.parameters())


def test_t5_initialisation() -> None:
    torch.manual_seed(0)
    side = SHERL(SHERLConfig(form="t5"), [128] * 4)
    assert not side.mtsa.out.bias.any() and 0.009 < side.mtsa.out.weight.std() < 0.011


def test_forward_runs_the_late_layer_with_gradients_and_does_not_own_it() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(6, 6).double().requires_grad_(False)
    before = layer.weight.clone()

    def late(fused: Tensor, rest: Features) -> Features:
        assert rest.states == ()
        out = layer(fused)
        return replace(rest, states=(out,), final=out)

    side = SHERL(SHERLConfig(), [6] * 4, late=late).double()
    out = side(Features(tuple(STATES), STATES[-1]))
    torch.testing.assert_close(out.final, layer(fuse(side, STATES)))
    optimiser = torch.optim.SGD(side.parameters(), 0.1)
    out.final.square().sum().backward()
    optimiser.step()
    assert torch.equal(layer.weight, before) and layer.weight.grad is None
    assert all(parameter.grad.any() for parameter in side.parameters())
    owner = SHERL(SHERLConfig(), [6] * 4, late=layer)
    assert count(owner) == count(side) and not any("late" in name for name, _ in owner.named_modules())
    assert owner.late is layer


def test_settings_that_do_not_fit() -> None:
    side = SHERL(SHERLConfig(), [6] * 4).double()
    with pytest.raises(InputError, match="late="):
        side(Features(tuple(STATES), STATES[-1]))
    with pytest.raises(InputError, match="raw last hidden state"):
        side.combine([side.reduce(i, state, None) for i, state in enumerate(STATES)], Features((), STATES[-1]))
    with pytest.raises(InputError, match="widths"):
        side(Features(tuple(STATES[:3]), STATES[-1]))
    with pytest.raises(InputError, match="form for tokens 'cnn'"):
        SHERL(SHERLConfig(form="cnn"), [6, 6])
    with pytest.raises(InputError, match="at least 2"):
        SHERL(SHERLConfig(), Layout((6,), 6))


def test_keeps_no_stacked_copy() -> None:
    """The aggregation keeps the reduced states themselves, once."""
    torch.manual_seed(0)
    states = [torch.randn(2, 5, 6, requires_grad=True) for _ in range(4)]
    relevance, kept = nn.Linear(6, 1), []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x) or x, lambda x: x):
        anti_redundancy(states[:-1], states[-1], relevance, 1e-6)
    found = {tensor.untyped_storage().data_ptr() for tensor in kept}
    assert found == {tensor.untyped_storage().data_ptr() for tensor in (*states, relevance.weight, relevance.bias)}

"""UniPT for tokens: golden values, counts, masks, residual, causal generation."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from lichen.backbones.features import Features
from lichen.errors import InputError
from lichen.side.base import Layout
from lichen.side.config import UniPTConfig
from lichen.side.unipt import UniPT

from .golden import DictCache, check, count, inp, load, mask


def features(states: list[Tensor], valid: Tensor | None = None) -> Features:
    return Features(tuple(states), states[-1], valid)


def bert() -> tuple[UniPT, list[Tensor]]:
    side = UniPT(UniPTConfig(form="bert", embed=8), [6] * 4)
    load(side, "UniPT.BERT", "unipt/bert")
    return side, [inp(index, 2, 5, 6) for index in range(4)]


def test_golden_bert() -> None:
    side, states = bert()
    out = side(features(states, mask("11111", "11100")))
    check("UniPT.BERT", out.final)
    assert len(out.states) == 1 and out.states[0] is out.final and out.mask is not None and out.pooled is None


def test_golden_joint() -> None:
    side = UniPT(UniPTConfig(form="joint"), [12] * 4)
    load(side, "UniPT.CLIPViL", "unipt/joint")
    states = [inp(index, 2, 5, 12) for index in range(4)]
    check("UniPT.CLIPViL", side(features(states, mask("11111", "11011"))).final)


def test_counts_at_published_sizes() -> None:
    with torch.device("meta"):
        assert count(UniPT(UniPTConfig(form="bert", embed=1024), [768] * 13)) == 5_921_281
        assert count(UniPT(UniPTConfig(form="joint"), [768] * 13)) == 4_736_641


def test_joint_starts_from_a_narrow_normal() -> None:
    torch.manual_seed(0)
    side = UniPT(UniPTConfig(form="joint"), [64] * 4)
    assert not side.up.bias.any() and 0.017 < side.project.expand.weight.std() < 0.023
    assert torch.equal(side.down[0].norm.weight, torch.ones(32))


def test_gate_bias_gets_no_gradient() -> None:
    side, states = bert()
    side(features(states)).final.square().sum().backward()
    assert side.gate.bias.grad.abs().max() < 1e-12
    assert side.gate.weight.grad.abs().max() > 1e-4


def test_padded_keys_do_not_reach_valid_rows() -> None:
    side, states = bert()
    valid = mask("11111", "11100")
    torch.manual_seed(0)
    noisy = [torch.where(valid[..., None], state, torch.randn_like(state) * 9) for state in states]
    found, wanted = side(features(noisy, valid)).final, side(features(states, valid)).final
    torch.testing.assert_close(found[valid], wanted[valid], rtol=0, atol=1e-13)
    shorter = side(features([state[1:, :3] for state in states])).final
    torch.testing.assert_close(wanted[1:, :3], shorter, rtol=0, atol=1e-13)


@pytest.mark.parametrize("causal", [False, True])
def test_full_mask_is_no_mask(causal: bool) -> None:
    side = UniPT(UniPTConfig(residual=False), Layout((6,) * 4, 6, causal=causal)).double()
    states = [inp(index, 2, 5, 6) for index in range(4)]
    torch.testing.assert_close(
        side(features(states)).final, side(features(states, mask("11111", "11111"))).final, rtol=0, atol=1e-14
    )


def test_residual_starts_as_the_frozen_output_and_learns() -> None:
    side = UniPT(UniPTConfig(), [6] * 4)
    states = [inp(index, 2, 5, 6).float() for index in range(4)]
    batch = replace(features(states), final=inp(7, 2, 5, 6).float())
    assert torch.equal(side(batch).final, batch.final)
    optimiser = torch.optim.SGD(side.parameters(), 0.1)
    for _ in range(2):
        optimiser.zero_grad()
        (side(batch).final - 1).square().mean().backward()
        optimiser.step()
    assert all(parameter.grad.any() for name, parameter in side.named_parameters() if name != "gate.bias")
    assert not torch.equal(side(batch).final, batch.final)


def test_generic_without_residual_goes_to_embed() -> None:
    side = UniPT(UniPTConfig(embed=10, residual=False), [6] * 3)
    assert side(features([inp(index, 2, 5, 6).float() for index in range(3)])).final.shape == (2, 5, 10)


def test_settings_that_do_not_fit() -> None:
    with pytest.raises(InputError, match="residual=False"):
        UniPT(UniPTConfig(embed=10), [6, 6])
    with pytest.raises(InputError, match="at least 2 hidden states"):
        UniPT(UniPTConfig(), [6])
    with pytest.raises(InputError, match="reduction=7"):
        UniPT(UniPTConfig(reduction=7), [6, 6])
    with pytest.raises(InputError, match="form for tokens 'cnn'"):
        UniPT(UniPTConfig(form="cnn"), [6, 6])
    with pytest.raises(InputError, match="widths"):
        UniPT(UniPTConfig(), [6, 6])(features([inp(0, 2, 5, 7), inp(1, 2, 5, 7)]))
    side = UniPT(UniPTConfig(), [6, 6]).double()
    states = [inp(0, 2, 5, 6), inp(1, 2, 5, 6)]
    with pytest.raises(InputError, match="not causal"):
        side.combine([side.reduce(i, s, None) for i, s in enumerate(states)], features(states), cache=DictCache())


def causal_side() -> tuple[UniPT, list[Tensor]]:
    torch.manual_seed(3)
    side = UniPT(UniPTConfig(), Layout((6,) * 4, 6, causal=True)).double()
    torch.nn.init.normal_(side.up.weight)
    return side, [torch.randn(2, 7, 6, dtype=torch.float64) for _ in range(4)]


def test_no_future_token_leaks() -> None:
    side, states = causal_side()
    before = side(features(states)).final
    for token in range(6):
        changed = [state.clone() for state in states]
        for state in changed:
            state[:, token + 1 :] += 5 * torch.randn_like(state[:, token + 1 :])
        after = side(features(changed)).final
        torch.testing.assert_close(after[:, : token + 1], before[:, : token + 1], rtol=0, atol=1e-12)
        assert (after[:, token + 1 :] - before[:, token + 1 :]).abs().min() > 1e-6


@pytest.mark.parametrize("chunks", [[1] * 7, [4, 1, 1, 1], [3, 2, 2], [7]])
@pytest.mark.parametrize("valid", [None, mask("1111111", "0011111")])
def test_generation_equals_full_pass(chunks: list[int], valid: Tensor | None) -> None:
    side, states = causal_side()
    wanted = side(features(states, valid)).final
    cache, start, found = DictCache(), 0, []
    for size in chunks:
        stop = start + size
        new = [state[:, start:stop] for state in states]
        seen = None if valid is None else valid[:, :stop]
        reduced = [side.reduce(index, state, seen) for index, state in enumerate(new)]
        found.append(side.combine(reduced, Features((), new[-1], seen), cache=cache).final)
        start = stop
    torch.testing.assert_close(torch.cat(found, 1), wanted, rtol=0, atol=1e-12)
    assert sorted(cache.slots) == [0, 1, 2, 3]


def test_left_padding_does_not_change_valid_tokens() -> None:
    side, states = causal_side()
    padded = side(features(states, mask("0011111", "0011111"))).final[:, 2:]
    torch.testing.assert_close(padded, side(features([state[:, 2:] for state in states])).final, rtol=0, atol=1e-12)


@pytest.mark.parametrize("keep", ["bfloat16", "int8"])
def test_rounded_copies_leave_the_forward_alone(keep: str) -> None:
    torch.manual_seed(0)
    states = [torch.randn(2, 5, 6) for _ in range(4)]
    exact = UniPT(UniPTConfig(residual=False), [6] * 4)
    lean = UniPT(UniPTConfig(residual=False, keep=keep), [6] * 4)
    lean.load_state_dict(exact.state_dict())
    assert torch.equal(exact(features(states)).final, lean(features(states)).final)
    for side in (exact, lean):
        side(features(states)).final.square().sum().backward()
    wanted, found = exact.down[0].linear.weight.grad, lean.down[0].linear.weight.grad
    torch.testing.assert_close(found, wanted, rtol=0.05, atol=0.05 * wanted.abs().max().item())

"""Weight decay in the units of the papers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lichen.errors import InputError
from lichen.heads.decoder.decay import kernels, parameter_groups, torch_decay

from .tiny import make_decoder


def test_published_decays_are_divided_by_the_rate() -> None:
    """Golden values of decoders.md, pitfall 10."""
    assert torch_decay(1e-4, 3e-4) == pytest.approx(1 / 3)
    assert torch_decay(1e-4, 1e-3) == pytest.approx(0.1)
    for decay, rate in ((-1e-4, 1e-3), (1e-4, 0.0)):
        with pytest.raises(InputError, match="above 0"):
            torch_decay(decay, rate)


def test_kernels_alone_decay() -> None:
    decoder = make_decoder()
    decayed = set(kernels(decoder))
    spared = {name for name, _ in decoder.named_parameters()} - decayed
    assert "output.weight" in decayed and "blocks.1.cross_attention.kv.weight" in decayed
    assert len(decayed) == 2 * 7 + 1
    assert {"embedding.weight", "positions", "output_bias", "norm.weight", "blocks.0.norm_mlp.bias"} <= spared
    assert not any(name.startswith("embedding") for name in kernels(make_decoder(tied=True)))


def test_a_step_shrinks_kernels_by_the_published_amount() -> None:
    linear = nn.Linear(3, 2)
    groups = parameter_groups(linear, rate=0.1, decay=1e-3)
    before = linear.weight.detach().clone(), linear.bias.detach().clone()
    for parameter in linear.parameters():
        parameter.grad = torch.zeros_like(parameter)
    torch.optim.AdamW(groups, lr=0.1).step()
    torch.testing.assert_close(linear.weight.detach(), before[0] * (1 - 1e-3))
    assert torch.equal(linear.bias, before[1])
    frozen = nn.Linear(3, 2).requires_grad_(False)
    assert parameter_groups(frozen, 0.1, 0.1)[0]["params"] == []

"""SHERL for maps: golden values, count, pooling, the closed gate."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from lichen.backbones.features import Features
from lichen.errors import InputError
from lichen.side.config import SHERLConfig
from lichen.side.sherl_maps import SHERLMaps, max_and_mean_pool

from .golden import check, count, inp, load

MAPS = [inp(index, 2, index + 3, size, size) for index, size in enumerate((128, 64, 32, 16))]


def test_golden() -> None:
    side = SHERLMaps(SHERLConfig(form="cnn", embed=8), [3, 4, 5, 6])
    load(side, "SHERL.CNN.eval", "sherl/cnn")
    reduced = [side.reduce(index, maps, None) for index, maps in enumerate(MAPS)]
    check("SHERL.CNN.eval", side.fuse(reduced, MAPS[-1]))


def test_count_at_published_size() -> None:
    with torch.device("meta"):
        assert count(SHERLMaps(SHERLConfig(form="cnn", embed=1024), [256, 512, 1024, 2048])) == 3_027_458


def test_pooling() -> None:
    maps = inp(0, 1, 1, 4, 6)
    found = max_and_mean_pool(maps, (2, 2))
    cell = maps[0, 0, 2:, 3:]
    torch.testing.assert_close(found[0, 0, 1, 1], cell.max() + cell.mean())
    assert torch.equal(max_and_mean_pool(maps, (4, 6)), 2 * maps)
    with pytest.raises(InputError, match="does not divide"):
        max_and_mean_pool(maps, (3, 6))


def test_closed_gate_and_late_block() -> None:
    torch.manual_seed(0)
    block = nn.Conv2d(6, 6, 3, padding=1).double().requires_grad_(False)

    def late(fused: Tensor, rest: Features) -> Features:
        out = block(fused)
        return replace(rest, states=(out,), final=out)

    side = SHERLMaps(SHERLConfig(), [3, 4, 5, 6], late).double()
    out = side(Features(tuple(MAPS), MAPS[-1], grid=(16, 16)))
    assert out.final.shape == (2, 6, 16, 16) and out.grid == (16, 16)
    assert torch.equal(side.fuse(MAPS, MAPS[-1]), side.fuse(MAPS, torch.zeros_like(MAPS[-1])))
    out.final.square().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in side.parameters())
    assert side.down[0].conv.weight.grad.any() and block.weight.grad is None


def test_settings_that_do_not_fit() -> None:
    with pytest.raises(InputError, match="form for maps"):
        SHERLMaps(SHERLConfig(form="bert"), [3, 4])
    with pytest.raises(InputError, match="late="):
        SHERLMaps(SHERLConfig(), [3, 4, 5, 6]).double()(Features(tuple(MAPS), MAPS[-1]))

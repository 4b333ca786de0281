"""UniPT for maps: golden values, counts, free number of stages, sizes that do not divide."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lichen.backbones.features import Features
from lichen.errors import InputError
from lichen.side.config import UniPTConfig
from lichen.side.ops import to_tokens
from lichen.side.unipt_maps import UniPTMaps, guided_pool

from .golden import check, count, inp, load

SIZES = (128, 64, 32, 16)


def maps(widths: list[int], sizes: list[int]) -> Features:
    states = tuple(
        inp(index, 2, width, size, size).float() for index, (width, size) in enumerate(zip(widths, sizes, strict=True))
    )
    return Features(states, states[-1], grid=(sizes[-1], sizes[-1]))


@pytest.mark.parametrize("case", ["UniPT.CNN.eval", "UniPT.CNN.train"])
def test_golden(case: str) -> None:
    side = UniPTMaps(UniPTConfig(form="cnn", embed=8), [3, 4, 5, 6])
    load(side, case, "unipt/cnn").train(case.endswith("train"))
    states = tuple(inp(index, 2, index + 3, size, size) for index, size in enumerate(SIZES))
    out = side(Features(states, states[-1], grid=(16, 16)))
    assert out.final.shape == (2, 8, 16, 16) and out.grid == (16, 16) and out.is_maps
    check(case, to_tokens(out.final))


def test_count_at_published_size() -> None:
    with torch.device("meta"):
        assert count(UniPTMaps(UniPTConfig(form="cnn", embed=1024), [256, 512, 1024, 2048])) == 6_433_537


def test_guided_pool_is_mean_plus_saliency() -> None:
    torch.manual_seed(0)
    stage, guide = torch.randn(2, 3, 4, 6, dtype=torch.float64), torch.randn(2, 3, 2, 2, dtype=torch.float64)
    found = guided_pool(stage, guide)
    for row in range(2):
        for column in range(2):
            cell = stage[:, :, 2 * row : 2 * row + 2, 3 * column : 3 * column + 3]
            score = torch.einsum("bc,bcij->bij", guide[:, :, row, column], cell).relu()
            score = score / (score.sum((1, 2), keepdim=True) + 1e-8)
            wanted = torch.einsum("bij,bcij->bc", score, cell) + cell.mean((2, 3))
            torch.testing.assert_close(found[:, :, row, column], wanted)
    torch.testing.assert_close(guided_pool(stage, guide * 0), F.avg_pool2d(stage, (2, 3)))


def test_stages_may_share_a_size_and_be_few() -> None:
    side = UniPTMaps(UniPTConfig(residual=False), [3, 4, 4])
    out = side(maps([3, 4, 4], [8, 4, 4]))
    assert out.final.shape == (2, 4, 4, 4)
    out.final.square().sum().backward()
    grads = {name: parameter.grad for name, parameter in side.named_parameters()}
    assert all(grad is not None and grad.isfinite().all() for grad in grads.values())


def test_auto_starts_as_the_frozen_output() -> None:
    batch = maps([3, 4, 8], [8, 4, 2])
    assert torch.equal(UniPTMaps(UniPTConfig(), [3, 4, 8])(batch).final, batch.final)
    assert not torch.equal(UniPTMaps(UniPTConfig(form="cnn"), [3, 4, 8])(batch).final, batch.final)


@pytest.mark.parametrize("sizes", [[9, 4, 2], [8, 3, 2], [1, 4, 2]])
def test_sizes_that_do_not_divide(sizes: list[int]) -> None:
    with pytest.raises(InputError, match="does not divide"):
        UniPTMaps(UniPTConfig(), [3, 4, 8])(maps([3, 4, 8], sizes))


def test_settings_that_do_not_fit() -> None:
    with pytest.raises(InputError, match="form for maps 'bert'"):
        UniPTMaps(UniPTConfig(form="bert"), [3, 4])
    with pytest.raises(InputError, match="residual=False"):
        UniPTMaps(UniPTConfig(embed=5), [3, 4])
    batch = maps([3, 4], [8, 4])
    with pytest.raises(InputError, match="differ in size"):
        UniPTMaps(UniPTConfig(), [3, 4])(Features(batch.states, batch.final[:, :, :2]))


@pytest.mark.parametrize("keep", ["bfloat16", "int8"])
def test_rounded_copies(keep: str) -> None:
    torch.manual_seed(0)
    exact, lean = (UniPTMaps(UniPTConfig(form="cnn", keep=each), [3, 4, 8]) for each in ("exact", keep))
    lean.load_state_dict(exact.state_dict())
    batch = maps([3, 4, 8], [8, 4, 2])
    found, wanted = lean(batch).final, exact(batch).final
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    grads: list[Tensor] = []
    for side, out in ((lean, found), (exact, wanted)):
        out.square().sum().backward()
        grads.append(side.saliency[0].weight.grad)
    assert len(grads) == 2
    for ours, theirs in pairwise(grads):
        torch.testing.assert_close(ours, theirs, rtol=0.05, atol=0.05 * theirs.abs().max().item())

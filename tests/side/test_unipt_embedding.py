"""UniPT for CLIP towers: golden values, counts, masks, missing embeddings."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from lichen.backbones.features import Features
from lichen.errors import InputError
from lichen.side.base import Layout
from lichen.side.config import UniPTConfig
from lichen.side.unipt_embedding import UniPTEmbedding

from .golden import check, count, inp, load, mask

CONFIG = UniPTConfig(form="clip", reduction=1)


def batch(valid: Tensor | None = None, anchor: Tensor | None = None) -> Features:
    states = tuple(inp(index, 2, 5, 6) for index in range(3))
    return Features(states, states[-1], valid, pooled=inp(3, 2, 8), anchor=anchor)


def test_golden() -> None:
    side = UniPTEmbedding(CONFIG, Layout((6,) * 3, 6, embed=8))
    load(side, "UniPT.CLIP.vis", "unipt/clip")
    out = side(batch())
    check("UniPT.CLIP.vis", out.pooled)
    assert out.final is out.pooled and UniPTEmbedding.pooled_only
    load(side, "UniPT.CLIP.txt", "unipt/clip")
    check("UniPT.CLIP.txt", side(batch(mask("11111", "11100"), torch.tensor([4, 2]))).pooled)


def test_counts_at_published_sizes() -> None:
    with torch.device("meta"):
        visual = count(UniPTEmbedding(CONFIG, Layout((768,) * 13, 768, embed=512)))
        text = count(UniPTEmbedding(CONFIG, Layout((512,) * 13, 512, embed=512)))
    assert (visual, text) == (5_644_289, 3_940_353)


def test_padding_and_gradients() -> None:
    side = UniPTEmbedding(CONFIG, Layout((6,) * 3, 6, embed=8)).double()
    valid, anchor = mask("11111", "11100"), torch.tensor([4, 2])
    clean = batch(valid, anchor)
    noisy = replace(clean, states=tuple(torch.where(valid[..., None], state, 7.0) for state in clean.states))
    torch.testing.assert_close(side(noisy).pooled, side(clean).pooled, rtol=0, atol=1e-13)
    torch.testing.assert_close(side(batch(mask("11111", "11111"))).pooled, side(batch()).pooled, rtol=0, atol=1e-13)
    side(clean).pooled.square().sum().backward()
    assert side.gate.bias.grad.abs().max() < 1e-12
    assert all(parameter.grad.isfinite().all() for parameter in side.parameters())


def test_dead_scores_leave_the_anchor() -> None:
    side = UniPTEmbedding(CONFIG, Layout((6,) * 3, 6, embed=8)).double()
    with torch.no_grad():
        for down in side.down:
            down.linear.weight.abs_()
            down.linear.bias.abs_()
        side.down_guide.linear.weight.zero_()
        side.down_guide.linear.bias.fill_(-1)
    out = side(batch())
    out.pooled.sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in side.parameters())
    anchors = torch.stack([down(state[:, 0]) for down, state in zip(side.down, batch().states, strict=True)], 1)
    query = side.down_guide(inp(3, 2, 8))
    means = torch.stack([down(state).mean(1) for down, state in zip(side.down, batch().states, strict=True)], 1)
    weights = side.gate(query[:, None] * means).softmax(1)
    torch.testing.assert_close(out.pooled, inp(3, 2, 8) + side.up((weights * anchors).sum(1).relu()))


def test_settings_that_do_not_fit() -> None:
    with pytest.raises(InputError, match="no pooled embedding"):
        UniPTEmbedding(CONFIG, [6] * 3)
    with pytest.raises(InputError, match="embed=9"):
        UniPTEmbedding(replace(CONFIG, embed=9), Layout((6,), 6, embed=8))
    with pytest.raises(InputError, match="form for embeddings"):
        UniPTEmbedding(UniPTConfig(form="bert"), Layout((6,), 6, embed=8))
    with pytest.raises(InputError, match="hold no pooled"):
        UniPTEmbedding(CONFIG, Layout((6,) * 3, 6, embed=8)).double()(replace(batch(), pooled=None))

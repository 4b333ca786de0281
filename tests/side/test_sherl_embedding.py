"""SHERL for CLIP towers: golden values, counts, masks, dead scores."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from lichen.backbones.features import Features
from lichen.errors import InputError
from lichen.side.base import Layout
from lichen.side.config import SHERLConfig
from lichen.side.sherl_embedding import SHERLEmbedding

from .golden import check, count, inp, load, mask

LAYOUT = Layout((6,) * 3, 6, embed=8)
VALID, ANCHOR = mask("11111", "11100"), torch.tensor([4, 2])


def batch(valid: Tensor | None = None, anchor: Tensor | None = None) -> Features:
    states = tuple(inp(index, 2, 5, 6) for index in range(3))
    return Features(states, states[-1], valid, pooled=inp(3, 2, 8), anchor=anchor)


@pytest.mark.parametrize(
    "case,form,features",
    [
        ("SHERL.CLIP.msrvtt.txt", "clip", batch(VALID, ANCHOR)),
        ("SHERL.CLIP.msrvtt.vis", "clip", batch()),
        ("SHERL.CLIP.msvd.txt", "clip-plain", batch(VALID, ANCHOR)),
    ],
)
def test_golden(case: str, form: str, features: Features) -> None:
    side = SHERLEmbedding(SHERLConfig(form=form), LAYOUT)
    load(side, case, "sherl/clip")
    out = side(features)
    check(case, out.pooled)
    assert out.final is out.pooled


def test_counts_at_published_sizes() -> None:
    for form, wanted in (("clip", 9_598_006), ("clip-plain", 9_597_980)):
        config = SHERLConfig(form=form, reduction=1)
        with torch.device("meta"):
            visual = SHERLEmbedding(config, Layout((768,) * 13, 768, embed=512))
            text = SHERLEmbedding(config, Layout((512,) * 13, 512, embed=512))
        assert count(visual) + count(text) == wanted


def test_masks_and_gradients() -> None:
    torch.manual_seed(0)
    side = SHERLEmbedding(SHERLConfig(), LAYOUT).double()
    assert torch.equal(side.anchor_gate, torch.ones(3, dtype=torch.float64))
    clean = batch(VALID, ANCHOR)
    noisy = replace(clean, states=tuple(torch.where(VALID[..., None], state, 7.0) for state in clean.states))
    torch.testing.assert_close(side(noisy).pooled, side(clean).pooled, rtol=0, atol=1e-13)
    torch.testing.assert_close(side(batch(mask("11111", "11111"))).pooled, side(batch()).pooled, rtol=0, atol=1e-13)
    side(clean).pooled.square().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in side.parameters())


def test_dead_scores_leave_the_anchors() -> None:
    side = SHERLEmbedding(SHERLConfig(form="clip-plain"), LAYOUT).double()
    with torch.no_grad():
        for spatial in (*side.spatial, side.relevance):
            spatial.weight.zero_()
            spatial.bias.fill_(-1)
    out = side(batch()).pooled
    guide = side.down_guide(inp(3, 2, 8))
    torch.testing.assert_close(out, inp(3, 2, 8) + side.out(guide.relu()))
    out.sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in side.parameters())


def test_settings_that_do_not_fit() -> None:
    with pytest.raises(InputError, match="no pooled embedding"):
        SHERLEmbedding(SHERLConfig(), [6] * 3)
    with pytest.raises(InputError, match="form for embeddings"):
        SHERLEmbedding(SHERLConfig(form="t5"), LAYOUT)

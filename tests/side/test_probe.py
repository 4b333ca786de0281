"""The probe passes frozen features on and has nothing to train."""

from __future__ import annotations

from dataclasses import replace

import torch

from lichen.backbones.features import Features
from lichen.side.config import ProbeConfig
from lichen.side.probe import Probe


def test_features_pass_unchanged():
    states = tuple(torch.randn(2, 5, 6) for _ in range(3))
    given = Features(
        states,
        torch.randn(2, 5, 6),
        torch.ones(2, 5, dtype=torch.bool),
        (1, 5),
        torch.randn(2, 3),
        torch.zeros(2).long(),
    )
    side = Probe(ProbeConfig(), given.widths)
    adapted = side(given)
    assert not list(side.parameters())
    assert adapted == replace(given, states=(given.final,))
    assert adapted.final is given.final and adapted.pooled is given.pooled

"""A small head, features and parts."""

from __future__ import annotations

from typing import Any

import torch

from lichen.backbones.features import Features
from lichen.heads.given import Given
from lichen.heads.solids import Parts, SolidsConfig, SolidsHead, Told

GIVEN = Given("maps", 8, pooled=6, modality="image")
CLASSES = 3
SMALL: dict[str, Any] = {
    "hidden": 10,
    "code": 8,
    "local_code": 4,
    "heads": 12,
    "channels": 6,
    "node": 20,
    "graph_width": 12,
    "most": 4,
    "cells": 2,
    "mixtures": 3,
}


def make_head(given: Given = GIVEN, **settings: Any) -> SolidsHead:
    torch.manual_seed(0)
    return SolidsHead(given, CLASSES, SolidsConfig(**{**SMALL, **settings}), mean_count=2.0).double()


def features(batch: int = 3, seed: int = 0) -> Features:
    made = torch.Generator().manual_seed(seed)
    maps = torch.randn(batch, 8, 6, 6, generator=made, dtype=torch.float64)
    return Features((maps,), maps, grid=(6, 6), pooled=torch.randn(batch, 6, generator=made, dtype=torch.float64))


def told(counts: tuple[int, ...] = (3, 1, 2), seed: int = 0) -> Told:
    made = torch.Generator().manual_seed(seed)
    batch, most = len(counts), max(counts)
    low = 0.5 * torch.rand(batch, most, 2, generator=made, dtype=torch.float64)
    parts = Parts(
        torch.randn(batch, most, 6, generator=made, dtype=torch.float64),
        torch.randn(batch, most, 3, generator=made, dtype=torch.float64),
        torch.randint(CLASSES, (batch, most), generator=made),
        torch.cat([low, low + 0.3], -1),
        torch.tensor(counts),
    )
    return Told(parts, torch.arange(batch) % 2)

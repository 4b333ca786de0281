"""A side network saved by itself comes back equal, and only what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import lichen
from lichen.errors import CheckpointError
from lichen.side.base import Layout, Side
from lichen.side.storage import CARD, SETTINGS, WEIGHTS

WIDTHS = [8, 8, 8]
NETWORKS: list[tuple[type[Side], lichen.UniPTConfig | Any]] = [
    (lichen.UniPT, lichen.UniPTConfig(residual=False)),
    (lichen.SHERL, lichen.SHERLConfig()),
    (lichen.LST, lichen.LSTConfig(reduction=2, form="bert")),
    (lichen.Pooled, lichen.PooledConfig(rank=4)),
]


def features() -> lichen.Features:
    states = tuple(torch.randn(2, 5, 8) for _ in WIDTHS)
    return lichen.Features(states, states[-1])


@pytest.mark.parametrize(("kind", "config"), NETWORKS, ids=lambda value: getattr(value, "__name__", ""))
def test_round_trip_gives_the_same_answers(kind: type[Side], config: Any, tmp_path: Path) -> None:
    torch.manual_seed(0)
    extra = {"late": lambda fused, rest: lichen.Features((fused,), fused)} if kind is lichen.SHERL else {}
    side: Any = kind(config, Layout((8, 8, 8), 8, heads=2), **extra)
    for parameter in side.parameters():
        torch.nn.init.normal_(parameter)
    side.eval().save_pretrained(tmp_path)
    again: Any = kind.from_pretrained(tmp_path, **extra)
    given = features()
    assert torch.equal(side(given).final, again(given).final)
    assert again.config == config and again.layout == side.layout and not again.training
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([WEIGHTS, SETTINGS, CARD, "manifest.json"])


def test_another_class_is_refused(tmp_path: Path) -> None:
    lichen.UniPT(lichen.UniPTConfig(), WIDTHS).save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="holds UniPT, not Pooled"):
        lichen.Pooled.from_pretrained(tmp_path)


def test_another_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lichen.side.hub.FORMAT", 2)
    lichen.UniPT(lichen.UniPTConfig(), WIDTHS).save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="has format 2; this version reads 1"):
        lichen.UniPT.from_pretrained(tmp_path)


def test_flipped_bit_is_refused(tmp_path: Path) -> None:
    lichen.UniPT(lichen.UniPTConfig(), WIDTHS).save_pretrained(tmp_path)
    data = bytearray((tmp_path / WEIGHTS).read_bytes())
    data[-1] ^= 1
    (tmp_path / WEIGHTS).write_bytes(data)
    with pytest.raises(CheckpointError, match="altered or truncated"):
        lichen.UniPT.from_pretrained(tmp_path)


def test_missing_folder_is_refused() -> None:
    with pytest.raises(CheckpointError, match="neither a folder here nor a repository"):
        lichen.UniPT.from_pretrained("no-such/side-network")

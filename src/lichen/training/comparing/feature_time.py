"""What stored features cost: the time of the one frozen pass, measured in the same run as what it is compared with."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ...features.store import FeatureStore
from ..pipeline import Prepared
from ..sources import Source, load_backbone

TIMED = 512
"""Samples of a part that are timed where the store was there already."""


def time_of_pass(prepared: Prepared) -> tuple[float, int | None]:
    """Seconds that the stores cost, over all parts and samples.

    Returns:
        The time just spent, and None, where all stores were made from nothing just now. Otherwise what some samples of
        each part take, projected to all, and how many were timed.
    """
    if all(source.fresh for source in prepared.sources.values()):
        return prepared.seconds, None
    timed = [_time_of(source, prepared.recipe.store.batch) for source in prepared.sources.values()]
    return sum(seconds for seconds, _ in timed), sum(count for _, count in timed)


def _time_of(source: Source, batch: int) -> tuple[float, int]:
    assert source.store is not None
    started = time.perf_counter()
    backbone = load_backbone(source.config)
    if hasattr(source.inputs, "lengths"):
        # Texts are tokenised in blocks; that is timed for all of them, so that it is not projected, too.
        source.inputs.lengths()
    once = time.perf_counter() - started
    rows = torch.linspace(0, len(source.inputs) - 1, min(TIMED, len(source.inputs))).round().long().unique().tolist()
    config = replace(source.store.config, views=1)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        samples = _Some(source.inputs, rows)
        FeatureStore.build(backbone, samples, Path(folder) / "store", config, part=source.config.part, batch=batch)
        some = time.perf_counter() - started
    return once + some * len(source.inputs) / len(rows), len(rows)


class _Some(Sequence[Any]):
    """Some rows of prepared inputs."""

    def __init__(self, inputs: Any, rows: Sequence[int]) -> None:
        self.inputs, self.rows = inputs, rows
        self.ids = tuple(inputs.ids[row] for row in rows)
        self.settings = inputs.settings

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        return self.inputs[self.rows[index]]

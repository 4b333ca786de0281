"""A loss or gradient that is not finite stops before the update and names the samples."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lichen.backbones.features import Features
from lichen.errors import InputError, LichenError
from lichen.training.engine.finite import FiniteGuard, NonFiniteError, Update, rows_to_blame
from lichen.training.engine.order import Updates

from .tiny import Collator, Net, dataset, equal, trainer, weights

# Where row 13 comes in the second epoch, in updates of 8 from seed 3.
ORDER = Updates(dataset(), 8, seed=3)
ORDER.set_epoch(1)
STEP = 3 + list(ORDER).index(13) // 8


class BadFeatures(Collator):
    """Row 13 has a feature that is not finite, in the second epoch and later."""

    def __init__(self, value: float) -> None:
        self.value = value
        self.seen = 0

    def __call__(self, rows: Sequence[int]) -> dict[str, Any]:
        batch = super().__call__(rows)
        self.seen += len(rows)
        if 13 in rows and self.seen > 24:
            batch["features"]["text"].states[0][list(rows).index(13), 0, 0] = self.value
        return batch


@pytest.mark.parametrize(("size", "parts"), [(8, 1), (4, 2), (1, 8)], ids=["plain", "accumulated", "singles"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_bad_sample_is_named_before_the_update(value: float, size: int, parts: int, tmp_path: Path) -> None:
    more = {"per_device_train_batch_size": size, "gradient_accumulation_steps": parts}
    clean = trainer(tmp_path / "clean", max_steps=STEP, **{**more, "lr_scheduler_type": "constant"})
    clean.train()
    run = trainer(tmp_path / "bad", collate=BadFeatures(value), lr_scheduler_type="constant", **more)
    with pytest.raises(NonFiniteError) as caught:
        run.train()
    error = caught.value
    assert error.step == run.state.global_step == STEP and error.ids == ("text-13",)
    before, after = weights(clean), weights(run)
    del before["calls"], after["calls"]
    assert equal(before, after), "the weights are those of the last good step"
    words = str(error)
    assert words.startswith(f"Step {STEP + 1} was not made: the loss is ")
    assert "text-13 (1 of 8 samples)" in words
    assert "train.lr below 0.02" in words and "train.clip below 1" in words and 'train.precision = "float32"' in words
    assert isinstance(error, LichenError) and not isinstance(error, InputError)


class BadGradient(Net):
    """A finite loss with an infinite gradient, from the fourth batch on."""

    def forward(self, features: Mapping[str, Features], targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
        out = super().forward(features, targets)
        if self.training and int(self.calls) > 3:
            out["loss"] = out["loss"] + (self.head.bias - self.head.bias.detach()).abs().sum().sqrt()
        return out


@pytest.mark.parametrize("clip", [1.0, 0.0])
def test_a_bad_gradient_names_all_samples_of_the_update(clip: float, tmp_path: Path) -> None:
    run = trainer(tmp_path, BadGradient(), max_grad_norm=clip, per_device_train_batch_size=4)
    with pytest.raises(NonFiniteError, match=r"norm of the gradient is (nan|inf)") as caught:
        run.train()
    assert run.state.global_step == 3 and len(caught.value.ids) == 4
    assert all(torch.isfinite(value).all() for value in weights(run).values())
    words = str(caught.value)
    assert "Each sample is finite on its own" in words and all(name in words for name in caught.value.ids)
    assert ("train.clip below 1" if clip else "train.clip = 1 (there is no limit now)") in words


class InfiniteLoss(Net):
    """An infinite loss whose gradient is fine."""

    def forward(self, features: Mapping[str, Features], targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
        out = super().forward(features, targets)
        return {**out, "loss": out["loss"] + math.inf}


def test_an_infinite_loss_with_a_sound_gradient_stops_too(tmp_path: Path) -> None:
    run = trainer(tmp_path, InfiniteLoss(), save_strategy="steps", save_steps=1)
    before = weights(run)
    with pytest.raises(NonFiniteError, match="the loss is inf") as caught:
        run.train()
    assert len(caught.value.ids) == 8 and not list(tmp_path.glob("checkpoint-*"))
    assert torch.equal(before["head.weight"], weights(run)["head.weight"])


def test_the_guard_looks_at_all_batches_since_the_last_update() -> None:
    guard = FiniteGuard()
    for loss in (1.0, math.nan, 2.0):
        guard.note(torch.tensor([1]), torch.tensor(loss))
    assert guard.problem(1.0) == "the loss is nan"
    guard.clear()
    guard.note(torch.tensor([2]), torch.tensor(1.0))
    assert guard.problem(torch.tensor(1.0)) == guard.problem(None) == ""
    assert guard.problem(math.inf) == "the norm of the gradient is inf"
    assert [rows.tolist() for rows in guard.rows] == [[2]]


def test_many_names_are_cut_short() -> None:
    names = [f"n{index}" for index in range(25)]
    assert "n9 and 15 more" in str(Update(3, names, (), 0.1, 1.0).error("the loss is nan"))
    assert rows_to_blame([1, 2, 3], lambda row: torch.tensor(math.inf if row == 2 else 0.0)) == [2]

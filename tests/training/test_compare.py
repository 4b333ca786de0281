"""Contenders learn on the same batches, in turn, and are scored by what they predict."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lichen.errors import InputError
from lichen.training.compare import Contender, draw_batches, score, train_together
from lichen.training.peers import lora

from ..families import make_batch, make_model

POINTS = torch.randn(60, 4, generator=torch.Generator().manual_seed(0))
LABELS = (POINTS[:, 0] > 0).long()


class Line(nn.Module):
    """A linear classifier that answers like a transformers model."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 2)

    def forward(self, x: Tensor, labels: Tensor) -> Any:
        logits = self.linear(x)
        loss = nn.functional.cross_entropy(logits, labels)
        return type("Output", (), {"loss": loss, "logits": logits})()


def batch(rows: Tensor) -> dict[str, Tensor]:
    return {"x": POINTS[rows], "labels": LABELS[rows]}


def test_training_learns_and_is_scored_on_the_rows_given() -> None:
    torch.manual_seed(0)
    contender = Contender("line", Line(), batch, lr=0.1)
    train_together([contender], draw_batches(torch.arange(40), 10, 60, seed=0))
    result = score(contender, torch.arange(40, 60), LABELS, batch(torch.arange(10)))
    assert result.accuracy >= 0.9
    wrong = score(contender, torch.arange(40, 60), 1 - LABELS, batch(torch.arange(10)))
    assert wrong.accuracy == pytest.approx(1 - result.accuracy)
    assert result.trained_parameters == 10
    assert len(contender.seconds) == len(contender.losses) == 60


def test_contenders_take_turns_on_the_same_rows() -> None:
    seen: list[tuple[str, list[int]]] = []

    def spy(name: str) -> Any:
        def make(rows: Tensor) -> dict[str, Tensor]:
            seen.append((name, rows.tolist()))
            return batch(rows)

        return make

    pair = [Contender(name, Line(), spy(name), lr=0.1) for name in ("a", "b")]
    batches = draw_batches(torch.arange(10), 4, 5, seed=1)
    done: list[int] = []
    train_together(pair, batches, done.append)
    assert seen == [(name, rows.tolist()) for rows in batches for name in ("a", "b")]
    assert done == [1, 2, 3, 4, 5]


def test_batches_are_whole_shuffled_passes_and_repeat_with_the_seed() -> None:
    first = draw_batches(torch.arange(6), 3, 4, seed=5)
    assert [len(rows) for rows in first] == [3, 3, 3, 3]
    for start in (0, 2):
        assert sorted(torch.cat(first[start : start + 2]).tolist()) == list(range(6))
    assert all(torch.equal(a, b) for a, b in zip(first, draw_batches(torch.arange(6), 3, 4, seed=5), strict=True))
    assert not torch.equal(torch.cat(first), torch.cat(draw_batches(torch.arange(6), 3, 4, seed=6)))


def test_lora_adapts_the_named_layers_and_trains_the_head() -> None:
    model = lora(make_model("sequence", "bert"), rank=2, layers=[2])
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert any("layer.2." in name and "lora_A" in name for name in trained)
    assert not any(f"layer.{index}." in name for name in trained for index in (0, 1))
    assert any("classifier" in name for name in trained)
    assert model(**make_batch("sequence", model)).loss.requires_grad


def test_lora_says_when_there_is_nothing_to_adapt() -> None:
    with pytest.raises(InputError, match="no query and value projections"):
        lora(make_model("image", "resnet"))


def test_no_rows_give_no_batches() -> None:
    with pytest.raises(InputError, match="no training samples"):
        draw_batches(torch.arange(0), 4, 2, seed=0)

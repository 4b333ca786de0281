"""Batch norm by pictures against torch's own, called once a picture."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lichen.errors import InputError
from lichen.heads.grounding.norm import PictureNorm, RowNorm, make_norm

COUNTS = (4, 2, 0, 5)


def rows(seed: int = 0, count: int = sum(COUNTS)) -> torch.Tensor:
    return torch.randn(count, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2 + 1


GROUP = torch.arange(len(COUNTS)).repeat_interleave(torch.tensor(COUNTS))


def shaken(norm: nn.Module) -> None:
    with torch.no_grad():
        for number, parameter in enumerate(norm.parameters()):
            parameter.copy_(torch.tensor([0.5, 1.5, -1.0]) + number)


def test_each_picture_has_its_own_statistics_and_updates_come_one_after_another() -> None:
    own, torchs = PictureNorm(3).double(), nn.BatchNorm1d(3).double()
    shaken(own)
    shaken(torchs)
    first, second = rows(0), rows(1)
    found = [own(first, GROUP, len(COUNTS)), own(second, GROUP, len(COUNTS))]
    wanted: list[list[torch.Tensor]] = [[], []]
    for group in range(len(COUNTS)):
        for call, values in enumerate((first, second)):
            if COUNTS[group]:
                wanted[call].append(torchs(values[group == GROUP]))
    for call in range(2):
        torch.testing.assert_close(found[call], torch.cat(wanted[call]))
    assert own.running_mean.tolist() == [0.0] * 3
    own.settle()
    torch.testing.assert_close(own.running_mean, torchs.running_mean)
    torch.testing.assert_close(own.running_var, torchs.running_var)
    own.settle()
    torch.testing.assert_close(own.running_mean, torchs.running_mean)
    torch.testing.assert_close(own.eval()(first, GROUP, 4), torchs.eval()(first))


def test_a_row_alone() -> None:
    one = rows(2, 1)
    repeat, running = PictureNorm(3, "repeat").double(), PictureNorm(3).double()
    shaken(repeat)
    shaken(running)
    group = torch.zeros(1, dtype=torch.long)
    # Counted twice, a row is its own mean: nothing but the bias is left.
    torch.testing.assert_close(repeat(one, group, 1)[0], repeat.bias)
    torch.testing.assert_close(running(one, group, 1), running.eval()(one, group, 1))
    repeat.settle()
    running.train().settle()
    torch.testing.assert_close(repeat.running_mean, 0.1 * one[0])
    assert running.running_mean.tolist() == [0.0] * 3
    with pytest.raises(InputError, match="'running' or 'repeat'; got 'twice'"):
        PictureNorm(3, "twice")


def test_rows_by_themselves() -> None:
    norm = make_norm("row", 3)
    assert isinstance(norm, RowNorm)
    values = rows().float()
    torch.testing.assert_close(norm(values, GROUP, 4)[3:5], norm(values[3:5], GROUP[:2], 1))
    norm.settle()
    assert not list(norm.buffers())

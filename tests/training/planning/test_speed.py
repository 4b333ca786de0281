"""Work is counted operator by operator."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from lichen.training.planning.speed import Meter, Speed, Work, machine_speed, seconds


def test_a_linear_layer_by_hand() -> None:
    layer, x = nn.Linear(8, 4), torch.randn(10, 8)
    with Meter() as meter:
        y = layer(x)
    assert meter.work == Work(2 * 10 * 8 * 4, 4 * (10 * 8 + 8 * 4 + 4 + 10 * 4), 1)
    with Meter() as meter:
        y.backward(torch.ones_like(y))
    # The gradient of the weight; that of the input is not needed.
    assert meter.work.flops == 2 * 10 * 8 * 4


def test_attention_counts_forward_and_backward() -> None:
    query, key, value = (torch.randn(2, 3, 16, 8, requires_grad=True) for _ in range(3))
    with Meter() as meter:
        out = functional.scaled_dot_product_attention(query, key, value)
    product = 2 * 2 * 3 * 16 * 16 * 8
    assert meter.work.flops == 2 * product
    with Meter() as meter:
        out.sum().backward()
    assert meter.work.flops == 5 * product


def test_views_cost_nothing_and_an_expanded_tensor_is_read_once() -> None:
    x = torch.ones(4, 1)
    with Meter() as meter:
        wide = x.expand(4, 100).t()
        assert meter.work == Work(0, 0, 0)
        wide.exp()
    assert meter.work == Work(0, 16 + 1600, 1)
    with Meter() as meter:
        x.add_(1)
    assert meter.work == Work(0, 32, 1)


def test_seconds_add_arithmetic_traffic_and_calls() -> None:
    speed = Speed(gflops=2.0, read_bytes_per_second=1.0, moved_bytes_per_second=100.0, operator_seconds=0.5)
    assert seconds(Work(4 * 10**9, 300, 2), speed) == pytest.approx(2 + 3 + 1)
    assert Work(1, 2, 3) + Work(10, 20, 30) == Work(11, 22, 33)


def test_this_machine_has_a_speed() -> None:
    with torch.no_grad():
        speed = machine_speed(0.01)
    assert min(speed.gflops, speed.read_bytes_per_second, speed.moved_bytes_per_second, speed.operator_seconds) > 0

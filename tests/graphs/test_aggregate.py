"""Sums, means and maxima over edges equal those of a loop."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.graphs import mean_at, sum_at
from lichen.graphs.aggregate import largest_at


@settings(max_examples=12, deadline=None)
@given(nodes=st.integers(1, 5), edges=st.integers(0, 12), seed=st.integers(0, 99))
def test_means_by_a_loop(nodes: int, edges: int, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    node = torch.randint(nodes, (edges,), generator=draw)
    values = torch.randn(edges, 3, generator=draw, dtype=torch.float64)
    weights = torch.rand(edges, generator=draw, dtype=torch.float64)
    total, mean, weighted = (
        sum_at(values, node, nodes),
        mean_at(values, node, nodes),
        mean_at(values, node, nodes, weights),
    )
    for number in range(nodes):
        own = [edge for edge in range(edges) if node[edge] == number]
        added = sum((values[edge] for edge in own), torch.zeros(3, dtype=torch.float64))
        torch.testing.assert_close(total[number], added)
        torch.testing.assert_close(mean[number], added / max(len(own), 1))
        shares = sum((values[edge] * weights[edge] for edge in own), torch.zeros(3, dtype=torch.float64))
        divisor = max(sum(float(weights[edge]) for edge in own), 1.0)
        torch.testing.assert_close(weighted[number], shares / divisor)


def test_half_precision_is_summed_in_single() -> None:
    values = torch.full((4096, 1), 0.1, dtype=torch.float16)
    found = sum_at(values, torch.zeros(4096, dtype=torch.long), 1)
    assert found.dtype == torch.float16
    assert abs(found.item() - 4096 * values[0].item()) < 0.3


def test_gradients_reach_values_and_weights() -> None:
    values = torch.randn(4, 2, requires_grad=True)
    weights = torch.rand(4, requires_grad=True)
    mean_at(values, torch.tensor([0, 0, 2, 2]), 3, weights).square().sum().backward()
    for each in (values, weights):
        assert each.grad is not None and bool((each.grad != 0).all())


def test_doubtful_edges_alone_do_not_speak_up() -> None:
    values = torch.ones(3, 1)
    node = torch.tensor([0, 1, 1])
    found = mean_at(values, node, 2, torch.tensor([0.1, 1.0, 0.1]))
    torch.testing.assert_close(found[:, 0], torch.tensor([0.1, 1.0]))


@settings(max_examples=12, deadline=None)
@given(nodes=st.integers(1, 5), edges=st.integers(0, 12), seed=st.integers(0, 99))
def test_maxima_by_a_loop(nodes: int, edges: int, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    node = torch.randint(nodes, (edges,), generator=draw)
    values = torch.randn(edges, 3, generator=draw, dtype=torch.float64)
    found = largest_at(values, node, nodes, -1.0)
    for number in range(nodes):
        for column in range(3):
            own = [float(values[edge, column]) for edge in range(edges) if node[edge] == number]
            assert float(found[number, column]) == max([*own, -1.0])


def test_the_largest_alone_has_a_gradient() -> None:
    values = torch.tensor([[1.0, 0.0], [2.0, 5.0], [2.0, 1.0], [7.0, 7.0]], requires_grad=True)
    largest_at(values, torch.tensor([0, 0, 0, 2]), 3, -torch.inf)[[0, 2]].sum().backward()
    assert values.grad is not None
    assert values.grad.tolist() == [[0, 0], [0.5, 1], [0.5, 0], [1, 1]]

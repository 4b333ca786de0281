"""Pieces of the head against definitions: mixtures, matching, merging, perceptrons of classes, messages."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from lichen.graphs.residual import ResidualMessages
from lichen.heads.solids.layers import ClassPerceptrons
from lichen.heads.solids.matching import assign, distances, drop_near, merge_pairs
from lichen.heads.solids.mixture import likeliest, log_density, parameters_of


def test_mixtures_are_torchs() -> None:
    torch.manual_seed(0)
    raw, values = torch.randn(5, 3 * 6 * 4, dtype=torch.float64), torch.randn(5, 6, dtype=torch.float64)
    weight, mean, spread, turn = parameters_of(raw)
    sigma = spread.exp()
    cross = turn * sigma.prod(-1)
    covariance = torch.stack(
        [torch.stack([sigma[..., 0] ** 2, cross], -1), torch.stack([cross, sigma[..., 1] ** 2], -1)], -2
    )
    mixed = MixtureSameFamily(Categorical(logits=weight), MultivariateNormal(mean, covariance))
    pairs = torch.stack([values[:, :3], values[:, 3:]], -1)
    torch.testing.assert_close(log_density(raw, values), mixed.log_prob(pairs).sum(-1))
    best = mean[2, 1, weight[2, 1].argmax()]
    assert likeliest(raw)[2, [1, 4]].tolist() == best.tolist()


def test_wild_mixtures_stay_finite() -> None:
    raw = 100 * torch.randn(4, 3 * 6 * 2)
    raw.requires_grad_()
    log_density(raw, torch.randn(4, 6)).sum().backward()
    assert raw.grad is not None and bool(raw.grad.isfinite().all())


def test_greedy_takes_the_nearest_and_optimal_the_least_sum() -> None:
    pytest.importorskip("scipy")
    torch.manual_seed(3)
    for _ in range(5):
        found, truth = torch.randn(1, 4, 6), torch.randn(1, 3, 6)
        there, true_there = torch.ones(1, 4, dtype=torch.bool), torch.ones(1, 3, dtype=torch.bool)
        gaps = distances(found, truth)[0]
        best = min(permutations(range(4), 3), key=lambda rows: sum(float(gaps[row, n]) for n, row in enumerate(rows)))
        wanted = [best.index(row) if row in best else -1 for row in range(4)]
        assert assign(found, there, truth, true_there, 1, "optimal")[0].tolist() == wanted
        greedy = assign(found, there, truth, true_there, 1)[0].tolist()
        assert greedy[int(gaps.amin(1).argmin())] == int(gaps.flatten().argmin()) % 3
        assert sorted(greedy) == [-1, 0, 1, 2]


def test_padding_is_never_matched_nor_merged() -> None:
    torch.manual_seed(0)
    found, truth = torch.randn(2, 4, 6), torch.randn(2, 2, 6)
    there = torch.tensor([[True, True, False, False], [True, True, True, True]])
    true_there = torch.tensor([[True, False], [True, True]])
    for method in ("greedy", "optimal"):
        assigned = assign(found, there, truth, true_there, 2, method)
        assert assigned[0, 2:].tolist() == [-1, -1] and assigned[0].tolist().count(0) == 2
        assert sorted(assigned[1].tolist()) == [0, 0, 1, 1]
    kept = merge_pairs(found, torch.rand(2, 4), there, torch.tensor([1, 2]))
    assert kept.sum(1).tolist() == [1, 2] and not bool((kept & ~there).any())


def test_pairs_across_directions_leave_alike_parts_of_one_direction() -> None:
    # Two parts that are alike (0, 1), each proposed twice; the closest two are of one direction.
    lengths = torch.tensor([0.0, 0.1, 0.3, 0.45])[None, :, None].expand(1, 4, 6)
    sure = torch.tensor([[0.9, 0.8, 0.7, 0.6]])
    there, two = torch.ones(1, 4, dtype=torch.bool), torch.tensor([2])
    groups = torch.tensor([0, 0, 1, 1])
    assert merge_pairs(lengths, sure, there, two)[0].tolist() == [True, False, True, False]
    assert merge_pairs(lengths, sure, there, two, groups)[0].tolist() == [True, True, False, False]


def test_near_ones_go_unless_what_they_are_near_to_went() -> None:
    # On a line: the surest takes its neighbour, whose other neighbour then stays.
    lengths = torch.tensor([0.0, 0.2, 0.4, 5.0])[None, :, None].expand(1, 4, 6)
    sure = torch.tensor([[0.9, 0.8, 0.7, 0.1]])
    there = torch.ones(1, 4, dtype=torch.bool)
    assert drop_near(lengths, sure, there, 0.3)[0].tolist() == [True, False, True, True]
    assert drop_near(lengths, sure, there, 0.5)[0].tolist() == [True, False, False, True]


def test_each_class_has_its_own_perceptron() -> None:
    torch.manual_seed(0)
    layers = ClassPerceptrons(3, (4, 5, 2))
    values, classes = torch.randn(2, 6, 4), torch.randint(3, (2, 6))
    found = layers(values, classes)
    for b in range(2):
        for n in range(6):
            c = int(classes[b, n])
            hidden = (layers.weights[0][c] @ values[b, n] + layers.biases[0][c]).relu()
            torch.testing.assert_close(found[b, n], layers.weights[1][c] @ hidden + layers.biases[1][c])


@pytest.mark.parametrize("weights", ["dot", "softmax"])
def test_messages_do_not_depend_on_the_order_of_nodes_nor_on_padding(weights: str) -> None:
    torch.manual_seed(0)
    messages = ResidualMessages(6, weights=weights).double()  # type: ignore[arg-type]
    nodes = torch.randn(2, 5, 6, dtype=torch.float64)
    there = torch.tensor([[True] * 5, [True] + [False] * 4])
    found = messages(nodes, there)
    order = torch.tensor([3, 1, 4, 0, 2])
    torch.testing.assert_close(messages(nodes[:1, order], there[:1])[0], found[0, order])
    # One that is alone stays as it is, bias included.
    assert torch.equal(found[1, 0], nodes[1, 0])
    spoilt = nodes.clone()
    spoilt[1, 1:] = 9.0
    assert torch.equal(messages(spoilt, there)[1, 0], nodes[1, 0])

"""Graphs to measure: the worked example of the specification, and random ones."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from lichen.graphs import FoundGraph, TrueGraph


def true(boxes: Sequence[Sequence[float]], labels: Sequence[int], triplets: Sequence[Sequence[int]]) -> TrueGraph:
    return TrueGraph(
        torch.tensor(boxes, dtype=torch.float64).reshape(-1, 4),
        torch.tensor(labels, dtype=torch.long),
        torch.tensor(triplets, dtype=torch.long).reshape(-1, 3),
    )


def found(
    boxes: Sequence[Sequence[float]],
    labels: Sequence[int],
    scores: Sequence[float],
    pairs: Sequence[Sequence[int]],
    predicates: Sequence[Sequence[float]],
    classes: int = 3,
) -> FoundGraph:
    return FoundGraph(
        torch.tensor(boxes, dtype=torch.float64).reshape(-1, 4),
        torch.tensor(labels, dtype=torch.long),
        torch.tensor(scores, dtype=torch.float64),
        torch.tensor(pairs, dtype=torch.long).reshape(-1, 2),
        torch.tensor(predicates, dtype=torch.float64).reshape(-1, classes),
    )


A, B, C = (0.0, 0.0, 49.0, 49.0), (50.0, 0.0, 99.0, 49.0), (0.0, 50.0, 99.0, 99.0)
NAMES = ("on", "has", "near")


def example() -> list[tuple[FoundGraph, TrueGraph]]:
    """graphs.md 1.10, with predicates counted from 0."""
    first = true([A, B, C], [1, 2, 3], [[0, 1, 0], [1, 2, 1], [0, 2, 2]])
    second = true([A, B], [2, 3], [[0, 1, 0], [0, 1, 1]])
    boxes = [(2, 2, 49, 49), (50, 0, 95, 49), (0, 50, 99, 95), (0, 0, 49, 40)]
    answers = [[0.6, 0.2, 0.1], [0.35, 0.4, 0.05], [0.5, 0.05, 0.15], [0.1, 0.7, 0.1]]
    one = found(boxes, [1, 2, 3, 1], [0.9, 0.8, 0.7, 0.6], [[0, 1], [1, 2], [0, 2], [3, 1]], answers)
    two = found([A, B], [2, 3], [0.9, 0.9], [[0, 1], [1, 0]], [[0.5, 0.39, 0.01], [0.2, 0.1, 0.1]])
    return [(one, first), (two, second)]


def random_graphs(
    seed: int, relations: int = 15, predicates: int = 6, *, apart: bool = True
) -> tuple[FoundGraph, TrueGraph]:
    """A picture with random relations and noisy predictions of them.

    Args:
        apart: annotated boxes lie so far from each other that no prediction fits two of them.
    """
    draw = torch.Generator().manual_seed(seed)
    count = 9

    def uniform(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=draw, dtype=torch.float64)

    cell = torch.stack([torch.arange(count) % 3, torch.arange(count) // 3], 1) * (100.0 if apart else 12.0)
    corner = cell + uniform(count, 2) * 20
    boxes = torch.cat([corner, corner + 20 + uniform(count, 2) * 40], 1).double()
    labels = torch.randint(3, (count,), generator=draw)
    pairs = torch.tensor([[i, j] for i in range(count) for j in range(count) if i != j])
    chosen = torch.randperm(len(pairs) * predicates, generator=draw)[:relations]
    pair = torch.div(chosen, predicates, rounding_mode="floor")
    triplets = torch.cat([pairs[pair], (chosen % predicates)[:, None]], 1)
    moved = boxes + (uniform(count, 4) - 0.5) * 16
    seen = torch.where(uniform(count) < 0.8, labels, torch.randint(3, (count,), generator=draw))
    chances = uniform(len(pairs), predicates)
    graph = FoundGraph(moved, seen, 0.2 + 0.8 * uniform(count), pairs, chances / chances.sum(1, keepdim=True))
    return graph, TrueGraph(boxes, labels, triplets)

"""Nodes of a graph and their words stand apart, inside the sheet, much as in the picture."""

from __future__ import annotations

import numpy as np
import pytest

from lichen.scene.drawing.layout import lay_out
from lichen.scene.drawing.placement import overlap


def graph(nodes: int, edges: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    pairs = rng.integers(0, nodes, (edges, 2))
    return rng.uniform(0, 1, (nodes, 2)), np.full((nodes, 2), [70.0, 26.0]), pairs, np.full((edges, 2), [60.0, 16.0])


@pytest.mark.parametrize(("nodes", "edges", "seed"), [(2, 1, 0), (2, 4, 1), (6, 5, 2), (12, 16, 3), (1, 1, 4)])
def test_nothing_overlaps_or_leaves_the_sheet(nodes: int, edges: int, seed: int) -> None:
    anchors, sizes, pairs, words = graph(nodes, edges, seed)
    size = (700, 560)
    centres, places = lay_out(anchors, sizes, pairs, words, size)
    middles, extents = np.concatenate([centres, places]), np.concatenate([sizes, words])
    areas = np.concatenate([middles - extents / 2, middles + extents / 2], 1)
    assert (areas[:, :2] >= 0).all() and (areas[:, 2:] <= size).all()
    shared = overlap(areas, areas)
    np.fill_diagonal(shared, 0)
    assert shared.max() < 1.0


def test_what_is_left_and_above_in_the_picture_is_so_in_the_graph() -> None:
    anchors = np.array([[0.1, 0.1], [0.9, 0.1], [0.5, 0.9]])
    pairs = np.array([[0, 1], [1, 2], [2, 0]])
    centres, _ = lay_out(anchors, np.full((3, 2), [60.0, 24.0]), pairs, np.full((3, 2), [50.0, 16.0]), (500, 400))
    assert centres[0, 0] < centres[2, 0] < centres[1, 0]
    assert centres[2, 1] > max(centres[0, 1], centres[1, 1])


def test_nodes_that_begin_at_one_place_part() -> None:
    centres, _ = lay_out(
        np.full((4, 2), 0.5), np.full((4, 2), [60.0, 24.0]), np.zeros((0, 2), np.int64), np.zeros((0, 2)), (400, 300)
    )
    assert np.linalg.norm(centres[:, None] - centres[None], axis=-1)[np.triu_indices(4, 1)].min() > 24


def test_a_layout_is_the_same_every_time_and_another_start_is_another_one() -> None:
    given = graph(6, 7, 5)
    first, again, other = (lay_out(*given, (500, 400), start)[0] for start in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1

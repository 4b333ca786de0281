"""Labels stay inside the picture, off each other, and lead back to their boxes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.scene.drawing.placement import fits, overlap, place_labels

SIZE = (400, 300)


def touches(area: tuple[float, ...], box: np.ndarray) -> bool:
    return bool(area[0] <= box[2] + 1 and box[0] <= area[2] + 1 and area[1] <= box[3] + 1 and box[1] <= area[3] + 1)


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 30), st.integers(0, 10_000))
def test_labels_never_overlap_and_never_leave_the_picture(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 1, (count, 2)) * [380, 280]
    boxes = np.concatenate([corner, np.minimum(corner + rng.uniform(1, 200, (count, 2)), SIZE)], 1)
    sizes = np.stack([rng.integers(20, 80, count), np.full(count, 16)], 1).astype(float)
    tags = place_labels(boxes, sizes, SIZE)
    assert fits(tags)
    areas = np.array([tag.area for tag in tags if tag is not None])
    np.testing.assert_allclose(areas[:, 2:] - areas[:, :2], sizes)
    assert (areas[:, :2] >= 0).all() and (areas[:, 2:] <= SIZE).all()
    shared = overlap(areas, areas)
    np.fill_diagonal(shared, 0)
    assert shared.max() == 0
    for tag, box in zip(tags, boxes, strict=True):
        assert tag is not None
        assert touches(tag.area, box) == (tag.leader is None)
        if tag.leader is not None:
            (_, _), (x, y) = tag.leader
            assert box[0] <= x <= box[2] and box[1] <= y <= box[3]


def test_a_lone_label_stands_on_the_top_left_corner() -> None:
    (tag,) = place_labels(np.array([[100.0, 100.0, 200.0, 200.0]]), np.array([[40.0, 16.0]]), SIZE)
    assert tag is not None and tag.area == (100.0, 84.0, 140.0, 100.0) and tag.leader is None


def test_at_the_upper_edge_it_goes_inside_and_at_the_right_it_is_pushed_in() -> None:
    (tag,) = place_labels(np.array([[350.0, 0.0, 400.0, 300.0]]), np.array([[80.0, 16.0]]), SIZE)
    assert tag is not None
    assert tag.area[2] <= 400 and touches(tag.area, np.array([350.0, 0.0, 400.0, 300.0]))


def test_a_label_does_not_hide_a_small_neighbour() -> None:
    boxes = np.array([[100.0, 100.0, 200.0, 200.0], [105.0, 86.0, 115.0, 98.0]])
    tags = place_labels(boxes, np.array([[40.0, 16.0], [40.0, 16.0]]), SIZE)
    areas = np.array([tag.area for tag in tags if tag is not None])
    assert overlap(areas[:1], boxes[1:])[0, 0] == 0


def test_where_boxes_crowd_a_label_moves_away_with_a_line() -> None:
    # Sixteen small boxes side by side, each narrower than its label.
    left = 100 + 12.0 * np.arange(16)
    boxes = np.stack([left, np.full(16, 150.0), left + 10, np.full(16, 160.0)], 1)
    tags = place_labels(boxes, np.full((16, 2), [60.0, 16.0]), SIZE)
    assert fits(tags)
    assert any(tag is not None and tag.leader is not None for tag in tags)


def test_what_finds_no_room_is_none() -> None:
    tags = place_labels(np.tile([0.0, 0.0, 50.0, 40.0], (3, 1)), np.full((3, 2), [50.0, 20.0]), (50, 44))
    assert sum(tag is None for tag in tags) == 1
    assert not fits(tags)


def test_shared_area() -> None:
    shared = overlap(np.array([[0.0, 0.0, 4.0, 4.0]]), np.array([[2.0, 3.0, 9.0, 9.0], [4.0, 0.0, 5.0, 5.0]]))
    assert shared.tolist() == [[2.0, 0.0]]
    assert place_labels(np.zeros((0, 4)), np.zeros((0, 2)), SIZE) == []


@pytest.mark.parametrize("seed", range(3))
def test_places_are_the_same_every_time(seed: int) -> None:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 250, (8, 2))
    boxes = np.concatenate([corner, corner + 40], 1)
    sizes = np.full((8, 2), [50.0, 16.0])
    assert place_labels(boxes, sizes, SIZE) == place_labels(boxes, sizes, SIZE)

"""The dense loss: which place a box belongs to, and what each place is told."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from lichen.training.pretraining.dense import Places, dense_loss

PLACES = Places.of([4, 2])
SMALL = torch.tensor([[0.4, 0.15, 0.2, 0.2]])  # in the second cell of the first row of the fine map
LARGE = torch.tensor([[0.7, 0.7, 0.8, 0.8]])  # at least 1.5 cells of the coarse map wide


def test_places_are_the_middles_of_cells_by_rows() -> None:
    assert len(PLACES.middles) == 16 + 4
    assert PLACES.middles[1].tolist() == [0.375, 0.125] and PLACES.middles[4].tolist() == [0.125, 0.375]
    assert PLACES.middles[-1].tolist() == [0.75, 0.75]
    assert PLACES.cells[[0, -1]].tolist() == [0.25, 0.5]


def test_a_box_belongs_to_the_nearest_cell_of_its_map() -> None:
    away = PLACES.distances(torch.cat([SMALL, LARGE]))
    assert away.argmin(1).tolist() == [1, 19]
    assert away[0, 1] == pytest.approx(0.1) and away[0, 16:].isinf().all() and away[1, :16].isinf().all()


def test_the_loss_by_hand() -> None:
    torch.manual_seed(0)
    logits, boxes = torch.randn(2, 20, 3), torch.rand(2, 20, 4) * 0.2 + 0.3
    targets = [
        {"class_labels": torch.tensor([2, 0]), "boxes": torch.cat([SMALL, LARGE])},
        {"class_labels": torch.zeros(0, dtype=torch.long), "boxes": torch.zeros(0, 4)},
    ]
    boxes[0, 1], boxes[0, 19] = SMALL[0], LARGE[0] * torch.tensor([1.0, 1.0, 0.5, 1.0])
    chance = logits.sigmoid()
    naming = torch.zeros(())
    for picture in range(2):
        for place in range(20):
            for label in range(3):
                logit, p = logits[picture, place, label], chance[picture, place, label]
                if picture == 0 and (place, label) in {(1, 2), (19, 0)}:
                    naming = naming - (1 - p) ** 2 * p.log()
                # Within one cell of the middles: columns 1 and 2 of two rows, and all of the coarse map.
                elif not (picture == 0 and ((label == 2 and place in {1, 2, 5, 6}) or (label == 0 and place >= 16))):
                    naming = naming + 0.75 * p**2 * binary_cross_entropy_with_logits(logit, torch.zeros(()))
    # The large box is found half as wide: |difference| 0.4, IoU 0.5, inside the true box.
    expected = naming / 2 + 5 * 0.4 / 2 + 2 * 0.5 / 2
    assert float(dense_loss(logits, boxes, targets, PLACES)) == pytest.approx(float(expected), rel=1e-5)


def test_pictures_without_boxes_teach_silence() -> None:
    empty = [{"class_labels": torch.zeros(0, dtype=torch.long), "boxes": torch.zeros(0, 4)}]
    logits = torch.zeros(1, 20, 3, requires_grad=True)
    dense_loss(logits, torch.full((1, 20, 4), 0.5), empty, PLACES).backward()
    assert (logits.grad > 0).all()

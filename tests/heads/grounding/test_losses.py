"""Losses against slow and obvious forms, and where there is nothing to learn from."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import smooth_l1_loss

from lichen.errors import InputError
from lichen.heads.grounding.candidates import Candidates
from lichen.heads.grounding.config import WEIGHTS
from lichen.heads.grounding.losses import (
    NAMES,
    Contrast,
    box_contrast_loss,
    contrast_loss,
    regression_loss,
    relation_loss,
    relation_weights,
    weighted,
)
from lichen.regions import encode_deltas, iou

from ...regions.naive import random_boxes


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("stay", [False, True])
def test_regression_phrase_by_phrase(stay: bool) -> None:
    counts, owner = (6, 1, 0, 8), torch.tensor([0, 0, 1, 2])
    phrase = torch.arange(4).repeat_interleave(torch.tensor(counts))
    candidates = Candidates(phrase, torch.arange(15), 4)
    # Small shifts of one box, so that most overlap; two are the same.
    boxes = torch.tensor([10.0, 10.0, 30.0, 34.0], dtype=torch.float64) + draw(15, 4)
    boxes[1] = boxes[0]
    attention, deltas = candidates.softmax(draw(15, seed=1)), draw(15, 4, seed=2)
    found = regression_loss(candidates, boxes, deltas, attention, owner, 3, overlap=0.7, gap=0.05, stay=stay)
    total = torch.zeros((), dtype=torch.float64)
    for caption in range(3):
        losses = []
        for number in range(4):
            rows = (phrase == number).nonzero()[:, 0]
            if int(owner[number]) != caption or not len(rows):
                continue
            best = rows[attention[rows].argmax()]
            for row in rows:
                overlap = float(iou(boxes[row : row + 1], boxes[best : best + 1]))
                if 0.7 <= overlap < 1 or (stay and row == best):
                    sure = float(row == best or attention[best] - attention[row] >= 0.05)
                    losses.append(sure * smooth_l1_loss(deltas[row], encode_deltas(boxes[row], boxes[best])))
        total += torch.stack(losses).mean() if losses else 0
    torch.testing.assert_close(found, total / 3)
    assert float(found) > 0


def test_the_target_may_move_or_stay() -> None:
    candidates = Candidates(torch.zeros(2, dtype=torch.long), torch.arange(2), 1)
    attention = torch.tensor([0.9, 0.1], dtype=torch.float64)
    for detach in (False, True):
        boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0], [1.0, 0.0, 11.0, 11.0]], dtype=torch.float64, requires_grad=True)
        deltas = torch.full((2, 4), 0.2, dtype=torch.float64)
        owner = torch.zeros(1, dtype=torch.long)
        regression_loss(candidates, boxes, deltas, attention, owner, 1, detach=detach).backward()
        assert boxes.grad is not None
        assert bool(boxes.grad[0].any()) is not detach and bool(boxes.grad[1].any())


def test_relations_without_a_category_are_left_out() -> None:
    logits, weights = draw(3, 2), torch.tensor([1.0, 3.0], dtype=torch.float64)
    categories = torch.tensor([[1.0, 0.0], [0.0, 0.0], [1.0, 1.0]])
    caption = torch.tensor([0, 0, 1])
    found = relation_loss(logits, categories, weights, caption, 2)
    chance = logits.sigmoid().log(), (1 - logits.sigmoid()).log()
    losses = -(categories * chance[0] + (1 - categories) * chance[1]) * weights
    torch.testing.assert_close(found, (losses[0].mean() + losses[2].mean()) / 2)
    assert float(relation_loss(logits, torch.zeros(3, 2), weights, caption, 2)) == 0.0
    assert float(relation_loss(logits[:0], categories[:0], weights, caption[:0], 2)) == 0.0


def test_weights_of_relations() -> None:
    assert relation_weights([4, 4]).tolist() == [1.0, 1.0]
    assert relation_weights([100, 1]).tolist() == [1.0, 10.0]
    with pytest.raises(InputError, match="number 1 does not"):
        relation_weights([3, 0])


def test_captions_of_one_picture_are_not_told_apart() -> None:
    likeness = draw(4, 4)
    group = torch.tensor([0, 1, 0, 2])
    found = contrast_loss(likeness, group)
    total = 0.0
    for table in (likeness, likeness.T):
        for row in range(4):
            others = [column for column in range(4) if group[column] != group[row]]
            chance = table[row, [row, *others]].softmax(0)
            total += float((chance[1:] - chance[0] + 0.2).relu().max())
    assert float(found) == pytest.approx(total, abs=1e-5)
    assert float(contrast_loss(likeness, torch.zeros(4, dtype=torch.long))) == 0.0
    assert float(contrast_loss(likeness[:1, :1])) == 0.0


def test_contrast_leaves_out_captions_of_which_nothing_was_seen() -> None:
    contrast = Contrast(3, 2).double()
    caption, seen = torch.tensor([0, 0, 1, 3]), torch.tensor([True, False, False, True])
    visual, sentences = draw(4, 3), draw(4, 3, seed=1)
    found = contrast(visual, sentences, caption, seen, torch.arange(4))
    kept = torch.tensor([0, 3])
    alone = contrast(visual[kept], sentences[kept], torch.arange(2), torch.ones(2, dtype=torch.bool), torch.arange(2))
    # Both are means over captions, of which there are four and two.
    torch.testing.assert_close(found * 4, alone * 2)


def test_contrast_of_boxes_caption_by_caption() -> None:
    picture = torch.tensor([0, 0, 2, 2, 2, 3])
    caption, group = torch.tensor([0, 0, 1, 2, 4]), torch.tensor([0, 2, 0, 3, 1])
    table = draw(5, 6)
    found = box_contrast_loss(table, caption, picture, group, 4)
    # Caption 3 has no phrase, and picture 1, which caption 4 is of, no box.
    likeness = torch.stack(
        [
            torch.stack([table[caption == row][:, picture == column].amax(1).mean() for column in (0, 2, 3)])
            for row in (0, 1, 2)
        ]
    )
    places, total = [0, 1, 0], torch.zeros((), dtype=torch.float64)
    for row, place in enumerate(places):
        total -= likeness[row].log_softmax(0)[place]
        rivals = [other for other in range(3) if other == row or places[other] != place]
        total -= likeness[rivals, place].log_softmax(0)[rivals.index(row)]
    torch.testing.assert_close(found, total / 3 / 2)
    alone = box_contrast_loss(table[:, :2], caption, picture[:2], group, 4)
    assert float(alone) == 0.0


def test_losses_are_added_by_weight() -> None:
    losses = {"reconstruction": torch.tensor(2.0), "regression_fine": torch.tensor(3.0)}
    assert float(weighted(losses, WEIGHTS)) == pytest.approx(2.3)
    assert float(weighted(losses, {"reconstruction": 0.0})) == 3.0
    assert set(NAMES) == set(WEIGHTS)
    with pytest.raises(InputError, match="Did you mean 'relations'"):
        weighted(losses, {"relation": 1.0})
    with pytest.raises(InputError, match="no losses"):
        weighted({}, WEIGHTS)


def test_boxes_far_apart_teach_nothing() -> None:
    boxes = random_boxes(3, side=100.0)
    boxes[1:] += 200 * torch.arange(1, 3)[:, None]
    candidates = Candidates(torch.zeros(3, dtype=torch.long), torch.arange(3), 1)
    owner = torch.zeros(1, dtype=torch.long)
    found = regression_loss(candidates, boxes, draw(3, 4), candidates.softmax(draw(3)), owner, 1)
    assert float(found) == 0.0

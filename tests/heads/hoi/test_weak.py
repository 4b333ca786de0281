"""The weak network: its logits by hand, what labels of pictures teach and what they do not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, logsigmoid

from lichen.heads.hoi import HOIConfig, HOIInputs, HOIScores, WeakHOI
from lichen.heads.hoi.weak import image_loss

from ...families import shake
from .tiny import TEACHABLE, make_inputs

TEXTS = torch.randn(5, 7, generator=torch.Generator().manual_seed(3))
INPUTS = make_inputs()
LABELS = torch.zeros(4, 5, dtype=torch.bool)
LABELS[0, 0] = LABELS[0, 3] = LABELS[1, 4] = LABELS[2, 1] = LABELS[3, 2] = True
CLEAR = torch.zeros_like(LABELS)


def network(**changes: Any) -> WeakHOI:
    torch.manual_seed(0)
    return shake(WeakHOI(8, 6, TEXTS, HOIConfig(width=16, **changes)))  # type: ignore[no-any-return]


def losses(made: WeakHOI, inputs: HOIInputs, labels: Tensor, unclear: Tensor, teach: bool = True) -> dict[str, Tensor]:
    return made.losses(made(inputs), inputs, labels, unclear, TEACHABLE, teach)


@torch.no_grad()
def test_logits_are_scaled_cosines() -> None:
    """hoi.md 1.5 and 1.6."""
    made = network(scale=5.0, offset=-1.0)
    scores = made(INPUTS)
    vectors = made.pairs(INPUTS)
    whole = vectors + made.bank.read(vectors)
    for rows, found, judge in (
        (whole, scores.pair, made.judge_pair),
        (made.image(INPUTS.image), scores.image, made.judge_image),
    ):
        cosines = cosine_similarity(rows[:, None], made.bank.rows[None], dim=2)
        torch.testing.assert_close(found, cosines * judge.log_scale.exp() + judge.offset)
    assert scores.related is not None and made.related is not None
    read = torch.cat([vectors, made.bank.read(vectors)], 1)
    torch.testing.assert_close(scores.related, made.related(read)[:, 0])
    assert scores.union is None


def test_the_image_loss_by_a_loop() -> None:
    logits = torch.randn(4, 5, generator=torch.Generator().manual_seed(1))
    counts = torch.rand(4, 5, generator=torch.Generator().manual_seed(2)) < 0.7
    total, positives = torch.zeros(()), 0
    for row in range(4):
        for column in range(5):
            if counts[row, column]:
                sign = 1 if LABELS[row, column] else -1
                total -= logsigmoid(sign * logits[row, column])
                positives += int(LABELS[row, column])
    torch.testing.assert_close(image_loss(logits, LABELS, counts), total / positives)
    assert image_loss(logits, LABELS, torch.zeros_like(LABELS)) == 0


@torch.no_grad()
def test_bags_are_the_best_pairs_of_pictures() -> None:
    made = network()
    scores = made(INPUTS)
    found = losses(made, INPUTS, LABELS, CLEAR)
    total, positives = torch.zeros(()), 0
    for picture in range(4):
        for number in range(5):
            own = [float(scores.pair[row, number]) for row in range(6) if _suits(row, picture, number)]
            if own:
                sign = 1 if LABELS[picture, number] else -1
                total -= logsigmoid(torch.tensor(sign * max(own)))
                positives += int(LABELS[picture, number])
    assert positives == 3, "pictures 2 and 3 have no pair that could do it"
    torch.testing.assert_close(found["bag"], total / positives)


def _suits(row: int, picture: int, number: int) -> bool:
    return int(INPUTS.picture[row]) == picture and bool(INPUTS.compatible[row, number])


def test_pictures_without_pairs_keep_their_image_loss() -> None:
    made = network()
    without = (2, 3)
    changed = LABELS.clone()
    changed[list(without)] = ~changed[list(without)]
    one, other = losses(made, INPUTS, LABELS, CLEAR), losses(made, INPUTS, changed, CLEAR)
    assert one["image"] != other["image"]
    assert torch.equal(one["bag"], other["bag"]) and torch.equal(one["related"], other["related"])
    alone = make_inputs(((1, 0, 0), (0, 2, 1)))
    found = losses(made, alone, LABELS[2:], CLEAR[2:])
    assert found["image"] > 0 and found["bag"] == 0 and found["related"] == 0
    torch.stack(list(found.values())).sum().backward()
    grads = [each.grad for each in made.parameters() if each.grad is not None]
    assert made.bank.rows.grad is not None and bool(made.bank.rows.grad.any())
    assert all(bool(grad.isfinite().all()) for grad in grads)


@pytest.mark.parametrize("rule", ["max", "noisy-or"])
def test_unclear_labels_teach_nothing(rule: str) -> None:
    """Rows of interactions that are unclear everywhere get no gradient at all (hoi.md 1.11)."""
    made = network(bags=rule)
    hidden = torch.tensor([False, True, False, False, True])
    unclear = CLEAR | hidden
    found = losses(made, INPUTS, LABELS & ~hidden, unclear)
    torch.stack(list(found.values())).sum().backward()
    grad = made.bank.rows.grad
    assert grad is not None and not grad[hidden].any() and bool(grad[~hidden].any(1).all())
    # Whatever is written there.
    one, other = (made.losses(made(INPUTS), INPUTS, each, unclear, TEACHABLE) for each in (LABELS & ~hidden, LABELS))
    assert torch.equal(one["image"], other["image"]) and torch.equal(one["bag"], other["bag"])


def test_relatedness_teaches_no_pair_scores() -> None:
    """hoi.md 5.4 (e): the gradient of L_b ends at the relatedness and what it reads, not at s_p through the argmax."""
    made = network()
    scores = made(INPUTS)
    scores.pair.retain_grad()
    made.losses(scores, INPUTS, LABELS, CLEAR, TEACHABLE)["related"].backward()
    assert scores.pair.grad is None
    assert made.bank.rows.grad is None and made.judge_pair.offset.grad is None
    assert made.related is not None and all(bool(each.grad.any()) for each in made.related[2].parameters())


def test_relatedness_waits_and_can_be_left_out() -> None:
    made = network()
    assert set(losses(made, INPUTS, LABELS, CLEAR, teach=False)) == {"image", "bag"}
    for changes in ({"self_taught": "off"}, {"factors": ("pair", "image")}):
        off = network(**changes)
        assert off.related is None and off(INPUTS).related is None
        assert set(losses(off, INPUTS, LABELS, CLEAR)) == {"image", "bag"}


def test_relatedness_in_bags_is_a_product() -> None:
    made = network(related_bags=True)
    scores = made(INPUTS)
    assert scores.related is not None
    product = (scores.pair.sigmoid() * scores.related.sigmoid()[:, None]).double()
    logits = (product / (1 - product)).log().float()
    plain = network()
    expected = plain.losses(HOIScores(scores.image, logits), INPUTS, LABELS, CLEAR, TEACHABLE)["bag"]
    torch.testing.assert_close(made.losses(scores, INPUTS, LABELS, CLEAR, TEACHABLE)["bag"], expected)


def test_the_ceiling_learns_what_each_pair_does() -> None:
    made = network(method="supervised")
    scores = made(INPUTS)
    truths = INPUTS.compatible & (torch.arange(6)[:, None] % 2 == 0)
    found = made.supervised_losses(scores, INPUTS, LABELS, CLEAR, truths, TEACHABLE)
    assert set(found) == {"image", "pair", "related"}
    counted = INPUTS.compatible
    each = -logsigmoid(torch.where(truths, scores.pair, -scores.pair))
    torch.testing.assert_close(found["pair"], (each * counted).sum() / truths.sum())
    # A pair that is merely not interacting is unrelated: only that it does "no_interaction" teaches no relatedness.
    nothing = torch.zeros_like(truths)
    nothing[:, 3] = INPUTS.compatible[:, 3]
    empty = made.supervised_losses(scores, INPUTS, LABELS, CLEAR, torch.zeros_like(truths), TEACHABLE)
    idle = made.supervised_losses(scores, INPUTS, LABELS, CLEAR, nothing, TEACHABLE)
    assert torch.equal(idle["related"], empty["related"]) and not torch.equal(found["related"], empty["related"])


def test_what_is_hidden_teaches_the_ceiling_nothing() -> None:
    made = network(method="supervised")
    hidden = torch.tensor([False, True, False, False, False])
    truths = INPUTS.compatible & ~hidden
    args = (made(INPUTS), INPUTS, LABELS & ~hidden, CLEAR | hidden, truths, TEACHABLE)
    torch.stack(list(made.supervised_losses(*args).values())).sum().backward()
    grad = made.bank.rows.grad
    assert grad is not None and not grad[hidden].any() and bool(grad[~hidden].any())
    # What is annotated of a pair is sure, though its picture was not.
    unsure = made.supervised_losses(args[0], INPUTS, LABELS, torch.ones_like(CLEAR), INPUTS.compatible, TEACHABLE)
    assert unsure["pair"] > 0 and unsure["image"] == 0


@pytest.mark.parametrize("changes", [{}, {"bags": "noisy-or"}, {"self_taught": "soft"}, {"bank": False}])
@pytest.mark.parametrize("counts", [((1, 0, 0),), ((0, 1, 1),), ((0, 0, 0), (0, 0, 0)), ((3, 0, 0), (0, 0, 0))])
def test_poor_batches(changes: dict[str, Any], counts: tuple[tuple[int, int, int], ...]) -> None:
    made, inputs = network(**changes), make_inputs(counts)
    labels = torch.ones(len(counts), 5, dtype=torch.bool)
    found = losses(made, inputs, labels, torch.zeros_like(labels))
    assert all(bool(each.isfinite()) for each in found.values())
    torch.stack(list(found.values())).sum().backward()
    assert all(bool(each.grad.isfinite().all()) for each in made.parameters() if each.grad is not None)


@torch.no_grad()
def test_a_picture_does_not_depend_on_its_batch() -> None:
    made = network()
    together, order = made(INPUTS), [1, 0]
    turned = _pictures(order)
    found = made(turned)
    rows = torch.cat([(INPUTS.picture == each).nonzero().flatten() for each in order])
    torch.testing.assert_close(found.image, together.image[order])
    torch.testing.assert_close(found.pair, together.pair[rows])
    torch.testing.assert_close(found.related, together.related[rows])  # type: ignore[index]


def _pictures(order: list[int]) -> HOIInputs:
    """Some pictures of the batch, in another order."""
    boxes = torch.cat([(INPUTS.regions.picture == each).nonzero().flatten() for each in order])
    pairs = torch.cat([(INPUTS.picture == each).nonzero().flatten() for each in order])
    place = torch.full((len(INPUTS.regions),), -1)
    place[boxes] = torch.arange(len(boxes))
    number = torch.full((4,), -1)
    number[order] = torch.arange(len(order))
    regions = INPUTS.regions.select(boxes)
    return replace(
        INPUTS,
        regions=replace(regions, picture=number[regions.picture], sizes=regions.sizes[order]),
        pairs=place[INPUTS.pairs[pairs]],
        compatible=INPUTS.compatible[pairs],
        image=INPUTS.image[order],
        boxes=INPUTS.boxes[boxes],
        unions=INPUTS.unions[pairs],
        places=INPUTS.places[pairs],
    )


def test_reading_the_bank_costs_one_layer() -> None:
    with_bank, without = network(), network(bank=False)
    names = set(dict(with_bank.named_parameters())) - set(dict(without.named_parameters()))
    assert names == {"bank.query.weight", "bank.query.bias"}

"""Which boxes take part, which of them are pairs, and which interactions a pair may do."""

from __future__ import annotations

import torch

from lichen.data.interactions import Interactions
from lichen.heads.hoi import ProposalConfig, choose_proposals, compatible_pairs, human_pairs
from lichen.regions import NO_CLASS, Regions

from .tiny import OBJECTS, PEOPLE, make_inputs


def regions_of(labels: list[int], scores: list[float], picture: list[int] | None = None) -> Regions:
    boxes = [[float(n), 0.0, float(n) + 5, 5.0] for n in range(len(labels))]
    pictures = 1 + max(picture or [0])
    return Regions.make(
        boxes, [(300.0, 9.0)] * pictures, picture=picture or [0] * len(labels), labels=labels, scores=scores
    )


def test_the_best_people_and_the_best_things_are_chosen() -> None:
    # People are class 0: of four one is sure, two make up the least of three; of things two are sure and three remain.
    regions = regions_of([0, 0, 0, 0, 1, 2, 2, NO_CLASS], [0.9, 0.1, 0.05, 0.15, 0.6, 0.7, 0.1, 1.0])
    assert choose_proposals(regions, PEOPLE, ProposalConfig()).boxes[:, 0].tolist() == [0, 1, 3, 4, 5, 6]
    none = ProposalConfig(least=0)
    assert choose_proposals(regions, PEOPLE, none).boxes[:, 0].tolist() == [0, 4, 5]
    most = ProposalConfig(least=0, most=1)
    assert choose_proposals(regions, PEOPLE, most).boxes[:, 0].tolist() == [0, 5]


def test_every_picture_has_its_own_choice() -> None:
    regions = regions_of([0, 0, 0, 1], [0.9, 0.8, 0.7, 0.5], [0, 0, 1, 1])
    chosen = choose_proposals(regions, PEOPLE, ProposalConfig(least=0, most=1))
    assert chosen.picture.tolist() == [0, 1, 1] and chosen.pictures == 2


def test_two_hundred_boxes_come_down_to_435_pairs() -> None:
    """hoi.md 1.2: 15 people and 15 things are 15 times 29 pairs."""
    regions = regions_of([n % 3 for n in range(200)], [1.0 - n / 400 for n in range(200)])
    chosen = choose_proposals(regions, PEOPLE, ProposalConfig())
    pairs = human_pairs(chosen, PEOPLE)
    assert len(chosen) == 30 and len(pairs) == 15 * 29
    assert bool((pairs[:, 0] != pairs[:, 1]).all())


def test_people_are_pairs_both_ways_and_never_with_themselves() -> None:
    regions = regions_of([0, 1, 0], [1.0, 1.0, 1.0])
    assert human_pairs(regions, PEOPLE).tolist() == [[0, 1], [0, 2], [2, 0], [2, 1]]
    assert human_pairs(regions_of([1, 2], [1.0, 1.0]), PEOPLE).shape == (0, 2), "nobody there"
    assert human_pairs(regions_of([0], [1.0]), PEOPLE).shape == (0, 2), "nothing there"


def test_only_interactions_with_the_object_suit_a_pair() -> None:
    regions = regions_of([0, 1, 0], [1.0, 1.0, 1.0])
    suits = compatible_pairs(regions.labels, human_pairs(regions, PEOPLE), OBJECTS)
    thing, person = [True, True, False, False, False], [False, False, False, False, True]
    assert suits.tolist() == [thing, person, person, thing]


def test_the_600_of_hico_lie_in_80_rows() -> None:
    """hoi.md 5.4 (c)."""
    hico = Interactions.hico()
    classes = sorted(hico.objects)
    mask = torch.from_numpy(hico.mask(classes))
    assert mask.shape == (80, 600) and int(mask.sum()) == 600
    assert bool((mask.sum(0) == 1).all()) and bool((mask.sum(1) > 0).all())
    person = mask[classes.index("person")]
    assert person.nonzero().flatten().tolist() == list(range(160, 170))
    labels = torch.tensor([classes.index("person"), classes.index("horse"), classes.index("person")])
    suits = compatible_pairs(labels, torch.tensor([[0, 1], [0, 2]]), mask)
    assert torch.equal(suits, mask[labels[1:]])


def test_what_a_batch_says_of_its_pairs() -> None:
    inputs = make_inputs()
    assert inputs.pictures == 4 and inputs.picture.tolist() == [0, 0, 1, 1, 1, 1]
    scores = inputs.regions.scores
    expected = [float(scores[a] * scores[b]) for a, b in inputs.pairs.tolist()]
    torch.testing.assert_close(inputs.detected, torch.tensor(expected))

"""The meter: mAP by HICO-DET's rule, groups, relatedness, over batches in any order."""

from __future__ import annotations

import pytest
import torch

from lichen.data.interactions import Interactions
from lichen.errors import InputError
from lichen.tasks.interacting.config import InteractConfig
from lichen.tasks.interacting.labels import Annotated
from lichen.tasks.interacting.proposals import Told
from lichen.tasks.interacting.scoring import Meter

from ...heads.hoi.tiny import make_inputs

COUNTS = ((1, 1, 1), (2, 1, 0))
INPUTS = make_inputs(COUNTS)
# Picture 0: the person does 0 to the first thing, 3 to the second. Picture 1: one person does 4 to the other.
TRUE = torch.zeros(6, 5, dtype=torch.bool)
TRUE[0, 0] = TRUE[1, 3] = TRUE[2, 4] = True
WORDS = Interactions.of(
    [("hold", "cup"), ("fill", "cup"), ("ride", "bus"), ("no_interaction", "bus"), ("hug", "person")]
)


def annotated() -> Annotated:
    pair, interaction = TRUE.nonzero().unbind(1)
    ends = INPUTS.regions.boxes[INPUTS.pairs[pair]]
    labels = torch.zeros(2, 5, dtype=torch.bool)
    labels[INPUTS.picture[pair], interaction] = True
    classes = INPUTS.regions.labels[INPUTS.pairs[pair, 1]]
    return Annotated(
        labels, torch.zeros_like(labels), INPUTS.picture[pair], interaction, ends[:, 0], ends[:, 1], classes
    )


def told() -> Told:
    known = annotated()
    return Told(INPUTS.regions, INPUTS.pairs, known.labels, known.unclear, TRUE)


def measured(scores: torch.Tensor, related: torch.Tensor | None = None, answers: int = 100) -> dict[str, float]:
    meter = Meter(annotated(), WORDS, {"seen": (0, 1), "unseen": (2, 3, 4)}, InteractConfig(answers=answers))
    meter.add(torch.arange(2), INPUTS, told(), scores, related)
    return meter.compute()


def test_right_answers_and_wrong_ones() -> None:
    found = measured(TRUE.float() * 0.5)
    assert found["mAP"] == found["mRec"] == found["mAP_known"] == pytest.approx(1.0)
    assert found["classes"] == 3 and found["mAP_harmonic"] == pytest.approx(1.0) and "relatedness_AP" not in found
    # The first thing is mistaken for what is done to nothing else: a wrong answer above the right one of interaction 0.
    wrong = TRUE.float() * 0.5
    wrong[4, 0] = 0.9
    assert measured(wrong)["mAP"] == pytest.approx((0.5 + 1 + 1) / 3)
    # Picture 1 shows that class of things with no interaction at all: it is not asked in the Known Object setting.
    assert measured(wrong)["mAP_known"] == pytest.approx(1.0)
    assert measured(torch.zeros(6, 5))["mAP"] == 0.0
    few = TRUE.float()
    few[0, 0] = 0.1
    assert measured(few, answers=1)["mRec"] == pytest.approx(2 / 3)


def test_relatedness() -> None:
    found = measured(TRUE.float(), TRUE.any(1).float())
    assert found["relatedness_AP"] == 1.0 and found["relatedness_chance"] == 0.5
    # The best answer of each pair tells it as well, where it is right.
    assert found["answer_AP"] == 1.0 and measured(1 - TRUE.float(), TRUE.any(1).float())["answer_AP"] < 1.0
    assert found["AP/hold cup"] == 1.0 and "AP/fill cup" not in found


def test_an_interval_holds_the_mean_and_ends_at_it_where_nothing_varies() -> None:
    right = TRUE.float() * 0.5
    meter = Meter(annotated(), WORDS, {}, InteractConfig(draws=50))
    meter.add(torch.arange(2), INPUTS, told(), right)
    found = meter.compute()
    assert found["mAP_low"] == found["mAP_high"] == found["mAP"] == pytest.approx(1.0)
    wrong = right.clone()
    wrong[4, 0] = 0.9
    meter = Meter(annotated(), WORDS, {}, InteractConfig(draws=200))
    meter.add(torch.arange(2), INPUTS, told(), wrong)
    found = meter.compute()
    assert found["mAP_low"] == found["mAP"] == pytest.approx(2.5 / 3)
    assert found["mAP_high"] == pytest.approx(1.0), "a side of one picture twice has no mistake in it"


def test_batches_are_pooled() -> None:
    scores = torch.rand(6, 5, generator=torch.Generator().manual_seed(0)) * INPUTS.compatible
    related = torch.rand(6, generator=torch.Generator().manual_seed(1))
    whole = measured(scores, related)
    meter = Meter(annotated(), WORDS, {"seen": (0, 1), "unseen": (2, 3, 4)}, InteractConfig())
    for picture in (1, 0):
        rows = INPUTS.picture == picture
        first = int(INPUTS.regions.starts[picture])
        part = make_inputs(COUNTS[picture : picture + 1])
        alone = type(part)(
            INPUTS.regions.of(picture),
            INPUTS.pairs[rows] - first,
            INPUTS.compatible[rows],
            part.image,
            part.boxes,
            part.unions,
            part.places,
        )
        known = annotated()
        own = Told(alone.regions, alone.pairs, known.labels[[picture]], known.unclear[[picture]], TRUE[rows])
        meter.add(torch.tensor([picture]), alone, own, scores[rows], related[rows])
    assert meter.compute() == pytest.approx(whole)


def test_nothing_to_measure() -> None:
    known = annotated()
    none = known.take(torch.zeros(0, dtype=torch.long))
    meter = Meter(none, WORDS, {}, InteractConfig())
    meter.add(torch.arange(2), INPUTS, told(), TRUE.float())
    with pytest.raises(InputError, match="annotated"):
        meter.compute()

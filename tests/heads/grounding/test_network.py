"""The whole head: a batch is its pictures one by one; what is missing costs nothing and is never NaN."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from lichen.errors import InputError
from lichen.heads.grounding.config import RELEASED, VARIANTS, WEIGHTS, GroundingConfig
from lichen.heads.grounding.head import GroundingHead
from lichen.heads.grounding.losses import weighted
from lichen.heads.grounding.network import Grounding
from lichen.heads.grounding.reader import RegionReader
from lichen.regions import Regions

from .tiny import GIVEN, SENTENCES, SIDE, SPOKEN, WORDS, captions, features, head, prior, regions

CONTRASTS = ("contrast_coarse", "contrast_fine", "contrast_boxes")


def run(refine: int | None = None, **changes: Any) -> tuple[Grounding, dict[str, Tensor]]:
    model, said = head(**changes), captions()
    found = model(features(), regions(), said, prior=prior(said.phrases), refine=refine)
    return found, model.losses(found, said)


@pytest.mark.parametrize("norm", ["row", "picture"])
@pytest.mark.parametrize("training", [False, True])
def test_a_batch_is_its_captions_one_by_one(norm: str, training: bool) -> None:
    model = head(norm=norm).train(training)
    whole, said = regions(), captions()
    together = model(features(), whole, said, prior=prior(said.phrases))
    losses = model.losses(together, said)
    first, total = 0, dict.fromkeys(losses, 0.0)
    for number, sentence in enumerate(SENTENCES):
        one = captions([sentence])
        part = prior(said.phrases)[first : first + one.phrases]
        alone = model(features()[number : number + 1], whole.of(number), one, prior=part)
        rows = slice(first, first + one.phrases)
        torch.testing.assert_close(together.boxes()[rows], alone.boxes(), equal_nan=True)
        torch.testing.assert_close(together.scores[rows], alone.scores)
        torch.testing.assert_close(together.ranked(4)[rows], alone.ranked(4), equal_nan=True)
        for name, loss in model.losses(alone, one).items():
            total[name] += float(loss.detach()) / len(SENTENCES)
        first += one.phrases
    for name in set(losses) - set(CONTRASTS):
        assert float(losses[name].detach()) == pytest.approx(total[name], abs=1e-9), name


def test_several_captions_of_one_picture() -> None:
    model = head().eval()
    said = captions(SENTENCES[:2], picture=[2, 2])
    found = model(features(), regions(), said)
    assert found.stages[0].candidates.region.unique().tolist() == list(range(8, 15))
    alone = model(features()[2:3], regions().of(2), captions(SENTENCES[1:2]))
    torch.testing.assert_close(found.boxes()[3:], alone.boxes())


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("released", [False, True])
def test_every_variant_learns_everything_that_it_has(variant: str, released: bool) -> None:
    model, said = head(gap=0.0, **VARIANTS[variant], **(RELEASED if released else {})), captions()
    # Proposals that overlap, so that some are taught to move, however little attention differs.
    boxes = regions().boxes.clone()
    boxes[1::2] = boxes[: len(boxes) - 1 : 2] + 0.5
    shifted = Regions.make(boxes, regions().sizes, picture=regions().picture, labels=regions().labels)
    found = model(features(), shifted, said, prior=prior(said.phrases))
    losses = model.losses(found, said)
    assert set(losses) <= set(WEIGHTS)
    assert ("relations" in losses) is (variant == "full")
    assert ("reconstruction_coarse" in losses) is (variant == "regression")
    assert ("regression_fine" in losses) is (variant in ("regression", "full"))
    assert ("contrast_fine" in losses) is (variant != "matching")
    weighted(losses, WEIGHTS).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and bool(parameter.grad.isfinite().all()), name
        # One bias before a softmax, and words that no caption holds, have nothing to learn.
        assert bool(parameter.grad.any()) or name == "network.matcher.score.bias", name


def test_refining() -> None:
    still, _ = run(refine=0)
    moved, _ = run(refine=1)
    twice, losses = run(refine=2)
    assert [len(found.stages) for found in (still, moved, twice)] == [2, 2, 3]
    assert not still.moved and moved.moved
    boxes = regions().boxes
    torch.testing.assert_close(still.boxes(), boxes[still.proposal])
    torch.testing.assert_close(still.boxes(0), still.ranked(1)[:, 0])
    first, second, third = moved.stages[0], moved.stages[1], twice.stages[2]
    assert bool((second.boxes >= 0).all()) and bool((second.boxes <= SIDE).all())
    assert not torch.equal(second.boxes, boxes[second.candidates.region])
    torch.testing.assert_close(twice.stages[1].boxes, second.boxes)
    assert not torch.equal(third.boxes, second.boxes)
    torch.testing.assert_close(first.candidates.sum(first.attention), torch.ones(7, dtype=torch.float64))
    assert bool((second.weight <= second.attention).all()) and bool(torch.stack(list(losses.values())).isfinite().all())


def test_a_fresh_network_moves_no_box() -> None:
    reader, config = RegionReader(GIVEN), GroundingConfig(width=8, joint=6, hidden=5)
    model = GroundingHead(reader, SPOKEN.size, words=WORDS.size, config=config).double()
    found = model(features(), regions(), captions())
    torch.testing.assert_close(found.boxes(), regions().boxes[found.proposal])


def test_a_box_that_leaves_its_picture_goes_back() -> None:
    model, said = head(), captions()
    with torch.no_grad():
        model.network.matcher.leave.weight.zero_()
        model.network.matcher.leave.bias.copy_(torch.tensor([0.0, 1e6, 0.0, 0.0]))
    found = model(features(), regions(), said)
    second = found.stages[1]
    torch.testing.assert_close(second.boxes, regions().boxes[second.candidates.region])
    losses = model.losses(found, said)
    assert bool(torch.stack(list(losses.values())).isfinite().all())


def test_the_prior_is_a_share_or_a_factor() -> None:
    said, boxes = captions(SENTENCES[:1]), regions().of(0)
    suits = 0.1 + prior(said.phrases)
    for kind in ("share", "factor"):
        coarse = head(prior=kind)(features()[:1], boxes, said, prior=suits).stages[0]
        fits = suits[coarse.candidates.phrase, boxes.labels[coarse.candidates.region]]
        wanted = coarse.scores.exp() * fits if kind == "share" else (coarse.scores * fits).exp()
        wanted = wanted / coarse.candidates.sum(wanted)[coarse.candidates.phrase]
        torch.testing.assert_close(coarse.attention, wanted)


def test_the_released_score_ranks_boxes_alike_for_all_phrases() -> None:
    said, boxes = captions(SENTENCES[:1]), regions().of(0)
    linear = head(match="linear", contrast_boxes=False)(features()[:1], boxes, said).stages[0].attention.view(3, 5)
    torch.testing.assert_close(linear, linear[:1].expand(3, 5))
    product = head()(features()[:1], boxes, said).stages[0].attention.view(3, 5)
    assert not torch.allclose(product, product[:1].expand(3, 5))


def empty(counts: tuple[int, ...] = (0, 0, 0, 0)) -> Regions:
    return regions(counts)


@pytest.mark.parametrize("counts", [(0, 0, 0, 0), (1, 0, 2, 0), (1, 1, 1, 1)])
@pytest.mark.parametrize("norm", ["row", "picture"])
def test_pictures_without_boxes_or_with_one(counts: tuple[int, ...], norm: str) -> None:
    model, said = head(norm=norm), captions()
    found = model(features(), empty(counts), said, prior=prior(said.phrases))
    has = torch.tensor(counts)[said.picture[said.caption]] > 0
    assert found.boxes().isnan().all(1).tolist() == (~has).tolist()
    assert ((found.proposal < 0) == ~has).all() and bool((found.scores[~has] == 0).all())
    assert found.seen.tolist() == has.tolist()
    loss = weighted(model.losses(found, said), WEIGHTS)
    assert bool(loss.isfinite())
    loss.backward()
    for parameter in model.parameters():
        assert parameter.grad is None or bool(parameter.grad.isfinite().all())


def test_captions_without_phrases() -> None:
    model, said = head(), captions(["indoors", "indoors"], picture=[0, 1])
    assert said.phrases == 0
    found = model(features(), regions(), said)
    assert found.boxes().shape == (0, 4)
    loss = weighted(model.losses(found, said), WEIGHTS)
    assert float(loss.detach()) == 0.0
    loss.backward()


def test_duplicate_boxes_change_nothing_but_their_share() -> None:
    model, said = head(), captions(SENTENCES[:1])
    one = regions((4,))
    twice = one.select(torch.tensor([0, 0, 1, 1, 2, 2, 3, 3]))
    found = model(features()[:1], twice, said)
    loss = weighted(model.losses(found, said), WEIGHTS)
    assert bool(loss.isfinite()) and bool(found.boxes().isfinite().all())
    torch.testing.assert_close(found.stages[0].attention[::2] * 2, model(features()[:1], one, said).stages[0].attention)


def test_a_phrase_that_no_class_suits_falls_back_to_plain_attention() -> None:
    said = captions(SENTENCES[:1])
    none = torch.zeros(said.phrases, 3, dtype=torch.float64)
    plain = head()(features()[:1], regions().of(0), said)
    fallen = head()(features()[:1], regions().of(0), said, prior=none)
    torch.testing.assert_close(fallen.stages[0].attention, plain.stages[0].attention)
    released = head(compat="reir")(features()[:1], regions().of(0), said, prior=none)
    assert not released.stages[0].attention.any()


def test_boxes_of_a_class_that_does_not_suit_get_nothing() -> None:
    said, boxes = captions(SENTENCES[:1]), regions().of(0)
    suits = torch.zeros(said.phrases, 3, dtype=torch.float64)
    suits[:, 1] = 0.5
    found = head()(features()[:1], boxes, said, prior=suits).stages[0]
    assert ((found.attention > 0) == (boxes.labels[found.candidates.region] == 1)).all()
    unknown = Regions.make(boxes.boxes, boxes.sizes)
    plain = head()(features()[:1], unknown, said, prior=suits).stages[0]
    torch.testing.assert_close(plain.attention, head()(features()[:1], unknown, said).stages[0].attention)


def test_what_cannot_be(unchecked: None) -> None:
    said = captions()
    with pytest.raises(InputError, match=r"refine must be 0 in a network without a fine stage.*got 1"):
        head(**VARIANTS["matching"])(features(), regions(), said, refine=1)
    with pytest.raises(InputError, match="got -1"):
        head()(features(), regions(), said, refine=-1)
    with pytest.raises(InputError, match="The prior holds 2 phrases, the captions 7"):
        head()(features(), regions(), said, prior=prior(2))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 0}, "width must be a whole number of at least 1; got 0"),
        ({"gap": 1.5}, r"gap must lie in \[0, 1\]; got 1.5"),
        ({"overlap": 0.0}, "overlap must be above 0 and at most 1; got 0"),
        ({"norm": "rows"}, "Did you mean 'row'"),
        ({"compat": "pysgg"}, "Unknown compat 'pysgg'"),
        ({"fine": False}, "with fine=False set relate"),
        ({"match": "linear"}, "set match='product', or"),
        ({"prior": "shares"}, "Did you mean 'share'"),
    ],
)
def test_settings_that_cannot_be(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        GroundingConfig(**changes)

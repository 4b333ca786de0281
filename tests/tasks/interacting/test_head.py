"""The head as tasks call it: which losses, how they are weighed, when relatedness begins, how it grows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from lichen.backbones.features import Features
from lichen.errors import InputError
from lichen.heads.given import Given
from lichen.heads.hoi import TeacherScores, weak_scores, zero_shot_scores
from lichen.heads.hoi.weak import WeakHOI
from lichen.heads.hoi.zero_shot import ZeroShotHOI
from lichen.tasks.interacting.config import InteractConfig
from lichen.tasks.interacting.head import InteractHead
from lichen.tasks.interacting.proposals import Told

from ...heads.hoi.tiny import OBJECTS, TEACHABLE, make_inputs

GIVEN = Given("maps", 8, modality="image")
TEXTS = torch.randn(5, 7, generator=torch.Generator().manual_seed(3))


def head(**changes: Any) -> InteractHead:
    torch.manual_seed(0)
    return InteractHead(GIVEN, TEXTS, OBJECTS, TEACHABLE, InteractConfig(width=16, **changes))


def batch(counts: tuple[tuple[int, int, int], ...] = ((1, 1, 1), (2, 1, 0), (0, 2, 1), (1, 0, 0))) -> tuple[Any, Told]:
    made, draw = make_inputs(counts), torch.Generator().manual_seed(1)
    maps = torch.randn(len(counts), 8, 4, 4, generator=draw)
    labels = torch.rand(len(counts), 5, generator=draw) < 0.4
    teacher = TeacherScores(*(0.2 * torch.randn(n, 5, generator=draw) for n in (len(counts), len(made.pairs))))
    truths = made.compatible & (torch.rand(len(made.pairs), 5, generator=draw) < 0.5)
    told = Told(made.regions, made.pairs, labels, torch.zeros_like(labels), truths, teacher)
    return {"image": Features((maps,), maps, grid=(4, 4), indices=(1,))}, told


@pytest.mark.parametrize(
    ("method", "parts"),
    [
        ("weak", {"image": 1.0, "bag": 1.0, "related": 0.3}),
        ("supervised", {"image": 1.0, "pair": 1.0, "related": 0.3}),
        ("zero-shot", {"image": 1.0, "union": 0.4, "instances": 0.6}),
    ],
)
def test_losses_are_weighed(method: str, parts: dict[str, float]) -> None:
    made = head(method=method, related_weight=0.3, union_weight=0.4, instance_weight=0.6).eval()
    features, told = batch()
    found = made(features, {"told": told})
    assert set(found) == {"loss", "picture_loss", *(f"loss_{name}" for name in parts)}
    total = sum(weight * found[f"loss_{name}"] for name, weight in parts.items())
    torch.testing.assert_close(found["loss"], total)
    assert found["picture_loss"].shape == (4,) and bool((found["picture_loss"] == found["loss"]).all())
    assert made(features) == {}
    assert isinstance(made.network, ZeroShotHOI if method == "zero-shot" else WeakHOI)


def test_relatedness_begins_after_its_warm_up_and_steps_are_kept() -> None:
    made = head(warm_up=2).train()
    features, told = batch()
    seen = ["loss_related" in made(features, {"told": told}) for _ in range(4)]
    assert seen == [False, False, True, True] and int(made.steps) == 4
    again = head(warm_up=2).train()
    again.load_state_dict(made.state_dict())
    assert "loss_related" in again(features, {"told": told}), "a training that goes on knows where it was"
    fresh = head(warm_up=2).eval()
    assert "loss_related" in fresh(features, {"told": told}) and int(fresh.steps) == 0


@torch.no_grad()
def test_scores_are_fused_as_the_settings_say() -> None:
    features, told = batch()
    weak = head(factors=("pair", "related"), no_interaction="same").eval()
    inputs = weak.inputs(features, told.regions, told.pairs)
    found, related = weak.scores(inputs)
    scores = weak.network(inputs)
    torch.testing.assert_close(found, weak_scores(scores, inputs, TEACHABLE, weak.config.head))
    assert scores.related is not None and related is not None
    torch.testing.assert_close(related, scores.related.sigmoid())
    off = head(self_taught="off").eval()
    assert off.scores(inputs)[1] is None
    student = head(method="zero-shot", fusion="sum").eval()
    found, none = student.scores(inputs)
    assert none is None
    torch.testing.assert_close(found, zero_shot_scores(student.network(inputs), inputs, student.config.head))


@pytest.mark.parametrize("method", ["weak", "zero-shot"])
@torch.no_grad()
def test_added_interactions_change_no_answer(method: str) -> None:
    features, told = batch()
    made = head(method=method).eval()
    before, related = made.scores(made.inputs(features, told.regions, told.pairs))
    made.extend(
        torch.randn(2, 7), torch.tensor([[True, False], [False, True], [False, False]]), torch.tensor([True, False])
    )
    inputs = made.inputs(features, told.regions, told.pairs)
    after, again = made.scores(inputs)
    assert inputs.compatible.shape[1] == 7
    torch.testing.assert_close(after[:, :5], before, rtol=0, atol=1e-7)
    assert related is again is None or torch.equal(related, again)  # type: ignore[arg-type]
    added = after[:, 5:] > 0
    classes = told.regions.labels[told.pairs[:, 1]]
    assert torch.equal(added, torch.stack([classes == 0, classes == 1], 1))
    assert made.teachable.tolist() == [*TEACHABLE.tolist(), True, False]


@pytest.mark.parametrize("method", ["weak", "supervised", "zero-shot"])
@pytest.mark.parametrize("counts", [((0, 0, 0), (1, 0, 0)), ((0, 2, 1),), ((1, 1, 0), (0, 0, 0))])
def test_poor_batches_have_a_loss(method: str, counts: tuple[tuple[int, int, int], ...]) -> None:
    made = head(method=method).train()
    features, told = batch(counts)
    found = made(features, {"told": told})
    assert all(bool(each.isfinite()) for each in found.values())
    found["loss"].backward()
    assert all(bool(each.grad.isfinite().all()) for each in made.parameters() if each.grad is not None)
    assert made.scores(made.inputs(features, told.regions, told.pairs))[0].shape == (len(told.pairs), 5)


def test_two_hundred_boxes_are_learnt_from() -> None:
    made = head().train()
    features, told = batch(((60, 70, 70),))
    found = made(features, {"told": told})
    assert len(told.pairs) == 60 * 199 and bool(found["loss"].isfinite())
    found["loss"].backward()


def test_text_is_refused() -> None:
    with pytest.raises(InputError, match="the map or the patches of a picture"):
        InteractHead(replace(GIVEN, kind="tokens", modality="text"), TEXTS, OBJECTS, TEACHABLE, InteractConfig())

"""The classifier's answers and losses against their definitions."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from lichen.backbones.features import Features
from lichen.errors import InputError
from lichen.heads.classifier import Classifier
from lichen.heads.given import Given
from lichen.heads.summary import Summary
from lichen.testing import check_head

GIVEN = Given("tokens", 8)


def summary() -> Summary:
    return Summary(GIVEN, "mean")


def features(rows: int = 4, scale: float = 1.0) -> Features:
    return Features((), scale * torch.randn(rows, 5, 8, generator=torch.Generator().manual_seed(rows)))


def loud(head: Classifier) -> Classifier:
    """Weights large enough for the classes to differ, without dropout."""
    with torch.no_grad():
        head.linear.weight.copy_(torch.randn(head.linear.weight.shape, generator=torch.Generator().manual_seed(3)))
        head.linear.bias.copy_(torch.arange(len(head.linear.bias)))
    return head.eval()


@pytest.mark.parametrize(
    ("settings", "targets"),
    [
        ({"classes": 3}, torch.tensor([0, 2, 1, 2])),
        ({"classes": 3, "label_smoothing": 0.1, "class_weights": [1.0, 2.0, 0.5]}, torch.tensor([0, 2, 1, 2])),
        ({"classes": 3, "standardise": False}, torch.tensor([0, 2, 1, 2])),
        ({"classes": 3}, torch.tensor([[0.2, 0.8, 0.0], [1.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.3, 0.3, 0.4]])),
        ({"classes": 2, "multi_label": True}, torch.tensor([[0, 1], [1, 1], [0, 0], [1, 0]])),
        ({"classes": 1, "multi_label": True, "class_weights": [3.0]}, torch.tensor([[0.0], [1.0], [1.0], [0.0]])),
    ],
)
def test_conforms(settings: dict, targets: torch.Tensor) -> None:
    check_head(lambda given: Classifier(Summary(given), **settings), targets)


def test_conforms_with_learned_pooling() -> None:
    kinds = ("text", "causal", "picture", "maps")
    check_head(lambda given: Classifier(Summary(given, "gpo"), 3), torch.tensor([0, 2, 1, 2]), kinds=kinds)


@pytest.mark.parametrize("pooling", ["mean", "cls", "cls+mean", "last"])
def test_conforms_with_every_pooling(pooling) -> None:
    check_head(lambda given: Classifier(Summary(given, pooling), 3), torch.tensor([0, 2, 1, 2]), kinds=("text",))


def test_a_fresh_head_is_nearly_undecided() -> None:
    torch.manual_seed(0)
    head = Classifier(Summary(Given("tokens", 384), "mean"), 10)
    assert not head.linear.bias.any()
    assert head.linear.weight.std().item() == pytest.approx(0.02, rel=0.05)
    wild = Features((), 1000 * torch.randn(6, 5, 384))
    loss = head(wild, torch.arange(6))["loss"].item()
    assert loss == pytest.approx(math.log(10), abs=0.3)


def test_scale_of_the_backbone_does_not_matter() -> None:
    head = loud(Classifier(summary(), 3))
    torch.testing.assert_close(
        head(features(scale=1e3))["logits"], head(features(scale=1.0))["logits"], atol=1e-3, rtol=1e-3
    )
    raw = loud(Classifier(summary(), 3, standardise=False))
    assert not torch.allclose(raw(features(scale=1e3))["logits"], raw(features(scale=1.0))["logits"])


def test_single_label_loss() -> None:
    weights, smoothing = [1.0, 3.0, 0.5], 0.2
    head = loud(Classifier(summary(), 3, label_smoothing=smoothing, class_weights=weights))
    targets = [1, 0, 2, 1]
    found = head(features(), torch.tensor(targets))
    total = 0.0
    for row, target in enumerate(targets):
        log = found["logits"][row].detach().log_softmax(0)
        own = -weights[target] * log[target]
        spread = -sum(weights[index] * log[index] for index in range(3)) / 3
        total += (1 - smoothing) * own + smoothing * spread
    assert found["loss"].item() == pytest.approx(float(total) / 4, rel=1e-5)
    plain = loud(Classifier(summary(), 3))(features(), torch.tensor(targets))
    assert plain["loss"].item() == pytest.approx(
        nn.functional.cross_entropy(plain["logits"], torch.tensor(targets)).item()
    )
    shares = nn.functional.one_hot(torch.tensor(targets)).float()
    assert loud(Classifier(summary(), 3))(features(), shares)["loss"].item() == pytest.approx(plain["loss"].item())


def test_multi_label_loss() -> None:
    weights, smoothing = [1.0, 3.0], 0.1
    head = loud(Classifier(summary(), 2, multi_label=True, label_smoothing=smoothing, class_weights=weights))
    targets = torch.tensor([[0, 1], [1, 1], [0, 0], [1, 0]])
    found = head(features(), targets)
    total = 0.0
    for row in range(4):
        for index in range(2):
            p = found["logits"][row, index].sigmoid().item()
            wanted = targets[row, index].item() * (1 - smoothing) + smoothing / 2
            total -= weights[index] * wanted * math.log(p) + (1 - wanted) * math.log(1 - p)
    assert found["loss"].item() == pytest.approx(total / 8, rel=1e-4)


@pytest.mark.parametrize("multi_label", [False, True])
def test_two_half_batches_give_the_loss_of_the_whole(multi_label: bool) -> None:
    head = loud(Classifier(summary(), 3, multi_label=multi_label, class_weights=[1.0, 5.0, 0.2]))
    targets = torch.eye(3)[[0, 1, 1, 2]] if multi_label else torch.tensor([0, 1, 1, 2])
    whole = head(features(), targets)["loss"]
    halves = [head(features()[rows], targets[rows])["loss"] for rows in (slice(0, 2), slice(2, 4))]
    torch.testing.assert_close(sum(halves) / 2, whole)


def test_probabilities() -> None:
    logits = torch.tensor([[0.0, math.log(3.0)]])
    assert Classifier(summary(), 2).probabilities(logits).tolist() == [pytest.approx([0.25, 0.75])]
    assert Classifier(summary(), 2, multi_label=True).probabilities(logits).tolist() == [pytest.approx([0.5, 0.75])]


def test_dropout_only_in_training() -> None:
    head = loud(Classifier(summary(), 3, dropout=0.5))
    assert torch.equal(head(features())["logits"], head(features())["logits"])
    assert not torch.equal(head.train()(features())["logits"], head(features())["logits"])


def test_class_weights_are_no_part_of_the_saved_head() -> None:
    head = Classifier(summary(), 2, class_weights=[1.0, 2.0])
    assert set(head.state_dict()) == {"linear.weight", "linear.bias"}


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"classes": 1}, "at least 2 classes; got 1"),
        ({"classes": 0, "multi_label": True}, "at least 1 classes; got 0"),
        ({"classes": 3, "dropout": 1.0}, r"dropout must lie in \[0, 1\)"),
        ({"classes": 3, "label_smoothing": -0.1}, "label_smoothing must lie in"),
        ({"classes": 3, "class_weights": [1.0, 2.0]}, "must hold 3 numbers"),
        ({"classes": 2, "class_weights": [1.0, -2.0]}, "at least 0"),
    ],
)
def test_settings_out_of_range(settings: dict, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        Classifier(summary(), **settings)


@pytest.mark.parametrize(
    ("multi_label", "targets"),
    [
        (False, torch.tensor([0, 1])),
        (False, torch.zeros(4, 2)),
        (True, torch.tensor([0, 1, 2, 0])),
        (True, torch.zeros(4, 2)),
    ],
)
def test_targets_of_another_shape(multi_label: bool, targets: torch.Tensor, unchecked: None) -> None:
    head = Classifier(summary(), 3, multi_label=multi_label)
    with pytest.raises(
        InputError, match=r"4, 3\] .*expected; got" if multi_label else r"\[4\] or \[4, 3\] are expected"
    ):
        head(features(), targets)

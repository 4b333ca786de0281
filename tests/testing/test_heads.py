"""The conformance suite of heads passes a sound head and catches one that is wrong in one way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from lichen.backbones.features import Features
from lichen.errors import InputError
from lichen.heads.given import Given
from lichen.heads.summary import Summary
from lichen.testing import ConformanceError, check_head
from lichen.testing.heads import BATCH, GIVEN, features_of

TARGETS = torch.tensor([0.5, -1.0, 2.0, 0.0], dtype=torch.float64)


class Sound(nn.Module):
    """A regression of one number on the default summary; each class below breaks it in one way."""

    def __init__(self, given: Given) -> None:
        super().__init__()
        self.summary = Summary(given)
        self.linear = nn.Linear(self.summary.width, 1)

    def vector(self, features: Features) -> Tensor:
        return self.summary(features).to(self.linear.weight.dtype)

    def answer(self, features: Features) -> Tensor:
        return self.linear(self.vector(features)).squeeze(-1)

    def loss(self, found: Tensor, targets: Tensor) -> Tensor:
        return (found - targets).square().mean()

    def forward(self, features: Features, targets: Tensor | None = None):
        found = self.answer(features)
        return {"value": found} if targets is None else {"value": found, "loss": self.loss(found, targets)}


class ReturnsTuple(Sound):
    def forward(self, features, targets=None):
        return tuple(super().forward(features, targets).values())


class NamesInPlaceOfTensors(Sound):
    def forward(self, features, targets=None):
        return {**super().forward(features, targets), "kind": "regression"}


class NoLoss(Sound):
    def forward(self, features, targets=None):
        return {"value": self.answer(features)}


class LossUnasked(Sound):
    def forward(self, features, targets=None):
        return super().forward(features, torch.zeros(len(features.final)) if targets is None else targets)


class LossASample(Sound):
    def loss(self, found, targets):
        return (found - targets).square()


class NotFinite(Sound):
    def answer(self, features):
        return super().answer(features) / 0


class OneForAll(Sound):
    def answer(self, features):
        return super().answer(features)[:1]


class LosesDtype(Sound):
    def answer(self, features):
        return super().answer(features).float()


class HalfOnly(Sound):
    def answer(self, features):
        found = super().answer(features)
        return found.to(torch.bfloat16) if features.final.dtype == torch.bfloat16 else found


class AlwaysDrops(Sound):
    def answer(self, features):
        return nn.functional.dropout(super().answer(features), 0.5, training=True)


class PeeksAtTargets(Sound):
    def forward(self, features, targets=None):
        found = super().forward(features, targets)
        if targets is not None:
            found["value"] = found["value"] + targets.to(found["value"])
        return found


class PoolsPadding(Sound):
    def vector(self, features):
        return super().vector(replace(features, mask=None))


class CountsColumns(Sound):
    def vector(self, features):
        return super().vector(features) * features.final.shape[1]


class CentresTheBatch(Sound):
    def answer(self, features):
        found = super().answer(features)
        return found - found.mean(0)


class CountsSamples(Sound):
    def answer(self, features):
        found = super().answer(features)
        return found + torch.arange(len(found), dtype=found.dtype)


class FirstMatters(Sound):
    def loss(self, found, targets):
        return super().loss(found, targets) + found[0].square()


class Unused(Sound):
    def __init__(self, given: Given) -> None:
        super().__init__(given)
        self.spare = nn.Linear(2, 2)


class CutsTheSide(Sound):
    def vector(self, features):
        return super().vector(features).detach()


class Overwrites(Sound):
    def vector(self, features):
        with torch.no_grad():
            features.final.detach().clamp_(max=0.5)
        return super().vector(features)


class EndlessGradient(Sound):
    def answer(self, features):
        found = super().answer(features)
        return found + 0 * (found - found).abs().sqrt()


class HiddenWeights(Sound):
    def __init__(self, given: Given) -> None:
        super().__init__(given)
        self.secret = torch.randn(1)

    def answer(self, features):
        found = super().answer(features)
        return found * self.secret.to(found)


class ShapeOfTheDay(Sound):
    count = 0

    def __init__(self, given: Given) -> None:
        super().__init__(given)
        type(self).count += 1
        self.register_buffer(f"run{self.count}", torch.zeros(1))


WRONG = [
    (ReturnsTuple, "must return a dict of tensors, or a tensor; got tuple"),
    (NamesInPlaceOfTensors, "kind must be a tensor; it is a str"),
    (NoLoss, "must return a loss when it gets targets"),
    (LossUnasked, "and only then"),
    (LossASample, r"must be a scalar; it has shape \[4\]"),
    (NotFinite, "value holds values that are not finite, in torch.float64"),
    (OneForAll, "value must have one entry a sample"),
    (LosesDtype, "value is torch.float32 for torch.float64"),
    (HalfOnly, "value is torch.bfloat16 for stored bfloat16"),
    (AlwaysDrops, "Two passes in eval mode"),
    (PeeksAtTargets, "or targets did"),
    (PoolsPadding, "Padding changed value"),
    (CountsColumns, "Padding changed value"),
    (CentresTheBatch, "in a smaller batch must give the same value"),
    (CountsSamples, "in another order must give the same value"),
    (FirstMatters, "order of the batch changed the loss"),
    (Unused, "No gradient reaches parameter 'spare.weight'"),
    (CutsTheSide, "No gradient reaches the features"),
    (Overwrites, "changed its input in place"),
    (EndlessGradient, "is not finite"),
    (HiddenWeights, "does not hold all that decides"),
    (ShapeOfTheDay, "cannot load the state dict"),
]


def test_the_sound_head_passes() -> None:
    check_head(Sound, TARGETS)


@pytest.mark.parametrize(("wrong", "sentence"), WRONG, ids=lambda value: getattr(value, "__name__", None))
def test_each_wrong_head_is_caught(wrong: type[nn.Module], sentence: str) -> None:
    with pytest.raises(ConformanceError, match=sentence):
        check_head(wrong, TARGETS, kinds=("text",))


class ReadsTokensOnly(Sound):
    def vector(self, features: Features) -> Tensor:
        if features.is_maps:
            raise ConformanceError("no maps")
        return super().vector(features)


def test_the_message_says_on_what_features() -> None:
    with pytest.raises(ConformanceError, match=r"no maps \(features: maps\)"):
        check_head(ReadsTokensOnly, TARGETS)
    check_head(ReadsTokensOnly, TARGETS, kinds=("text", "causal", "picture", "vector"))


class Likeness(nn.Module):
    """A head of two parts."""

    def __init__(self, given: Mapping[str, Given], spoiled: str = "") -> None:
        super().__init__()
        self.heads = nn.ModuleDict({part: Sound(each) for part, each in given.items()})
        self.spoiled = spoiled

    def forward(self, features: Mapping[str, Features], targets: Mapping[str, Tensor] | None = None):
        found = {part: self.heads[part].answer(each) for part, each in features.items()}
        if self.spoiled:
            found[self.spoiled] = found[self.spoiled].detach() + 0 * found[self.spoiled]
        if targets is None:
            return found
        return {**found, "loss": (found["a"] * found["b"] - targets["wanted"]).square().mean()}


def test_heads_of_two_parts() -> None:
    check_head(Likeness, {"wanted": TARGETS}, parts=("a", "b"))
    for part in ("a", "b"):
        with pytest.raises(ConformanceError, match=f"No gradient reaches parameter 'heads.{part}.linear.weight'"):
            check_head(lambda given, part=part: Likeness(given, part), {"wanted": TARGETS}, parts=("a", "b"))


def test_declared_inert_parameters_are_allowed() -> None:
    check_head(Unused, TARGETS, inert=["spare"])


def test_unknown_kind() -> None:
    with pytest.raises(InputError, match="Did you mean 'maps'"):
        check_head(Sound, TARGETS, kinds=("map",))


@pytest.mark.parametrize("kind", GIVEN)
def test_features_are_what_they_claim(kind: str) -> None:
    given, features = GIVEN[kind], features_of(GIVEN[kind])
    assert len(features.final) == BATCH
    assert features.final.shape[1 if given.kind == "maps" else -1] == given.width
    assert features.is_maps == (given.kind == "maps")
    assert (features.final.ndim == 2) == (given.kind == "vector")
    assert (features.pooled is None) == (given.pooled is None)
    padded = features.mask is not None and not features.mask.all()
    assert padded == (given.kind == "tokens" and given.modality == "text")

"""attach() on every task, family and side network: trains, leaves the backbone alone, and comes off without a trace."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from transformers import BertForMultipleChoice

import lichen
from lichen.backbones.backbone import Backbone
from lichen.errors import InputError
from lichen.side.attach.checkpoint import fingerprint

from ...families import PAIRS, make_batch, make_inputs, make_model, shake
from .common import CASES, LABELS, MAPS, REFUSED, SIDES, assert_same, attached, frozen_state, snapshot, train

IDENTITY = {"probe", "pooled", "lst", "unipt"}
"""Side networks that start as the frozen model itself beside a single trunk of tokens or maps."""


@pytest.mark.parametrize(("task", "family", "side"), CASES)
def test_trains_beside_a_backbone_that_stays(task: str, family: str, side: str) -> None:
    model, batch = attached(task, family, side)
    before, digest = frozen_state(model), fingerprint(model, model.lichen_anatomy)
    losses = train(model, batch)
    assert losses[-1] < losses[0]
    shake(model).train()
    model(**batch).loss.backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name
    trained = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert trained and all(id(parameter) in {id(p) for p in model.lichen.parameters()} for _, parameter in trained)
    after = frozen_state(model)
    assert before.keys() == after.keys()
    assert all(torch.equal(value, after[key]) for key, value in before.items())
    assert fingerprint(model, model.lichen_anatomy) == digest


@pytest.mark.parametrize(("task", "family", "side"), CASES)
def test_detach_gives_the_original_back(task: str, family: str, side: str) -> None:
    model = make_model(task, family)
    batch = make_batch(task, model)
    # Flags that are all alike would hide a mistake.
    next(model.parameters()).requires_grad_(False)
    next(module for module in model.modules() if isinstance(module, torch.nn.Linear)).train()
    before = snapshot(model)
    with torch.no_grad():
        wanted = model(**batch)
    lichen.attach(model, SIDES[side])
    assert type(model).__name__ == before["class"].__name__ and isinstance(model, before["class"])
    train(shake(model), batch, steps=1)
    assert lichen.detach(model) is model
    assert_same(snapshot(model), before)
    with torch.no_grad():
        found = model(**batch)
    assert type(found) is type(wanted)
    for key in wanted:
        if isinstance(wanted[key], torch.Tensor):
            assert torch.equal(found[key], wanted[key]), key


@pytest.mark.parametrize(("task", "family", "side"), [case for case in CASES if case[2] in IDENTITY])
def test_starts_as_the_frozen_model(task: str, family: str, side: str) -> None:
    model = make_model(task, family)
    batch = make_batch(task, model)
    with torch.no_grad():
        wanted = model(**batch).loss
        lichen.attach(model, SIDES[side])
        found = model(**batch).loss
    if (task in ("seq2seq", "towers") and side == "unipt") or (family == "t5" and side == "lst"):
        assert found.isfinite()  # the published forms start elsewhere
    else:
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("task", "family", "side"), [case for case in CASES if case[0] != "seq2seq"])
def test_cached_equals_live(task: str, family: str, side: str) -> None:
    model, batch = attached(task, family, side)
    shake(model).eval()
    inputs = {key: value for key, value in batch.items() if key not in LABELS}
    extra = {key: value for key, value in batch.items() if key in LABELS}
    if "input_ids" in batch:
        extra["input_ids"] = batch["input_ids"]
    if task == "towers":
        extra["pixel_values"] = batch["pixel_values"]
    features = model.read_features(**inputs)
    held = features.values() if isinstance(features, dict) else [features]
    assert not any(state.requires_grad for each in held for state in each.states)
    live, cached = model(**batch), model(features=features, **extra)
    assert torch.equal(live.loss, cached.loss)
    live.loss.backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.requires_grad}
    model.zero_grad(set_to_none=True)
    cached.loss.backward()
    for name, gradient in gradients.items():
        assert torch.equal(model.get_parameter(name).grad, gradient), name


def test_cached_features_may_hold_more_states_than_needed() -> None:
    model = make_model("sequence", "bert")
    inputs = make_inputs(model)
    lichen.attach(model, lichen.UniPTConfig(layers=(1, 3)))
    shake(model).eval()
    live = model(**inputs).logits
    features = model.read_features(**inputs)
    assert features.indices == (1, 3)
    assert torch.equal(model(features=features).logits, live)
    fresh = Backbone(make_model("sequence", "bert"))(**inputs)
    assert fresh.indices == (0, 1, 2, 3)
    assert torch.equal(model(features=fresh).logits, live)
    with pytest.raises(InputError, match=r"Hidden states \[1, 3\] are wanted, but these features hold \(0, 1\)"):
        model(features=fresh.select((0, 1)))


@pytest.mark.parametrize("side", ["unipt", "sherl", "pooled", "lst", "probe"])
@pytest.mark.parametrize(("task", "family"), [("sequence", "bert"), ("image", "vit"), ("image", "resnet")])
def test_half_precision_backbones_train_a_float32_side_network(task: str, family: str, side: str) -> None:
    if side == "lst" and family in MAPS:
        pytest.skip("LST has no form for maps")
    model = make_model(task, family).to(torch.bfloat16)
    batch = make_batch(task, model)
    batch = {key: value.bfloat16() if value.is_floating_point() else value for key, value in batch.items()}
    lichen.attach(model, SIDES[side])
    sides = list(model.lichen.slot("default").sides.parameters())
    assert all(parameter.dtype == torch.float32 for parameter in sides)
    assert model(**batch).logits.dtype == torch.bfloat16
    train(model, batch, steps=1)
    features = model.read_features(**{key: value for key, value in batch.items() if key != "labels"})
    assert features.final.dtype == torch.bfloat16
    assert torch.equal(model(features=features).logits, model(**batch).logits)


@pytest.mark.parametrize("side", ["unipt", "lst", "sherl"])
@pytest.mark.parametrize(
    ("task", "family"), [("causal", "llama"), ("seq2seq", "t5"), ("seq2seq", "bart"), ("towers", "clip")]
)
def test_half_precision_of_the_other_kinds(task: str, family: str, side: str) -> None:
    model = make_model(task, family).to(torch.bfloat16)
    batch = make_batch(task, model)
    batch = {
        key: value.bfloat16() if isinstance(value, torch.Tensor) and value.is_floating_point() else value
        for key, value in batch.items()
    }
    lichen.attach(model, SIDES[side])
    assert all(loss == loss for loss in train(model, batch, steps=2))


@pytest.mark.parametrize(("task", "family", "side"), [("sequence", "bert", "unipt"), ("image", "resnet", "sherl")])
def test_autocast_trains(task: str, family: str, side: str) -> None:
    model, batch = attached(task, family, side)
    model.train()
    with torch.autocast("cpu", torch.bfloat16):
        loss = model(**batch).loss
    loss.backward()
    assert all(p.grad.dtype == p.dtype for p in model.parameters() if p.grad is not None)


def test_pictures_of_another_size() -> None:
    model = make_model("image", "vit")
    lichen.attach(model, lichen.SHERLConfig())
    shake(model).eval()
    inputs = {"pixel_values": torch.randn(2, 3, 48, 40), "interpolate_pos_encoding": True}
    features = model.read_features(**inputs)
    assert features.grid == (6, 5)
    assert torch.equal(model(features=features).logits, model(**inputs).logits)


@pytest.mark.parametrize(("task", "family", "side"), REFUSED)
def test_what_cannot_work_is_refused_and_changes_nothing(task: str, family: str, side: str) -> None:
    model = make_model(task, family)
    before = snapshot(model)
    with pytest.raises(InputError, match=r"Use UniPTConfig|Use .*ProbeConfig for staged"):
        lichen.attach(model, SIDES[side])
    assert_same(snapshot(model), before)


@pytest.mark.parametrize(("task", "family"), PAIRS)
def test_untied_from_how_the_model_returns(task: str, family: str) -> None:
    model, batch = attached(task, family, "unipt")
    model.eval()
    with torch.no_grad():
        first, listed = model(**batch), model(**batch, return_dict=False)
    assert isinstance(listed, tuple) and torch.equal(listed[0], first[0])


def test_positional_inputs_and_no_labels() -> None:
    model, batch = attached("sequence", "bert", "unipt")
    model.eval()
    output = model(batch["input_ids"], batch["attention_mask"])
    assert output.loss is None
    assert torch.equal(output.logits, model(**batch).logits)


def test_frozen_head_stays() -> None:
    model = make_model("sequence", "bert")
    head = model.classifier
    lichen.attach(model, replace(SIDES["unipt"], train_head=False))
    assert model.classifier is head and not head.weight.requires_grad
    batch = make_batch("sequence", model)
    weight = head.weight.clone()
    train(model, batch)
    assert torch.equal(head.weight, weight)


def test_read_features_needs_an_active_side_network() -> None:
    model, batch = attached("sequence", "bert", "unipt")
    model.set_side(None)
    with pytest.raises(InputError, match="No side network is active"):
        model.read_features(input_ids=batch["input_ids"])
    seq2seq, batch = attached("seq2seq", "t5", "unipt")
    with pytest.raises(InputError, match="cannot be trained from stored features"):
        seq2seq.read_features(input_ids=batch["input_ids"])


def test_towers_want_features_by_part() -> None:
    model, batch = attached("towers", "clip", "unipt")
    features = model.read_features(input_ids=batch["input_ids"], pixel_values=batch["pixel_values"])
    assert set(features) == {"vision", "text"}
    with pytest.raises(InputError, match="give features as a dict by part"):
        model(features=features["text"], **batch)
    with pytest.raises(InputError, match="a dict with the parts vision, text"):
        model(features={"vision": features["vision"]}, **batch)


def test_towers_answer_one_at_a_time() -> None:
    model, batch = attached("towers", "clip", "unipt")
    shake(model).eval()
    whole = model(**batch)
    pictures = model.get_image_features(pixel_values=batch["pixel_values"])
    texts = model.get_text_features(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
    for found, wanted in ((pictures, whole.image_embeds), (texts, whole.text_embeds)):
        found: Any = getattr(found, "pooler_output", found)
        torch.testing.assert_close(found / found.norm(dim=-1, keepdim=True), wanted)


@pytest.mark.parametrize("side", SIDES)
def test_multiple_choice_counts_choices_not_labels(side: str) -> None:
    trunk = make_model("sequence", "bert").config
    model = lichen.attach(BertForMultipleChoice(trunk), SIDES[side])
    ids = torch.randint(3, 50, (2, 5, 6))
    answer = model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=torch.tensor([0, 4]))
    assert answer.logits.shape == (2, 5) and answer.loss.isfinite()


def test_labels_of_a_language_model_may_come_along_when_features_are_read() -> None:
    model, batch = attached("causal", "llama", "unipt")
    features = model.read_features(**batch)
    assert torch.equal(model(features=features, labels=batch["labels"]).loss, model(**batch).loss)

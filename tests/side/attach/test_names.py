"""Several side networks on one model, told apart by name, and deep copies of it."""

from __future__ import annotations

import copy

import pytest
import torch

import lichen
from lichen.errors import InputError

from ...families import make_batch, make_inputs, make_model, shake
from .common import SIDES, assert_same, attached, snapshot, train

PAIRS = [
    ("sequence", "bert"),
    ("image", "vit"),
    ("image", "resnet"),
    ("seq2seq", "t5"),
    ("causal", "gpt2"),
    ("towers", "clip"),
]


@pytest.mark.parametrize(("task", "family"), PAIRS)
def test_training_one_leaves_the_others_answers(task: str, family: str) -> None:
    model = make_model(task, family)
    batch = make_batch(task, model)
    before = snapshot(model)
    with torch.no_grad():
        original = model(**batch).loss
    lichen.attach(model, SIDES["unipt"], "first")
    shake(model)
    lichen.attach(model, SIDES["sherl"], "second")
    assert model.side_names == ["first", "second"] and model.active_side == "second"

    def answer(name: str | None) -> torch.Tensor:
        model.set_side(name).eval()
        with torch.no_grad():
            return model(**batch).loss

    answers = {name: answer(name) for name in ("first", "second", None)}
    assert torch.equal(answers[None], original)
    assert not torch.equal(answers["first"], answers["second"])
    model.set_side("second")
    train(model, batch)
    assert not torch.equal(answer("second"), answers["second"])
    assert torch.equal(answer("first"), answers["first"]) and torch.equal(answer(None), original)

    assert lichen.detach(model, "second") is model and model.side_names == ["first"]
    assert torch.equal(answer("first"), answers["first"])
    lichen.detach(model, "first")
    assert_same(snapshot(model), before)


def test_only_the_active_one_is_trained_and_seen_by_an_optimiser() -> None:
    model, batch = attached("sequence", "bert", "unipt")
    lichen.attach(model, SIDES["probe"], "probe")
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert trained == {"classifier.weight", "classifier.bias"}
    model.set_side(None)
    assert not any(parameter.requires_grad for parameter in model.parameters())
    model.set_side("default")
    train(shake(model), batch)
    slot = model.lichen.slot("probe")
    assert not any(parameter.requires_grad for parameter in slot.parameters())


@pytest.mark.parametrize(
    ("first", "second"), [("unipt", "sherl"), ("sherl", "sherl"), ("sherl", "unipt"), ("lst", "sherl")]
)
@pytest.mark.parametrize("family", ["bert", "llama"])
def test_stored_features_work_for_each(family: str, first: str, second: str) -> None:
    # The late layers of a second side network are those of a model that is grafted already.
    model, batch = attached("sequence", family, first)
    shake(model)
    lichen.attach(model, SIDES[second], "second")
    shake(model).eval()
    inputs = {key: value for key, value in batch.items() if key != "labels"}
    for name in ("default", "second"):
        model.set_side(name)
        features = model.read_features(**inputs)
        assert torch.equal(model(features=features, input_ids=batch["input_ids"]).logits, model(**inputs).logits)


def test_each_has_its_own_head_and_its_own_kept_bytes() -> None:
    model, batch = attached("sequence", "bert", "unipt")
    train(model, batch, steps=1)
    first = model.lichen.kept["bytes"]
    lichen.attach(model, SIDES["probe"], "probe")
    assert model.lichen.kept is None
    train(model, batch, steps=1)
    assert 0 < model.lichen.kept["bytes"] < first
    probe_head = model.classifier
    model.set_side("default")
    assert model.lichen.kept["bytes"] == first
    assert model.classifier is not probe_head


def test_attaching_again_is_refused_and_changes_nothing() -> None:
    model, batch = attached("sequence", "bert", "unipt")
    before, answer = snapshot(model), model(**batch).loss
    for config, name, says in [
        (SIDES["probe"], "default", "'default' is attached already. Choose another name"),
        (lichen.SHERLConfig(late_layers=9), "other", "late_layers=9 is too many"),
        (lichen.UniPTConfig(layers=(9,)), "other", "9 does not exist"),
        (SIDES["lst"].__class__(init="fisher"), "other", "needs the Fisher information"),
    ]:
        with pytest.raises(InputError, match=says):
            lichen.attach(model, config, name)
        assert model.active_side == "default" and model.side_names == ["default"]
        assert_same(snapshot(model), before)
    assert torch.equal(model(**batch).loss, answer)


@pytest.mark.parametrize("name", ["", "a.b", "a b", "a/b", "keys", "training", "forward", "type", "__class__"])
def test_names_that_cannot_be(name: str) -> None:
    model = make_model("sequence", "bert")
    before = snapshot(model)
    with pytest.raises(InputError, match=r"may hold letters|means something to PyTorch"):
        lichen.attach(model, SIDES["unipt"], name)
    assert_same(snapshot(model), before)


@pytest.mark.parametrize("name", ["a", "side-2", "über_1"])
def test_names_that_can(name: str) -> None:
    model = lichen.attach(make_model("sequence", "bert"), SIDES["unipt"], name)
    assert model.side_names == [name]


def test_unknown_names_get_advice() -> None:
    model, _ = attached("sequence", "bert", "unipt")
    for call in (model.set_side, lambda name: lichen.detach(model, name)):
        with pytest.raises(InputError, match=r"No side network is called 'defualt'. Did you mean 'default'"):
            call("defualt")
    assert model.active_side == "default"
    with pytest.raises(InputError, match="is not attached, so there is nothing to detach"):
        lichen.detach(make_model("sequence", "bert"))


def test_detaching_the_active_one_leaves_the_original_answer() -> None:
    model, batch = attached("sequence", "bert", "unipt")
    lichen.attach(shake(model), SIDES["probe"], "probe")
    lichen.detach(model, "probe")
    assert model.active_side is None and model.side_names == ["default"]
    assert torch.equal(model(**batch).logits, make_model("sequence", "bert")(**batch).logits)


@pytest.mark.parametrize(("task", "family"), PAIRS)
@pytest.mark.parametrize("side", ["unipt", "sherl"])
def test_a_deep_copy_is_independent(task: str, family: str, side: str) -> None:
    model, batch = attached(task, family, side)
    shake(model)
    twin = copy.deepcopy(model)
    mine = {id(tensor) for tensor in (*model.parameters(), *model.buffers())}
    assert not mine & {id(tensor) for tensor in (*twin.parameters(), *twin.buffers())}
    with torch.no_grad():
        answer = model(**batch).loss
        assert torch.equal(twin(**batch).loss, answer)
    state = snapshot(model)
    train(twin, batch)
    twin.base_model.get_parameter(next(name for name, _ in twin.base_model.named_parameters())).data.zero_()
    twin.set_side(None)
    assert model.active_side == "default"
    assert_same(snapshot(model), state)
    with torch.no_grad():
        assert torch.equal(model(**batch).loss, answer)
    lichen.detach(twin)
    assert_same(snapshot(model), state)


def test_a_deep_copy_reruns_its_own_late_layers() -> None:
    model, batch = attached("sequence", "bert", "sherl")
    shake(model).eval()
    inputs = {key: value for key, value in batch.items() if key != "labels"}
    features = model.read_features(**inputs)
    twin = copy.deepcopy(model)
    wanted = model(features=features).logits
    assert torch.equal(twin(features=features).logits, wanted)
    with torch.no_grad():
        twin.bert.encoder.layer[-1].output.dense.weight.zero_()
    assert not torch.equal(twin(features=features).logits, wanted)
    assert torch.equal(model(features=features).logits, wanted)


def test_switching_does_not_load_anything() -> None:
    model, _ = attached("sequence", "bert", "unipt")
    lichen.attach(model, SIDES["probe"], "probe")
    addresses = [tensor.data_ptr() for tensor in model.bert.parameters()]
    inputs = make_inputs(model)
    for name in ("default", "probe", None, "default"):
        model.set_side(name)
        model(**inputs)
        assert [tensor.data_ptr() for tensor in model.bert.parameters()] == addresses


def test_modes_reach_the_side_network_and_stop_before_the_backbone() -> None:
    model, _ = attached("image", "clip", "unipt")
    model.train()
    assert model.training and model.lichen.training and model.classifier.training
    assert not any(module.training for module in model.vision_model.modules())
    towers, _ = attached("towers", "clip", "unipt")
    towers.train()
    assert not towers.visual_projection.training and not towers.text_model.training
    assert not any(module.training for module in towers.eval().modules())

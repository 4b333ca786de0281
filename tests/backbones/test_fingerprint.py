"""A fingerprint changes with one bit of the weights, and with nothing that leaves the features as they are."""

from __future__ import annotations

import copy
from dataclasses import asdict, replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, ViTImageProcessorPil

from lichen.backbones.backbone import Backbone
from lichen.backbones.fingerprint import Fingerprint, digest_of, digest_of_settings, fingerprint_of, settings_of

from ..families import CONFIGS, make_model, make_trunk

MODEL = make_trunk("resnet")
NAMES = sorted(MODEL.state_dict())


def flip(tensor: torch.Tensor, bit: int) -> None:
    """Flip one bit of a contiguous tensor in place."""
    raw = tensor.view(-1).view(torch.uint8) if tensor.ndim else tensor.reshape(1).view(torch.uint8)
    raw[(bit // 8) % len(raw)] ^= 1 << (bit % 8)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(NAMES), st.integers(0, 10_000))
def test_one_bit_of_any_weight_or_buffer_counts(name: str, bit: int) -> None:
    model = copy.deepcopy(MODEL)
    before = Backbone(model).fingerprint
    flip(model.state_dict()[name], bit)
    after = Backbone(model).fingerprint
    assert after.weights != before.weights
    assert before.differences(after) == [f"weights: expected {before.weights[:12]}…, got {after.weights[:12]}…"]


@pytest.mark.parametrize("path", ["visual_projection", "text_projection"])
def test_projections_belong_to_the_backbone(path: str) -> None:
    model = make_trunk("clip")
    before = Backbone(model).fingerprint.weights
    flip(model.get_submodule(path).weight.data, 3)
    assert Backbone(model).fingerprint.weights != before


@pytest.mark.parametrize("family", CONFIGS)
def test_same_weights_same_fingerprint(family: str) -> None:
    assert Backbone(make_trunk(family)).fingerprint == Backbone(make_trunk(family)).fingerprint
    assert Backbone(make_trunk(family)).fingerprint.weights != Backbone(make_trunk(family, seed=1)).fingerprint.weights


def test_a_task_head_is_no_part_of_it() -> None:
    task = make_model("token", "bert")
    bare = make_trunk("bert")
    bare.pooler = None
    bare.load_state_dict(task.bert.state_dict())
    assert not Backbone(task).fingerprint.differences(Backbone(bare).fingerprint)


def test_precision_is_part_of_it_and_is_named_first() -> None:
    backbone = Backbone(make_trunk("bert"))
    before = backbone.fingerprint
    after = backbone.to(torch.bfloat16).fingerprint
    assert (before.dtype, after.dtype) == ("float32", "bfloat16")
    assert before.differences(after)[0] == "dtype: expected float32, got bfloat16"
    assert len(before.differences(after)) == 2


def test_id_and_revision_inform_but_do_not_differ() -> None:
    model = make_trunk("bert")
    model.config._name_or_path, model.config._commit_hash = "owner/name", "c0ffee"
    found = Backbone(model).fingerprint
    assert (found.model_id, found.revision) == ("owner/name", "c0ffee")
    assert found.differences(replace(found, model_id="elsewhere", revision="")) == []
    assert Fingerprint(**asdict(found)) == found == Fingerprint(**found.to_dict())


def test_architecture_names_the_parts() -> None:
    assert Backbone(make_trunk("bert")).fingerprint.architecture == "BertModel of width 16"
    both = Backbone(make_trunk("t5")).fingerprint.architecture
    assert both == "encoder T5Stack of width 16, decoder T5Stack of width 16"


def test_digest_sees_name_shape_and_dtype_not_layout() -> None:
    weight = torch.arange(6.0).reshape(2, 3)
    found = digest_of({"a": weight})
    assert found == digest_of({"a": weight.t().contiguous().t()})
    others = [{"b": weight}, {"a": weight.reshape(3, 2)}, {"a": weight.view(torch.int32)}, {"a": weight.double()}]
    assert len({found, *(digest_of(other) for other in others)}) == 5
    assert digest_of({"a": weight, "b": weight}) == digest_of({"b": weight, "a": weight})
    assert digest_of({"n": torch.tensor(0)}) != digest_of({"n": torch.tensor(1)})


def tokenizer(lower: bool = False) -> PreTrainedTokenizerFast:
    inner = Tokenizer(models.WordLevel({"[UNK]": 0, "[PAD]": 1, "good" if lower else "Good": 2}, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="[UNK]", pad_token="[PAD]")


def test_preprocessing_is_part_of_it() -> None:
    model = make_trunk("vit")
    small, large = (Backbone(model, processor=ViTImageProcessorPil(size=size)).fingerprint for size in (32, 48))
    assert small.preprocessing is not None and small.weights == large.weights
    (difference,) = small.differences(large)
    assert difference.startswith("preprocessing: expected ")
    # Where one of the two knows no processor there is nothing to compare.
    assert small.differences(Backbone(model).fingerprint) == []


def test_a_tokenizers_use_does_not_change_it() -> None:
    used, fresh = tokenizer(), tokenizer()
    used(["Good", "Good Good"], padding=True, truncation=True, max_length=2)
    assert digest_of_settings(settings_of(used)) == digest_of_settings(settings_of(fresh))
    assert digest_of_settings(settings_of(tokenizer(lower=True))) != digest_of_settings(settings_of(fresh))


def test_settings_do_not_tell_where_they_came_from(tmp_path) -> None:
    processor = ViTImageProcessorPil(size=32)
    processor.save_pretrained(tmp_path)
    again = ViTImageProcessorPil.from_pretrained(tmp_path)
    assert digest_of_settings(settings_of(processor)) == digest_of_settings(settings_of(again))


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"hidden_act": "relu"}, False),
        ({"layer_norm_eps": 1e-5}, False),
        ({"num_attention_heads": 4}, False),
        ({"num_labels": 7}, True),
        ({"hidden_dropout_prob": 0.3}, True),
        ({"architectures": ["BertForMaskedLM"]}, True),
    ],
    ids=str,
)
def test_settings_that_shape_the_answer_count_and_others_do_not(change: dict[str, Any], same: bool) -> None:
    model, other = make_trunk("bert"), make_trunk("bert")
    for key, value in change.items():
        setattr(other.config, key, value)
    found = fingerprint_of({"backbone": model}).differences(fingerprint_of({"backbone": other}))
    assert [line.partition(":")[0] for line in found] == ([] if same else ["settings"])

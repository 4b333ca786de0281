"""Nothing of the frozen backbone is kept for the backward pass, and whoever re-opens it hears of it at step 1."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers import ViTConfig, ViTForImageClassification

import lichen
from lichen.errors import GradientLeakError
from lichen.memory import KeptBytes, memory_report

from ...families import CONFIGS, make_batch, make_model, shake
from .common import CASES, SIDES, attached, frozen_state, train

pytestmark = pytest.mark.filterwarnings(
    # 2026-11: transformers 5.23 renames it for version 6; older ones know the old name only.
    "ignore:.*gradient_checkpointing.* is deprecated:FutureWarning"
)
DEPTH = {"gpt2": "n_layer", "t5": "num_layers", "bart": "encoder_layers"}


def kept_at(task: str, family: str, config: Any, depth: int) -> int:
    """Bytes that one training step keeps beside a backbone of some depth."""
    settings = {DEPTH.get(family, "num_hidden_layers"): depth}
    if family in ("t5", "bart"):
        settings |= {"num_decoder_layers": depth} if family == "t5" else {"decoder_layers": depth}
    model = make_model(task, family, **settings)
    return memory_report(lichen.attach(model, config), make_batch(task, model)).kept_bytes


@pytest.mark.parametrize("side", ["unipt", "sherl", "lst", "pooled", "probe"])
@pytest.mark.parametrize(
    ("task", "family"),
    [
        ("sequence", "bert"),
        ("token", "deberta-v2"),
        ("image", "vit"),
        ("causal", "llama"),
        ("causal", "gpt2"),
        ("seq2seq", "t5"),
    ],
)
def test_kept_bytes_do_not_grow_with_depth(task: str, family: str, side: str) -> None:
    if (task, family, side) not in CASES:
        pytest.skip("this side network does not serve this task")
    # What enters SHERL's late layer is read in any case, as one more state.
    layers = (0, 1) if side == "sherl" else (0, 1, 3)
    config = replace(SIDES[side], layers=layers)
    assert kept_at(task, family, config, 3) == kept_at(task, family, config, 6)


def test_full_training_does_grow_with_depth() -> None:
    # The measure itself sees a backbone that is kept.
    kept = []
    for depth in (3, 6):
        model = make_model("sequence", "bert", num_hidden_layers=depth)
        kept.append(memory_report(model, make_batch("sequence", model)).kept_bytes)
    assert kept[1] > 1.5 * kept[0]


@pytest.mark.parametrize(("task", "family", "side"), [case for case in CASES if case[2] == "unipt"])
def test_a_thawed_backbone_is_refused_at_step_1(task: str, family: str, side: str) -> None:
    model, batch = attached(task, family, side)
    model.train()
    frozen = [name for name, parameter in model.named_parameters() if not parameter.requires_grad]
    for name in (frozen[0], frozen[len(frozen) // 2]):
        parameter = model.get_parameter(name).requires_grad_(True)
        with pytest.raises(GradientLeakError, match=r"require a gradient again.*undo requires_grad_"):
            model(**batch)
        with torch.no_grad():
            model(**batch)
        parameter.requires_grad_(False)
    model(**batch).loss.backward()


@pytest.mark.parametrize(
    ("task", "family", "name"),
    [
        ("causal", "llama", "lm_head.weight"),
        ("towers", "clip", "visual_projection.weight"),
        ("towers", "clip", "logit_scale"),
        ("seq2seq", "t5", "shared.weight"),
    ],
)
def test_frozen_parts_outside_the_trunks_are_guarded_too(task: str, family: str, name: str) -> None:
    # They would be trained, and then left out of what is saved.
    model, batch = attached(task, family, "unipt")
    model.train().get_parameter(name).requires_grad_(True)
    with pytest.raises(GradientLeakError, match="require a gradient again"):
        model(**batch)


def test_a_tower_called_on_its_own_is_guarded() -> None:
    model, batch = attached("towers", "clip", "unipt")
    next(model.vision_model.parameters()).requires_grad_(True)
    with pytest.raises(GradientLeakError, match="A side network never trains its backbone"):
        model.get_image_features(pixel_values=batch["pixel_values"])


def test_a_layer_that_switches_gradients_on_is_found() -> None:
    model, batch = attached("sequence", "bert", "unipt")
    layer = model.bert.encoder.layer[-1]
    forward = layer.forward

    def leaky(*args: Any, **kwargs: Any) -> Any:
        with torch.enable_grad():
            return forward(args[0].requires_grad_(True), *args[1:], **kwargs)

    layer.forward = leaky
    with pytest.raises(GradientLeakError, match="recorded gradients although it ran frozen"):
        model.train()(**batch)


@pytest.mark.parametrize("side", ["unipt", "sherl", "lst"])
@pytest.mark.parametrize(
    ("task", "family"), [("sequence", "bert"), ("image", "vit"), ("causal", "llama"), ("seq2seq", "t5")]
)
def test_inputs_that_require_a_gradient_do_not_reopen_the_backbone(task: str, family: str, side: str) -> None:
    model, batch = attached(task, family, side)
    wanted = memory_report(model, batch).kept_bytes
    model.enable_input_require_grads()
    assert memory_report(model, batch).kept_bytes == wanted
    if model.supports_gradient_checkpointing:
        model.gradient_checkpointing_enable()
        # LST's own blocks are checkpointed with the rest; the other networks have none.
        assert memory_report(model, batch).kept_bytes in (range(wanted) if side == "lst" else (wanted,))
    before = frozen_state(model)
    embedded: list[torch.Tensor] = []
    reader = model.get_encoder() if task == "seq2seq" else model
    reader.get_input_embeddings().register_forward_hook(lambda module, args, output: embedded.append(output))
    train(model, batch, steps=1)
    assert embedded and all(output.requires_grad and output.grad is None for output in embedded)
    assert all(torch.equal(value, before[key]) for key, value in frozen_state(model).items())


@pytest.mark.parametrize(("task", "family", "side"), [case for case in CASES if case[2] == "sherl"])
def test_sherl_sends_gradients_through_a_late_layer_that_stays(task: str, family: str, side: str) -> None:
    model, batch = attached(task, family, side)
    shake(model).train()
    trunks = model.lichen_anatomy.trunks
    trunk = trunks.get("decoder", next(iter(trunks.values())))
    late = trunk.blocks[-1]
    weights = [parameter.clone() for parameter in late.parameters()]
    traced: list[bool] = []

    def note(module: nn.Module, args: Any, output: Any) -> None:
        traced.append((output if isinstance(output, torch.Tensor) else output[0]).requires_grad)

    handle = late.register_forward_hook(note)
    train(model, batch, steps=2)
    handle.remove()
    # Beside two towers SHERL changes the embedding and re-runs nothing.
    assert all(traced) == (task != "towers")
    assert all(torch.equal(one, other) for one, other in zip(weights, late.parameters(), strict=True))
    assert all(parameter.grad is None for parameter in late.parameters())


def test_the_first_training_step_notes_what_it_kept() -> None:
    model, batch = attached("sequence", "bert", "unipt")
    model.eval()(**batch)
    assert model.lichen.kept is None
    model.train()
    report = memory_report(model, batch)
    assert model.lichen.kept is None, "a measurement from outside is not a training step"
    model(**batch)
    assert model.lichen.kept["bytes"] == report.kept_bytes
    assert model.lichen.kept["batch"]["input_ids"] == [3, 7]
    with KeptBytes() as kept:
        model(**batch)
    assert kept.bytes > 0


@pytest.mark.parametrize("family", ["resnet", "efficientnet-lite"])
def test_running_statistics_do_not_move(family: str) -> None:
    model, batch = attached("image", family, "unipt")
    base = model.base_model
    before = {name: buffer.clone() for name, buffer in base.named_buffers()}
    assert any("running_mean" in name for name in before)
    train(model, batch)
    model.train()
    memory_report(model, batch)
    assert all(torch.equal(buffer, before[name]) for name, buffer in base.named_buffers())


# --- figures


def vit(size: int, **settings: int) -> Any:
    torch.manual_seed(0)
    return ViTForImageClassification(ViTConfig(num_labels=10, image_size=size, **settings))


def kept_by(model: Any, size: int, config: Any = None) -> int:
    batch = {"pixel_values": torch.randn(8, 3, size, size), "labels": torch.arange(8)}
    if config is None:
        lora = LoraConfig(r=8, target_modules=["q_proj", "v_proj"], modules_to_save=["classifier"])
        return memory_report(get_peft_model(model, lora), batch).kept_bytes
    return memory_report(lichen.attach(model, config), batch).kept_bytes


SMALL = {"hidden_size": 64, "num_hidden_layers": 12, "num_attention_heads": 4, "intermediate_size": 256}
METHODS = {
    "lora": None,
    "pooled": lichen.PooledConfig(),
    "unipt-2": lichen.UniPTConfig(reduction=2),
    "unipt-8": lichen.UniPTConfig(reduction=8),
}
LIMITS = {"pooled": 0.10, "unipt-2": 0.35, "unipt-8": 0.15}
"""Largest share of what LoRA (r = 8, queries and values) keeps on the same batch."""


@pytest.mark.parametrize(
    ("size", "settings", "golden"),
    [
        (64, SMALL, {"lora": 4_787_588, "pooled": 327_716, "unipt-2": 1_033_860, "unipt-8": 636_036}),
        pytest.param(
            224,
            {},
            {"lora": 646_336_900, "pooled": 21_716_132, "unipt-2": 138_466_436, "unipt-8": 85_585_028},
            marks=pytest.mark.slow,
        ),
    ],
    ids=["small", "base"],
)
def test_golden_bytes_of_a_vit(size: int, settings: dict[str, int], golden: dict[str, int]) -> None:
    found = {name: kept_by(vit(size, **settings), size, config) for name, config in METHODS.items()}
    assert found == golden
    for name, limit in LIMITS.items():
        assert found[name] <= limit * found["lora"], name


def test_every_family_is_in_some_case() -> None:
    assert set(CONFIGS) - {family for _, family, _ in CASES} == {"dinov3"}  # transformers has no task model of it

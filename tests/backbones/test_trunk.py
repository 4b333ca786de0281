"""A trunk's layers are found, and its hidden states are those that transformers itself returns."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import AlbertConfig, AlbertModel, BertConfig, BertModel, PreTrainedConfig

from lichen.backbones.describe import describe, find_layers
from lichen.backbones.parts import parts_of
from lichen.backbones.tap import Tap
from lichen.errors import InputError

from ..families import PAIRS, TEXT, make_model, make_trunk
from .trunks import TRUNKS, make, states_of

CAUSAL = {("llama", "backbone"), ("gpt2", "backbone"), ("t5", "decoder"), ("bart", "decoder")}
NORMED = {"llama", "gpt2", "t5"}
"""Families whose last hidden state, as transformers lists it, has gone through the final norm."""


@pytest.mark.parametrize(("family", "part"), TRUNKS)
def test_states_equal_output_hidden_states(family: str, part: str) -> None:
    trunk, inputs = make(family, part)
    states, output = states_of(trunk, inputs)
    with torch.no_grad():
        listed = trunk.module(**inputs, output_hidden_states=True, return_dict=True)
    wanted = list(listed.reshaped_hidden_states if family == "swin" else listed.hidden_states)
    if family in NORMED:
        wanted[-1] = None
    assert len(states) == len(trunk.widths) == len(wanted)
    for index, state in enumerate(wanted):
        assert states[index].shape[1 if trunk.kind == "maps" else -1] == trunk.widths[index]
        if state is not None:
            assert torch.equal(states[index], state), index
    assert torch.equal(output.last_hidden_state, listed.last_hidden_state)
    assert trunk.causal == ((family, part) in CAUSAL)


@pytest.mark.parametrize(("family", "part"), TRUNKS)
def test_rest_describes_the_pass(family: str, part: str) -> None:
    trunk, inputs = make(family, part)
    states, output = states_of(trunk, inputs)
    rest = trunk.rest(trunk.bind((), inputs), output)
    assert torch.equal(trunk.to_native(rest.final), output.last_hidden_state)
    mask = inputs.get("attention_mask")
    assert (rest.mask is None) if mask is None else torch.equal(rest.mask, mask.bool())
    if "pixel_values" in inputs:
        rows, columns = rest.grid
        last = states[len(states) - 1]
        assert last.shape[2:] == rest.grid if trunk.kind == "maps" else last.shape[1] >= rows * columns
    else:
        assert rest.grid is None
    pooled = output.get("pooler_output")
    assert (rest.pooled is None) if pooled is None else torch.equal(rest.pooled, pooled.flatten(1))


@pytest.mark.parametrize(("family", "part"), TRUNKS)
def test_repool_gives_the_models_own_summary(family: str, part: str) -> None:
    trunk, inputs = make(family, part)
    _, output = states_of(trunk, inputs)
    rest = trunk.rest(trunk.bind((), inputs), output)
    with torch.no_grad():
        again = trunk.repool(output.last_hidden_state, rest.anchor)
    pooled = output.get("pooler_output")
    assert (again is None) == (pooled is None)
    if pooled is not None:
        assert torch.equal(again, pooled)
        assert torch.equal(trunk.to_native_pooled(rest.pooled), pooled)


@pytest.mark.parametrize("size", [(40, 56), (64, 32)])
@pytest.mark.parametrize("family", ["swin", "resnet", "convnext", "efficientnet-lite", "dinov2", "dinov3"])
def test_grid_of_pictures_that_are_not_square(family: str, size: tuple[int, int]) -> None:
    trunk, _ = make(family, "backbone")
    pixels = torch.randn(2, 3, *size)
    states, output = states_of(trunk, {"pixel_values": pixels})
    rest = trunk.rest({"pixel_values": pixels}, output)
    if trunk.kind == "maps":
        assert rest.final.shape[2:] == rest.grid == states[len(states) - 1].shape[2:]
        with torch.no_grad():
            listed = trunk.module(pixels, output_hidden_states=True, return_dict=True)
        maps = listed.reshaped_hidden_states if family == "swin" else listed.hidden_states
        assert all(torch.equal(states[index], state) for index, state in enumerate(maps))
    else:
        extra = 1 + getattr(trunk.config, "num_register_tokens", 0)
        assert rest.final.shape[1] == rest.grid[0] * rest.grid[1] + extra


@pytest.mark.parametrize(("task", "family"), PAIRS)
def test_task_models_have_the_trunks_of_their_base(task: str, family: str) -> None:
    model = make_model(task, family)
    for path in parts_of(model).values():
        assert len(describe(model.get_submodule(path)).widths) == 4


def test_dinov3_is_read_from_its_pictures() -> None:
    # Its base_model_prefix names the stack of layers, which takes tokens.
    assert parts_of(make_trunk("dinov3")) == {"backbone": ""}


def test_describing_leaves_modes_alone() -> None:
    model = make_trunk("resnet")
    model.train()
    model.encoder.stages[1].eval()
    before = {name: module.training for name, module in model.named_modules()}
    statistics = {name: buffer.clone() for name, buffer in model.named_buffers()}
    describe(model)
    assert before == {name: module.training for name, module in model.named_modules()}
    assert all(torch.equal(buffer, statistics[name]) for name, buffer in model.named_buffers())


class Bare(nn.Module):
    """A plain module with or without a list of layers."""

    def __init__(self, layers: int, config: Any = None) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(nn.Linear(2, 2) for _ in range(layers))
        self.config = config


def test_models_without_hidden_states_are_refused() -> None:
    with pytest.raises(InputError, match=r"Linear has no list of layers \(nn.ModuleList\).*works with"):
        find_layers(nn.Linear(2, 2))
    with pytest.raises(InputError, match="Bare has no list of layers"):
        describe(Bare(0))
    with pytest.raises(InputError, match=r"how wide its hidden states are \(config.hidden_size"):
        describe(Bare(2))
    with pytest.raises(InputError, match="how wide"):
        describe(Bare(2, SimpleNamespace(hidden_size=None)))


def test_shared_layers_are_refused() -> None:
    settings = {**TEXT, "embedding_size": 8}
    trunk = describe(AlbertModel(AlbertConfig(**settings)).eval())
    ids = torch.ones(1, 4, dtype=torch.long)
    with pytest.raises(InputError, match="runs the same layer several times"), torch.no_grad():
        states: dict[int, Tensor] = {}
        with Tap(trunk, tuple(range(len(trunk.widths))), states.__setitem__):
            trunk.module(input_ids=ids)


def test_a_layer_that_does_not_run_is_reported() -> None:
    trunk = describe(BertModel(BertConfig(**TEXT)).eval())
    with pytest.raises(InputError, match=r"did not produce the hidden states \[0, 3\]"), Tap(trunk, (0, 3), print):
        pass


def test_hooks_go_away_even_after_an_error() -> None:
    trunk, inputs = make("bert", "backbone")

    def fail(position: int, state: Tensor) -> None:
        raise RuntimeError("consumer failed")

    with pytest.raises(RuntimeError, match="consumer failed"), Tap(trunk, (0, 1, 2), fail):
        trunk.module(**inputs)
    hooks = [hook for module in trunk.module.modules() for hook in (module._forward_hooks, module._forward_pre_hooks)]
    assert not any(hooks)


def test_widths_need_a_transformers_config() -> None:
    with pytest.raises(InputError, match="how wide"):
        describe(Bare(2, PreTrainedConfig()))

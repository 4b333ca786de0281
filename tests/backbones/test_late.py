"""The last frozen layers, re-run on what entered them, answer as they did in the whole pass."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lichen.backbones.describe import describe
from lichen.backbones.features import Features
from lichen.backbones.late import LateLayers, check_late, replace_input
from lichen.backbones.trunk import Trunk
from lichen.errors import InputError

from ..families import make_trunk
from .trunks import TRUNKS, make, states_of

RERUN = [(family, part) for family, part in TRUNKS if family != "t5" and part != "decoder"]


def entry_of(trunk: Trunk, inputs: dict[str, Tensor], late: int) -> tuple[Tensor, Features]:
    """What enters the first late block in a whole pass, in the library's layout, and the rest of that pass."""
    seen: list[Tensor] = []

    def note(module, args, kwargs):
        grid = args[1] if len(args) > 1 and isinstance(args[1], tuple) else None
        seen.append(trunk.to_state(args[0] if args else kwargs["hidden_states"], grid))

    handle = trunk.blocks[-late].register_forward_pre_hook(note, with_kwargs=True)
    _, output = states_of(trunk, inputs)
    handle.remove()
    return seen[0].detach().clone(), trunk.rest(trunk.bind((), inputs), output)


@pytest.mark.parametrize(("family", "part"), RERUN)
def test_late_layers_equal_the_whole_pass(family: str, part: str) -> None:
    trunk, inputs = make(family, part)
    for late in range(1, len(trunk.blocks)):
        entry, rest = entry_of(trunk, inputs, late)
        again = LateLayers(trunk, late)(entry, rest)
        torch.testing.assert_close(again.final, rest.final, rtol=0, atol=1e-6)
        assert (again.pooled is None) == (rest.pooled is None)
        if rest.pooled is not None:
            torch.testing.assert_close(again.pooled, rest.pooled, rtol=0, atol=1e-6)
        assert again.mask is rest.mask and again.grid == rest.grid


@pytest.mark.parametrize(("family", "part"), RERUN)
def test_gradients_reach_the_fused_state_and_no_weight_changes(family: str, part: str) -> None:
    trunk, inputs = make(family, part)
    trunk.module.requires_grad_(False)
    weights = {name: value.clone() for name, value in trunk.module.state_dict().items()}
    entry, rest = entry_of(trunk, inputs, 1)
    entry.requires_grad_()
    LateLayers(trunk, 1)(entry, rest).final.square().sum().backward()
    assert entry.grad is not None and bool(entry.grad.ne(0).any())
    assert all(parameter.grad is None for parameter in trunk.module.parameters())
    assert all(torch.equal(value, weights[name]) for name, value in trunk.module.state_dict().items())


def test_left_padding_and_other_grids_are_kept() -> None:
    trunk, inputs = make("llama", "backbone")
    inputs["attention_mask"] = inputs["attention_mask"].flip(1)
    entry, rest = entry_of(trunk, inputs, 1)
    again = LateLayers(trunk, 1)(entry, rest)
    assert torch.equal(again.final[rest.mask], rest.final[rest.mask])

    trunk, _ = make("vit", "backbone")
    pictures = {"pixel_values": torch.randn(2, 3, 48, 40), "interpolate_pos_encoding": torch.tensor(True)}
    entry, rest = entry_of(trunk, pictures, 1)
    assert rest.grid == (6, 5)
    assert torch.equal(LateLayers(trunk, 1)(entry, rest).final, rest.final)


def test_half_precision_backbone_takes_a_float32_state() -> None:
    trunk, inputs = make("bert", "backbone")
    trunk.module.to(torch.bfloat16)
    entry, rest = entry_of(trunk, inputs, 1)
    again = LateLayers(trunk, 1)(entry.float(), rest)
    assert again.final.dtype == torch.bfloat16 and torch.equal(again.final, rest.final)


def test_made_in_training_mode_still_runs_in_eval() -> None:
    model = make_trunk("bert").train()
    trunk = describe(model)
    late = LateLayers(trunk, 1)
    model.eval()
    assert not late._short.training and not late._short.encoder.training


def test_too_many_late_layers_are_refused() -> None:
    trunk, _ = make("bert", "backbone")
    assert check_late(trunk, 2) == 2
    with pytest.raises(InputError, match="late_layers=3 is too many: of the 3 layers of bert at most 2"):
        LateLayers(trunk, 3)
    stages, _ = make("convnext", "backbone")
    with pytest.raises(InputError, match="of the 2 blocks of the last stage of convnext at most 1"):
        LateLayers(stages, 2)


@pytest.mark.parametrize("family", ["resnet", "efficientnet-lite"])
def test_a_whole_last_stage_may_be_late(family: str) -> None:
    trunk, inputs = make(family, "backbone")
    states, output = states_of(trunk, inputs)
    whole = len(trunk.blocks)
    again = LateLayers(trunk, whole)(states[len(trunk.widths) - 2], trunk.rest(trunk.bind((), inputs), output))
    assert torch.equal(again.final, output.last_hidden_state)


def test_t5_cannot_be_rerun() -> None:
    trunk, _ = make("t5", "encoder")
    with pytest.raises(InputError, match="T5 layers cannot be re-run"):
        LateLayers(trunk, 1)


def test_replace_input_goes_by_name() -> None:
    class Layer(torch.nn.Module):
        def forward(self, hidden_states, attention_mask=None, *, scale=1):
            return hidden_states

    new = torch.ones(2)
    args, kwargs = replace_input(Layer(), (torch.zeros(1),), {"scale": 3}, hidden=new, attention_mask=new)
    assert args[0] is new and args[1] is new and kwargs == {"scale": 3}
    with pytest.raises(TypeError, match="no argument 'encoder_hidden_states'"):
        replace_input(Layer(), (new,), {}, encoder_hidden_states=new)

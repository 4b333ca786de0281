"""The outline of a backbone is enough to build the side network that attach() builds beside the backbone itself."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import torch

import lichen
from lichen.backbones.backbone import Backbone
from lichen.backbones.late import LateLayers
from lichen.backbones.outline import Outline
from lichen.errors import InputError
from lichen.side.attach.anatomy import dissect
from lichen.side.config import LSTConfig, PooledConfig, ProbeConfig, SHERLConfig, SideConfig, UniPTConfig
from lichen.side.fit import Reading, fit_side, reading_of, uses_embedding
from lichen.side.unipt_maps import UniPTMaps

from ..families import make_inputs, make_model, make_trunk
from .attach.common import CASES, FEW, SIDES

ONE_TRUNK = [
    pytest.param(*case, marks=() if case in FEW else pytest.mark.slow) for case in CASES if case[0] != "seq2seq"
]


def through_json(outline: Outline) -> Outline:
    """As a store gives it back."""
    return Outline.from_dict(json.loads(json.dumps(outline.to_dict())))


def shapes(module: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in module.state_dict().items()}


def outlines(model: Any) -> dict[str, Outline]:
    anatomy = dissect(model)
    return {part: through_json(Outline.of(trunk, anatomy.embeds.get(part))) for part, trunk in anatomy.trunks.items()}


@pytest.mark.parametrize(("task", "family", "side"), ONE_TRUNK)
def test_the_outline_gives_the_network_of_attach(task: str, family: str, side: str) -> None:
    known = outlines(make_model(task, family))
    slot = next(iter(lichen.attach(make_model(task, family), SIDES[side]).lichen.slots.values()))
    assert set(slot.sides) == set(known)
    for part, network in slot.sides.items():
        found, reading = fit_side(SIDES[side], known[part], tower=task == "towers")
        assert type(found) is type(network)
        assert shapes(found) == shapes(network)
        assert found.layout == network.layout
        plan = slot.plans[part]
        assert (reading.indices, reading.late, reading.entry) == (plan.indices, plan.late, plan.entry)


@pytest.mark.parametrize("family", ["bert", "vit", "resnet", "swin", "convnext", "clip", "siglip"])
@pytest.mark.parametrize("side", SIDES)
def test_networks_read_stored_states_alone(family: str, side: str) -> None:
    """What `stored` names is all that a network needs of a pass, with late layers for SHERL."""
    part = "vision" if family in ("clip", "siglip") else None
    model = make_trunk(family)
    backbone = Backbone(model, part=part)
    outline = through_json(backbone.outline())
    config: SideConfig = SIDES[side]
    if side == "lst" and outline.kind == "maps":
        return
    if side == "sherl" and outline.kind == "maps":
        config = SHERLConfig(late_layers=outline.late_blocks if outline.whole_stage else 1)
    reading = reading_of(config, outline)
    if side == "sherl" and family == "convnext":
        with pytest.raises(InputError, match="inside the last stage, which no store holds"):
            _ = reading.stored
        return
    late = LateLayers(next(iter(backbone.trunks.values())), reading.late) if reading.late else None
    network, _ = fit_side(config, outline, late)
    inputs = {"pixel_values": make_inputs(model)["pixel_values"]} if part else make_inputs(model)
    features = backbone(layers=reading.stored, **inputs)
    assert features.widths == network.layout.widths
    answer = network.eval()(features)
    # Untrained, all of them leave the frozen output as it is, or give a vector of their own.
    assert answer.final.shape[0] == 3 and bool(torch.isfinite(answer.final).all())


BERT = Outline("bert", "tokens", "text", (16,) * 4, pooled=16, heads=2, intermediate=32, late_blocks=3)
RESNET = Outline("resnet", "maps", "image", (8, 8, 16, 24), pooled=24, late_blocks=2, whole_stage=True)
CONVNEXT = replace(RESNET, model_type="convnext", whole_stage=False)
CLIP = replace(BERT, model_type="clip_text_model", pooled=12, projected=True)


@pytest.mark.parametrize(
    ("config", "outline", "expected"),
    [
        (UniPTConfig(), BERT, Reading((0, 1, 2, 3))),
        (UniPTConfig(layers=2), BERT, Reading((2, 3))),
        (UniPTConfig(layers=(0, -1)), BERT, Reading((0, 3))),
        (PooledConfig(), RESNET, Reading((1, 2, 3))),
        (PooledConfig(layers=(0,)), RESNET, Reading((0,))),
        (ProbeConfig(layers=3), BERT, Reading((3,))),
        (ProbeConfig(), RESNET, Reading((3,))),
        (LSTConfig(layers=1), BERT, Reading((0, 3))),
        (LSTConfig(), BERT, Reading((0, 1, 2, 3))),
        (SHERLConfig(), BERT, Reading((0, 1), 1, entry=2)),
        (SHERLConfig(late_layers=2), BERT, Reading((0,), 2, entry=1)),
        (SHERLConfig(layers=2), BERT, Reading((1,), 1, entry=2)),
        (SHERLConfig(late_layers=2), RESNET, Reading((1,), 2, entry=2)),
        (SHERLConfig(late_layers=1), RESNET, Reading((1, 2), 1)),
        (SHERLConfig(late_layers=1), CONVNEXT, Reading((1, 2), 1)),
        (SHERLConfig(), CLIP, Reading((0, 1, 2, 3))),
        (SHERLConfig(form="generic"), CLIP, Reading((0, 1), 1, entry=2)),
    ],
)
def test_states_that_are_read(config: SideConfig, outline: Outline, expected: Reading) -> None:
    assert reading_of(config, outline) == expected


def test_states_that_a_store_must_hold() -> None:
    assert reading_of(SHERLConfig(), BERT).stored == (0, 1, 2)
    assert reading_of(UniPTConfig(layers=2), BERT).stored == (2, 3)
    assert reading_of(SHERLConfig(late_layers=2), RESNET).stored == (1, 2)
    with pytest.raises(InputError, match=r"Set late_layers to the number of blocks .* or use lichen\.attach"):
        _ = reading_of(SHERLConfig(), RESNET).stored


def test_when_an_embedding_is_changed_rather_than_tokens() -> None:
    assert uses_embedding(CLIP, UniPTConfig()) and uses_embedding(CLIP, SHERLConfig(form="clip-plain"))
    assert not uses_embedding(CLIP, UniPTConfig(form="generic"))
    assert not uses_embedding(BERT, UniPTConfig())
    assert uses_embedding(BERT, UniPTConfig(), tower=True)
    assert not uses_embedding(CLIP, UniPTConfig(), tower=False)
    maps = replace(CLIP, kind="maps", widths=(8, 16, 16))
    assert not uses_embedding(maps, UniPTConfig()) and isinstance(fit_side(UniPTConfig(), maps)[0], UniPTMaps)
    with pytest.raises(InputError, match=r"gives maps\. Leave form out"):
        fit_side(UniPTConfig(form="clip"), maps)


class OwnConfig(SideConfig):
    method = "own"


@pytest.mark.parametrize(
    ("config", "outline", "message"),
    [
        (LSTConfig(), RESNET, "LST is a ladder of transformer blocks and resnet gives maps"),
        (SHERLConfig(late_layers=3), BERT, "late_layers=3 is too many: of the 3 layers of bert at most 2"),
        (SHERLConfig(late_layers=3), RESNET, "of the 2 blocks of the last stage of resnet at most 2"),
        (UniPTConfig(layers=(7,)), BERT, "Hidden state 7 does not exist"),
        (OwnConfig(), BERT, "No side network is known for OwnConfig"),
    ],
)
def test_what_does_not_fit_is_refused(config: SideConfig, outline: Outline, message: str) -> None:
    with pytest.raises(InputError, match=message):
        fit_side(config, outline)

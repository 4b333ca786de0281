"""An outline says of a trunk what side networks and heads ask, and survives JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lichen.backbones.backbone import Backbone
from lichen.backbones.outline import Outline
from lichen.errors import CheckpointError, InputError

from ..families import make_trunk
from .trunks import TRUNKS, make

PICTURES = ("vit", "dinov2", "dinov3", "swin", "resnet", "convnext", "efficientnet-lite")
MAPS = ("swin", "resnet", "convnext", "efficientnet-lite")
CAUSAL = ("llama", "gpt2")


@pytest.mark.parametrize(("family", "part"), TRUNKS)
def test_it_says_what_a_pass_shows(family: str, part: str) -> None:
    trunk, inputs = make(family, part)
    outline = Backbone(make_trunk(family)).outline(part)
    assert outline.kind == trunk.kind == ("maps" if family in MAPS else "tokens")
    assert outline.modality == ("image" if family in PICTURES or part == "vision" else "text")
    assert outline.widths == trunk.widths and outline.width == trunk.widths[-1]
    assert outline.causal == (family in CAUSAL or part == "decoder")
    assert outline.projected == (family == "clip")
    if part != "decoder":
        features = Backbone(make_trunk(family), part=None if part == "backbone" else part)(**inputs)
        assert outline.pooled == (None if features.pooled is None else features.pooled.shape[1])
        assert outline.widths == features.widths
    assert Outline.from_dict(json.loads(json.dumps(outline.to_dict()))) == outline


def test_sizes_of_the_layers() -> None:
    bert = Backbone(make_trunk("bert")).outline()
    assert (bert.model_type, bert.heads, bert.intermediate, bert.late_blocks) == ("bert", 2, 32, 3)
    t5 = Backbone(make_trunk("t5")).outline("encoder")
    assert (t5.heads, t5.intermediate) == (2, 32)
    bart = Backbone(make_trunk("bart")).outline("encoder")
    assert (bart.heads, bart.intermediate) == (2, 32)
    resnet = Backbone(make_trunk("resnet")).outline()
    assert (resnet.heads, resnet.intermediate, resnet.late_blocks, resnet.whole_stage) == (1, 0, 2, True)


def test_the_part_is_the_backbones_own_unless_named() -> None:
    model = make_trunk("clip")
    assert Backbone(model, part="text").outline() == Backbone(model).outline("text")
    assert Backbone(model).outline("text").modality == "text"
    with pytest.raises(InputError, match=r"Unknown part 'txet'\. Did you mean 'text'\?"):
        Backbone(model).outline("txet")


@pytest.mark.parametrize(("family", "most"), [("bert", 2), ("resnet", 2), ("convnext", 1)])
def test_how_many_late_layers_there_can_be(family: str, most: int) -> None:
    outline = Backbone(make_trunk(family)).outline()
    assert outline.check_late(most) == most
    what = "layers" if family == "bert" else "blocks of the last stage"
    with pytest.raises(InputError, match=f"late_layers={most + 1} is too many: of the . {what} of .* at most {most}"):
        outline.check_late(most + 1)


@pytest.mark.parametrize("change", [{"width": 3}, {"kind": ...}])
def test_other_fields_are_refused(change: dict[str, Any]) -> None:
    values = {**Backbone(make_trunk("bert")).outline().to_dict(), **change}
    if change.get("kind") is ...:
        del values["kind"]
    with pytest.raises(CheckpointError, match="no outline of a backbone"):
        Outline.from_dict(values)

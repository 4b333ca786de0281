"""What a head is told to expect is what then comes, for every kind of backbone and side network."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch

from lichen.backbones.backbone import Backbone
from lichen.backbones.features import Features
from lichen.backbones.late import LateLayers
from lichen.heads.given import Given
from lichen.heads.summary import Summary
from lichen.side.config import LSTConfig, PooledConfig, ProbeConfig, SHERLConfig, SideConfig, UniPTConfig
from lichen.side.fit import fit_side

from ..families import make_inputs, make_trunk, shake

PARTS = [
    ("bert", "encoder"),
    ("llama", "decoder"),
    ("vit", "encoder"),
    ("dinov2", "encoder"),
    ("dinov3", "encoder"),
    ("swin", "encoder"),
    ("resnet", "encoder"),
    ("convnext", "encoder"),
    ("efficientnet-lite", "encoder"),
    ("clip", "vision"),
    ("clip", "text"),
    ("siglip", "vision"),
    ("siglip", "text"),
    ("t5", "encoder"),
]
CONFIGS: dict[str, SideConfig] = {
    "probe": ProbeConfig(),
    "pooled": PooledConfig(rank=4),
    "unipt": UniPTConfig(),
    "unipt-joint": UniPTConfig(embed=10, residual=False),
    "unipt-tokens": UniPTConfig(form="generic"),
    "lst": LSTConfig(reduction=2),
    "sherl": SHERLConfig(),
    "sherl-tokens": SHERLConfig(form="generic"),
}


MAPS = ("swin", "resnet", "convnext", "efficientnet-lite")
WHOLE_STAGE = ("efficientnet-lite",)
"""Maps whose late blocks can all be re-run; the others' SHERL reads a map that has no number."""


def fits(family: str, method: str) -> bool:
    if method == "lst" or method.startswith("sherl"):
        return family in WHOLE_STAGE and method == "sherl" if family in MAPS else family != "t5" or method == "lst"
    # CLIP's embedding forms keep the embedding's width.
    return family != "clip" or method != "unipt-joint"


CASES = [
    (family, part, method)
    for family, part in PARTS
    for method in CONFIGS
    # Only CLIP's towers have other forms than that for tokens.
    if fits(family, method) and (family == "clip" or not method.endswith("-tokens"))
]


@cache
def backbone_of(family: str) -> Backbone:
    return Backbone(make_trunk(family))


def read(family: str, part: str, layers: Any = None) -> Features:
    backbone = backbone_of(family)
    inputs = make_inputs(backbone.model)
    if "vision" in backbone.paths:
        key = "pixel_values" if part == "vision" else "input_ids"
        inputs = {key: inputs[key]}
    return backbone(layers=layers, **inputs)


def part_of(family: str, part: str) -> str:
    paths = backbone_of(family).paths
    return part if part in paths else next(iter(paths))


@pytest.mark.parametrize(("family", "part", "method"), CASES)
def test_promises_are_kept(family: str, part: str, method: str) -> None:
    backbone, config = backbone_of(family), CONFIGS[method]
    name = part_of(family, part)
    outline = backbone.outline(name)
    blocks = outline.late_blocks if outline.kind == "maps" else 1
    if isinstance(config, SHERLConfig):
        config = replace(config, late_layers=blocks)
    late = LateLayers(backbone.trunks[name], blocks) if isinstance(config, SHERLConfig) else None
    side, reading = fit_side(config, outline, late)
    side = shake(side.eval())
    state = {key: value.clone() for key, value in side.state_dict().items()}
    given = Given.of(outline, side)
    assert all(torch.equal(value, state[key]) for key, value in side.state_dict().items())

    features = read(family, part, reading.stored)
    with torch.no_grad():
        adapted = side(features)
    if adapted.is_maps:
        assert (given.kind, given.width) == ("maps", adapted.final.shape[1])
    else:
        assert (given.kind == "vector") == (adapted.final.ndim == 2) and given.width == adapted.final.shape[-1]
    if given.pooled is not None:
        assert adapted.pooled is not None and adapted.pooled.shape[1] == given.pooled
    for field, width in (("final", given.width), ("pooled", given.pooled)):
        before, after = getattr(features, field), getattr(adapted, field)
        if width is not None:
            same = before is not None and before.shape == after.shape and torch.equal(before, after)
            assert (field in given.adapted) != same

    summary = Summary(given)
    vector = summary(adapted)
    assert vector.shape == (3, summary.width) and vector.isfinite().all()
    # The default pooling must read what the side network changes, or it would never learn.
    if given.adapted:
        adapted = side(features)
        loss = summary(adapted).square().sum()
        grads = torch.autograd.grad(loss, [each for each in side.parameters() if each.requires_grad], allow_unused=True)
        assert any(grad is not None and grad.ne(0).any() for grad in grads)


@pytest.mark.parametrize(("family", "part"), PARTS)
def test_a_backbone_alone(family: str, part: str) -> None:
    outline = backbone_of(family).outline(part_of(family, part))
    given, features = Given.of(outline), read(family, part)
    assert given.adapted == () and given.width == outline.width and given.pooled == outline.pooled
    assert Summary(given)(features).shape[1] == Summary(given).width
    if given.pooled is not None:
        assert torch.equal(Summary(given, "pooled")(features), features.pooled)


def test_dropout_and_mode_of_a_network_stay_as_they_are() -> None:
    outline = backbone_of("bert").outline()
    side, _ = fit_side(PooledConfig(rank=4, dropout=0.5), outline)
    side.train()
    side.norms[0].eval()
    torch.manual_seed(0)
    before = torch.get_rng_state()
    Given.of(outline, side)
    assert torch.equal(torch.get_rng_state(), before)
    assert side.training and side.dropout.training and not side.norms[0].training


def test_without_storage() -> None:
    outline = backbone_of("vit").outline()
    with torch.device("meta"):
        side, _ = fit_side(UniPTConfig(), outline)
    given = Given.of(outline, side)
    assert (given.width, given.pooled, given.adapted) == (16, None, ("final",))

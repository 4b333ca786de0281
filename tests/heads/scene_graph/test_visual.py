"""Features of pictures and boxes in, graphs out: for tokens and maps of any scale."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from lichen.backbones.features import Features
from lichen.errors import InputError
from lichen.heads.given import Given
from lichen.heads.scene_graph import GraphTargets, PoolingConfig, SceneGraphConfig, VisualSceneGraphHead
from lichen.regions import ordered_pairs

from .tiny import CLASSES, PREDICATES, SMALL, make_regions

POOLING = PoolingConfig(cells=2, width=6, reduced=4, masks=3, mask_side=9)


def features(kind: str, pictures: int = 2) -> Features:
    draw = torch.Generator().manual_seed(0)
    if kind == "maps":
        final = torch.randn(pictures, 7, 4, 6, generator=draw, dtype=torch.float64)
        return Features((final,), final)
    final = torch.randn(pictures, 25, 7, generator=draw, dtype=torch.float64)
    return Features((final,), final, grid=(4, 6))


def make(kind: str, **settings: str) -> VisualSceneGraphHead:
    torch.manual_seed(0)
    given = Given("maps" if kind == "maps" else "tokens", 7, modality="image")
    config = SceneGraphConfig(**(SMALL | settings))
    return VisualSceneGraphHead(given, CLASSES, PREDICATES, config, POOLING).double()


@pytest.mark.parametrize("kind", ["maps", "tokens"])
@pytest.mark.parametrize("context", ["bgnn", "frequency"])
def test_tokens_and_maps(kind: str, context: str) -> None:
    head, regions = make(kind, context=context), make_regions([3, 2])
    pairs = ordered_pairs(regions)
    given = features(kind)
    opened = replace(given, final=given.final.clone().requires_grad_())
    outputs = head(opened, regions, pairs, GraphTargets(torch.arange(8) % (PREDICATES + 1)))
    assert outputs["logits"].shape == (8, PREDICATES + 1)
    outputs["loss"].backward()
    if context == "bgnn":
        # By the features' gradient a side network learns.
        assert opened.final.grad is not None and bool(opened.final.grad.any())
    louder = replace(given, final=given.final * 1000)
    quiet = head.eval()(given, regions, pairs)["logits"]
    torch.testing.assert_close(head(louder, regions, pairs)["logits"], quiet, rtol=0, atol=1e-3)


def test_no_box_in_any_picture() -> None:
    regions = make_regions([0, 0])
    assert make("maps")(features("maps"), regions, ordered_pairs(regions))["logits"].shape == (0, PREDICATES + 1)


def test_features_that_know_no_places_are_refused() -> None:
    for given in (Given("vector", 7, pooled=7, modality="image"), Given("tokens", 7)):
        with pytest.raises(InputError, match="what lies where"):
            VisualSceneGraphHead(given, CLASSES, PREDICATES)
    with pytest.raises(InputError, match="never be trained"):
        VisualSceneGraphHead(Given("tokens", 7, modality="image", adapted=("pooled",)), CLASSES, PREDICATES)

"""The head as tasks call it: what is dropped, which pairs are asked."""

from __future__ import annotations

import pytest
import torch

from lichen.errors import InputError
from lichen.heads.given import Given
from lichen.regions import ordered_pairs
from lichen.tasks.related.config import RelateConfig
from lichen.tasks.related.graphs import Graphs
from lichen.tasks.related.head import RelateHead

from ..boxed import COLOURS, GIVEN, features, scene

SMALL = {"context": "plain", "width": 8, "pooled": 8, "region": 8, "cells": 2, "reduced": 4, "masks": 4, "mask_side": 9}
NAMES = ("above", "left of", "under")
ROWS = torch.arange(6)


def head(**changes: object) -> RelateHead:
    torch.manual_seed(0)
    return RelateHead(GIVEN, len(COLOURS), len(NAMES), RelateConfig(**{**SMALL, **changes}))  # type: ignore[arg-type]


def test_dropped_relations_teach_nothing() -> None:
    told = Graphs.of([scene(row) for row in ROWS.tolist()], COLOURS, NAMES).told
    gone = type(told)(told.truths, told.relations, torch.ones_like(told.dropping))
    model = head().train()
    *_, kept = model._pairs(told)
    *_, dropped = model._pairs(gone)
    assert int((kept.labels > 0).sum()) == len(told.relations) and not bool((dropped.labels > 0).any())
    assert int((dropped.labels == -1).sum()) == len(told.relations)
    *_, measured = model.eval()._pairs(gone)
    assert int((measured.labels > 0).sum()) == len(told.relations), "nothing is dropped where it is measured"


def test_training_draws_pairs_and_measuring_takes_all() -> None:
    told = Graphs.of([scene(row) for row in ROWS.tolist()], COLOURS, NAMES).told
    model = head(pairs=2).train()
    regions, pairs, _ = model._pairs(told)
    assert int(torch.bincount(regions.picture[pairs[:, 0]]).max()) <= 2
    _, pairs, _ = model.eval()._pairs(told)
    assert torch.equal(pairs, ordered_pairs(told.truths))


def test_losses_by_picture_are_means_over_its_pairs() -> None:
    scenes = [scene(row) for row in ROWS.tolist()]
    model = head().eval()
    with torch.no_grad():
        together = model({"image": features(ROWS)}, {"graphs": Graphs.of(scenes, COLOURS, NAMES).told})
        alone = [
            model({"image": features(ROWS[[n]])}, {"graphs": Graphs.of([scenes[n]], COLOURS, NAMES).told})["loss"]
            for n in range(len(scenes))
        ]
    assert torch.allclose(together["picture_loss"], torch.stack(alone), atol=1e-5)
    assert model({"image": features(ROWS)}) == {}


def test_text_is_refused() -> None:
    with pytest.raises(InputError, match="what lies where"):
        RelateHead(Given("tokens", 8, modality="text"), 2, 2, RelateConfig())

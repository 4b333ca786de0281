"""Settings of a scene graph task: what goes together, what does not."""

from __future__ import annotations

from typing import Any

import pytest

from lichen.errors import InputError
from lichen.heads.scene_graph.config import SceneGraphConfig
from lichen.tasks.related.config import RelateConfig


def test_settings_reach_head_pooling_and_sampling() -> None:
    config = RelateConfig(context="plain", width=32, region=48, cells=2, pairs=9, foreground=0.5, compat="pysgg")
    assert config.head == SceneGraphConfig(context="plain", width=32, compat="pysgg")
    assert (config.pooling().width, config.pooling().cells) == (48, 2)
    assert (config.sampling().most, config.sampling().foreground, config.sampling().released) == (9, 0.5, True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mode": "predcsl"}, "Did you mean 'predcls'"),
        ({"protocol": "pysg"}, "Did you mean 'pysgg'"),
        ({"mode": "sgcls"}, r'head\.graph\.entities = "replace"'),
        ({"pretraining": -1}, "number of steps; got -1"),
        ({"threshold": 0.0}, "threshold is above 0 and drop at least 0; got 0.0"),
        ({"drop": -0.5}, "got 0.1 and -0.5"),
        ({"pairs": 0}, "most=0"),
        ({"foreground": 1.5}, r"foreground lies in \(0, 1\]"),
        ({"cells": 0}, "cells"),
        ({"context": "frequency", "bias": False}, "needs bias=True"),
    ],
)
def test_what_does_not_go_together_is_told(changes: dict[str, Any], message: str, unchecked: None) -> None:
    with pytest.raises(InputError, match=message):
        RelateConfig(**changes)

"""Every trunk of every tiny family, with a batch, for the tests of this folder."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lichen.backbones.describe import describe
from lichen.backbones.parts import parts_of
from lichen.backbones.tap import Tap
from lichen.backbones.trunk import Trunk

from ..families import CONFIGS, make_inputs, make_trunk

PARTS = {"clip": ("vision", "text"), "siglip": ("vision", "text"), "t5": ("encoder", "decoder")}
PARTS["bart"] = PARTS["t5"]
TRUNKS = [(family, part) for family in CONFIGS for part in PARTS.get(family, ("backbone",))]


def make(family: str, part: str) -> tuple[Trunk, dict[str, Tensor]]:
    """One trunk that runs on its own, and its inputs."""
    model: Any = make_trunk(family)
    inputs = make_inputs(model)
    if part == "vision":
        inputs = {"pixel_values": inputs["pixel_values"]}
    elif part == "text":
        inputs.pop("pixel_values")
        if family == "siglip":
            inputs.pop("attention_mask")
    path = parts_of(model)[part]
    return describe(model.get_submodule(path) if path else model), inputs


def states_of(trunk: Trunk, inputs: dict[str, Tensor]) -> tuple[dict[int, Tensor], Any]:
    """All hidden states taken by hooks, and the output of the same pass."""
    states: dict[int, Tensor] = {}
    with torch.no_grad(), Tap(trunk, tuple(range(len(trunk.widths))), states.__setitem__):
        output = trunk.module(**inputs, return_dict=True)
    return states, output

"""What several test files of this folder share."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

import lichen
from lichen.side.config import SideConfig

from ...families import PAIRS, make_batch, make_model

SIDES: dict[str, SideConfig] = {
    "unipt": lichen.UniPTConfig(),
    "sherl": lichen.SHERLConfig(),
    "lst": lichen.LSTConfig(reduction=4),
    "pooled": lichen.PooledConfig(),
    "probe": lichen.ProbeConfig(),
}
MAPS = ("swin", "resnet", "convnext", "efficientnet-lite")


def serves(task: str, family: str, side: str) -> bool:
    """Whether a side network can do a task beside a family. The others are refused with a reason."""
    if side == "pooled":
        return task in ("sequence", "image", "towers")
    if side == "probe":
        return task in ("sequence", "token", "question", "image")
    return side != "lst" or family not in MAPS


CASES = [(task, family, side) for task, family in PAIRS for side in SIDES if serves(task, family, side)]
FEW = [case for case in CASES if case[2] == "unipt" or case[1] in ("bert", "vit", "resnet", "t5", "gpt2", "clip")]
"""Every family with one side network, every side network with one family of each kind."""
REFUSED = [(task, family, side) for task, family in PAIRS for side in SIDES if not serves(task, family, side)]
LABELS = ("labels", "return_loss", "start_positions", "end_positions")


def attached(task: str, family: str, side: str, **settings: Any) -> tuple[Any, dict[str, Any]]:
    """A tiny attached model, and a batch that gives a loss."""
    model = make_model(task, family, **settings)
    batch = make_batch(task, model)
    return lichen.attach(model, SIDES[side]), batch


def snapshot(model: Any) -> dict[str, Any]:
    """All that attach and detach must bring back."""
    return {
        "class": type(model),
        "classes": {name: type(module) for name, module in model.named_modules()},
        "state": {key: value.clone() for key, value in model.state_dict().items()},
        "requires_grad": {key: parameter.requires_grad for key, parameter in model.named_parameters()},
        "training": {key: module.training for key, module in model.named_modules()},
        "attributes": sorted(vars(model)),
    }


def assert_same(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Two snapshots agree, tensors bit for bit and in order."""
    assert list(found["state"]) == list(wanted["state"])
    for key, value in wanted["state"].items():
        assert torch.equal(found["state"][key], value), key
    for field in ("class", "classes", "requires_grad", "training", "attributes"):
        assert found[field] == wanted[field], field


def frozen_state(model: Any) -> dict[str, Tensor]:
    """Weights and buffers of everything but the side networks and the heads that they train."""
    sides = [tensor for slot in model.lichen.slots.values() for tensor in (*slot.parameters(), *slot.buffers())]
    trained = set(map(id, sides))
    return {key: value.clone() for key, value in model.state_dict(keep_vars=True).items() if id(value) not in trained}


def optimiser(model: Any, rate: float = 0.01) -> torch.optim.Optimizer:
    """Plain gradient descent on what requires a gradient."""
    return torch.optim.SGD([parameter for parameter in model.parameters() if parameter.requires_grad], rate)


def train(model: Any, batch: dict[str, Any], steps: int = 3) -> list[float]:
    """A few optimiser steps on one batch; returns the losses."""
    model.train()
    steps_of, losses = optimiser(model), []
    for _ in range(steps):
        loss = model(**batch).loss
        loss.backward()
        steps_of.step()
        steps_of.zero_grad()
        losses.append(loss.item())
    model.eval()
    return losses


class Rows(Dataset):
    """The rows of one batch, as a data set."""

    def __init__(self, batch: dict[str, Tensor]) -> None:
        self.batch = batch

    def __len__(self) -> int:
        return len(next(iter(self.batch.values())))

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {key: value[index] for key, value in self.batch.items()}

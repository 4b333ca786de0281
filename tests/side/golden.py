"""The golden file of the side networks: its fill rule, its inputs, and the comparison with its numbers.

Fill rule: sort the reference's floating state keys by ASCII; p is a key's index, k the flat index in its tensor.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lichen.side.reference import load_reference

CASES: dict[str, Any] = json.loads((Path(__file__).parents[1] / "golden" / "tuners.json").read_text("utf-8"))["cases"]


def fill(position: int, name: str, shape: list[int]) -> Tensor:
    """The value of reference parameter number `position`."""
    count = int(torch.tensor(shape).prod()) if shape else 1
    wave = torch.sin(1.3 * position + 0.7 * torch.arange(count, dtype=torch.float64) + 0.1)
    if name.endswith("running_var"):
        value = 1 + 0.5 * wave**2
    elif "_attn" in name and name.endswith(".bias"):
        value = torch.full((count,), 2.0, dtype=torch.float64)
    elif len(shape) == 1 and name.endswith(".weight"):
        value = 0.3 * wave + 1
    else:
        value = 0.3 * wave
    return value.reshape(shape)


def parameters(case: str) -> dict[str, Tensor]:
    """All parameters of a case under the reference's names."""
    shapes = CASES[case]["params"]
    return {name: fill(position, name, shapes[name]) for position, name in enumerate(sorted(shapes))}


def load(module: torch.nn.Module, case: str, form: str) -> torch.nn.Module:
    """Put a case's parameters into a module, in float64 and eval mode."""
    module.double().load_state_dict(load_reference(parameters(case), form))
    return module.eval()


def inp(index: int, *shape: int) -> Tensor:
    """Input number `index`: cos(0.9 index + 0.37 k) over the flat index k."""
    count = int(torch.tensor(shape).prod())
    return torch.cos(0.9 * index + 0.37 * torch.arange(count, dtype=torch.float64)).reshape(shape)


def mask(*rows: str) -> Tensor:
    """A boolean mask from strings of 0 and 1."""
    return torch.tensor([[digit == "1" for digit in row] for row in rows])


def check(case: str, value: Tensor, tolerance: float = 1e-10) -> None:
    """Compare shape, first six and last three values, sum and sum of squares with a case of the golden file."""
    golden = CASES[case]
    assert list(value.shape) == golden["shape"], case
    flat = value.detach().double().flatten()
    found = torch.cat([flat[:6], flat[-3:], flat.sum()[None], flat.square().sum()[None]])
    wanted = torch.tensor([*golden["first6"], *golden["last3"], golden["sum"], golden["sumsq"]], dtype=torch.float64)
    torch.testing.assert_close(found, wanted, rtol=0, atol=tolerance, msg=lambda text: f"{case}: {text}")


def count(module: torch.nn.Module) -> int:
    """Number of trainable values."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


class DictCache:
    """The simplest cache there can be."""

    def __init__(self) -> None:
        self.slots: dict[int, Tensor] = {}

    def extend(self, slot: int, new: Tensor) -> Tensor:
        old = self.slots.get(slot)
        self.slots[slot] = new if old is None else torch.cat([old, new], 1)
        return self.slots[slot]

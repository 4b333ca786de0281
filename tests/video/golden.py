"""SMCD's golden file: its fill rule, its inputs, and the comparison with its numbers."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parents[1] / "golden" / "video.json").read_text("utf-8"))
CASES: dict[str, Any] = GOLDEN["cases"]


def count_of(shape: list[int]) -> int:
    return int(torch.tensor(shape).prod()) if shape else 1


def fill(position: int, name: str, shape: list[int]) -> Tensor:
    """The value of reference parameter number `position`."""
    k = torch.arange(count_of(shape))
    wave = torch.sin(1.3 * position + 0.7 * k.double() + 0.1 + 0.9 * ((k * k) % 101).double())
    return (0.3 * wave + (1 if len(shape) == 1 and name.endswith(".weight") else 0)).reshape(shape)


@cache
def parameters(model: str) -> dict[str, Tensor]:
    """All parameters of a model under the authors' names."""
    about = GOLDEN["models"][model]
    shapes = {name: each["shape"] for name, each in about["parameters"].items()}
    values = {name: fill(place, name, shapes[name]) for place, name in enumerate(sorted(shapes))}
    for rule in about["overrides"]:
        for name in values:
            if re.fullmatch(rule["match"], name):
                if "constant" in rule:
                    values[name] = torch.full_like(values[name], rule["constant"])
                else:
                    values[name] = values[name] * rule.get("scale", 1) + rule.get("add", 0)
    return values


def load(module: nn.Module, model: str, prefix: str = "") -> Any:
    """Put the parameters whose names begin with a prefix into a module, in float64 and eval mode."""
    ours = {
        name.removeprefix(prefix).replace("proj.", "linear.", 1) if name.removeprefix(prefix).startswith("proj.")
        else name.removeprefix(prefix).replace(".op.", "."): value
        for name, value in parameters(model).items()
        if name.startswith(prefix)
    }  # fmt: skip
    module.double().load_state_dict(ours)
    return module.eval()


def inp(index: int, *shape: int) -> Tensor:
    """Input number `index`."""
    return torch.cos(0.9 * index + 0.37 * torch.arange(count_of(list(shape)), dtype=torch.float64)).reshape(shape)


def check(case: str, output: str, value: Tensor) -> None:
    """Compare with the file, to its tolerance of 1e-8."""
    told = CASES[case]["outputs"][output] if output else CASES[case]["code"]
    assert list(value.shape) == told["shape"], case
    if "values" in told:
        wanted = torch.tensor(told["values"], dtype=torch.float64)
        torch.testing.assert_close(value.double(), wanted, rtol=0, atol=1e-8)
        return
    flat = value.detach().double().flatten()
    found = torch.cat([flat[:8], flat[-4:], flat.sum()[None] / flat.numel() ** 0.5])
    wanted = torch.tensor([*told["first8"], *told["last4"], told["sum"] / flat.numel() ** 0.5], dtype=torch.float64)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-8)
    torch.testing.assert_close(float(flat.square().sum()), told["sumsq"], rtol=1e-8, atol=0)

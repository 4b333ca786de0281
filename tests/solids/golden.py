"""The golden file of solids: its cases, and its fill rule for networks."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

FILE: dict[str, Any] = json.loads((Path(__file__).parents[1] / "golden" / "solids.json").read_text("utf-8"))
CASES: dict[str, Any] = FILE["cases"]
TOLERANCE = 1e-8


def parameters(model: str) -> dict[str, Tensor]:
    """All parameters of a model under the released names, filled by the file's rule, overrides applied."""
    known = FILE["models"][model]
    found = {}
    for position, name in enumerate(sorted(known["parameters"])):
        shape = known["parameters"][name]["shape"]
        count = int(torch.tensor(shape).prod())
        k = torch.arange(count, dtype=torch.float64)
        square = torch.arange(count) ** 2 % 101
        value = 0.3 * torch.sin(1.3 * position + 0.7 * k + 0.1 + 0.9 * square.double())
        for rule in known["overrides"]:
            if re.fullmatch(rule["match"], name):
                if "values" in rule:
                    value = torch.tensor(rule["values"], dtype=torch.float64)
                value = value * rule.get("scale", 1.0) + rule.get("add", 0.0)
        found[name] = value.reshape(shape)
    return found


def inp(index: int, *shape: int) -> Tensor:
    """Input number `index`."""
    count = int(torch.tensor(shape).prod())
    return torch.cos(0.9 * index + 0.37 * torch.arange(count, dtype=torch.float64)).reshape(shape)


def check(record: dict[str, Any], value: Tensor) -> None:
    """Compare with all values of a record."""
    assert list(value.shape) == record["shape"]
    wanted = torch.tensor(record["values"], dtype=torch.float64)
    torch.testing.assert_close(value.detach().double(), wanted.reshape(value.shape), rtol=0, atol=TOLERANCE)


def rows(values: list[list[float]]) -> Tensor:
    """Twenty numbers of a primitive of the ten that the file lists."""
    ten = torch.tensor(values, dtype=torch.float64).reshape(-1, 10)
    return torch.cat([torch.zeros(len(ten), 10, dtype=torch.float64), ten], 1)

"""Weights of the authors' networks under this library's names. Source of the names: solids_and_video.md A4."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from ...errors import CheckpointError

_GATES = range(4)
"""Input, forget and output gate, candidate."""
_PLAIN = (
    (r"h_linear\.(\d)\.(\d)\.(\w+)", r"start_hidden.\1.\2.\3"),
    (r"c_linear\.(\d)\.(\d)\.(\w+)", r"start_cell.\1.\2.\3"),
    (r"conv_local\.(\w+)", r"local.conv.\1"),
    (r"cls_linear\.0\.(\w+)", r"classify.\1"),
    (r"box2d_linear\.(\d)\.(\w+)", r"box.\1.\2"),
    (r"graph\.embed_(hidden|class)\.(\w+)", r"embed_\1.\2"),
    (r"graph\.g2\.(\w+)", r"messages.content.\1"),
    (r"graph\.g3\.(\w+)", r"messages.receiver.\1"),
    (r"graph\.g4\.(\w+)", r"messages.sender.\1"),
    (r"graph\.g5\.(\w+)", r"messages.update.\1"),
    (r"graph\.cls\.(\w+)", r"classify.\1"),
    (r"graph\.st\.(\d)\.(\w+)", r"length.\1.\2"),
    (r"graph\.rot\.(\d)\.(\w+)", r"turn.\1.\2"),
)
_BY_CLASS = (
    (r"y_linear\.(\d+)\.(\d)\.(\w+)", "length"),
    (r"rot_linear\.(\d+)\.(\d)\.(\w+)", "turn"),
    (r"final\.st\.(\d+)\.(\d)\.(\w+)", "class_length"),
    (r"final\.rot\.(\d+)\.(\d)\.(\w+)", "class_turn"),
)
_CELL = r"rnn_core\.lstms\.(\d)\.(i2hs|w2hs|h2hs|bh2hs)\.(\d)\.(\w+)"
_MAPS = {0: ("i2hs", "w2hs", "h2hs"), 1: ("i2hs", "w2hs", "h2hs", "bh2hs")}


def load_released(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """State of a `ProposalNetwork` or a `PrimitiveGraph` from tensors under the authors' names.

    The release has one linear map a gate and input; they become one map a layer, whose bias is the sum of theirs.

    Raises:
        CheckpointError: a name that is not part of the release.
    """
    found: dict[str, Tensor] = {}
    by_class: dict[str, dict[int, Tensor]] = {}
    cells: dict[tuple[int, str, int, str], Tensor] = {}
    for name, value in state.items():
        if match := re.fullmatch(_CELL, name):
            cells[int(match[1]), match[2], int(match[3]), match[4]] = value
            continue
        for pattern, new in _BY_CLASS:
            if match := re.fullmatch(pattern, name):
                kind = "weights" if match[3] == "weight" else "biases"
                by_class.setdefault(f"{new}.{kind}.{int(match[2]) // 2}", {})[int(match[1])] = value
                break
        else:
            found[_plain(name)] = value
    found |= {name: torch.stack([rows[key] for key in sorted(rows)]) for name, rows in by_class.items()}
    if cells:
        for layer, own in enumerate(("first", "second")):
            weights = [
                torch.cat([cells[layer, source, gate, "weight"] for source in _MAPS[layer]], 1) for gate in _GATES
            ]
            biases = [sum_of([cells[layer, source, gate, "bias"] for source in _MAPS[layer]]) for gate in _GATES]
            found[f"cells.{own}.weight"], found[f"cells.{own}.bias"] = torch.cat(weights), torch.cat(biases)
    return found


def sum_of(values: list[Tensor]) -> Tensor:
    """Of equal shapes."""
    return torch.stack(values).sum(0)


def _plain(name: str) -> str:
    for pattern, new in _PLAIN:
        if re.fullmatch(pattern, name):
            return re.sub(pattern, new, name)
    raise CheckpointError(f"{name!r} is not part of the released primitive graph network.")

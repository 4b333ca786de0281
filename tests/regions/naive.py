"""Slow and obvious forms of what the package does in arrays, and boxes to try them on."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parents[1] / "golden" / "regions.json").read_text("utf-8"))


def double(values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def random_boxes(count: int, seed: int = 0, side: float = 100.0, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    low = torch.rand(count, 2, generator=generator, dtype=torch.float64) * side * 0.7
    sides = (0.02 + torch.rand(count, 2, generator=generator, dtype=torch.float64)) * side * 0.3
    return torch.cat([low, low + sides], 1).to(dtype)


def box_lists(least: int = 0, most: int = 12, whole: bool = False) -> st.SearchStrategy[list[list[float]]]:
    """Boxes with area; on a grid of whole numbers ties and equal overlaps are common."""
    if whole:
        corner, extent = st.integers(0, 6).map(float), st.integers(1, 5).map(float)
    else:
        corner, extent = st.floats(-50, 200), st.floats(0.01, 150)
    box = st.tuples(corner, corner, extent, extent).map(lambda b: [b[0], b[1], b[0] + b[2], b[1] + b[3]])
    return st.lists(box, min_size=least, max_size=most)


def iou(first: Sequence[float], second: Sequence[float], kind: type = np.float64) -> Any:
    """One pair, in the arithmetic of `kind`."""
    a, b = [kind(value) for value in first], [kind(value) for value in second]
    wide = max(min(a[2], b[2]) - max(a[0], b[0]), kind(0))
    high = max(min(a[3], b[3]) - max(a[1], b[1]), kind(0))
    common = wide * high
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)


def nms(boxes: Tensor, scores: Tensor, threshold: float, groups: Sequence[int] | None = None) -> list[int]:
    """Greedy suppression, one box after another, as torchvision's CPU kernel: float32 overlaps, double threshold."""
    kind = np.float32 if boxes.dtype == torch.float32 else np.float64
    rows = boxes.numpy().tolist()
    order = sorted(range(len(rows)), key=lambda row: -float(scores[row]))
    kept: list[int] = []
    for row in order:
        rivals = [other for other in kept if groups is None or groups[other] == groups[row]]
        if all(float(iou(rows[other], rows[row], kind)) <= threshold for other in rivals):
            kept.append(row)
    return kept


def roi_align(
    maps: Tensor, box: Sequence[float], picture: int, cells: int, scale: float, sampling: int, aligned: bool
) -> Tensor:
    """One box, point by point: (channels, cells, cells)."""
    channels = maps.shape[1]
    shift = 0.5 if aligned else 0.0
    x1, y1, x2, y2 = (value * scale - shift for value in box)
    width, height = x2 - x1, y2 - y1
    if not aligned:
        width, height = max(width, 1.0), max(height, 1.0)
    across = sampling or math.ceil(width / cells)
    down = sampling or math.ceil(height / cells)
    result = torch.zeros(channels, cells, cells, dtype=maps.dtype)
    for row in range(cells):
        for column in range(cells):
            for i in range(down):
                for j in range(across):
                    y = y1 + row * height / cells + (i + 0.5) * height / cells / down
                    x = x1 + column * width / cells + (j + 0.5) * width / cells / across
                    result[:, row, column] += bilinear(maps[picture], y, x)
    return result / (down * across)


def bilinear(values: Tensor, y: float, x: float) -> Tensor:
    rows, columns = values.shape[1:]
    if y < -1 or y > rows or x < -1 or x > columns:
        return torch.zeros(values.shape[0], dtype=values.dtype)
    y, x = min(max(y, 0.0), rows - 1.0), min(max(x, 0.0), columns - 1.0)
    top, left = int(y), int(x)
    below, right = min(top + 1, rows - 1), min(left + 1, columns - 1)
    dy, dx = y - top, x - left
    upper = values[:, top, left] * (1 - dx) + values[:, top, right] * dx
    lower = values[:, below, left] * (1 - dx) + values[:, below, right] * dx
    return upper * (1 - dy) + lower * dy

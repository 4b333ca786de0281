"""BGNN's golden file: its fill rule, its inputs, and the comparison with its numbers."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lichen.heads.scene_graph import GraphInputs, GraphTargets, SceneGraphConfig, SceneGraphHead
from lichen.heads.scene_graph.reference import load_released
from lichen.regions import Regions, ordered_pairs

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parents[2] / "golden" / "scene_graph.json").read_text("utf-8"))
MODEL: dict[str, Any] = GOLDEN["models"]["bgnn"]
CASES: dict[str, Any] = GOLDEN["cases"]
SIZES: dict[str, Any] = MODEL["configuration"]


def count_of(shape: list[int]) -> int:
    return int(torch.tensor(shape).prod()) if shape else 1


def fill(position: int, name: str, shape: list[int]) -> Tensor:
    """The value of reference parameter number `position`."""
    k = torch.arange(count_of(shape))
    wave = torch.sin(1.3 * position + 0.7 * k.double() + 0.1 + 0.9 * ((k * k) % 101).double())
    if name.endswith("running_var"):
        return (1 + 0.5 * wave**2).reshape(shape)
    return (0.3 * wave + (1 if len(shape) == 1 and name.endswith(".weight") else 0)).reshape(shape)


@cache
def parameters() -> dict[str, Tensor]:
    """All parameters under the reference's names."""
    shapes = {name: each["shape"] for name, each in MODEL["parameters"].items()}
    values = {name: fill(place, name, shapes[name]) for place, name in enumerate(sorted(shapes))}
    for rule in MODEL["overrides"]:
        for name in values:
            if not re.fullmatch(rule["match"], name):
                continue
            if "constant" in rule:
                values[name] = torch.full_like(values[name], rule["constant"])
            else:
                values[name] = values[name] * rule.get("scale", 1) + rule.get("add", 0)
    return values


def make_head() -> SceneGraphHead:
    """The release's head in the sizes of the file, in float64."""
    config = SceneGraphConfig(
        compat="pysgg",
        width=SIZES["context_hidden"],
        pooled=SIZES["pooling"],
        graph=SIZES["graph_hidden"],
        embedding=SIZES["embedding"],
        stages=SIZES["stages"],
        rounds=SIZES["rounds"],
        confidence=SIZES["confidence_hidden"],
    )
    channels = SIZES["roi_features"]
    head = SceneGraphHead(config, SIZES["object_classes"] - 1, SIZES["predicate_classes"] - 1, channels, channels)
    return load_released(head.double(), parameters())


def inp(index: int, *shape: int) -> Tensor:
    """Input number `index`."""
    flat = torch.cos(0.9 * index + 0.37 * torch.arange(count_of(list(shape)), dtype=torch.float64))
    return flat.reshape(shape)


def make_inputs(case: dict[str, Any]) -> tuple[GraphInputs, GraphTargets]:
    """Both pictures as one batch, and their labels."""
    parts, labels, logits = [], [], []
    for number, image in enumerate(case["images"]):
        parts.append(Regions.make(torch.tensor(image["boxes"], dtype=torch.float64), [image["size_wh"]]))
        logits.append(3 * inp(40 + number, len(image["boxes"]), SIZES["object_classes"]))
        labels += image["pair_labels"]
    regions = Regions.cat(parts)
    given = torch.tensor([label for image in case["images"] for label in image["labels"]])
    scores = torch.tensor([score for image in case["images"] for score in image["scores"]], dtype=torch.float64)
    known = case["mode"] == "predcls"
    shares = torch.cat(logits).softmax(1)[:, 1:]
    regions = Regions(
        boxes=regions.boxes,
        picture=regions.picture,
        sizes=regions.sizes,
        labels=given - 1 if known else shares.argmax(1),
        scores=torch.ones_like(scores) if known else scores,
        probabilities=None if known else shares,
    )
    pairs = ordered_pairs(regions)
    channels = SIZES["roi_features"]
    features, unions = inp(50, len(regions), channels).relu(), inp(51, len(pairs), channels).relu()
    return GraphInputs(regions, pairs, features, unions, labels_known=known), GraphTargets(torch.tensor(labels))


def difference(golden: dict[str, Any], value: Tensor) -> float:
    """Largest difference from the file; sums by the root of their number, squares relatively."""
    assert list(value.shape) == golden["shape"]
    flat = value.detach().double().flatten()
    if "values" in golden:
        return float((flat - torch.tensor(golden["values"], dtype=torch.float64).flatten()).abs().max())
    ends = torch.tensor([*golden["first8"], *golden["last4"]], dtype=torch.float64)
    found = [float((torch.cat([flat[:8], flat[-4:]]) - ends).abs().max())]
    found.append(abs(float(flat.sum()) - golden["sum"]) / len(flat) ** 0.5)
    found.append(abs(float(flat.square().sum()) - golden["sumsq"]) / abs(golden["sumsq"]))
    return max(found)

"""The golden file of the grounding network: its fill rule, its inputs, and the comparison with its numbers."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lichen.heads.grounding.captions import Captions
from lichen.heads.grounding.config import RELEASED, GroundingConfig
from lichen.heads.grounding.network import GroundingNetwork
from lichen.heads.grounding.prior import label_prior
from lichen.heads.grounding.reference import from_released
from lichen.heads.grounding.sentences import GRUSentences
from lichen.regions import Regions

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parents[2] / "golden" / "grounding.json").read_text("utf-8"))
MODEL, DATA = GOLDEN["models"]["reir"], GOLDEN["data"]
SIZES = MODEL["configuration"]
TOLERANCE = 1e-8


def double(values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def fill(position: int, name: str, shape: list[int]) -> Tensor:
    """Parameter number `position`, overrides included."""
    place = torch.arange(math.prod(shape))
    angle = 1.3 * position + 0.7 * place.double() + 0.1 + 0.9 * ((place * place) % 101).double()
    value = 0.3 * angle.sin()
    if name.endswith("running_var"):
        value = 1 + 0.5 * angle.sin() ** 2
    elif len(shape) == 1 and name.endswith(".weight"):
        value = value + 1
    for override in MODEL["overrides"]:
        if re.fullmatch(override["match"], name):
            value = value * override.get("scale", 1) + override.get("add", 0)
            if "constant" in override:
                value = torch.full_like(value, override["constant"])
    return value.reshape(shape)


def inp(index: int, *shape: int) -> Tensor:
    place = torch.arange(math.prod(shape), dtype=torch.float64)
    return torch.cos(0.9 * index + 0.37 * place).reshape(shape)


def network() -> GroundingNetwork:
    """The released network with the golden weights."""
    shapes = {name: entry["shape"] for name, entry in MODEL["parameters"].items()}
    state = {name: fill(position, name, shapes[name]) for position, name in enumerate(sorted(shapes))}
    config = GroundingConfig(
        width=SIZES["embedding"],
        joint=SIZES["joint"],
        hidden=SIZES["regression_hidden"],
        top=SIZES["top_k"],
        overlap=SIZES["regression_iou"],
        gap=SIZES["regression_gap"],
        margin=SIZES["contrast_margin"],
        **RELEASED,
    )
    words, spoken = shapes["phrase_embed.enc_embedding.weight"][0], shapes["vis2phr.bias"][0]
    model = GroundingNetwork(
        GRUSentences(words, config.width), SIZES["roi_features"], spoken, DATA["relation_category_counts"], config
    ).double()
    model.load_state_dict(from_released(state))
    return model


def look(boxes: Tensor, picture: Tensor) -> Tensor:
    """The file's stand-in for what lies under a box."""
    channel = torch.arange(SIZES["roi_features"], dtype=torch.float64)
    x1, y1, x2, y2 = (column[:, None] for column in boxes.detach().unbind(1))
    return torch.sin(
        0.013 * x1 * (1 + channel % 3)
        + 0.017 * y1 * (1 + channel % 5)
        + 0.011 * x2 * (1 + channel % 2)
        + 0.019 * y2 * (1 + channel % 4)
        + 0.9 * picture.double()[:, None]
        + 0.37 * channel
    )


def regions() -> Regions:
    images = DATA["images"]
    counts = torch.tensor([len(image["proposals"]) for image in images])
    return Regions.make(
        double([box for image in images for box in image["proposals"]]),
        [image["size_wh"] for image in images],
        picture=torch.arange(len(images)).repeat_interleave(counts),
        # Every proposal has a class vector of its own in the file.
        labels=torch.arange(int(counts.sum())),
    )


def captions() -> Captions:
    images = DATA["images"]
    sentences = [image["caption"].split(" ") for image in images]
    longest = max(map(len, sentences))
    ids = [[DATA["vocabulary"].index(word) + 1 for word in words] for words in sentences]
    owner, spans, spoken, relations, categories = [], [], [], [], []
    for number, image in enumerate(images):
        places = {phrase["id"]: len(owner) + row for row, phrase in enumerate(image["phrases"])}
        for phrase in image["phrases"]:
            words = phrase["text"].split(" ")
            first = phrase["first_word_index"]
            owner.append(number)
            spans.append([first, first + len(words)])
            told = [DATA["phrase_vocabulary"].index(word) + 1 for word in words]
            spoken.append(told + [0] * (3 - len(told)))
        for relation in image["relations"]:
            relations.append([places[relation["subject"]], places[relation["object"]]])
            row = [0.0] * len(DATA["relation_category_counts"])
            for category in relation["categories"]:
                if category:
                    row[category - 1] = 1.0
            categories.append(row)
    return Captions(
        picture=torch.arange(len(images)),
        caption=torch.tensor(owner),
        spans=torch.tensor(spans),
        spoken=torch.tensor(spoken),
        relations=torch.tensor(relations),
        categories=torch.tensor(categories),
        tokens=torch.tensor([row + [0] * (longest - len(row)) for row in ids]),
    )


def prior() -> Tensor:
    """How well the class of each proposal, by its number, suits each phrase."""
    known = {
        word: 0.3 + inp(100 + row, SIZES["word_vector"])
        for row, word in enumerate(DATA["vocabulary"])
        if word not in DATA["words_without_vector"]
    }
    means = []
    for image in DATA["images"]:
        for phrase in image["phrases"]:
            vectors = [torch.nn.functional.normalize(known[w], dim=0) for w in phrase["text"].split(" ") if w in known]
            means.append(torch.stack(vectors).mean(0))
    classes = [
        0.3 + inp(200 + number, len(image["proposals"]), SIZES["word_vector"])
        for number, image in enumerate(DATA["images"])
    ]
    return label_prior(torch.stack(means), torch.cat(classes))


def check(record: dict[str, Any], value: Tensor, what: str) -> None:
    """Compare with one record of the file: all values, or sums and a few values."""
    assert list(value.shape) == record["shape"], what
    value = value.detach()
    if "values" in record:
        torch.testing.assert_close(
            value, double(record["values"]), rtol=0, atol=TOLERANCE, msg=lambda m: f"{what}: {m}"
        )
        return
    flat = value.flatten()
    scale = math.sqrt(len(flat))
    torch.testing.assert_close(flat[:8], double(record["first8"]), rtol=0, atol=TOLERANCE, msg=lambda m: f"{what}: {m}")
    torch.testing.assert_close(flat[-4:], double(record["last4"]), rtol=0, atol=TOLERANCE, msg=lambda m: f"{what}: {m}")
    assert abs(float(flat.sum()) - record["sum"]) / scale < TOLERANCE, what
    assert abs(float(flat.square().sum()) - record["sumsq"]) <= TOLERANCE * record["sumsq"], what

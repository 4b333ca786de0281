"""Comparisons that take a second: tiny random backbones on a few texts or pictures with captions."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import torch
import transformers as hf
from PIL import Image

from lichen.training.recipe import Recipe, from_dict

from ...data.tiny import WORDS, make_processor, make_tokenizer
from ...families import CONFIGS

# Every seed ends with a full garbage collection; what is loaded by now need not be looked through each time.
gc.freeze()
SETTINGS: dict[str, Any] = {"method": "pooled", "dropout": 0.0}
"""Of the side network: no dropout, so that trainings can be compared bit for bit."""


def save_backbone(folder: Path, family: str) -> str:
    """A tiny random model with its tokenizer or image processor."""
    torch.manual_seed(0)
    config = CONFIGS[family]()
    if family != "resnet":
        config.num_hidden_layers = 2
    hf.AutoModel.from_config(config).save_pretrained(folder)
    if family == "bert":
        make_tokenizer().save_pretrained(folder)
    else:
        make_processor(size=32).save_pretrained(folder)
    return str(folder)


def write_texts(folder: Path, rows: int = 40) -> None:
    """Texts of 1 to 9 words, which a word tells apart; every fifth is for testing."""
    random = torch.Generator().manual_seed(0)
    lines = []
    for row in range(rows):
        words = [WORDS[4 + int(torch.randint(len(WORDS) - 4, (), generator=random))] for _ in range(1 + row % 8)]
        lines.append(f"{' '.join([*words, WORDS[4 + row % 2]])},{('down', 'up')[row % 2]}")
    (folder / "train.csv").write_text("\n".join(["text,label", *lines[: rows * 4 // 5]]))
    (folder / "test.csv").write_text("\n".join(["text,label", *lines[rows * 4 // 5 :]]))


def classify(folder: Path, family: str = "bert", **tables: dict[str, Any]) -> Recipe:
    """A recipe on such texts; `tables` are merged into its own."""
    if not (folder / "train.csv").is_file():
        write_texts(folder)
        save_backbone(folder / family, family)
    values: dict[str, Any] = {
        "task": "classify",
        "data": {"kind": "table", "train": "train.csv", "test": "test.csv", "holdout": 0.25},
        "backbone": {"name": str(folder / family), "max_tokens": 12},
        "side": dict(SETTINGS),
        "head": {"dropout": 0.0},
        "store": {"folder": str(folder / "features")},
        "train": {"steps": 6, "batch": 8},
        "compare": {"seeds": 1, "factors": [1.0], "rates": {"pooled": 1e-2, "lora": 1e-2}},
    }
    return from_dict(_merged(values, tables), "texts", folder)


def retrieve(folder: Path, picture: str = "vit", **tables: dict[str, Any]) -> Recipe:
    """A recipe on pictures with captions."""
    lines = ["image,answer"]
    for row in range(20):
        Image.new("RGB", (32, 32), (12 * row, 200 - 10 * row, 40)).save(folder / f"{row}.png")
        lines.append(f"{row}.png,{WORDS[4 + row % 4]} {WORDS[4 + row % 3]}")
    (folder / "pairs.csv").write_text("\n".join(lines))
    values: dict[str, Any] = {
        "task": "retrieve",
        "data": {"kind": "image-pairs", "path": "pairs.csv", "holdout": 0.25, "test_share": 0.25},
        "backbones": {
            "image": {"name": save_backbone(folder / picture, picture), "size": 32},
            "text": {"name": save_backbone(folder / "bert", "bert"), "max_tokens": 12},
        },
        "side": dict(SETTINGS),
        "head": {"width": 8},
        "store": {"folder": str(folder / "features")},
        "train": {"steps": 3, "batch": 6},
        "compare": {"seeds": 1, "factors": [1.0]},
    }
    return from_dict(_merged(values, tables), "pairs", folder)


def _merged(values: dict[str, Any], tables: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return values | {name: {**values.get(name, {}), **table} for name, table in tables.items()}

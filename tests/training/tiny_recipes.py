"""Recipes on tiny random backbones and a handful of made-up samples, all written into one folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers as hf
from PIL import Image

from lichen.training.recipe import Recipe, from_dict

from ..data.tiny import WORDS, make_processor, make_tokenizer
from ..families import CONFIGS

READS_TEXT = ("bert", "roberta", "llama")


def save_backbone(folder: Path, family: str) -> str:
    """A tiny random model with its tokenizer or image processor."""
    torch.manual_seed(0)
    hf.AutoModel.from_config(CONFIGS[family]()).save_pretrained(folder)
    if family in READS_TEXT:
        make_tokenizer().save_pretrained(folder)
    else:
        make_processor(size=32).save_pretrained(folder)
    return str(folder)


def write_texts(path: Path, rows: int = 30, seed: int = 0) -> str:
    """Texts of 1 to 30 words, long ones rare, with two labels."""
    chance = np.random.default_rng(seed)
    lines = ["text,label"]
    for row in range(rows):
        words = chance.choice(WORDS[4:], size=1 + int(30 * chance.random() ** 2))
        lines.append(f"{' '.join(words)},{'up' if row % 2 else 'down'}")
    path.write_text("\n".join(lines))
    return str(path)


def write_pictures(folder: Path, classes: int = 2, each: int = 10) -> str:
    for number in range(classes):
        (folder / f"class{number}").mkdir(parents=True)
        for row in range(each):
            Image.new("RGB", (40, 30), (20 * row, 90 * number, 50)).save(folder / f"class{number}" / f"{row}.png")
    return str(folder)


def write_captions(folder: Path, rows: int = 14) -> str:
    """Pictures with one to three captions of different lengths."""
    folder.mkdir()
    lines = ["image,answer"]
    for row in range(rows):
        Image.new("RGB", (30, 30), (10 * row, 10, 50)).save(folder / f"{row}.png")
        for number in range(1 + row % 3):
            lines.append(
                f"{row}.png,{' '.join(['a', 'good', 'film'][: 1 + number] * (1 + row % 5))} {WORDS[4 + row % 4]}"
            )
    (folder / "captions.csv").write_text("\n".join(lines))
    return str(folder / "captions.csv")


def classify(root: Path, family: str, method: str = "pooled", **tables: Any) -> Recipe:
    """A recipe for texts or pictures on a tiny backbone."""
    if family in READS_TEXT:
        data: dict[str, Any] = {"kind": "table", "train": write_texts(root / "train.csv")}
    else:
        data = {"kind": "folder", "path": write_pictures(root / "pictures")}
    values: dict[str, Any] = {
        "task": "classify",
        "data": data,
        "backbone": {"name": save_backbone(root / family, family), "max_tokens": 64},
        "side": {"method": method},
        "train": {"steps": 2, "batch": 4, "lr": 1e-3},
    }
    for name, table in tables.items():
        values[name] = {**values.get(name, {}), **table} if isinstance(table, dict) else table
    return from_dict(values, "tiny", root)


def retrieve(root: Path, **tables: Any) -> Recipe:
    """Captions of pictures: a staged backbone and one of tokens."""
    values: dict[str, Any] = {
        "task": "retrieve",
        "data": {"kind": "image-pairs", "path": write_captions(root / "pairs"), "holdout": 0.2},
        "backbones": {
            "image": {"name": save_backbone(root / "vit", "vit")},
            "text": {"name": save_backbone(root / "bert", "bert"), "max_tokens": 64},
        },
        "side": {"method": "pooled"},
        "head": {"width": 8},
        "train": {"steps": 2, "batch": 6},
    }
    return from_dict({**values, **tables}, "tiny", root)

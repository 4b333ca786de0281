"""A folder as a newcomer has it: pictures by class, texts in a table, a recipe for each, tiny backbones beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lichen.cli.main import main

from .recipes_data import save_bert, save_vit

PICTURES = """task = "classify"
[data]
kind = "folder"
path = "pictures"
[backbone]
name = "vit"
[side]
method = "pooled"
[train]
steps = 2
batch = 4
[store]
shard = 4
"""
TEXTS = """task = "classify"
[data]
kind = "table"
path = "texts.csv"
[backbone]
name = "bert"
max_tokens = 16
[side]
method = "pooled"
[train]
steps = 2
"""
PAIRS = """task = "retrieve"
[data]
kind = "image-pairs"
path = "pairs.csv"
[backbones.image]
name = "vit"
[backbones.text]
name = "bert"
max_tokens = 16
[side]
method = "pooled"
[head]
width = 8
[train]
steps = 2
batch = 4
"""


def write_pictures(folder: Path, classes: Sequence[str] = ("disc", "square"), each: int = 12) -> None:
    """Noise, brighter for each class, one folder a class."""
    random = np.random.default_rng(0)
    for number, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for row in range(each):
            pixels = random.integers(0, 120, (20, 24, 3), dtype=np.uint8) + np.uint8(60 * number)
            Image.fromarray(pixels).save(folder / name / f"{row:02}.png")


def write_texts(path: Path, each: int = 12) -> None:
    lines = [
        f"{'good' if row % 2 else 'bad'} film{' a' * (row // 2)},{'up' if row % 2 else 'down'}"
        for row in range(2 * each)
    ]
    path.write_text("\n".join(["text,label", *lines]), "utf-8")


def make_place(folder: Path) -> Path:
    """Everything in one folder."""
    folder.mkdir(parents=True, exist_ok=True)
    save_vit(folder / "vit")
    save_bert(folder / "bert")
    write_pictures(folder / "pictures")
    write_texts(folder / "texts.csv")
    rows = [
        f"pictures/{name}/{row:02}.png,{words} film"
        for name, words in (("disc", "good"), ("square", "bad"))
        for row in range(6)
    ]
    (folder / "pairs.csv").write_text("\n".join(["image,answer", *rows]), "utf-8")
    for name, text in (("pictures", PICTURES), ("texts", TEXTS), ("pairs", PAIRS)):
        (folder / f"{name}.toml").write_text(text, "utf-8")
    return folder


class Lichen:
    """The command, in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, *words: str | Path, code: int = 0) -> tuple[str, str]:
        """What a command prints on stdout and stderr; its exit code is checked."""
        self.capsys.readouterr()
        found = main([str(word) for word in words])
        out, err = self.capsys.readouterr()
        assert found == code, f"exit code {found}\n{out}\n{err}"
        assert "Traceback" not in err
        return out, err

    def wrong(self, *words: str | Path) -> str:
        """The one message about wrong input, and nothing else."""
        out, err = self(*words, code=2)
        assert out == "" and err.startswith("lichen: ") and err.count("lichen: ") == 1 and err.endswith("\n"), out + err
        return err

"""Time of a training step, relative to a LoRA step on the same batches, at three shapes of backbone, in one run.

    python benchmarks/steps.py [--only vit-base …] [--steps 12] [--batch 16] [--json FILE]

What is timed is what `lichen compare` times: fetching features from the store (or running the frozen backbone, for the
methods marked @live), forward, backward, clipping and AdamW. All methods take step i before any takes step i + 1, so
that a busy machine slows each alike; the first steps, which warm up, do not count. Ratios are of medians. LoRA is
PEFT's, r = 8 on queries and values of all layers.

Backbones have the published shapes and random weights (a step's time does not depend on them); pictures are noise of
224 x 224, texts are random words. Nothing is downloaded. Needs about 4 GB of memory, and 1 GB of disk for a while.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from PIL import Image

from lichen.backbones.embedded import load_processor
from lichen.training.comparing.compare import Watch, compare
from lichen.training.comparing.methods import parse_methods
from lichen.training.comparing.results import Comparison
from lichen.training.recipe import Recipe, from_dict

METHODS = ("lora", "lora-checkpointed", "pooled", "unipt:reduction=8", "sherl", "lst", "probe", "pooled@live")
GOALS = {"pooled": 0.02, "unipt:reduction=8": 0.05, "pooled@live": 0.5}
"""Shares of a LoRA step that this library aims at; the first is 0.03 on MiniLM."""
WARM = 3
"""Steps that do not count."""


def _bert(folder: Path, **sizes: int) -> None:
    transformers.BertModel(transformers.BertConfig(**sizes)).save_pretrained(folder / "model")
    load_processor("minilm").save_pretrained(folder / "model")


def _texts(folder: Path, count: int, words: int) -> dict[str, Any]:
    draw = random.Random(0)
    vocabulary = ["river", "stone", "slow", "bright", "carries", "under", "morning", "quiet", "field", "against"]
    lines = [
        json.dumps({"text": " ".join(draw.choices(vocabulary, k=words)), "label": str(row % 2)}) for row in range(count)
    ]
    (folder / "train.jsonl").write_text("\n".join(lines))
    return {"kind": "table", "train": "train.jsonl", "test": "train.jsonl"}


def _pictures(folder: Path, count: int) -> dict[str, Any]:
    draw = np.random.default_rng(0)
    for row in range(count):
        path = folder / "pictures" / str(row % 2) / f"{row}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw.integers(0, 256, (224, 224, 3), dtype=np.uint8)).save(path)
    return {"kind": "folder", "train": "pictures", "test": "pictures"}


def vit_base(folder: Path, count: int) -> dict[str, Any]:
    """ViT-B/16, pictures of 224 x 224: 13 states of 197 tokens of width 768."""
    transformers.ViTModel(transformers.ViTConfig()).save_pretrained(folder / "model")
    transformers.ViTImageProcessorPil().save_pretrained(folder / "model")
    return _pictures(folder, count)


def bert_base(folder: Path, count: int) -> dict[str, Any]:
    """BERT-base, texts of 128 tokens: 13 states of width 768."""
    _bert(folder)
    return _texts(folder, count, 126)


def minilm(folder: Path, count: int) -> dict[str, Any]:
    """MiniLM-L6, texts of 128 tokens: 7 states of width 384."""
    _bert(folder, hidden_size=384, num_hidden_layers=6, intermediate_size=1536)
    return _texts(folder, count, 126)


def minilm_short(folder: Path, count: int) -> dict[str, Any]:
    """MiniLM-L6, texts of 24 tokens, as those of SST-2 are."""
    _bert(folder, hidden_size=384, num_hidden_layers=6, intermediate_size=1536)
    return _texts(folder, count, 22)


SHAPES: dict[str, Callable[[Path, int], dict[str, Any]]] = {
    "vit-base": vit_base,
    "bert-base": bert_base,
    "minilm": minilm,
    "minilm-short": minilm_short,
}


class _Dots(Watch):
    def step(self) -> None:
        print(".", end="", file=sys.stderr, flush=True)


def recipe_of(folder: Path, data: dict[str, Any], steps: int, batch: int) -> Recipe:
    """A training of a few steps with one learning rate a method."""
    values = {
        "task": "classify",
        "data": data,
        "backbone": {"name": str(folder / "model"), "max_tokens": 128},
        "side": {"method": "pooled"},
        "store": {"folder": str(folder / "stores")},
        "train": {"steps": steps, "batch": batch},
        "compare": {"seeds": 1, "factors": [1.0]},
    }
    return from_dict(values, "steps", folder)


def ratios(found: Comparison) -> dict[str, float]:
    """Median time of a step of each method, relative to LoRA's."""
    [trials] = found.seeds.values()
    medians = {name: statistics.median(trial.step_seconds[WARM:]) for name, trial in trials.items()}
    return {name: value / medians["lora"] for name, value in medians.items()} | {"lora step, seconds": medians["lora"]}


def measure(name: str, steps: int, batch: int) -> dict[str, float]:
    """Ratios at one shape."""
    with tempfile.TemporaryDirectory(prefix="lichen-steps-") as place:
        folder = Path(place)
        torch.manual_seed(0)
        data = SHAPES[name](folder, 4 * batch)
        print(f"{name}: ", end="", file=sys.stderr, flush=True)
        found = compare(recipe_of(folder, data, steps, batch), parse_methods(METHODS), watch=_Dots())
        print(file=sys.stderr)
    return ratios(found)


def table(results: dict[str, dict[str, float]]) -> str:
    """Markdown: a row a method, a column a shape, goals beside them."""
    rows = ["| step of | " + " | ".join(results) + " | goal |", "|---|" + "---:|" * (len(results) + 1)]
    for method in METHODS:
        goal = GOALS.get(method)
        told = "" if goal is None else f"≤ {goal:g}" + (" (MiniLM 0.03)" if method == "pooled" else "")
        rows.append(
            f"| {method} | " + " | ".join(f"{found[method]:.3f}" for found in results.values()) + f" | {told} |"
        )
    seconds = " | ".join(f"{found['lora step, seconds']:.2f}" for found in results.values())
    return "\n".join([*rows, f"| LoRA's step, seconds | {seconds} | |"])


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args(given)
    transformers.utils.logging.disable_progress_bar()
    results = {name: measure(name, args.steps, args.batch) for name in args.only}
    print(f"{torch.get_num_threads()} thread(s), batch {args.batch}, median of {args.steps - WARM} steps\n")
    print(table(results))
    if args.json:
        args.json.write_text(json.dumps(results, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

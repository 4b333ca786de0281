"""An epoch of a decoder's training from stored features, beside the same epoch with the encoder running, in one run.

    python benchmarks/epochs.py [--pictures 48] [--batch 16] [--rounds 3]

The encoder is a ViT-B/16 with random weights, pictures are noise of 224 x 224 with five captions each: 197 tokens of
width 768, kept in bfloat16. The decoder has 2 layers; it is timed at width 256 and at the published 768. Epochs
alternate, the first of each does not count, ratios are of medians. Making the store is not counted, as it is done once,
and is printed beside. Nothing is downloaded. Needs about 3 GB of memory.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import transformers
from PIL import Image

from lichen.training.batches import Batches
from lichen.training.pipeline import Prepared, fit, prepare
from lichen.training.recipe import Recipe, from_dict

CAPTIONS = 5
GOAL = 8.0
WORDS = ["a", "cat", "dog", "on", "the", "mat", "under", "red", "table", "runs", "sits", "two", "and", "by", "river"]


def recipe_in(folder: Path, pictures: int, width: int) -> Recipe:
    """A recipe for captions of noise."""
    transformers.ViTModel(transformers.ViTConfig()).save_pretrained(folder / "model")
    transformers.ViTImageProcessorPil().save_pretrained(folder / "model")
    draw, dice = np.random.default_rng(0), random.Random(0)
    lines = []
    for row in range(pictures):
        Image.fromarray(draw.integers(0, 256, (224, 224, 3), dtype=np.uint8)).save(folder / f"{row}.png")
        captions = [" ".join(dice.choices(WORDS, k=10)) for _ in range(CAPTIONS)]
        lines.append(json.dumps({"id": str(row), "image": f"{row}.png", "captions": captions}))
    (folder / "train.jsonl").write_text("\n".join(lines))
    decoder = {"tasks": ["caption"], "width": width, "heads": width // 64, "check_leaks": False}
    return from_dict(
        {
            "task": "write",
            "data": {"kind": "scenes", "train": "train.jsonl", "holdout": 0.0},
            "backbone": {"name": str(folder / "model")},
            "side": {"method": "probe"},
            "head": {"decoder": decoder},
            "store": {"folder": str(folder / "store")},
        },
        "epochs",
        folder,
    )


class Epoch:
    """One way to train for an epoch."""

    def __init__(self, prepared: Prepared, batch: int) -> None:
        self.model, records = fit(prepared, 0)
        self.batches = Batches(
            prepared.examples("train"),
            prepared.sources,
            {part: record.layers for part, record in records.items()},
            prepared.task.told,
        )
        self.batch = batch
        self.optimiser = torch.optim.AdamW(self.model.parameters(), lr=1e-4)

    def run(self) -> float:
        """Seconds of all steps of an epoch."""
        started = time.perf_counter()
        self.model.train()
        for places in torch.randperm(len(self.batches.examples)).split(self.batch):
            given = self.batches(places.tolist())
            with torch.no_grad():
                features = given["features"] if "features" in given else self.batches.read(given["samples"])
            self.model(features, given["targets"])["loss"].backward()
            self.optimiser.step()
            self.optimiser.zero_grad()
        return time.perf_counter() - started


def main() -> int:
    """Time and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=48)
    parser.add_argument("--batch", type=int, default=16, help="captions in a step")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    for width in (256, 768):
        with tempfile.TemporaryDirectory() as name:
            recipe = recipe_in(Path(name), args.pictures, width)
            stored = prepare(recipe)
            live = prepare(replace(recipe, store=replace(recipe.store, live=True)))
            ways = {"stored": Epoch(stored, args.batch), "live": Epoch(live, args.batch)}
            times: dict[str, list[float]] = {way: [] for way in ways}
            for _ in range(args.rounds + 1):
                for way, epoch in ways.items():
                    times[way].append(epoch.run())
            medians = {way: statistics.median(values[1:]) for way, values in times.items()}
            ratio = medians["live"] / medians["stored"]
            print(
                f"decoder of width {width}: stored {medians['stored']:.1f} s, live {medians['live']:.1f} s an epoch of "
                f"{args.pictures * CAPTIONS} captions: {ratio:.1f} times (goal {GOAL:.0f}); "
                f"making the store took {stored.seconds:.1f} s",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

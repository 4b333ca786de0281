"""A training step of `interact` from stored features and boxes, beside the same with models running; pairs judged.

    python benchmarks/interactions.py [--pictures 256] [--batch 16] [--rounds 3]

Pictures are the playground's, the encoder is playground-clip and boxes are those of playground-detector. Three ways of
the same step alternate in one run: features and boxes from the disk; the encoder running, boxes from the disk; both
models running. The first round does not count, ratios are of medians. Then the trained head alone judges pairs of a
vocabulary of HICO-DET's size, with features at hand. Nothing is downloaded.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch
from epochs import Epoch

from lichen.heads.hoi import HOIConfig, HOIInputs, WeakHOI, human_pairs, weak_scores
from lichen.regions import Regions
from lichen.regions.detectors import load_detector
from lichen.regions.spatial import pair_encoding
from lichen.training.pipeline import prepare
from lichen.training.recipe import load_recipe

_DETECTOR = "embedded:playground-detector"
_WIDE, _JOINT = 256, 512


def steps(pictures: int, batch: int, rounds: int) -> None:
    """Time epochs of all three ways."""
    with tempfile.TemporaryDirectory() as name:
        changes = [
            *("data.size=small", f"data.limit={pictures}", "data.eval_limit=16", f"head.boxes.source={_DETECTOR}"),
            f"store.folder={Path(name) / 'store'}",
        ]
        recipe = load_recipe("playground-interact-weak", changes)
        stored = prepare(recipe)
        live = prepare(replace(recipe, store=replace(recipe.store, live=True)))
        ways = {"stored": Epoch(stored, batch), "encoder running": Epoch(live, batch)}
        detector = load_detector(_DETECTOR, recipe.head.boxes.detector())
        shown = [stored.dataset.picture(row) for row in stored.dataset.rows("train")]
        times: dict[str, list[float]] = {way: [] for way in (*ways, "both running")}
        for _ in range(rounds + 1):
            for way, epoch in ways.items():
                times[way].append(epoch.run())
            started = time.perf_counter()
            for start in range(0, len(shown), batch):
                detector(shown[start : start + batch])
            times["both running"].append(times["encoder running"][-1] + time.perf_counter() - started)
        medians = {way: statistics.median(values[1:]) for way, values in times.items()}
        count = -(-len(shown) // batch)
        for way, seconds in medians.items():
            ratio = seconds / medians["stored"]
            print(f"{way}: {1000 * seconds / count:.1f} ms a step of {batch} pictures, {ratio:.1f} times", flush=True)


def pairs_a_second(rounds: int, interactions: int = 600, classes: int = 80, boxes: int = 30) -> None:
    """Time the head alone on pictures of 15 people and 15 things each."""
    torch.manual_seed(0)
    pictures = 8
    labels = torch.tensor([0] * (boxes // 2) + [1] * (boxes - boxes // 2)).repeat(pictures)
    labels = torch.where(labels == 0, 0, torch.randint(1, classes, labels.shape))
    corner = torch.rand(len(labels), 2) * 300
    regions = Regions.make(
        torch.cat([corner, corner + 20 + torch.rand(len(labels), 2) * 300], 1),
        [(640.0, 640.0)] * pictures,
        picture=torch.arange(pictures).repeat_interleave(boxes),
        labels=labels,
    )
    pairs = human_pairs(regions, torch.arange(classes) == 0)
    objects = torch.arange(classes)[:, None] == torch.arange(interactions) % classes
    network = WeakHOI(_JOINT, _WIDE, torch.randn(interactions, _JOINT), HOIConfig()).eval()
    seconds = []
    with torch.inference_mode():
        for _ in range(rounds + 1):
            started = time.perf_counter()
            inputs = HOIInputs(
                regions,
                pairs,
                objects[labels[pairs[:, 1]]],
                torch.randn(pictures, _JOINT),
                torch.randn(len(labels), _WIDE),
                torch.randn(len(pairs), _WIDE),
                pair_encoding(regions.boxes[pairs[:, 0]], regions.boxes[pairs[:, 1]], regions.sizes[:1]),
            )
            weak_scores(network(inputs), inputs, torch.ones(interactions, dtype=torch.bool), HOIConfig())
            seconds.append(time.perf_counter() - started)
    median = statistics.median(seconds[1:])
    speed = f"{len(pairs) / median:,.0f} pairs a second"
    print(f"head alone, {len(pairs)} pairs of {pictures} pictures, {interactions} interactions: {speed}")


def main() -> int:
    """Time and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=256)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    steps(args.pictures, args.batch, args.rounds)
    pairs_a_second(args.rounds)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

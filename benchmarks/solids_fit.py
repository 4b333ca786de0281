"""How well and how fast cuboids are fitted to the playground's furniture, without a network.

    python benchmarks/solids_fit.py [--objects 24] [--seed 0] [--only NAME …] [--grid 32]

Every way fits the same voxels. Prints the voxel IoU (mean and least), the share of objects at 0.85 or more, parts of
the half model found beside those that there are, and seconds an object on one thread; ratios of times hold on a busy
machine, times do not.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from dataclasses import replace

import torch

from lichen.data.playground.solids import PlaygroundSolids, SolidConfig
from lichen.errors import InputError, pick
from lichen.solids import FitConfig, fit_cuboids

WAYS: dict[str, FitConfig] = {
    "full": FitConfig(),
    "without polishing": FitConfig(polish=0),
    "without pruning": FitConfig(prune=0.0),
    "random starts": FitConfig(start="random"),
    "search, published energy": replace(FitConfig.published(), start="search"),
    "published": FitConfig.published(),
}
"""What is fitted by: all of our own additions, some of them, none."""
GOOD = 0.85


def main(words: Sequence[str] | None = None) -> int:
    """Fit and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0, help="of the playground")
    parser.add_argument("--grid", type=int, default=32, help="voxels along an edge")
    parser.add_argument("--only", action="append", metavar="NAME", help="way; may be given several times")
    args = parser.parse_args(words)
    wanted = [pick("way", name, WAYS) for name in args.only or WAYS]
    torch.set_num_threads(1)
    world = PlaygroundSolids(args.seed, "test", args.objects, SolidConfig(size=16, views=1, voxels=args.grid))
    print("| way | IoU | least IoU | at 0.85 | parts found / true | seconds |\n|---|---:|---:|---:|---:|---:|")
    for name in wanted:
        scores, seconds, found, true = [], [], 0, 0
        for sample in world:
            started = time.process_time()
            try:
                fitted = fit_cuboids(torch.from_numpy(sample.voxels), WAYS[name])
                scores.append(fitted.iou)
                found += len(fitted.half)
            except InputError:
                # No restart was usable: nothing was found.
                scores.append(0.0)
            seconds.append(time.process_time() - started)
            true += int(sample.scene.metadata["half"])
        good = sum(score >= GOOD for score in scores) / len(scores)
        print(
            f"| {name} | {statistics.mean(scores):.3f} | {min(scores):.3f} | {100 * good:.0f} % | {found} / {true} | "
            f"{statistics.mean(seconds):.1f} |",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

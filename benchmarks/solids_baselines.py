"""What a trained `solids` run must beat, on its own test side: same objects, same metrics.

    python benchmarks/solids_baselines.py playground-solids [--limit N] [--data FOLDER] [--set KEY=VALUE …]

The mean shape: the one training object whose voxels agree best, on average, with those of the others of a sample; every
test picture is answered with it. The nearest neighbour: the training picture whose pixels, in 32 × 32 grey and colour,
have the least squared distance answers with its object. Both know nothing but the training side.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lichen.data.dataset import Dataset
from lichen.data.readers import load
from lichen.errors import InputError
from lichen.metrics.solids import measure_solids
from lichen.solids import iou, voxelise
from lichen.tasks.solids import Solids
from lichen.training.recipe import load_recipe

EDGE = 32
"""Of the pictures that are compared."""
SAMPLE = 64
"""Objects among which the mean shape is sought."""
SHOWN = ("iou", "chamfer", "f_score", "accuracy@0.2", "count_exact", "part_precision")


def thumbnails(dataset: Dataset, rows: Sequence[int]) -> Tensor:
    """Small pictures as vectors, in single precision."""
    small = [np.asarray(dataset.picture(row, EDGE).resize((EDGE, EDGE)), np.float32) for row in rows]
    return torch.from_numpy(np.stack(small)).flatten(1) / 255


def mean_shape(grids: Tensor) -> int:
    """Place of the occupancy with the best mean IoU with the others."""
    scores = [float(iou(grid.expand_as(grids), grids).mean()) for grid in grids]
    return int(torch.tensor(scores).argmax())


def main(words: Sequence[str] | None = None) -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("--limit", type=int, metavar="N", help="test pictures at most")
    parser.add_argument("--data", type=Path, help="where relative paths of the recipe's [data] start")
    parser.add_argument("--set", dest="changes", action="append", default=[], metavar="KEY=VALUE")
    args = parser.parse_args(words)
    recipe = load_recipe(args.recipe, args.changes, root=args.data)
    if recipe.task != "solids":
        raise InputError(f"These are baselines of solids, and {args.recipe!r} trains {recipe.task}.")
    dataset = load(recipe.data)
    task = Solids.of(dataset, recipe.data, recipe.head)
    known, asked = task.examples(dataset, "train"), task.examples(dataset, "test")
    if args.limit is not None:
        asked = asked.take(torch.arange(min(args.limit, len(asked))))
    truths, shapes = asked.known[0], known.known[0]
    places = asked.targets["object"].tolist()
    grid = recipe.head.solids.grid
    step = max(1, len(shapes.wholes) // SAMPLE)
    sample = list(range(0, len(shapes.wholes), step))[:SAMPLE]
    usual = sample[mean_shape(torch.stack([voxelise(shapes.wholes[n].moved(grid), grid) for n in sample]))]
    pictures = [thumbnails(dataset, each.rows["image"].tolist()) for each in (asked, known)]
    nearest = torch.cdist(*pictures).argmin(1).tolist()
    print(f"| {len(places)} pictures | " + " | ".join(SHOWN) + " |\n|---|" + "---:|" * len(SHOWN))
    for name, chosen in (("mean shape", [usual] * len(places)), ("nearest picture", nearest)):
        found = measure_solids(
            [shapes.wholes[n] for n in chosen],
            [truths.wholes[n] for n in places],
            ([shapes.labels[n] for n in chosen], [truths.labels[n] for n in places]),
            grid=grid,
            rule=recipe.head.solids.rule,
        )
        print(f"| {name} | " + " | ".join(f"{found[key]:.3f}" for key in SHOWN) + " |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

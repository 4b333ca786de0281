"""The price of sharing one decoder: every task of a recipe alone, and all of them together.

    python benchmarks/sharing.py playground-write --out FOLDER [--data FOLDER] [--seeds 3] [--set KEY=VALUE …]

Alone and together, a task has the same examples, as many passes over them, the same decoder and the same frozen
features. Prints each task's metrics on the test side, mean and spread over the seeds, and what sharing costs. Runs that
are in the folder already are read, not made again, so that an interrupted series goes on.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ablations import measured

from lichen.tasks.written.scoring import HEADLINES
from lichen.training.recipe import Recipe, load_recipe

SHOWN = {
    "classify": ("accuracy", "log_perplexity"),
    "caption": ("cider", "log_perplexity"),
    "vqa": ("accuracy", "log_perplexity"),
    "ocr": ("word_accuracy", "cer", "log_perplexity"),
    "detect": ("ap", "log_perplexity"),
    "cap": ("cider", "log_perplexity"),
    "aref": ("acc50", "mean_iou", "log_perplexity"),
    "gcap": ("cider", "log_perplexity"),
}
"""Metrics of a table."""


def with_tasks(recipe: Recipe, tasks: Sequence[str], seed: int) -> Recipe:
    """The recipe for some of its tasks."""
    decoder = replace(recipe.head.decoder, tasks=tuple(tasks))
    name = "together" if len(tasks) > 1 else tasks[0]
    return replace(recipe, name=f"{name}-{seed}", seed=seed, head=replace(recipe.head, decoder=decoder))


def placed(recipe: Recipe, tasks: Sequence[str], seed: int, folder: Path) -> tuple[Recipe, Path]:
    """The same, and where its run lies."""
    some = with_tasks(recipe, tasks, seed)
    return some, folder / some.name


def said(values: Sequence[float], name: str) -> str:
    """Mean and spread, CIDEr and shares times 100."""
    scale = 1.0 if name == "log_perplexity" else 100.0
    scaled = [scale * value for value in values]
    digits = 2 if name == "log_perplexity" else 1
    spread = f" ± {statistics.stdev(scaled):.{digits}f}" if len(scaled) > 1 else ""
    return f"{statistics.mean(scaled):.{digits}f}{spread}"


def main() -> int:
    """Train what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--data", type=Path, help="where relative paths of the recipe's [data] start")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--set", dest="changes", action="append", default=[], metavar="KEY=VALUE")
    args = parser.parse_args()
    recipe = load_recipe(args.recipe, args.changes, root=args.data)
    tasks = recipe.head.decoder.tasks
    alone: dict[str, list[dict[str, float]]] = {task: [] for task in tasks}
    together: list[dict[str, float]] = []
    for seed in range(args.seeds):
        together.append(measured(*placed(recipe, tasks, seed, args.out)))
        for task in tasks:
            alone[task].append(measured(*placed(recipe, [task], seed, args.out)))
    print("| task | metric | alone | together |\n|---|---|---:|---:|")
    for task in tasks:
        for name in SHOWN[task]:
            key = f"{task}/{name}"
            own = [each.get(key, each.get(name, float("nan"))) for each in alone[task]]
            shared = [each[key] for each in together]
            star = " (headline)" if name == HEADLINES[task] else ""
            print(f"| {task} | {name}{star} | {said(own, name)} | {said(shared, name)} |")
    (args.out / "sharing.json").write_text(json.dumps({"alone": alone, "together": together}, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

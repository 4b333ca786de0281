"""What a zero-shot run of `interact` must beat, on its own test side: same boxes, same pairs, same metric.

    python benchmarks/interaction_baselines.py RECIPE [--data FOLDER] [--split test] [--set KEY=VALUE …]

RECIPE is one whose method is zero-shot. Nothing is trained: its teacher, a model of pictures and texts, answers by
itself, from whole pictures, from the crops around pairs, or by the product of both; and every pair is given all
interactions of its object by chance. The upper bound is the recall of the pairs. Prints percent.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from lichen.data.readers import load
from lichen.errors import InputError
from lichen.heads.hoi import HOIInputs, compatible_pairs, teacher_scores
from lichen.tasks.interact import Interact
from lichen.tasks.interacting.proposals import Told
from lichen.tasks.task import Examples
from lichen.training.recipe import load_recipe

SHOWN = ("mAP", "mAP_known", "mAP_unseen", "mAP_seen", "mRec")
_TOGETHER = 64
Scorer = Callable[[Told, HOIInputs], Tensor]


def bare(told: Told, objects: Tensor) -> HOIInputs:
    """Boxes and pairs, of which nothing is looked at."""
    pairs, boxes = len(told.pairs), len(told.regions)
    return HOIInputs(
        told.regions,
        told.pairs,
        compatible_pairs(told.regions.labels, told.pairs, objects),
        torch.zeros(told.regions.pictures, 1),
        torch.zeros(boxes, 1),
        torch.zeros(pairs, 1),
        torch.zeros(pairs, 36),
    )


def measured(task: Interact, examples: Examples, score: Scorer) -> dict[str, float]:
    """Metrics of scores."""
    meter = task.meter(examples)
    done = 0
    for some in examples.batches(_TOGETHER):
        told = task.told_of(some)
        inputs = bare(told, task.objects)
        meter.add(torch.arange(done, done + len(some)), inputs, told, score(told, inputs))
        done += len(some)
    return meter.compute()


def scorers(task: Interact) -> dict[str, Scorer]:
    """Baselines by name."""
    generator = torch.Generator().manual_seed(0)

    def teacher(*levels: str) -> Scorer:
        def score(told: Told, inputs: HOIInputs) -> Tensor:
            assert told.teacher is not None
            return teacher_scores(told.teacher, inputs, task.config.head, levels)

        return score

    return {
        "by chance": lambda told, inputs: torch.rand(inputs.compatible.shape, generator=generator) * inputs.compatible,
        "teacher, whole picture": teacher("image"),
        "teacher, crop around the pair": teacher("union"),
        "teacher, both": teacher("image", "union"),
    }


def show(rows: Mapping[str, Mapping[str, float]]) -> None:
    """The table, in percent."""
    names = [name for name in SHOWN if any(name in found for found in rows.values())]
    print(f"| scores | {' | '.join(names)} |\n|---|{'---:|' * len(names)}")
    for title, found in rows.items():
        print(f"| {title} | {' | '.join(f'{100 * found[name]:.1f}' for name in names)} |")


def main(given: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", help="name or file of a recipe")
    parser.add_argument("--split", default="test", choices=("train", "dev", "test"))
    parser.add_argument("--data", type=Path, help="where relative paths of the recipe's [data] start")
    parser.add_argument("--set", dest="changes", action="append", default=[], metavar="KEY=VALUE")
    args = parser.parse_args(given)
    recipe = load_recipe(args.recipe, args.changes, root=args.data.resolve() if args.data else None)
    if recipe.task != Interact.name or recipe.head.interactions.method != "zero-shot":
        raise InputError("Teachers are asked by recipes of interact with head.interactions.method = zero-shot.")
    dataset = load(recipe.data)
    task = Interact.of(dataset, recipe.data, recipe.head)
    examples = task.examples(dataset, args.split)
    pairs = len(examples.known[0].table.pairs)
    print(f"{len(examples)} pictures, {pairs} pairs, {len(task.vocabulary)} interactions\n")
    show({name: measured(task, examples, score) for name, score in scorers(task).items()})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

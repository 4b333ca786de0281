"""What each part of a method is worth: a recipe with parts taken out, over several seeds, on one harness.

    python benchmarks/ablations.py playground-relate --out FOLDER [--only NAME …] [--seeds 3] [--set KEY=VALUE …]

Every variant reads the same frozen features and boxes and learns for as long. Prints the test metrics of each, mean
and spread over the seeds. Runs that are in the folder already are read, not made again, so that an interrupted series
goes on.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from lichen.errors import pick
from lichen.side.storage import SETTINGS
from lichen.training.pipeline import train
from lichen.training.recipe import Recipe, load_recipe
from lichen.training.run import RECIPE, Run

_PLAIN = ("head.graph.context=plain", "head.graph.resample=false")
_GRAPHS = {
    "BGNN": (),
    "no gates": ("head.graph.gates=false",),
    "no messages": ("head.graph.context=plain",),
    "no resampling": ("head.graph.resample=false",),
    "sequence context": ("head.graph.context=sequence",),
    "plain baseline": _PLAIN,
    "no frequency bias": ("head.graph.bias=false",),
    "frequency alone": ("head.graph.context=frequency", "head.graph.resample=false"),
}
_BESIDE_SIDES = {
    "probe": (),
    "unipt": ("side.method=unipt",),
    "sherl": ("side.method=sherl", "side.late_layers=2"),
}
_DETECTED = ("head.boxes.source=embedded:playground-detector",)
_BY_CHANCE = ('head.interactions.factors=["random", "image", "detector"]', "head.interactions.self_taught=off")
_WEAK = {
    "weak": (),
    "no self-taught relatedness": ("head.interactions.self_taught=off",),
    "no bank": ("head.interactions.bank=false",),
    "image labels, pairs by chance": _BY_CHANCE,
    "supervised": ("head.interactions.method=supervised",),
    "supervised, pair alone": ("head.interactions.method=supervised", 'head.interactions.factors=["pair"]'),
    "soft lessons": ("head.interactions.self_taught=soft",),
    "noisy-or bags": ("head.interactions.bags=noisy-or",),
    "relatedness in bags": ("head.interactions.related_bags=true",),
    "classifier frozen": ("head.interactions.classifier=frozen",),
    "pair alone": ('head.interactions.factors=["pair"]',),
    "pair, relatedness": ('head.interactions.factors=["pair", "related"]',),
    "pair, picture": ('head.interactions.factors=["pair", "image"]',),
}
_LEVELS = {
    "no picture": '["union", "instances"]',
    "no union": '["image", "instances"]',
    "no instances": '["image", "union"]',
    "picture alone": '["image"]',
    "union alone": '["union"]',
    "instances alone": '["instances"]',
}
_ZERO = {
    "all levels": (),
    **{name: (f"head.interactions.levels={levels}",) for name, levels in _LEVELS.items()},
    "cross-entropy": ("head.interactions.divergence=bce",),
    "product of levels": ("head.interactions.fusion=product",),
    "sum of levels": ("head.interactions.fusion=sum",),
    "no bank": ("head.interactions.bank=false",),
    "classifier frozen": ("head.interactions.classifier=frozen",),
}
_SOLIDS = {
    "full": (),
    "no local attention": ("head.solids.local=false",),
    "no messages": ("head.solids.messages=false",),
    "no graph, pairs merged": ("head.solids.graph=false",),
    "no graph, suppression alone": ("head.solids.graph=false", "head.solids.merge=near"),
    "forward alone, no graph": ("head.solids.directions=forward", "head.solids.graph=false"),
    "forward alone, no local attention": (
        "head.solids.directions=forward",
        "head.solids.graph=false",
        "head.solids.local=false",
    ),
    "backward alone, no graph": ("head.solids.directions=backward", "head.solids.graph=false"),
    "graph adds to proposals": ("head.solids.residual=true",),
    "optimal matching": ("head.solids.matching=optimal",),
    "pairs of any direction": ("head.solids.merge=pairs",),
    "suppression": ("head.solids.merge=near",),
    "no folds": ("head.solids.folds=false",),
    "mixtures": ("head.solids.output=mixture",),
    "occluded: full": ("data.occluded=1.0",),
    "occluded: no messages": ("data.occluded=1.0", "head.solids.messages=false"),
    "occluded: no graph, pairs merged": ("data.occluded=1.0", "head.solids.graph=false"),
    "occluded: forward alone, no graph": (
        "data.occluded=1.0",
        "head.solids.directions=forward",
        "head.solids.graph=false",
    ),
    "side network probe": ("side.method=probe",),
    "side network unipt": ("side.method=unipt",),
}
VARIANTS: dict[str, dict[str, tuple[str, ...]]] = {
    "playground-solids": _SOLIDS,
    "playground-solids-depth": _SOLIDS,
    "playground-relate": {
        **_GRAPHS,
        "SGCls: BGNN": ("head.graph.mode=sgcls", "head.graph.entities=replace"),
        "SGCls: plain": (*_PLAIN, "head.graph.mode=sgcls", "head.graph.entities=replace"),
        "SGGen: BGNN": ("head.graph.mode=sggen", "head.boxes.source=embedded:playground-detector"),
        "SGGen: plain": (*_PLAIN, "head.graph.mode=sggen", "head.boxes.source=embedded:playground-detector"),
        **{f"side network {name}": changes for name, changes in _BESIDE_SIDES.items() if changes},
    },
    "playground-ground": {
        "full": (),
        "regression": ("head.grounding.variant=regression",),
        "two stages": ("head.grounding.variant=two stages",),
        "matching": ("head.grounding.variant=matching",),
        "full, published losses": ("head.grounding.contrast_boxes=false",),
        "matching, published losses": ("head.grounding.variant=matching", "head.grounding.contrast_boxes=false"),
        "full, classes": ("head.grounding.vectors=embedded:minilm",),
        "matching, classes": ("head.grounding.variant=matching", "head.grounding.vectors=embedded:minilm"),
        **{f"side network {name}": changes for name, changes in _BESIDE_SIDES.items() if changes},
    },
    "playground-interact-weak": {
        **_WEAK,
        **{f"side network {name}": changes for name, changes in _BESIDE_SIDES.items() if changes},
        "dinov2 and minilm": (
            *("backbone.name=embedded:dinov2-small", "backbone.size=98", "side.layers=1"),
            "head.interactions.text=embedded:minilm",
        ),
        "unseen: weak": ("data.test=unseen",),
        "unseen: classifier frozen": ("data.test=unseen", "head.interactions.classifier=frozen"),
        "unseen: by chance": ("data.test=unseen", *_BY_CHANCE),
        **{f"detected: {name}": (*_WEAK[name], *_DETECTED) for name in ("weak", "supervised")},
        "detected: by chance": (*_BY_CHANCE, *_DETECTED),
    },
    "coco-mini-interact": {
        name: _WEAK[name] for name in ("weak", "no self-taught relatedness", "image labels, pairs by chance")
    },
    "playground-interact-zero": {
        **_ZERO,
        "unseen: all levels": ("data.test=unseen",),
    },
}
"""By recipe: what is taken out or changed."""
SHOWN: dict[str, tuple[str, ...]] = {
    "relate": ("R@50", "mR@50", "head@50", "body@50", "tail@50", "zR@50", "ngR@50"),
    "interact": ("mAP", "mAP_known", "relatedness_AP", "answer_AP", "mAP_seen", "mAP_unseen", "mAP_harmonic"),
    "ground": ("any_acc50", "merged_acc50", "any_acc50_top5", "any_pointing"),
    "solids": ("iou", "chamfer", "f_score", "accuracy@0.05", "accuracy@0.2", "count_exact", "part_precision"),
}
"""By task: metrics of the table."""


def measured(recipe: Recipe, place: Path) -> dict[str, float]:
    """Metrics of a run on the test side; it is trained where it is not there yet."""
    if (place / RECIPE).is_file() and not _finished(place):
        # An interrupted training of this series; it is short enough to begin again.
        shutil.rmtree(place)
    run = Run.open(place) if place.exists() else train(recipe, place, quiet=True)
    facts = run.facts
    print(f"{place.name}: {facts['steps']} steps, {facts['seconds']:.0f} s", file=sys.stderr, flush=True)
    found: dict[str, float] = facts["metrics"]["test"]
    return found


def _finished(place: Path) -> bool:
    """Whether a run was trained and measured."""
    return (place / SETTINGS).is_file() and "test" in Run.open(place).facts.get("metrics", {})


def said(values: Sequence[float]) -> str:
    """Mean and spread in percent; nothing for a metric that is not there."""
    if not values:
        return ""
    scaled = [100 * value for value in values]
    spread = f" ± {statistics.stdev(scaled):.1f}" if len(scaled) > 1 else ""
    return f"{statistics.mean(scaled):.1f}{spread}"


def main() -> int:
    """Train what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", choices=VARIANTS)
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--data", type=Path, help="where relative paths of the recipe's [data] start")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", action="append", metavar="NAME", help="variant; may be given several times")
    parser.add_argument("--set", dest="changes", action="append", default=[], metavar="KEY=VALUE")
    args = parser.parse_args()
    variants = VARIANTS[args.recipe]
    wanted = [pick("variant", name, variants) for name in args.only or variants]
    results: dict[str, list[dict[str, float]]] = {name: [] for name in wanted}
    task = ""
    for seed in range(args.seeds):
        for name in wanted:
            changes = [*args.changes, *variants[name], f"seed={seed}"]
            recipe = load_recipe(args.recipe, changes, root=args.data)
            task = recipe.task
            place = args.out / f"{name.replace(' ', '-').replace(':', '').replace(',', '')}-{seed}"
            results[name].append(measured(recipe, place))
    print("| variant | " + " | ".join(SHOWN[task]) + " |\n|---|" + "---:|" * len(SHOWN[task]))
    for name, found in results.items():
        cells = [said([each[key] for each in found if key in each]) for key in SHOWN[task]]
        print(f"| {name} | " + " | ".join(cells) + " |")
    (args.out / "ablations.json").write_text(json.dumps(results, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""`lichen evaluate`: measure a trained run."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from .recipes import showing_passes, silence_libraries

HELP = "Measure a trained run on the dev and test sides of its own data, or of another recipe's data."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    parser.add_argument("run", type=Path, help="run folder that `lichen train` left")
    parser.add_argument("--split", action="append", choices=("train", "dev", "test"), help="default: dev and test")
    parser.add_argument(
        "--set",
        dest="changes",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="other data, such as data.test=more.csv, or store.live=true",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    from ..training.recipe import load_recipe
    from ..training.report import table_of_metrics
    from ..training.run import RECIPE, Run

    trained = Run.open(args.run)
    recipe = load_recipe(str(args.run / RECIPE), args.changes, root=Path.cwd())
    silence_libraries()
    from ..training.pipeline import evaluate

    with showing_passes(args.json) as report:
        metrics = evaluate(trained, recipe, args.split, report)
    if args.json:
        print(json.dumps({"run": str(args.run), "metrics": metrics}, indent=2))
    else:
        print(table_of_metrics(trained.task, metrics))
    return 0

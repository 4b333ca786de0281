"""`lichen evaluate`: measure a trained run."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ..errors import InputError
from . import film
from .recipes import showing_passes, silence_libraries

HELP = "Measure a trained run on the dev and test sides of its own data, or on other data with the same classes."
EPILOG = """examples:
  lichen evaluate runs/shapes
  lichen evaluate runs/shapes --set data.test=new-pictures --split test
  lichen evaluate runs/shapes --set store.live=true     keeps no features of the data"""


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
        help="other settings of [data] or [store]; paths start from the current folder",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    if film.is_film_run(args.run):
        return film.evaluate(args)
    from ..training.recipe import load_recipe
    from ..training.report import table_of_metrics
    from ..training.run import RECIPE, Run

    for change in args.changes:
        if not change.startswith(("data.", "store.")):
            raise InputError(
                f"--set {change}: a trained run can only be given other data. or store. settings, such as "
                "data.test=new-pictures."
            )
    trained = Run.open(args.run)
    if not (args.run / RECIPE).is_file():
        raise InputError(f"{str(args.run)!r} lacks its {RECIPE}, which says what data to measure on. Copy it again.")
    recipe = load_recipe(str(args.run / RECIPE), args.changes, root=Path.cwd())
    silence_libraries()
    from ..training.pipeline import evaluate

    with showing_passes(args.json, keeps=not recipe.store.live) as report:
        metrics = evaluate(trained, recipe, args.split, report)
    if not metrics:
        raise InputError(
            "These data have no dev and no test samples. Measure with --split train, or on others: "
            "--set data.test=new-pictures"
        )
    if args.json:
        print(json.dumps({"run": str(args.run), "metrics": metrics}, indent=2))
    else:
        print(table_of_metrics(trained.task, metrics))
    return 0

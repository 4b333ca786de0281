"""`lichen train`: a recipe becomes a run folder."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from .recipes import add_recipe, read_recipe, showing_passes, silence_libraries

if TYPE_CHECKING:
    from ..training.run import Run

HELP = (
    "Train the side networks and the head of a recipe from stored features, which are made where they are missing. "
    "Leaves a run folder with weights, settings, metrics, curves and a model card."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    add_recipe(parser, optional=True)
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="run folder (default runs/<recipe>)")
    parser.add_argument("--resume", type=Path, metavar="RUN", help="go on with the training of a run folder")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")


def run(args: argparse.Namespace) -> int:
    """Train and print what was reached."""
    if (args.recipe is None) == (args.resume is None):
        raise InputError("lichen train takes a recipe, or --resume RUN to go on with a run.")
    if args.resume is not None:
        return _resume(args)
    recipe = read_recipe(args)
    return _train(args, recipe, args.out or Path("runs") / recipe.name, resume=False)


def _resume(args: argparse.Namespace) -> int:
    from ..training.recipe import load_recipe
    from ..training.run import RECIPE

    if args.changes or args.smoke or args.data or args.out:
        raise InputError("--resume goes on with the settings that the run began with. Leave out the other options.")
    if not (args.resume / RECIPE).is_file():
        raise InputError(f"{str(args.resume)!r} holds no {RECIPE}, so there is no training to go on with.")
    return _train(args, load_recipe(str(args.resume / RECIPE)), args.resume, resume=True)


def _train(args: argparse.Namespace, recipe: Any, folder: Path, *, resume: bool) -> int:
    from ..side.storage import SETTINGS

    if (folder / SETTINGS).is_file():
        raise InputError(f"{str(folder)!r} holds a finished run. Choose another folder with --out, or remove this one.")
    silence_libraries()
    from ..training.pipeline import train

    quiet = args.quiet or args.json
    with showing_passes(quiet) as report:
        run = train(recipe, folder, resume=resume, quiet=quiet, report=report)
    print(json.dumps({"run": str(folder), **run.facts}, indent=2) if args.json else summary(run))
    return 0


def summary(run: Run) -> str:
    """The metrics of a run and what to type next."""
    from ..memory import MIB
    from ..training.report import table_of_metrics

    facts = run.facts
    lines = [table_of_metrics(run.task, facts["metrics"]), ""] if facts["metrics"] else []
    methods = ", ".join(f"{part.side.method} beside {part.backbone.name}" for part in run.parts.values())
    kept = "" if facts["kept_bytes"] is None else f", kept for backward {facts['kept_bytes'] / MIB:,.2f} MiB"
    lines += [
        f"{methods}: {facts['examples']:,} examples, {facts['steps']:,} steps in {facts['seconds']:.1f} s, "
        f"features {facts['feature_seconds']:.1f} s{kept}.",
        f"run: {run.folder}",
        "next:",
        f"  lichen evaluate {run.folder}",
        f"  lichen predict {run.folder} INPUT… --draw answer.png",
    ]
    if facts["skipped"]:
        print(f"lichen: {facts['skipped']} samples were left out; see {run.folder}/skipped.json", file=sys.stderr)
    return "\n".join(lines)

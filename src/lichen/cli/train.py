"""`lichen train`: a recipe becomes a run folder."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from . import film
from .recipes import RECIPE_HELP, add_recipe, listed_skips, read_recipe, recipe_root, showing_passes, silence_libraries

if TYPE_CHECKING:
    from ..training.recipe import Recipe
    from ..training.run import Run

HELP = (
    "Train the side networks and the head of a recipe from stored features, which are made where they are missing. "
    "Leaves a run folder with weights, settings, metrics, curves and a model card."
)
EPILOG = RECIPE_HELP


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
    from ..training.recipe_files import is_film

    if is_film(args.recipe):
        made = film.read_film(args, recipe_root(args))
        folder = args.out or Path("runs") / made.name
        check_folder(folder)
        return film.train(args, made, folder, resume=False)
    recipe = read_recipe(args)
    return _train(args, recipe, args.out or Path("runs") / recipe.name, resume=False)


def _resume(args: argparse.Namespace) -> int:
    from ..side.storage import SETTINGS
    from ..training.recipe import load_recipe
    from ..training.run import RECIPE

    if args.changes or args.smoke or args.data or args.out:
        raise InputError("--resume goes on with the settings that the run began with. Leave out the other options.")
    if (args.resume / SETTINGS).is_file():
        raise InputError(
            f"The training in {str(args.resume)!r} is finished, there is nothing to go on with. Measure it: "
            f"lichen evaluate {shlex.quote(str(args.resume))}"
        )
    if not (args.resume / RECIPE).is_file():
        raise InputError(
            f"{str(args.resume)!r} holds no {RECIPE}, so there is no training to go on with. Give a folder that "
            "`lichen train` began."
        )
    if film.is_film_run(args.resume):
        args.recipe = str(args.resume / RECIPE)
        return film.train(args, film.read_film(args, Path.cwd()), args.resume, resume=True)
    return _train(args, load_recipe(str(args.resume / RECIPE)), args.resume, resume=True)


def _train(args: argparse.Namespace, recipe: Recipe, folder: Path, *, resume: bool) -> int:
    from ..training.engine.trackers import check_trackers
    from ..training.sources import is_first_process

    first = is_first_process()
    if first and not resume:
        check_folder(folder)
    check_trackers(recipe.train.trackers)
    silence_libraries()
    from ..files import read_json
    from ..training.engine.interrupts import Interrupted
    from ..training.opening import SKIPPED
    from ..training.pipeline import train

    quiet = args.quiet or args.json or not first
    with showing_passes(quiet, keeps=not recipe.store.live) as report:
        try:
            run = train(recipe, folder, resume=resume, quiet=quiet, report=report)
        except Interrupted as stop:
            if first:
                raise
            return stop.exit_code
    if not first:
        return 0
    print(json.dumps({"run": str(folder), **run.facts}, indent=2) if args.json else summary(run))
    if run.facts["skipped"]:
        skipped = read_json(folder / SKIPPED)
        print(f"lichen: {listed_skips(skipped)} All: {folder / SKIPPED}", file=sys.stderr)
    return 0


def check_folder(folder: Path) -> None:
    """Look at the folder of a new run before anything takes long.

    Raises:
        InputError: it cannot be written, or holds a run or files of another kind, which would be lost.
    """
    from ..side.storage import SETTINGS
    from ..training.opening import refuse_old
    from ..training.run import RECIPE

    if (folder / SETTINGS).is_file():
        raise InputError(f"{str(folder)!r} holds a finished run. Choose another folder with --out, or remove this one.")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{str(folder)!r} is a file, but a run needs a folder. Choose one with --out.")
    refuse_old(folder)
    try:
        made = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        others = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
        handle, name = tempfile.mkstemp(dir=folder, prefix=".writable.")
        os.close(handle)
        os.unlink(name)
        if made:
            # Where the data turn out to be wrong, nothing is to be left behind.
            with suppress(OSError):
                folder.rmdir()
    except OSError as error:
        raise InputError(
            f"Cannot write to folder {str(folder)!r}: {error.strerror or error}. Choose one with --out."
        ) from error
    if others and RECIPE not in others:
        raise InputError(
            f"{str(folder)!r} holds other files, such as {others[0]!r}, and no run. Choose a new or empty folder with "
            "--out."
        )


def summary(run: Run) -> str:
    """The metrics of a run and what to type next."""
    from ..memory import MIB
    from ..training.report import table_of_metrics

    facts = run.facts
    nothing = "No dev or test samples, so nothing was measured. data.holdout = 0.1 holds some out."
    lines = [table_of_metrics(run.task, facts["metrics"]) if facts["metrics"] else nothing, ""]
    methods = ", ".join(f"{part.side.method} beside {part.backbone.name}" for part in run.parts.values())
    kept = "" if facts["kept_bytes"] is None else f", kept for backward {facts['kept_bytes'] / MIB:,.2f} MiB"
    folder = shlex.quote(str(run.folder))
    option = f" {run.task.option}" if run.task.option else ""
    lines += [
        f"{methods}: {_count(facts['examples'], 'example')}, {_count(facts['steps'], 'step')} in "
        f"{facts['seconds']:.1f} s, features {facts['feature_seconds']:.1f} s{kept}.",
        f"run: {run.folder}",
        "next:",
        *([f"  lichen evaluate {folder}"] if facts["metrics"] else []),
        f"  lichen predict {folder} INPUT…{option} --draw answer.png",
    ]
    return "\n".join(lines)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"

"""What the verbs that take a recipe share: their options, and the bar of a frozen pass."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..training.recipe import Recipe

DATA = "LICHEN_DATA"


def add_recipe(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    """Declare the recipe and what changes it."""
    parser.add_argument(
        "recipe", nargs="?" if optional else None, help="a TOML file, or the name of a recipe that comes with Lichen"
    )
    parser.add_argument(
        "--set",
        dest="changes",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="replace a setting, such as train.lr=0.01; may be given several times",
    )
    parser.add_argument("--smoke", action="store_true", help="shrink the run to seconds, as the recipe's [smoke] says")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FOLDER",
        help=f"where relative paths of [data] start (default: ${DATA}, else the recipe's folder)",
    )


def read_recipe(args: argparse.Namespace) -> Recipe:
    """The recipe that the options describe."""
    from ..training.recipe import load_recipe

    root = args.data or (Path(os.environ[DATA]) if os.environ.get(DATA) else None)
    return load_recipe(args.recipe, args.changes, smoke=args.smoke, root=None if root is None else root.resolve())


def same_options(args: argparse.Namespace) -> str:
    """The recipe and its options as they were typed, for the next command."""
    words = [args.recipe, *(f"--set {change}" for change in args.changes)]
    words += ["--smoke"] if args.smoke else []
    words += [f"--data {args.data}"] if args.data else []
    return " ".join(words)


@contextmanager
def showing_passes(quiet: bool = False) -> Iterator[Callable[[str, int, int], None] | None]:
    """A bar on stderr for each frozen pass inside the block; nothing where `quiet`."""
    if quiet:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description:<28}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        stages = {}

        def report(part: str, done: int, total: int) -> None:
            if part not in stages:
                stages[part] = progress.add_task(f"reading the backbone: {part}", total=total)
            progress.update(stages[part], completed=done)

        yield report


def silence_libraries() -> None:
    """Keep the bars and remarks of other libraries off the screen."""
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()

"""What the verbs that take a recipe share: their options, and the bar of a frozen pass."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..training.recipe import Recipe

DATA = "LICHEN_DATA"
RECIPE_HELP = """a whole recipe, for a folder of pictures with a folder for each class:

    task = "classify"              # or "retrieve": pictures or texts by texts
    [data]
    kind = "folder"
    path = "pictures"              # from the folder of the recipe on
    [backbone]
    name = "embedded:dinov2-small" # or a folder or hub id of a transformers model
    [side]
    method = "pooled"              # or unipt, sherl, lst, probe

for texts, a CSV, TSV or JSONL file with the columns "text" and "label":

    [data]
    kind = "table"
    path = "texts.csv"
    [backbone]
    name = "embedded:minilm"

A tenth of the samples is held out as dev, unless data.dev names some. [train] takes steps or epochs, batch, lr …
All settings: docs/recipes.md. A wrong one is answered with the nearest one."""
_SHOWN = 5
"""Samples that were left out whose names are printed."""
_QUIET_SECONDS = 30.0
"""Between two lines of progress where stderr is no terminal."""


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
        help="replace a setting, such as train.lr=0.01 or side.method=unipt; may be given several times",
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

    return load_recipe(args.recipe, args.changes, smoke=args.smoke, root=recipe_root(args))


def recipe_root(args: argparse.Namespace) -> Path | None:
    """Where relative paths of a recipe start; None: at the recipe's folder."""
    root = args.data or (Path(os.environ[DATA]) if os.environ.get(DATA) else None)
    return None if root is None else root.resolve()


def same_options(args: argparse.Namespace) -> str:
    """The recipe and its options as a shell takes them, for the next command."""
    words = [args.recipe, *(word for change in args.changes for word in ("--set", change))]
    words += ["--smoke"] if args.smoke else []
    words += ["--data", str(args.data)] if args.data else []
    return shlex.join(words)


@contextmanager
def showing_passes(
    quiet: bool = False, keeps: bool = True, prefix: str = "features of "
) -> Iterator[Callable[[str, int, int], None] | None]:
    """Show frozen passes inside the block on stderr: a bar for each on a terminal, a line now and then elsewhere.

    Args:
        quiet: show nothing.
        keeps: whether the passes leave features on disk; whoever interrupts one is told that they are kept.
        prefix: what stands before the name of a pass.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description:<28}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    console = Console(stderr=True)
    bars = Progress(*columns, TimeRemainingColumn(), console=console, disable=quiet or not console.is_terminal)
    stages: dict[str, TaskID] = {}
    counts: dict[str, tuple[int, int]] = {}
    said = time.monotonic()

    def report(part: str, done: int, total: int) -> None:
        nonlocal said
        was, counts[part] = counts.get(part), (done, total)
        if quiet or was == (done, total):
            return
        if not bars.disable:
            if part not in stages:
                bars.start()
                stages[part] = bars.add_task(f"{prefix}{part}", total=total)
            bars.update(stages[part], completed=done)
            if all(bar.finished for bar in bars.tasks):
                bars.stop()
        elif done == total or time.monotonic() - said > _QUIET_SECONDS:
            said = time.monotonic()
            print(f"{prefix}{part}: {done:,} of {total:,} samples", file=sys.stderr, flush=True)

    try:
        yield report
    except KeyboardInterrupt as stop:
        for part, (done, total) in counts.items():
            if keeps and done < total:
                stop.add_note(
                    f"{done:,} of {total:,} samples of {part!r} were read. What was finished is kept: the same command "
                    "goes on from there."
                )
        raise
    finally:
        if stages:
            bars.stop()


def listed_skips(skipped: Mapping[str, str]) -> str:
    """How many samples were left out, and the first of them with the reason."""
    count = len(skipped)
    shown = [f"{name}: {reason.rstrip('.')}" for name, reason in list(skipped.items())[:_SHOWN]]
    more = [f"and {count - len(shown)} more"] if count > len(shown) else []
    return f"{count} sample{'s were' if count > 1 else ' was'} left out: {'; '.join([*shown, *more])}."


def silence_libraries() -> None:
    """Keep the bars and remarks of other libraries off the screen."""
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()

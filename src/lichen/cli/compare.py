"""`lichen compare`: one recipe, many methods, several seeds, side by side."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from .recipes import add_recipe, read_recipe, silence_libraries

if TYPE_CHECKING:
    from rich.progress import TaskID

    from ..training.comparing.compare import Watch
    from ..training.comparing.contenders import Contender
    from ..training.comparing.methods import Method
    from ..training.comparing.results import Comparison
    from ..training.recipe import Recipe

HELP = (
    "Train many methods of adapting one backbone on the same batches, in turn and with several seeds: side networks "
    "from stored features or live, LoRA (all layers, the last ones, with gradient checkpointing), BitFit, full "
    "fine-tuning. Each tries the same number of learning rates on dev. Leaves a table, a picture and all raw numbers."
)
RESULTS, BEST = "results.json", "best.toml"
FILES = (RESULTS, "table.csv", "table.md", "compare.png", BEST)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    add_recipe(parser)
    parser.add_argument(
        "--methods",
        metavar="NAME,…",
        help="unipt, sherl, lst, pooled, probe (NAME:key=value,… sets options, NAME@live runs the backbone in every "
        "step), lora, lora-last, lora-last2, lora-checkpointed, bitfit, full; default: those of the recipe",
    )
    parser.add_argument("--seeds", type=int, metavar="N", help="seeds 0 to N-1 (default: the recipe's)")
    parser.add_argument(
        "--live", metavar="NAME,…", help="side networks that run live too; both: all of them, both ways"
    )
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="folder of the results (default compare/<recipe>)")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.add_argument("--json", action="store_true", help="print all results as one JSON object instead of a table")


def run(args: argparse.Namespace) -> int:
    """Compare and print the table."""
    recipe = read_recipe(args)
    if args.seeds is not None:
        recipe = replace(recipe, compare=replace(recipe.compare, seeds=args.seeds))
    from ..figures import check_can_draw
    from ..training.comparing.methods import parse_methods, with_live

    check_can_draw()
    methods = with_live(parse_methods(recipe.compare.methods if args.methods is None else [args.methods]), args.live)
    folder = args.out or Path("compare") / recipe.name
    if (folder / RESULTS).exists():
        raise InputError(
            f"{str(folder)!r} holds the results of an earlier comparison. Choose another folder with --out, or remove "
            "it."
        )
    open_folder(folder)
    silence_libraries()
    from ..training.comparing.compare import compare
    from ..training.comparing.tables import to_text

    quiet = args.quiet or args.json
    done: list[int] = []

    def keep(comparison: Comparison, contenders: Sequence[Contender]) -> None:
        save(recipe, comparison, [each.method for each in contenders], folder)
        done.append(len(comparison.seeds))

    try:
        with showing(quiet) as (report, watch):
            found = compare(recipe, methods, lenient=args.methods is None, report=report, watch=watch, after_seed=keep)
    except KeyboardInterrupt:
        kept = f"{done[-1]} of {recipe.compare.seeds} seeds are in {folder}" if done else "no seed was finished"
        print(f"lichen: {kept}.", file=sys.stderr)
        raise
    if args.json:
        print(json.dumps(found.to_dict(), indent=2))
        return 0
    print("\n".join([to_text(found), "", f"results: {folder}  picture: {folder / 'compare.png'}", *_next(folder)]))
    return 0


def _next(folder: Path) -> list[str]:
    """What to type now."""
    if not (folder / BEST).is_file():
        return []
    from ..training.recipe import load_recipe

    best = load_recipe(str(folder / BEST))
    methods = "-".join(dict.fromkeys(side.method for side in best.sides.values()))
    run = Path("runs") / f"{best.name}-{methods}"
    return ["next:", f"  lichen train {folder / BEST} --out {run}   the side network that was best on dev"]


def open_folder(folder: Path) -> None:
    """Make sure that results can be written, before anything takes long.

    Raises:
        InputError: they cannot.
    """
    from ..files import write_atomic

    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / ".writable", b"")
        (folder / ".writable").unlink()
    except OSError as error:
        raise InputError(f"Cannot write to folder {str(folder)!r}: {error.strerror}. Choose one with --out.") from error


def save(recipe: Recipe, comparison: Comparison, methods: Sequence[Method], folder: Path) -> None:
    """Write all that is known so far; each file is whole at any moment."""
    from ..files import to_json, write_atomic
    from ..training.comparing.compare import best_recipe
    from ..training.comparing.scatter import draw_comparison
    from ..training.comparing.tables import to_csv, to_markdown

    best = best_recipe(recipe, comparison, methods)
    if best is not None:
        write_atomic(folder / BEST, best[1].to_toml().encode())
    write_atomic(folder / "table.csv", to_csv(comparison).encode())
    write_atomic(folder / "table.md", to_markdown(comparison).encode())
    draw_comparison(comparison, folder / "compare.png")
    write_atomic(folder / RESULTS, to_json(comparison.to_dict()))


@contextmanager
def showing(quiet: bool) -> Iterator[tuple[Callable[[str, int, int], None] | None, Watch | None]]:
    """Who is told of frozen passes and of steps: bars on a terminal, lines elsewhere, nobody where `quiet`."""
    if quiet:
        yield None, None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from ..training.comparing.compare import Watch
    from ..training.engine.progress import clock

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description:<28}"),
        MofNCompleteColumn(),
        BarColumn(),
        TextColumn("{task.fields[left]}"),
    )

    class Shown(Watch):
        def begin(self, steps: int) -> None:
            self.total, self.done, self.started = steps, 0, time.perf_counter()

        def stage(self, name: str, steps: int) -> None:
            self.name, self.steps, self.at = name, steps, 0
            self.task = bar.add_task(name, total=steps, left="")

        def step(self) -> None:
            self.done += 1
            self.at += 1
            seconds = (time.perf_counter() - self.started) / self.done * (self.total - self.done)
            left = f"{clock(seconds)} left in all"
            bar.update(self.task, completed=self.at, left=left if self.done < self.total else "")
            if not console.is_terminal and (self.at == self.steps or self.at % max(1, self.steps // 10) == 0):
                print(f"{self.name}: step {self.at}/{self.steps}, {left}", file=sys.stderr, flush=True)

    passes: dict[str, TaskID] = {}
    told: set[str] = set()

    def report(part: str, done: int, total: int) -> None:
        if part not in passes:
            passes[part] = bar.add_task(f"reading the backbone: {part}", total=total, left="")
        bar.update(passes[part], completed=done)
        if not console.is_terminal and done == total and part not in told:
            told.add(part)
            print(f"reading the backbone: {part}: {total:,} samples", file=sys.stderr, flush=True)

    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        yield report, Shown()

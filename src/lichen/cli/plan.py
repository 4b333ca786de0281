"""`lichen plan`: what a recipe will need, before anything is downloaded or run."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .recipes import add_recipe, read_recipe, silence_libraries

if TYPE_CHECKING:
    from ..training.planning.plan import DiskPlan, MethodPlan, PartPlan, Plan, StorePlan

HELP = (
    "Print what a recipe will need in memory, time and disk, for many methods and number formats. Reads settings, "
    "tokenizers and the data, but no weights. Bytes are counted, times are rough."
)
WIDTH = 100
"""Columns of the report."""
_NAME = 40
_UNITS = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))
_TIMES = ((86_400, "d"), (3_600, "h"), (60, "min"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    add_recipe(parser)
    parser.add_argument(
        "--methods",
        action="append",
        metavar="A,B,…",
        help="plan these, written as for lichen compare: unipt, unipt:reduction=8, unipt@live, lora …",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")


def run(args: argparse.Namespace) -> int:
    """Plan and print."""
    recipe = read_recipe(args)
    silence_libraries()
    from ..training.comparing.methods import parse_methods
    from ..training.planning.plan import make_plan

    methods = parse_methods(args.methods) if args.methods else None
    with showing_stage(args.json) as report:
        plan = make_plan(recipe, methods, report=report)
    commands = next_commands(args)
    if args.json:
        print(json.dumps({**plan.to_dict(), "next": commands}, indent=2))
    else:
        print("\n".join([*as_tables(plan), "next:", *(f"  {command}" for command in commands)]))
    if not plan.disk.fits:
        print(f"lichen: warning: {lacking(plan.disk)}", file=sys.stderr)
    return 0


@contextmanager
def showing_stage(quiet: bool) -> Iterator[Callable[[str], None]]:
    """A line on stderr that says what is being planned; nothing where `quiet`."""
    from rich.console import Console

    with Console(stderr=True, quiet=quiet).status("reading the data") as status:
        yield lambda stage: status.update(f"planning {stage}")


def next_commands(args: argparse.Namespace) -> list[str]:
    """What to type next, with the same options."""
    words = [args.recipe]
    words += [] if args.data is None else ["--data", str(args.data)]
    words += ["--smoke"] if args.smoke else []
    words += [word for change in args.changes for word in ("--set", change)]
    return [f"lichen {verb} {shlex.join(words)}" for verb in ("train", "compare")]


def lacking(disk: DiskPlan) -> str:
    """What the disk lacks, and what to do."""
    return (
        f"the stores need {size(disk.needed_bytes)} and {disk.folder!r} has {size(disk.free_bytes)} free. Choose "
        "another format (--set store.codec=int8), another disk (--set store.folder=…), or --set store.live=true."
    )


def as_tables(plan: Plan) -> list[str]:
    """Lines of the report."""
    splits = ", ".join(f"{count:,} {name}" for name, count in plan.splits.items())
    update = f"batches of {plan.batch}" + (f", {plan.accumulate} an update" if plan.accumulate > 1 else "")
    lines = [f"{plan.recipe}: {plan.task}, {splits}", *map(_part, plan.parts)]
    if plan.skipped:
        lines.append(f"{plan.skipped:,} samples cannot be used")
    lines += [f"training: {plan.examples:,} examples in {update}, {plan.updates:,} updates", "", *_methods(plan), ""]
    for part in dict.fromkeys(store.part for store in plan.stores):
        lines += [*_stores(part, [store for store in plan.stores if store.part == part]), ""]
    disk = plan.disk
    if disk.needed_bytes:
        state = f"room for {size(disk.needed_bytes)}" if disk.fits else f"TOO LITTLE for {size(disk.needed_bytes)}"
        lines.append(f"disk: {size(disk.free_bytes)} free at {disk.folder}, {state}")
    return lines


def _part(part: PartPlan) -> str:
    if part.kind == "image":
        return f"{part.part}: {part.samples:,} pictures of {part.picture_size} pixels into {short(part.backbone)}"
    counted = "" if part.tokenised == part.samples else f", counted on {part.tokenised:,}"
    return (
        f"{part.part}: {part.samples:,} texts of {part.tokens_mean:.1f} tokens (longest "
        f"{part.tokens_longest}{counted}) into {short(part.backbone)}"
    )


def _methods(plan: Plan) -> list[str]:
    """One row a method; below, why some cannot be used."""
    head = ("method", "features", "trained", "kept", "grad+Adam", "peak", "a step", "one pass", "whole run")
    rows = [_method(method) for method in plan.methods if method.problem is None]
    lines = table(head, rows) if rows else []
    if plan.longest is not None and rows:
        lines.append(
            f"{rows[0][0]} on the longest batch ({plan.longest.tokens:,} tokens): kept "
            f"{size(plan.longest.kept_bytes)}, peak {size(plan.longest.peak_bytes)}"
        )
    if rows:
        lines.append(
            "kept, grad+Adam: counted on the first batch. peak: tensors of that step. Times: estimates, rough."
        )
    for method in plan.methods:
        if method.problem is not None:
            lines += textwrap.wrap(f"{method.method}: {method.problem}", WIDTH, subsequent_indent="  ")
    return lines


def _method(method: MethodPlan) -> tuple[str, ...]:
    updated = (method.gradient_bytes or 0) + (method.optimiser_bytes or 0)
    before = duration(method.feature_seconds or 0.0) if method.features == "store" else "-"
    return (
        method.method,
        {"store": "stored", "live": "live", "tuned": "tuned"}[method.features],
        number(method.trained_parameters or 0),
        size(method.kept_bytes or 0),
        size(updated),
        size(method.peak_bytes or 0),
        duration(method.step_seconds or 0.0),
        before,
        duration(method.run_seconds or 0.0),
    )


def _stores(part: str, stores: Sequence[StorePlan]) -> list[str]:
    """One row a number format."""
    rows = [
        (
            store.codec + (" *" if store.chosen else ""),
            size(store.bytes),
            size(store.bytes_per_sample),
            duration(store.seconds),
        )
        for store in stores
    ]
    states = ", ".join(map(str, stores[0].layers))
    title = f"stored features of {part}: states {states}"
    title += " (* as the recipe says)" if any(store.chosen for store in stores) else ""
    return [title, *table(("format", "on disk", "a sample", "one pass"), rows)]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Aligned columns, the first to the left."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    return [
        "  ".join(f"{cell:<{width}}" if place == 0 else f"{cell:>{width}}" for place, (cell, width) in enumerate(cells))
        for cells in (list(zip(row, widths, strict=True)) for row in (head, *rows))
    ]


def short(name: str) -> str:
    """The end of a long path."""
    return name if len(name) <= _NAME else f"…{name[1 - _NAME :]}"


def size(count: int) -> str:
    """Bytes in the largest unit of which there is about one."""
    for unit, name in _UNITS:
        # From 1,000 on, so that no number has four digits before the point.
        if count >= 1000 * unit // 1024:
            return f"{count / unit:.1f} {name}"
    return f"{count} B"


def number(count: int) -> str:
    """A count to three digits."""
    for unit, name in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= unit:
            return f"{count / unit:.3g} {name}"
    return str(count)


def duration(seconds: float) -> str:
    """A time in the unit that people would use."""
    for unit, name in _TIMES:
        if seconds >= 2 * unit:
            return f"{seconds / unit:,.1f} {name}"
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"

"""`lichen data`: make data, look at it, turn it into Scenes. One small function a verb; `VERBS` lists them."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import InputError
from .convert import CONVERT, FORMATS, add_convert, add_formats, convert, show_formats

if TYPE_CHECKING:
    from ..data.inspect.statistics import Statistics
    from ..scene import Scene

HELP = (
    "Make the playground, a procedural world with ground truth for every task; inspect folders of Scenes; convert the "
    "annotation files of published data sets."
)
_QUIET_SECONDS = 5.0
C = TypeVar("C")
Report = Callable[[str, int, int], None] | None
"""Is told the split, how many of its samples are done, and of how many."""


@dataclass(frozen=True)
class Verb:
    """One verb of `lichen data`."""

    summary: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


@dataclass(frozen=True)
class World:
    """Something that can be made."""

    unit: str
    """What its samples are called."""
    about: str
    make: Callable[[argparse.Namespace, Report], dict[str, Any]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verbs and their options."""
    verbs = parser.add_subparsers(dest="data_verb", metavar="VERB", required=True)
    for name, verb in VERBS.items():
        below = verbs.add_parser(name, help=verb.summary, description=verb.summary, allow_abbrev=False)
        verb.add_arguments(below)


def run(args: argparse.Namespace) -> int:
    """Run the chosen verb."""
    return VERBS[args.data_verb].run(args)


def _add_make(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("world", choices=tuple(WORLDS), help="; ".join(f"{k}: {w.about}" for k, w in WORLDS.items()))
    parser.add_argument("--size", default="small", help="smoke (a hundred or so), small (thousands), medium or full")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write; it must not exist yet")
    parser.add_argument("--seed", type=int, default=0, help="another world for another number")
    parser.add_argument("--pixels", type=int, metavar="N", help="edge of the pictures; default 96, of clips 64")
    parser.add_argument("--json", action="store_true", help="print the manifest as one JSON object")


def _make(args: argparse.Namespace) -> int:
    world = WORLDS[args.world]
    started = time.perf_counter()
    with _showing(args.json, world.unit) as report:
        manifest = world.make(args, report)
    seconds = time.perf_counter() - started
    if args.json:
        print(json.dumps({"folder": str(args.out), "seconds": round(seconds, 2), **manifest}, indent=2))
        return 0
    count = sum(manifest["counts"].values())
    for split, number in manifest["counts"].items():
        print(f"{split:<7} {number:>6,} {world.unit}")
    print(f"{args.out}: {count:,} {world.unit} in {seconds:.1f} s, {count / seconds:.0f} a second")
    print(f"next:  lichen data inspect {args.out}")
    return 0


def _pictures(args: argparse.Namespace, report: Report) -> dict[str, Any]:
    from ..data.playground.make import make

    edge = 96 if args.pixels is None else args.pixels
    return make(args.out, args.size, args.seed, edge, edge, report)


def _solids(args: argparse.Namespace, report: Report) -> dict[str, Any]:
    from ..data.playground.solids.config import SolidConfig
    from ..data.playground.solids.make import make_solids

    return make_solids(args.out, args.size, args.seed, _sized(SolidConfig, args.pixels), report)


def _clips(args: argparse.Namespace, report: Report) -> dict[str, Any]:
    from ..data.playground.clips.config import ClipConfig
    from ..data.playground.clips.make import make_clips

    return make_clips(args.out, args.size, args.seed, _sized(ClipConfig, args.pixels), report)


def _sized(config: Callable[..., C], pixels: int | None) -> C:
    """The settings of a world with another edge of its pictures."""
    try:
        return config() if pixels is None else config(size=pixels)
    except InputError as error:
        raise InputError(f"--pixels: {error}") from error


WORLDS = {
    "playground": World("pictures", "pictures with language", _pictures),
    "solids": World("views", "furniture made of cuboids", _solids),
    "clips": World("clips", "things that move", _clips),
}
"""What `lichen data make` makes."""


@contextmanager
def _showing(quiet: bool, unit: str) -> Iterator[Report]:
    """Progress on stderr: a bar a split on a terminal, a line now and then elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description:<8}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    bars = Progress(*columns, TimeRemainingColumn(), console=console, disable=quiet or not console.is_terminal)
    stages: dict[str, TaskID] = {}
    said = time.monotonic()

    def report(split: str, done: int, total: int) -> None:
        nonlocal said
        if not bars.disable:
            if split not in stages:
                bars.start()
                stages[split] = bars.add_task(split, total=total)
            bars.update(stages[split], completed=done)
        elif not quiet and (done == total or time.monotonic() - said > _QUIET_SECONDS):
            said = time.monotonic()
            print(f"{split}: {done:,} of {total:,} {unit}", file=sys.stderr, flush=True)

    try:
        yield report
    except KeyboardInterrupt as stop:
        stop.add_note("Nothing was kept; the same command starts again.")
        raise
    finally:
        if stages:
            bars.stop()


def _add_inspect(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of Scenes (*.jsonl), or one such file")
    parser.add_argument("--split", metavar="NAME", help="only NAME.jsonl of the folder")
    parser.add_argument("--sheet", type=Path, metavar="PNG", help="contact sheet; default DIR/contact-sheet.png")
    parser.add_argument("--plots", type=Path, metavar="PNG", help="statistics drawn; default DIR/statistics.png")
    parser.add_argument("--pictures", type=int, default=24, help="pictures on the contact sheet; 0 makes none")
    parser.add_argument("--limit", type=int, metavar="N", help="read the first N scenes only")
    parser.add_argument("--check", action="store_true", help="compare a made playground with its digests first")
    parser.add_argument("--json", action="store_true", help="print the statistics as one JSON object")


def _inspect(args: argparse.Namespace) -> int:
    from ..data.inspect.collect import find_scenes, read_scenes
    from ..data.inspect.statistics import as_table, statistics

    if args.pictures < 0 or (args.limit is not None and args.limit < 1):
        raise InputError("--pictures must be at least 0 and --limit at least 1.")
    files = find_scenes(args.folder, args.split)
    if args.check:
        from ..data.playground.make import check

        check(args.folder)
        print("all digests match", file=sys.stderr)
    scenes, skipped = read_scenes(files, args.limit)
    found = statistics(scenes)
    base = args.folder if args.folder.is_dir() else args.folder.parent
    drawn = _draw_inspection(args, base, scenes, found)
    if args.json:
        print(json.dumps({**found.to_dict(), "skipped": skipped}, indent=2))
    else:
        print(as_table(found))
    if skipped:
        print(f"lichen: left out {len(skipped):,}: {next(iter(skipped.values()))}", file=sys.stderr)
    for path in drawn:
        print(f"drawn: {path}", file=sys.stderr)
    return 0


def _draw_inspection(args: argparse.Namespace, base: Path, scenes: Sequence[Scene], found: Statistics) -> list[Path]:
    """Write the figures and give their paths."""
    from ..data.inspect.plots import draw_statistics
    from ..data.inspect.sheet import contact_sheet
    from ..figures import check_can_draw
    from .given import check_target

    check_can_draw()
    sheet, plots = args.sheet or base / "contact-sheet.png", args.plots or base / "statistics.png"
    check_target("--plots", plots, (".png", ".pdf", ".svg"))
    draw_statistics(found, plots)
    drawn = [plots]
    if args.pictures and any(scene.image for scene in scenes):
        check_target("--sheet", sheet, (".png",))
        contact_sheet(scenes, base, args.pictures).save(sheet)
        drawn.append(sheet)
    return drawn


VERBS = {
    "make": Verb("Write the playground as a folder: pictures, Scenes, digests.", _add_make, _make),
    "inspect": Verb("Show what a folder of Scenes holds: statistics, plots, a contact sheet.", _add_inspect, _inspect),
    "convert": Verb(CONVERT, add_convert, convert),
    "formats": Verb(FORMATS, add_formats, show_formats),
}
"""By name. A verb more is two functions and a row."""

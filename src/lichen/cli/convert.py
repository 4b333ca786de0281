"""`lichen data convert` and `lichen data formats`: annotation files of the field become scenes, or COCO, or Parquet."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError, pick

if TYPE_CHECKING:
    from ..data.formats import Format, Problems
    from ..scene import Scene

CONVERT = (
    "Turn annotation files of a published format into Scenes, COCO or Parquet; everything wrong in them is listed."
)
FORMATS = "List the formats that convert reads, and the files that each is made of."
TARGETS = ("scenes", "coco", "parquet")
COUNTED = (
    *("captions", "labels", "entities", "relations", "phrases", "expressions", "questions"),
    *("lines", "solids", "tracks", "frames"),
)
"""Fields of a scene that the table counts."""
_PAUSE_TERMINAL, _PAUSE = 0.2, 5.0
"""Seconds between two lines of progress."""


def add_convert(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `convert`."""
    parser.add_argument("source", nargs="+", type=Path, metavar="SRC", help="files and folders of the annotations")
    parser.add_argument("--from", dest="format", required=True, metavar="FORMAT", help="see: lichen data formats")
    parser.add_argument("--to", default="scenes", metavar="KIND", help="scenes (JSONL, the default), coco or parquet")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="file to write; for coco a folder")
    parser.add_argument("--images", type=Path, metavar="DIR", help="folder of the pictures (default: the usual places)")
    parser.add_argument("--no-pictures", action="store_true", help="do not look for pictures, trust the sizes told")
    parser.add_argument("--split", metavar="NAME", help="only scenes of this split, as the format names it")
    parser.add_argument("--limit", type=int, metavar="N", help="stop after N scenes")
    parser.add_argument("--strict", action="store_true", help="stop at the first problem and write nothing")
    parser.add_argument("--overwrite", action="store_true", help="replace what --out names")
    parser.add_argument("--json", action="store_true", help="print counts and problems as one JSON object")


def convert(args: argparse.Namespace) -> int:
    """Convert and print what was found."""
    from ..data.formats import FORMATS as formats
    from ..data.formats import Problems, open_source, scenes_of

    format = formats[pick("format", args.format, formats)]
    pick("target", args.to, TARGETS)
    if args.limit is not None and args.limit < 1:
        raise InputError(f"--limit is a number of scenes, at least 1; got {args.limit}.")
    _check_out(args.out, args.to, args.overwrite)
    started = time.perf_counter()
    problems = Problems(strict=args.strict)
    counts: Counter[str] = Counter()
    splits: Counter[str] = Counter()
    try:
        source = open_source(format, args.source, problems, images=args.images, look=not args.no_pictures)
        scenes = _near(_chosen(scenes_of(format, source), args.split, args.limit, splits), args.out, args.to)
        first = next(scenes, None)
        if first is None:
            raise _nothing(args.split, splits, problems)
        _write(args.out, args.to, _counted(chain([first], scenes), counts, quiet=args.json))
    except InputError as error:
        if not problems.strict or not problems:
            raise
        raise InputError(f"{error} Without --strict such things are listed and the rest is read.") from error
    except KeyboardInterrupt as stop:
        stop.add_note("Nothing was written; the same command starts again.")
        raise
    files = {part: [str(path) for path in paths] for part, paths in source.files.items() if paths}
    _report(args, files, counts, splits, problems, time.perf_counter() - started)
    return 0


def _check_out(out: Path, target: str, overwrite: bool) -> None:
    """Make sure that the result can be written, and does not replace anything by mistake."""
    from .given import check_target

    if target == "coco":
        if out.is_file():
            raise InputError(f"--out takes a folder for --to coco; {str(out)!r} is a file.")
        there = [name for name in ("instances.json", "captions.json") if (out / name).exists()]
        taken = str(out / there[0]) if there else None
    else:
        check_target("--out", out, (".jsonl", ".ndjson") if target == "scenes" else (".parquet",))
        taken = str(out) if out.exists() else None
    if taken is not None and not overwrite:
        raise InputError(f"{taken!r} is there already. Choose another --out, or add --overwrite to replace it.")


def _chosen(scenes: Iterable[Scene], split: str | None, limit: int | None, splits: Counter[str]) -> Iterator[Scene]:
    """The scenes of a split, up to the limit; all splits that are met are counted."""

    def wanted(scene: Scene) -> bool:
        name = str(scene.metadata.get("split", ""))
        splits[name] += 1
        return split is None or name == split

    return islice((scene for scene in scenes if wanted(scene)), limit)


def _near(scenes: Iterable[Scene], out: Path, target: str) -> Iterator[Scene]:
    """The same scenes, with pictures named from the folder of the result, so that both can move together."""
    folder = out if target == "coco" else out.parent

    def named(path: str) -> str:
        # A name that leads nowhere is kept as the annotations have it.
        if not Path(path).exists():
            return path
        try:
            return Path(os.path.relpath(path, folder)).as_posix()
        except ValueError:  # another drive
            return str(Path(path).resolve())

    for scene in scenes:
        image = None if scene.image is None else named(scene.image)
        yield replace(scene, image=image, frames=tuple(map(named, scene.frames)))


def _counted(scenes: Iterable[Scene], counts: Counter[str], *, quiet: bool) -> Iterator[Scene]:
    """The same scenes, counted, with progress on stderr."""
    terminal = sys.stderr.isatty()
    said = time.monotonic()
    shown = False
    for scene in scenes:
        counts["scenes"] += 1
        for name in COUNTED:
            counts[name] += len(getattr(scene, name))
        counts["boxes"] += sum(entity.box is not None for entity in scene.entities)
        if not quiet and time.monotonic() - said > (_PAUSE_TERMINAL if terminal else _PAUSE):
            said, shown = time.monotonic(), True
            print(f"{counts['scenes']:,} scenes", end="\r" if terminal else "\n", file=sys.stderr, flush=True)
        yield scene
    if shown and terminal:
        print(" " * 30, end="\r", file=sys.stderr)


def _nothing(split: str | None, splits: Counter[str], problems: Problems) -> InputError:
    """Why there is no scene to write."""
    if splits:
        met = ", ".join(sorted(name or "(none)" for name in splits))
        return InputError(f"There is no scene of split {split!r}. The splits are: {met}. Nothing was written.")
    if not problems:
        return InputError("The files hold no sample. Nothing was written.")
    return InputError("Nothing could be read, and nothing was written. What is wrong:\n" + "\n".join(problems.lines()))


def _write(out: Path, target: str, scenes: Iterable[Scene]) -> None:
    """Write all scenes."""
    if target == "scenes":
        from ..scene.jsonl import write_jsonl

        write_jsonl(out, scenes)
    elif target == "parquet":
        from ..scene.parquet import write_parquet

        write_parquet(out, scenes)
    else:
        from ..scene.coco import write_coco

        found = list(scenes)
        write_coco(out, found, _coco_ids(found))


def _coco_ids(scenes: Sequence[Scene]) -> dict[str, int] | None:
    """COCO's own numbers, where all classes are COCO's."""
    from ..data.classes import coco_80

    numbers = {name: number for number, name in coco_80().items()}
    labels = {entity.label for scene in scenes for entity in scene.entities if entity.box is not None}
    return numbers if labels and labels <= set(numbers) else None


def _report(
    args: argparse.Namespace,
    files: dict[str, list[str]],
    counts: Counter[str],
    splits: Counter[str],
    problems: Problems,
    seconds: float,
) -> None:
    """Print counts and problems: a table, or JSON."""
    named = {name: count for name, count in splits.items() if name}
    if args.json:
        found: dict[str, Any] = {"format": args.format, "files": files, "out": str(args.out), "counts": dict(counts)}
        found |= {"splits": named, "problems": problems.to_dict(), "seconds": round(seconds, 2)}
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return
    rows = [(name, counts[name]) for name in ("scenes", *COUNTED) if counts[name] or name == "scenes"]
    if counts["boxes"] != counts["entities"]:
        rows.insert([name for name, _ in rows].index("entities") + 1, ("  with a box", counts["boxes"]))
    rows.append(("problems", len(problems)))
    rows += [(f"  {kind}", count) for kind, count in problems.counts.most_common()]
    width = max(len(name) for name, _ in rows)
    figures = max(len(f"{count:,}") for _, count in rows)
    print("\n".join(f"{name:<{width}}  {count:>{figures},}" for name, count in rows))
    if named:
        print("splits read: " + ", ".join(f"{name} {count:,}" for name, count in named.items()))
    print(f"{args.out}: {args.format} in {seconds:.1f} s")
    if args.to == "scenes":
        print(f"next:  lichen data inspect {args.out}")
    if problems:
        print("lichen: problems, and what became of them:\n" + "\n".join(problems.lines()), file=sys.stderr)


def add_formats(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `formats`."""
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")


def show_formats(args: argparse.Namespace) -> int:
    """Print all formats."""
    from ..data.formats import FORMATS as formats

    if args.json:
        print(json.dumps({name: _described(format) for name, format in formats.items()}, indent=2, ensure_ascii=False))
        return 0
    for name, format in formats.items():
        print(f"{name}: {format.about}\n  gives {format.gives}")
        for part in format.parts:
            needed = "" if part.needed else " (if there)"
            print(f"  {part.name}{needed}: {', '.join(part.patterns)}")
    return 0


def _described(format: Format) -> dict[str, Any]:
    parts = [
        {"name": part.name, "patterns": part.patterns, "needed": part.needed, "folder": part.folder}
        for part in format.parts
    ]
    return {"about": format.about, "gives": format.gives, "files": parts, "pictures": format.pictures}

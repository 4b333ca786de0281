"""`lichen cache`: run the backbones of a recipe once over its data."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from ..errors import InputError
from .recipes import (
    RECIPE_HELP,
    add_recipe,
    listed_skips,
    read_recipe,
    same_options,
    showing_passes,
    silence_libraries,
)

HELP = (
    "Run each frozen backbone of a recipe once over all samples and keep its hidden states on disk. A run that was cut "
    "short goes on where it stopped. `lichen train` does the same where it finds nothing."
)
EPILOG = RECIPE_HELP


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    add_recipe(parser)
    parser.add_argument(
        "--share", metavar="K/N", help="make every N-th shard from the K-th on (1 to N), so that N processes share"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")


def run(args: argparse.Namespace) -> int:
    """Fill the stores and print where they lie and how large they are."""
    recipe = read_recipe(args)
    if recipe.store.live:
        raise InputError("This recipe keeps no features: store.live is true. Leave it out: --set store.live=false")
    share = _share(args.share)
    silence_libraries()
    from ..features.record import UnfinishedStore
    from ..memory import MIB
    from ..training.pipeline import prepare
    from ..training.sources import is_first_process

    try:
        with showing_passes(args.json or not is_first_process()) as report:
            prepared = prepare(recipe, report=report, share=share)
    except UnfinishedStore as unfinished:
        # People count shares from 1, the library from 0.
        print(str(unfinished).replace("Share {} of {}".format(*(share or (0, 1))), f"Share {args.share}"))
        return 0
    if not is_first_process():
        return 0
    rows: list[dict[str, Any]] = []
    for part, source in prepared.sources.items():
        store = source.store
        assert store is not None
        rows.append(
            {
                "part": part,
                "backbone": source.config.name,
                "samples": len(store),
                "skipped": len(store.skipped),
                "states": list(store.indices),
                "codec": store.config.codec,
                "bytes": store.nbytes,
                "folder": str(store.folder),
            }
        )
    if args.json:
        print(
            json.dumps({"seconds": round(prepared.seconds, 2), "stores": rows, "skipped": prepared.skipped}, indent=2)
        )
        return 0
    for row in rows:
        print(
            f"{row['part']}: {row['samples']:,} samples through {row['backbone']}, {row['bytes'] / MIB:,.1f} MiB as "
            f"{row['codec']} in {row['folder']}"
        )
    if prepared.skipped:
        print(f"lichen: {listed_skips(prepared.skipped)}", file=sys.stderr)
    print(f"next:  lichen train {same_options(args)}")
    return 0


def _share(text: str | None) -> tuple[int, int] | None:
    """(k - 1, n) of "k/n"."""
    if text is None:
        return None
    first, _, count = text.partition("/")
    if not (first.isdecimal() and count.isdecimal() and 1 <= int(first) <= int(count)):
        raise InputError(f"--share takes K/N with K from 1 to N, such as 1/4; got {text!r}.")
    return int(first) - 1, int(count)

"""`lichen solids`: objects made of cuboids, without a network. One small function a verb; `VERBS` lists them."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError, pick

if TYPE_CHECKING:
    from ..scene import Solid
    from ..solids import Fitted

HELP = (
    "Objects made of cuboids. `lichen solids fit` abstracts your own mesh (.glb, .obj, .off, .ply, .stl) or voxels "
    "(.npy, .npz) into cuboids, without any network."
)
EPILOG = """examples:
  lichen solids fit chair.obj --out chair.glb --draw chair.png
  lichen solids fit chair.obj --out chair.json --out chair.npz --resolution 48 --up z
  lichen solids fit voxels.npy --published --parts 8 --json"""
_FIT = "Abstract a closed mesh, or voxels, into cuboids. Prints a row a cuboid and how well they fit."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verbs and their options."""
    verbs = parser.add_subparsers(dest="solids_verb", metavar="VERB", required=True)
    fit = verbs.add_parser("fit", help=_FIT, description=_FIT, allow_abbrev=False)
    fit.add_argument("object", type=Path, metavar="FILE", help="a watertight mesh, or voxels indexed by x, y, z (up)")
    fit.add_argument(
        "--out", type=Path, action="append", default=[], metavar="FILE", help=".glb, .obj, .json or .npz; may repeat"
    )
    fit.add_argument("--draw", type=Path, metavar="PNG", help="draw the cuboids from two sides")
    fit.add_argument("--resolution", type=int, default=32, metavar="V", help="voxels an edge for a mesh (default 32)")
    fit.add_argument("--up", default="y", help="axis of a mesh that points up: y (default) or z")
    fit.add_argument(
        "--parts", type=int, default=12, metavar="N", help="cuboids at most, of half an object if mirrored"
    )
    fit.add_argument("--mirror", default="auto", help="left-right symmetry: auto (default), on or off")
    fit.add_argument("--published", action="store_true", help="the published fit alone, without our own additions")
    fit.add_argument("--seed", type=int, default=0, help="of the published fit's random starts")
    fit.add_argument("--json", action="store_true", help="print the result as one JSON object")


def run(args: argparse.Namespace) -> int:
    """Run the chosen verb."""
    return VERBS[args.solids_verb](args)


def _fit(args: argparse.Namespace) -> int:
    from dataclasses import replace

    from ..scene.drawing.config import DrawConfig
    from ..scene.drawing.solids import draw_solids
    from ..solids import FitConfig, fit_cuboids, read_grid, write_solids
    from ..solids.files import WRITTEN
    from .given import check_target

    pick("value of --up", args.up, ("y", "z"))
    pick("value of --mirror", args.mirror, ("auto", "on", "off"))
    for path in args.out:
        check_target("--out", path, WRITTEN)
    if args.draw is not None:
        check_target("--draw", args.draw, (".png",))
    if args.parts < 1:
        raise InputError(f"--parts must be at least 1; got {args.parts}.")
    start = FitConfig.published(args.mirror, args.seed) if args.published else FitConfig(mirror=args.mirror)
    grid = read_grid(args.object, args.resolution, args.up)
    fitted = fit_cuboids(grid.occupancy, replace(start, most=args.parts))
    plane = None if fitted.plane is None else (1.0, 0.0, 0.0, grid.least[0] + grid.scale * fitted.plane[3])
    solids = grid.to_object(fitted.half).to_solids(mirrors=[plane] * len(fitted.half))
    for path in args.out:
        write_solids(path, solids, args.object.stem)
    if args.draw is not None:
        draw_solids(solids, 360, DrawConfig()).save(args.draw)
    print(json.dumps(_told(fitted, solids), indent=2) if args.json else _table(fitted, solids))
    for path in [*args.out, *([args.draw] if args.draw else [])]:
        print(f"written: {path}", file=sys.stderr)
    return 0


def _told(fitted: Fitted, solids: tuple[Solid, ...]) -> dict[str, object]:
    return {
        "iou": fitted.iou,
        "left": fitted.left,
        "stopped": fitted.stopped,
        "seconds": round(fitted.seconds, 2),
        "cuboids": len(fitted.cuboids),
        "solids": [solid.to_dict() for solid in solids],
    }


def _table(fitted: Fitted, solids: tuple[Solid, ...]) -> str:
    rows = ["      centre (x, y, z)              size (x, y, z)"]
    for number, solid in enumerate(solids):
        numbers = "  ".join(" ".join(f"{value:8.3f}" for value in triple) for triple in (solid.centre, solid.size))
        rows.append(f"{number:>3}  {numbers}")
    mirrored = "" if fitted.plane is None else f", {len(fitted.cuboids)} with reflections"
    ends = {
        "covered": "little is left",
        "most": "as many as may be",
        "failures": "no usable restart was left",
        "nothing more": "no further box gained anything",
    }
    rows.append(
        f"{len(solids)} cuboids{mirrored}; voxel IoU {fitted.iou:.3f}; {100 * fitted.left:.1f} % not covered; "
        f"stopped: {ends[fitted.stopped]}; {fitted.seconds:.1f} s"
    )
    return "\n".join(rows)


VERBS = {"fit": _fit}
"""By name."""

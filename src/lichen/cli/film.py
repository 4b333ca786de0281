"""What `lichen train`, `evaluate` and `predict` do with recipes and runs of the task film: they make clips."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from .given import check_target
from .recipes import showing_passes, silence_libraries

if TYPE_CHECKING:
    from ..training.filming.recipe import FilmRecipe

CLIPS = (".gif", ".mp4")
_OPTIONS = ("prompt", "image", "tracks", "out", "resample", "boxes", "fit", "seed", "steps", "fps", "enlarge")


def add_clip_options(parser: argparse.ArgumentParser) -> None:
    """Declare what a run that makes clips is asked with."""
    group = parser.add_argument_group("clips", "of a run that was trained to film")
    group.add_argument("--prompt", metavar="TEXT", help="what the clip shows")
    group.add_argument("--image", type=Path, metavar="FILE", help="its first picture")
    group.add_argument(
        "--tracks",
        type=Path,
        metavar="FILE",
        help='JSON with boxes of things, in pixels of the first picture: {"labels": […], "frames": [[[left, top, '
        'right, bottom] or null, …], …], "size": [width, height]}; a Scene with tracks, or a track.json',
    )
    group.add_argument("--out", type=Path, metavar="FILE", help="the clip: .gif or .mp4")
    group.add_argument("--resample", action="store_true", default=None, help="stretch tracks of another length in time")
    group.add_argument("--boxes", action="store_true", default=None, help="draw the boxes into the clip")
    group.add_argument("--fit", choices=("squeeze", "crop"), help="of a picture of another shape (default squeeze)")
    group.add_argument("--seed", type=int, metavar="N", help="of the noise (default 0)")
    group.add_argument("--steps", type=int, metavar="N", help="of the sampling, in place of the run's")
    group.add_argument("--fps", type=float, metavar="N", help="frames a second (default 8)")
    group.add_argument("--enlarge", type=int, metavar="N", help="whole number of times that frames are enlarged")


def refuse_clip_options(args: argparse.Namespace) -> None:
    """Make sure that a run that makes no clips is not asked for one.

    Raises:
        InputError: it is.
    """
    for name in _OPTIONS:
        if getattr(args, name) is not None:
            raise InputError(f"--{name} is for runs that were trained to film, and this one was not.")


def is_film_run(folder: Path) -> bool:
    """Whether a folder is a run, finished or not, of the task film."""
    from ..training.recipe_files import is_film
    from ..training.run import RECIPE

    return (folder / RECIPE).is_file() and is_film(folder / RECIPE)


def read_film(args: argparse.Namespace, root: Path | None) -> FilmRecipe:
    """The film recipe that the options describe."""
    from ..training.filming.recipe import load_film

    return load_film(args.recipe, args.changes, smoke=args.smoke, root=root)


def train(args: argparse.Namespace, recipe: FilmRecipe, folder: Path, *, resume: bool) -> int:
    """Train and print what was reached."""
    from ..training.filming.pipeline import table_of_films, train_film

    _silence()
    quiet = args.quiet or args.json
    with _showing(quiet) as report:
        facts = train_film(recipe, folder, resume=resume, quiet=quiet, report=report)
    if args.json:
        print(json.dumps({"run": str(folder), **facts}, indent=2))
        return 0
    shown = shlex.quote(str(folder))
    print(table_of_films(facts["metrics"]))
    print(
        f"\nstage {facts['stage']}: {facts['clips']:,} clips, {facts['steps']:,} steps in {facts['seconds']:.1f} s, "
        f"{facts['trained_parameters']:,} trained parameters.\nrun: {folder}\nnext:\n  lichen evaluate {shown}\n"
        f'  lichen predict {shown} --prompt "a red ball" --tracks boxes.json --out clip.gif'
    )
    return 0


def evaluate(args: argparse.Namespace) -> int:
    """Sample from the prompts, boxes and first pictures of clips that were not trained on, and measure."""
    from ..training.filming.clips import test_clips
    from ..training.filming.pipeline import measure_film, open_film, table_of_films

    if args.split and args.split != ["test"]:
        raise InputError("A run that was trained to film is measured on its test clips; leave --split out.")
    if args.changes:
        raise InputError("A run that was trained to film is measured on its own test clips; leave --set out.")
    _silence()
    pipe, recipe = open_film(args.run)
    with _showing(args.json) as report:
        metrics = measure_film(pipe, test_clips(recipe.data, pipe.base.size, report), recipe, report)
    print(json.dumps({"run": str(args.run), "metrics": metrics}, indent=2) if args.json else table_of_films(metrics))
    return 0


def predict(args: argparse.Namespace) -> int:
    """Make a clip."""
    if args.inputs:
        raise InputError(
            f"This run was trained to film and takes no {args.inputs[0]!r}. Give --prompt, --image, --tracks and --out."
        )
    if args.prompt is None or args.out is None:
        raise InputError(
            'A clip takes --prompt "…" and --out clip.gif (or .mp4); --image and --tracks where trained so.'
        )
    check_target("--out", args.out, CLIPS)
    from ..training.filming.pipeline import open_film
    from ..video.pipeline import framed_picture
    from ..video.tracks import read_tracks

    _silence()
    picture = None if args.image is None else _picture(args.image)
    pipe, _ = open_film(args.run)
    size = picture.size if picture is not None else (pipe.base.size[1], pipe.base.size[0])
    tracks = None if args.tracks is None else read_tracks(args.tracks, size)
    settings: dict[str, Any] = {} if args.steps is None else {"steps": args.steps}
    with _showing(False) as report:
        out = pipe(
            args.prompt,
            image=picture,
            tracks=tracks,
            resample=bool(args.resample),
            fit=args.fit or "squeeze",
            seed=args.seed or 0,
            progress=None if report is None else (lambda done, total: report("steps of sampling", done, total)),
            **settings,
        )
    out.save(args.out, fps=args.fps or 8.0, boxes=bool(args.boxes), scale=args.enlarge or 1)
    print(f"{args.out}: {len(out.frames[0])} frames of {out.pixels.shape[3]} × {out.pixels.shape[2]} pixels")
    if picture is not None and framed_picture(picture, pipe.base.size).size != picture.size:
        print(f"lichen: the picture was made {pipe.base.size[1]} × {pipe.base.size[0]}.", file=sys.stderr)
    return 0


def _picture(path: Path) -> Any:
    from PIL import Image

    try:
        with Image.open(path) as picture:
            return picture.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"The picture {str(path)!r} cannot be opened: {error}.") from error


def _silence() -> None:
    silence_libraries()
    from ..scene.extras import need

    need("diffusers", "video", "Video models are built").utils.logging.set_verbosity_error()


def _showing(quiet: bool) -> AbstractContextManager[Any]:
    return showing_passes(quiet, keeps=False, prefix="")

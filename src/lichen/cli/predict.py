"""`lichen predict`: ask a trained run about the user's own pictures or texts."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BadSample, InputError
from ..scene.graph_files import GRAPHS
from . import film
from .asking import add_questions, answers_table, asked_of_run, given_scenes, queries_of, refuse_questions, widen
from .given import Thumbnails, check_name, check_target, picture_files, read_texts
from .recipes import listed_skips, showing_passes, silence_libraries

if TYPE_CHECKING:
    from torch import Tensor

    from ..scene import Scene
    from ..tasks.task import Inputs
    from ..training.run import Run

HELP = (
    "Answer for pictures (files or folders of them) or texts (given in quotes; files with one text on each line; CSV, "
    "TSV or JSONL with a column of texts). A run that retrieves ranks the inputs for each --query; one that writes is "
    "told what to write by --task, --question, --expression or --box; one that grounds phrases is given a --caption; "
    "one that finds interactions may be given more of them by --vocabulary. Files of Scenes (.jsonl) bring boxes and "
    "captions along. Inputs that cannot be used are left out and named. Prints a table; --json, --draw and --graph "
    "leave more."
)
EPILOG = """examples:
  lichen predict runs/shapes holiday/ cat.jpg --draw answer.png
  lichen predict runs/sst2 "what a film" reviews.csv --column review --json answers.jsonl
  lichen predict runs/photos holiday/ --query "a dog on a beach" --top 5
  lichen predict runs/playground street.png --task caption --draw answer.png
  lichen predict runs/playground street.png --question "how many dogs are there?"
  lichen predict runs/playground street.png --expression "the dog on the left" --draw answer.png
  lichen predict runs/graphs street.jpg --detector embedded:ssd-mobilenet --draw answer.png --graph street.graphml
  lichen predict runs/doing street.jpg --detector embedded:ssd-mobilenet --vocabulary verbs.csv --draw answer.png
  lichen predict runs/phrases street.jpg --caption "a man rides a horse" --draw answer.png
  lichen predict runs/furniture chair.jpg --draw chair.png --glb chair.glb"""
MESHES = (".glb", ".obj")
"""Endings of what --glb writes."""
DRAWN = (".png", ".jpg", ".jpeg", ".webp", ".pdf", ".svg")
"""Endings of what --draw writes."""
INTERMIXED = True
"""Inputs may come before and behind options, and a clip is asked for without any."""
_TOGETHER = 64
"""Inputs that are in memory at a time."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    parser.add_argument("run", type=Path, help="run folder that `lichen train` left")
    parser.add_argument(
        "inputs", nargs="*", metavar="INPUT", help="pictures, folders of pictures, texts, or files of texts"
    )
    parser.add_argument(
        "--query", action="append", default=[], metavar="TEXT", help="what to search for; may be given several times"
    )
    add_questions(parser)
    parser.add_argument(
        "--vocabulary",
        type=Path,
        metavar="FILE",
        help="more interactions to look for, known by their names alone: a CSV with the columns verb and object",
    )
    parser.add_argument("--column", default="text", metavar="NAME", help="of the texts in a table (default text)")
    parser.add_argument("--draw", type=Path, metavar="FILE", help="draw the answers: .png, .jpg, .webp, .pdf or .svg")
    parser.add_argument("--json", metavar="FILE", help="write a Scene in JSON on each line; - prints them instead")
    parser.add_argument(
        "--graph",
        type=Path,
        metavar="FILE",
        help="write boxes and relations as a graph: .graphml, or .dot for Graphviz",
    )
    parser.add_argument(
        "--glb", type=Path, metavar="FILE", help="write the solids of one picture as a mesh: .glb or .obj"
    )
    parser.add_argument("--top", type=int, default=3, metavar="N", help="answers shown of each input (default 3)")
    film.add_clip_options(parser)


def run(args: argparse.Namespace) -> int:
    """Answer, print, draw."""
    if args.top < 1:
        raise InputError(f"--top must be at least 1; got {args.top}.")
    if film.is_film_run(args.run):
        return film.predict(args)
    film.refuse_clip_options(args)
    if not args.inputs:
        raise InputError("lichen predict: the following arguments are required: INPUT. See: lichen predict --help")
    from ..figures import check_can_draw
    from ..tasks.task import Responding
    from ..training.run import Run

    if args.json not in (None, "-"):
        check_target("--json", Path(args.json))
    if args.graph is not None:
        check_target("--graph", args.graph, tuple(GRAPHS))
    if args.glb is not None:
        check_target("--glb", args.glb, MESHES)
    if args.draw is not None:
        check_can_draw()
        check_target("--draw", args.draw, DRAWN)
    trained = Run.open(args.run)
    silence_libraries()
    kind = trained.task.name
    if kind == "retrieve" and not args.query:
        raise InputError('This run retrieves: say what to search for among the inputs, --query "a dog on a beach".')
    if args.query and kind != "retrieve":
        raise InputError(f"This run was trained to {kind} and takes no --query.")
    task: Any = trained.task
    asked = isinstance(task, Responding)
    if args.vocabulary is not None:
        widen(trained, args.vocabulary)
    if args.glb is not None and kind != "solids":
        raise InputError(f"This run was trained to {kind} and finds no solids, so it takes no --glb.")
    refuse_questions(args, kind, asked and task.reads_boxes)
    if asked:
        queries = queries_of(trained.head.decoder.tasks, args) if kind == "write" else []
        scenes, skipped = asked_of_run(trained, given_scenes(args.inputs, args.caption), queries, args.detector)
        pictures: list[str] = []
    else:
        scenes, skipped, pictures = answer(trained, args.inputs, args.query, args.column)
    if skipped:
        print(f"lichen: {listed_skips(skipped)}", file=sys.stderr)
    lines = [scene.to_json() for scene in scenes]
    shown = answers_table(scenes, args.top) if asked else table(scenes, args.top)
    print("\n".join(lines) if args.json == "-" else shown)
    if args.json not in (None, "-"):
        _write(Path(args.json), ("\n".join(lines) + "\n").encode())
    if args.draw is not None:
        drawn = [replace(scene, relations=scene.relations[: args.top]) for scene in scenes]
        _draw(args.draw, drawn, Thumbnails(pictures), "scenes" if asked else kind)
    if args.graph is not None:
        _write(args.graph, GRAPHS[args.graph.suffix.lower()](scenes).encode())
    if args.glb is not None:
        _mesh(args.glb, scenes)
    return 0


def answer(
    run: Run, inputs: Sequence[str], queries: Sequence[str], column: str = "text"
) -> tuple[list[Scene], dict[str, str], list[str]]:
    """Scenes with answers, the inputs that could not be used with the reason, and the pictures that could.

    Raises:
        InputError: no input or not every query can be used, or a file or folder is of the wrong kind.
    """
    task: Any = run.task
    part = task.searched if queries else next(iter(run.parts))
    scenes, outputs, skipped = _outputs(run, part, inputs, column)
    if not scenes:
        raise InputError(f"None of the inputs can be used. {listed_skips(skipped)}")
    pictures = [scene.image for scene in scenes if scene.image is not None]
    if not queries:
        return task.answer(outputs, scenes), skipped, pictures
    asked, questions, wrong = _outputs(run, task.asking, queries, column)
    if wrong:
        raise InputError(f"--query: {next(iter(wrong.values()))}.")
    return task.answer({**outputs, **questions}, [*asked, *scenes]), skipped, pictures


def _outputs(
    run: Run, part: str, given: Sequence[str], column: str
) -> tuple[list[Scene], dict[str, Tensor], dict[str, str]]:
    """Scenes of what was given for one part, the model's outputs for them, and what had to be left out."""
    import torch

    found, inputs = _inputs(run, part, given, column)
    scenes: list[Scene] = []
    outputs: dict[str, list[Tensor]] = {}
    skipped: dict[str, str] = {}
    with showing_passes(quiet=len(found) <= _TOGETHER, keeps=False) as report:
        for start in range(0, len(found), _TOGETHER):
            rows = range(start, min(start + _TOGETHER, len(found)))
            samples = []
            for row in rows:
                try:
                    check_name(found[row].id)
                    samples.append(inputs[row])
                    scenes.append(found[row])
                except BadSample as bad:
                    skipped[bad.id] = bad.reason
            if samples:
                for name, value in run.outputs({part: samples}).items():
                    outputs.setdefault(name, []).append(value)
            if report is not None:
                report("inputs", rows.stop, len(found))
    return scenes, {name: torch.cat(values) for name, values in outputs.items()}, skipped


def _inputs(run: Run, part: str, given: Sequence[str], column: str) -> tuple[list[Scene], Inputs]:
    """Scenes and model inputs of what the user gave for one part."""
    from ..data.dataset import Dataset
    from ..scene import Scene
    from ..tasks.task import Preparation, picture_inputs, text_inputs

    record = run.parts[part]
    how = Preparation(run.backbone(part).processor, record.backbone.size, record.backbone.max_tokens)
    if record.outline.modality == "image":
        scenes = tuple(Scene(name, image=name) for name in picture_files(given))
        return list(scenes), picture_inputs(Dataset(scenes, {"test": tuple(range(len(scenes)))}), how)
    texts, names = read_texts(given, column)
    return [Scene(name, text=text) for name, text in zip(names, texts, strict=True)], text_inputs(texts, names, how)


def table(scenes: Sequence[Scene], top: int) -> str:
    """One row a sample: its name or text, then the best answers."""
    rows = []
    for scene in scenes:
        name = " ".join((scene.text or scene.image or scene.id).split())
        name = name if len(name) <= 48 else ("…" + name[-47:] if scene.image else name[:47] + "…")
        labels = [
            f"{_short(label.name)} {'' if label.score is None else f'{label.score:.2f}'}" for label in scene.labels
        ]
        rows.append((name, "   ".join(labels[:top])))
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join(f"{name:<{width}}  {answers}" for name, answers in rows)


def _short(name: str) -> str:
    from ..data.folders import EXTENSIONS

    name = " ".join(name.split())
    return name if len(name) <= 40 else ("…" + name[-39:] if name.lower().endswith(EXTENSIONS) else name[:39] + "…")


def _draw(path: Path, scenes: Sequence[Scene], pictures: Thumbnails, kind: str) -> None:
    from ..tasks.drawing import draw_labels, draw_ranking, draw_scenes

    try:
        with warnings.catch_warnings():
            # The font of figures lacks many scripts; a box stands for what it cannot draw, and the table has the text.
            warnings.filterwarnings("ignore", message="Glyph .* missing")
            if kind == "scenes":
                draw_scenes(scenes, path)
            else:
                (draw_ranking if kind == "retrieve" else draw_labels)(scenes, pictures, path)
    except OSError as error:
        raise InputError(f"Cannot write picture {str(path)!r}: {error.strerror or error}.") from error
    print(f"drawn: {path}", file=sys.stderr)


def _mesh(path: Path, scenes: Sequence[Scene]) -> None:
    from ..scene.meshes import write_meshes

    if len(scenes) != 1:
        raise InputError(
            f"--glb takes the solids of one picture, and there are {len(scenes)}. Give one picture at a time."
        )
    write_meshes(path, scenes[0].solids)
    print(f"written: {path}", file=sys.stderr)


def _write(path: Path, data: bytes) -> None:
    from ..files import write_atomic

    try:
        write_atomic(path, data)
    except OSError as error:
        raise InputError(f"Cannot write {str(path)!r}: {error.strerror}.") from error

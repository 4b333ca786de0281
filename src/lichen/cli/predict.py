"""`lichen predict`: ask a trained run about the user's own pictures or texts."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BadSample, InputError
from .recipes import silence_libraries

if TYPE_CHECKING:
    from ..scene import Scene
    from ..training.run import Run

HELP = (
    "Answer for pictures (files or folders of them) or texts (given in quotes, or files with one text on each line). "
    "A run that retrieves ranks the inputs for each --query. Prints a table; --json and --draw leave more."
)
_ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    parser.add_argument("run", type=Path, help="run folder that `lichen train` left")
    parser.add_argument(
        "inputs", nargs="+", metavar="INPUT", help="pictures, folders of pictures, texts, or text files"
    )
    parser.add_argument("--query", action="append", default=[], help="what to search for; may be given several times")
    parser.add_argument("--draw", type=Path, metavar="PNG", help="draw the answers")
    parser.add_argument("--json", metavar="FILE", help="write a Scene in JSON on each line; - prints them instead")
    parser.add_argument("--top", type=int, default=3, help="answers shown of each input (default 3)")


def run(args: argparse.Namespace) -> int:
    """Answer, print, draw."""
    if args.top < 1:
        raise InputError(f"--top must be at least 1; got {args.top}.")
    from ..figures import check_can_draw
    from ..training.run import Run

    if args.draw is not None:
        check_can_draw()
    trained = Run.open(args.run)
    silence_libraries()
    searching = len(trained.parts) == 2
    if searching and not args.query:
        raise InputError('This run retrieves: say what to search for among the inputs, --query "a dog on a beach".')
    if args.query and not searching:
        raise InputError("This run classifies and takes no --query.")
    scenes, pictures, bad = answer(trained, args.inputs, args.query)
    for problem in bad:
        print(f"lichen: skipped {problem}", file=sys.stderr)
    lines = [scene.to_json() for scene in scenes]
    if args.json == "-":
        print("\n".join(lines))
    else:
        print(table(scenes, args.top))
    if args.json not in (None, "-"):
        _write(Path(args.json), ("\n".join(lines) + "\n").encode())
    if args.draw is not None:
        _draw(args.draw, scenes, pictures, searching)
    return 1 if bad and not scenes else 0


def answer(
    run: Run, inputs: Sequence[str], queries: Sequence[str]
) -> tuple[list[Scene], dict[str, Any], list[BadSample]]:
    """Scenes with answers, pictures by id, and the inputs that could not be used."""
    if len(run.parts) == 1:
        (part,) = run.parts
        scenes, samples, pictures, bad = _prepare(run, part, inputs)
        return (run.task.answer(run.outputs({part: samples}), scenes) if scenes else []), pictures, bad
    task: Any = run.task
    scenes, samples, pictures, bad = _prepare(run, task.searched, inputs)
    asked, questions, _, wrong = _prepare(run, task.asking, queries)
    if wrong:
        raise InputError(str(wrong[0]))
    if not scenes:
        return [], pictures, bad
    outputs = run.outputs({task.asking: questions, task.searched: samples})
    return task.answer(outputs, [*asked, *scenes]), pictures, bad


def _prepare(
    run: Run, part: str, given: Sequence[str]
) -> tuple[list[Scene], list[dict[str, Any]], dict[str, Any], list[BadSample]]:
    """Scenes, model inputs and pictures of what the user gave for one part."""
    from ..data.dataset import Dataset
    from ..scene import Scene
    from ..tasks.task import Preparation, picture_inputs, text_inputs

    record = run.parts[part]
    how = Preparation(run.backbone(part).processor, record.backbone.size, record.backbone.max_tokens)
    if record.outline.modality == "image":
        names = list(dict.fromkeys(_pictures(given)))
        dataset = Dataset(tuple(Scene(name, image=name) for name in names), {"test": tuple(range(len(names)))})
        inputs: Any = picture_inputs(dataset, how)
        found = list(dataset.scenes)
    else:
        texts = _texts(given)
        found = [Scene(f"{number}", text=text) for number, text in enumerate(texts, 1)]
        inputs = text_inputs(texts, [scene.id for scene in found], how)
    scenes, samples, pictures, bad = [], [], {}, []
    for row, scene in enumerate(found):
        try:
            samples.append(inputs[row])
            scenes.append(scene)
            if scene.image is not None:
                pictures[scene.id] = dataset.picture(row, 256)
        except BadSample as problem:
            bad.append(problem)
    return scenes, samples, pictures, bad


def _pictures(given: Sequence[str]) -> list[str]:
    """Files as they are, folders as the pictures in them."""
    names = []
    for name in given:
        path = Path(name)
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.suffix.lower() in _ENDINGS)
            if not inside:
                raise InputError(f"Folder {name!r} holds no picture ({', '.join(_ENDINGS)}).")
            names += [str(file) for file in inside]
        else:
            names.append(name)
    return names


def _texts(given: Sequence[str]) -> list[str]:
    """Texts as they are, files as their lines."""
    texts = []
    for name in given:
        path = Path(name)
        try:
            is_file = path.is_file()
        except OSError:  # a long text is no file name
            is_file = False
        if not is_file:
            texts.append(name)
            continue
        try:
            texts += [line for line in path.read_text("utf-8").splitlines() if line.strip()]
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{name!r} cannot be read as UTF-8 text: {error}.") from error
    return texts


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
    name = " ".join(name.split())
    return name if len(name) <= 40 else ("…" + name[-39:] if name.lower().endswith(_ENDINGS) else name[:39] + "…")


def _draw(path: Path, scenes: Sequence[Scene], pictures: dict[str, Any], searching: bool) -> None:
    from ..tasks.drawing import draw_labels, draw_ranking

    if not scenes:
        return
    try:
        (draw_ranking if searching else draw_labels)(scenes, pictures, path)
    except (OSError, ValueError) as error:
        raise InputError(
            f"Cannot write picture {str(path)!r}: {error}. Give a .png in a folder that exists."
        ) from error
    print(f"drawn: {path}", file=sys.stderr)


def _write(path: Path, data: bytes) -> None:
    from ..files import write_atomic

    try:
        write_atomic(path, data)
    except OSError as error:
        raise InputError(f"Cannot write {str(path)!r}: {error.strerror}.") from error

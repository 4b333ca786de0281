"""What `lichen predict` does with a run that writes: questions from the command line, answers for every picture."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..errors import BadSample, InputError, pick
from .given import check_name, picture_files
from .recipes import listed_skips, showing_passes

if TYPE_CHECKING:
    from ..scene import Scene
    from ..tasks.written.asked import Query
    from ..training.run import Run

ALIASES = {"refer": "aref", "describe": "gcap", "answer": "vqa", "read": "ocr"}
"""Plain words for tasks."""
_OPTIONS = ("question", "expression", "box", "task")
_GIVEN_FOR = {"question": "vqa", "expression": "aref", "box": "gcap"}
_TOGETHER = 32
"""Pictures that are in memory at a time."""


def add_questions(parser: argparse.ArgumentParser) -> None:
    """Declare what a decoder can be asked."""
    more = "; may be given several times"
    parser.add_argument(
        "--task",
        metavar="NAME",
        help="what to write: caption, classify, vqa, ocr, detect, refer, describe, or as the recipe named it",
    )
    parser.add_argument("--question", action="append", default=[], metavar="TEXT", help=f"to answer{more}")
    parser.add_argument(
        "--expression", action="append", default=[], metavar="TEXT", help=f"what to find the box of{more}"
    )
    parser.add_argument(
        "--box", action="append", default=[], metavar="X1,Y1,X2,Y2", help=f"what to describe, in pixels{more}"
    )


def refuse_questions(args: argparse.Namespace, kind: str) -> None:
    """Make sure that a run without a decoder is asked none of these.

    Raises:
        InputError: it is.
    """
    for name in _OPTIONS:
        if getattr(args, name):
            raise InputError(f"This run was trained to {kind} and takes no --{name}. A run that writes does.")


def queries_of(tasks: Sequence[str], args: argparse.Namespace) -> list[Query]:
    """What the command line asks.

    Args:
        tasks: that the run has learnt.
        args: of the command line.

    Raises:
        InputError: an unknown task, one that the run has not learnt, or a question without its words.
    """
    from ..tasks.written.asked import Query

    found = [Query("vqa", words=_words("--question", text)) for text in args.question]
    found += [Query("aref", words=_words("--expression", text)) for text in args.expression]
    found += [Query("gcap", box=_box(text)) for text in args.box]
    for name, task in _GIVEN_FOR.items():
        if getattr(args, name) and task not in tasks:
            raise InputError(f"--{name} asks for {task}, and this run has learnt {', '.join(tasks)}.")
    if args.task is None:
        if not found and len(tasks) > 1:
            raise InputError(f"This run writes several things: say which by --task, one of {', '.join(tasks)}.")
        return found or [_alone(tasks[0])]
    task = ALIASES.get(args.task, args.task)
    if task not in tasks:
        pick("task of this run", args.task, tasks)
    for name, served in _GIVEN_FOR.items():
        if getattr(args, name) and served != task:
            raise InputError(f"--{name} is for --task {served}, and --task says {args.task}. Leave one of them out.")
    return found or [_alone(task)]


def _alone(task: str) -> Query:
    """A task that is asked without words."""
    from ..tasks.written.asked import Query

    if task == "vqa":
        raise InputError('Say what to answer: --question "how many dogs are there?"')
    return Query(task)


def _words(option: str, text: str) -> str:
    if not text.strip():
        raise InputError(f"{option} is empty. Write what is asked.")
    return text


def _box(text: str) -> tuple[float, float, float, float]:
    try:
        x1, y1, x2, y2 = (float(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"--box takes four numbers of pixels, such as 10,20,80,95; got {text!r}.") from error
    return x1, y1, x2, y2


def written(run: Run, inputs: Sequence[str], queries: Sequence[Query]) -> tuple[list[Scene], dict[str, str]]:
    """Scenes with answers, and the inputs that could not be used with the reason.

    Raises:
        InputError: no input can be used, or a box lies outside a picture.
    """
    from ..data.dataset import Dataset
    from ..data.pictures import open_picture
    from ..scene import Scene
    from ..tasks.task import Preparation

    files = picture_files(inputs)
    found = tuple(Scene(name, image=name) for name in files)
    dataset = Dataset(found, {"test": tuple(range(len(found)))})
    prepared = {}
    for part, record in run.parts.items():
        how = Preparation(run.backbone(part).processor, record.backbone.size, record.backbone.max_tokens)
        prepared[part] = run.task.inputs(dataset, part, how)
    answered: list[Scene] = []
    skipped: dict[str, str] = {}
    with showing_passes(quiet=len(found) <= _TOGETHER, keeps=False) as report:
        for start in range(0, len(found), _TOGETHER):
            scenes: list[Scene] = []
            samples: dict[str, list[Any]] = {part: [] for part in prepared}
            for row in range(start, min(start + _TOGETHER, len(found))):
                try:
                    check_name(found[row].id)
                    size = open_picture(files[row], found[row].id).size
                    ready = {part: each[row] for part, each in prepared.items()}
                except BadSample as bad:
                    skipped[bad.id] = bad.reason
                    continue
                scenes.append(Scene(found[row].id, image=files[row], size=size))
                for part, sample in ready.items():
                    samples[part].append(sample)
            if scenes:
                answered += run.respond(samples, scenes, queries)
            if report is not None:
                report("inputs", min(start + _TOGETHER, len(found)), len(found))
    if not answered:
        raise InputError(f"None of the inputs can be used. {listed_skips(skipped)}")
    return answered, skipped


def answers_table(scenes: Sequence[Scene], top: int) -> str:
    """Name of each picture with what was written about it, an answer a line."""
    rows = []
    for scene in scenes:
        name = scene.image or scene.id
        name = name if len(name) <= 48 else "…" + name[-47:]
        lines = _answers(scene, top) or ["(nothing)"]
        rows += [(name if number == 0 else "", line) for number, line in enumerate(lines)]
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join(f"{name:<{width}}  {line}" for name, line in rows)


def _answers(scene: Scene, top: int) -> list[str]:
    lines = [f"{label.name} {label.score:.2f}" for label in scene.labels[:top] if label.score is not None]
    lines = ["   ".join(lines)] if lines else []
    lines += scene.captions
    lines += [f"{question.text} {', '.join(question.answers)}" for question in scene.questions]
    lines += [line.text for line in scene.lines]
    spoken = {expression.entity for expression in scene.expressions}
    lines += [f"{each.text}: {_place(scene, each.entity)}" for each in scene.expressions]
    entities = [n for n, entity in enumerate(scene.entities) if n not in spoken]
    return lines + [f"{scene.entities[n].label or 'box'}: {_place(scene, n)}" for n in entities]


def _place(scene: Scene, number: int) -> str:
    entity = scene.entities[number]
    box = "" if entity.box is None else " ".join(f"{value:.0f}" for value in entity.box)
    return box if entity.score is None else f"{box} ({entity.score:.2f})"

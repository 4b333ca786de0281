"""What `lichen predict` does with a run that is asked: questions, captions and boxes in, answers for every picture."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BadSample, InputError, pick
from .given import check_name, picture_files
from .recipes import listed_skips, showing_passes

if TYPE_CHECKING:
    from ..scene import Phrase, Relation, Scene, Solid
    from ..tasks.written.asked import Query
    from ..training.run import Run

ALIASES = {"refer": "aref", "describe": "gcap", "answer": "vqa", "read": "ocr"}
"""Plain words for tasks."""
_FOR = {"question": "write", "expression": "write", "box": "write", "task": "write", "caption": "ground"}
"""Options that only one task takes."""
_GIVEN_FOR = {"question": "vqa", "expression": "aref", "box": "gcap"}


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
    parser.add_argument(
        "--caption", action="append", default=[], metavar="TEXT", help=f"whose phrases to find the boxes of{more}"
    )
    parser.add_argument(
        "--detector",
        metavar="NAME",
        help="what finds boxes in pictures that bring none: embedded:ssd-mobilenet, embedded:playground-detector, a "
        "folder or a hub id (default: what the run was trained with)",
    )


def refuse_questions(args: argparse.Namespace, kind: str, boxes: bool) -> None:
    """Make sure that a run is not asked what only another kind of run answers.

    Args:
        args: of the command line.
        kind: name of the run's task.
        boxes: whether it reads boxes.

    Raises:
        InputError: it is.
    """
    for name, task in _FOR.items():
        if getattr(args, name) and task != kind:
            raise InputError(f"This run was trained to {kind} and takes no --{name}. A run trained to {task} does.")
    for words in args.caption:
        _words("--caption", words)
    if args.graph is not None and not (boxes or kind == "write"):
        raise InputError(f"This run was trained to {kind} and finds no things to join, so it takes no --graph.")
    if args.detector is not None and not boxes:
        raise InputError(f"This run was trained to {kind} and reads no boxes, so it takes no --detector.")


def widen(run: Run, path: Path) -> None:
    """Let a run look for more interactions, which it knows by their names alone.

    Raises:
        InputError: the run finds no interactions, or the file is no vocabulary of things that it has boxes of.
    """
    from ..data.interactions import Interactions
    from ..tasks.interact import Interact

    if not isinstance(run.task, Interact):
        raise InputError(f"This run was trained to {run.task.name} and takes no --vocabulary. One of interact does.")
    run.task = run.task.extended(run.model, Interactions.read_csv(path, run.task.vocabulary.people))


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


def given_scenes(inputs: Sequence[str], captions: Sequence[str] = ()) -> list[Scene]:
    """A scene for each picture; files of Scenes bring their boxes and captions along.

    Args:
        inputs: pictures, folders of pictures, files of Scenes (.jsonl), whose pictures lie beside them.
        captions: put to every picture, in place of what it brings.

    Raises:
        InputError: a file that cannot be read, or a scene without a picture.
    """
    from ..data.scene_files import SUFFIXES, placed
    from ..scene import Scene
    from ..scene.jsonl import read_jsonl

    found: list[Scene] = []
    files = [name for name in inputs if name.lower().endswith(SUFFIXES)]
    for name in files:
        found += [placed(scene, None, Path(name)) for scene in read_jsonl(Path(name))]
    found += [Scene(name, image=name) for name in picture_files([name for name in inputs if name not in files])]
    if captions:
        found = [replace(scene, captions=tuple(captions), phrases=()) for scene in found]
    return list({scene.id: scene for scene in found}.values())


def asked_of_run(
    run: Run, scenes: Sequence[Scene], queries: Sequence[Query], detector: str | None
) -> tuple[list[Scene], dict[str, str]]:
    """Scenes with answers, and the inputs that could not be used with the reason.

    Args:
        run: that takes questions or boxes.
        scenes: of pictures.
        queries: for a run that writes.
        detector: of boxes that the scenes lack; None takes what the run was trained with.

    Raises:
        InputError: no input can be used, or a box lies outside a picture.
    """
    from ..training.asking import TOGETHER, ask

    skipped: dict[str, str] = {}
    usable = []
    for scene in scenes:
        try:
            check_name(scene.id)
            usable.append(scene)
        except BadSample as bad:
            skipped[bad.id] = bad.reason
    boxes = None if detector is None else replace(run.head.boxes, source=detector)
    with showing_passes(quiet=len(usable) <= TOGETHER, keeps=False) as report:
        told = None if report is None else (lambda done, total: report("inputs", done, total))
        answered, bad_pictures = ask(run, usable, queries, boxes=boxes, report=told)
    skipped |= bad_pictures
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
    # A caption that was given is no answer; its phrases are.
    lines += scene.captions if not scene.phrases else ()
    lines += [f"{question.text} {', '.join(question.answers)}" for question in scene.questions]
    lines += [line.text for line in scene.lines]
    spoken = {expression.entity for expression in scene.expressions}
    lines += [f"{each.text}: {_place(scene, each.entity)}" for each in scene.expressions]
    entities = [n for n, entity in enumerate(scene.entities) if n not in spoken]
    lines += [f"{_words_of(scene, each)}: {_place_of(scene, each)}" for each in scene.phrases]
    lines += [_relation(scene, each) for each in scene.relations[:top]]
    lines += [_solid(each) for each in scene.solids]
    if scene.phrases or scene.relations:
        return lines
    return lines + [f"{scene.entities[n].label or 'box'}: {_place(scene, n)}" for n in entities]


def _solid(solid: Solid) -> str:
    """Name, size and centre of a part in shares of its cube, and how sure it is."""
    size, centre = (" ".join(f"{value:.2f}" for value in triple) for triple in (solid.size, solid.centre))
    pair = "" if solid.mirror is None else ", and its reflection"
    score = "" if solid.score is None else f" ({solid.score:.2f})"
    return f"{solid.part or 'part'}: size {size} at {centre}{pair}{score}"


def _words_of(scene: Scene, phrase: Phrase) -> str:
    return scene.captions[phrase.caption][phrase.start : phrase.end]


def _place_of(scene: Scene, phrase: Phrase) -> str:
    """Box and score of a phrase."""
    if not phrase.entities:
        return "no box to choose from"
    score = "" if phrase.score is None else f" ({phrase.score:.2f})"
    return "; ".join(_place(scene, number) for number in phrase.entities) + score


def _relation(scene: Scene, relation: Relation) -> str:
    """Two things by name and place, what joins them, and how sure that is."""
    ends = [f"{scene.entities[end].label or 'thing'} {end}" for end in (relation.subject, relation.object)]
    score = "" if relation.score is None else f" ({_shown(relation.score)})"
    return f"{ends[0]} {relation.predicate} {ends[1]}{score}"


def _shown(score: float) -> str:
    """Two places after the point; a small score, such as a product of many, with its first digit."""
    return f"{score:.2f}" if score >= 0.1 or score == 0 else f"{score:.1g}"


def _place(scene: Scene, number: int) -> str:
    entity = scene.entities[number]
    box = "" if entity.box is None else " ".join(f"{value:.0f}" for value in entity.box)
    return box if entity.score is None else f"{box} ({entity.score:.2f})"

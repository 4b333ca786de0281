"""`ask`: put a user's own pictures to a trained run whose answers take boxes, captions or questions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from PIL import Image

from ..data.dataset import Dataset
from ..data.pictures import open_picture
from ..errors import BadSample, InputError
from ..scene import Scene
from ..tasks.boxes import BoxesConfig, with_boxes
from ..tasks.task import Preparation, Responding
from .run import Run

TOGETHER = 32
"""Pictures that are in memory at a time."""
Found = list[tuple[Scene, Image.Image]]


def ask(
    run: Run,
    scenes: Sequence[Scene],
    asked: Sequence[Any] = (),
    *,
    boxes: BoxesConfig | None = None,
    report: Callable[[int, int], Any] | None = None,
) -> tuple[list[Scene], dict[str, str]]:
    """Answers for pictures.

    Example:
        >>> run = Run.open("runs/yard")
        >>> (scene,), skipped = ask(run, [Scene("photo", image="photo.jpg")], [Query("caption")])

    Args:
        run: trained to write, relate, ground or to name solids.
        scenes: with the files of their pictures; with boxes and captions where these are given rather than found.
        asked: questions, for a run that writes.
        boxes: where boxes come from that the scenes do not bring; None takes what the run was trained with.
        report: told how many pictures are done, and how many there are.

    Returns:
        The scenes with answers, without those whose picture cannot be used; and the ids of these with the reason.

    Raises:
        InputError: see the task's `respond`, or boxes are needed and nothing finds them.
    """
    if not isinstance(run.task, Responding):
        raise InputError(f"A run that was trained to {run.task.name} takes no questions: ask for its `outputs`.")
    answered: list[Scene] = []
    skipped: dict[str, str] = {}
    for start in range(0, len(scenes), TOGETHER):
        some = [each for each in scenes[start : start + TOGETHER] if _usable(run, each, skipped)]
        found = _opened(some, skipped)
        if found and run.task.reads_boxes:
            found = _boxed(run, found, boxes)
        if found:
            ready = [scene for scene, _ in found]
            answered += run.respond(_samples(run, found), ready, asked)
        if report is not None:
            report(min(start + TOGETHER, len(scenes)), len(scenes))
    return answered, skipped


def _usable(run: Run, scene: Scene, skipped: dict[str, str]) -> bool:
    """Whether a scene can be asked about; otherwise it is told why not."""
    assert isinstance(run.task, Responding)
    reason = "it names no picture" if scene.image is None else run.task.lacking(scene)
    if reason is not None:
        skipped[scene.id] = reason
    return reason is None


def _opened(scenes: Sequence[Scene], skipped: dict[str, str]) -> Found:
    """Scenes with their pictures and sizes."""
    found = []
    for scene in scenes:
        try:
            picture = open_picture(str(scene.image), scene.id)
        except BadSample as bad:
            skipped[bad.id] = bad.reason
            continue
        found.append((replace(scene, size=scene.size or picture.size), picture))
    return found


def _boxed(run: Run, found: Found, boxes: BoxesConfig | None) -> Found:
    """The same with boxes, and without what the run has no name for."""
    assert isinstance(run.task, Responding)
    scenes, pictures = zip(*found, strict=True)
    every = with_boxes(scenes, pictures, run.head.boxes if boxes is None else boxes)
    # What a user gives must be known; of what a detector finds only that can be used.
    return [
        (new if new is old else run.task.known(new), picture)
        for new, old, picture in zip(every, scenes, pictures, strict=True)
    ]


def _samples(run: Run, found: Found) -> dict[str, list[Any]]:
    """What the backbones read, by part."""
    dataset = Dataset(tuple(scene for scene, _ in found), {"test": tuple(range(len(found)))})
    samples = {}
    for part, record in run.parts.items():
        how = Preparation(run.backbone(part).processor, record.backbone.size, record.backbone.max_tokens)
        inputs = run.task.inputs(dataset, part, how)
        samples[part] = [inputs[row] for row in range(len(inputs))]
    return samples

"""Entities as `supervision.Detections` and back, for its annotators, trackers and metrics.

See https://supervision.roboflow.com/latest/detection/core for what `Detections` holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import InputError, nearest
from .extras import need
from .records import Entity
from .scene import Scene


def to_detections(scene: Scene, classes: Sequence[str] | None = None) -> Any:
    """The entities that have a box, as `supervision.Detections`.

    Args:
        scene: with entities that all have a score or all have none.
        classes: names in the order of `class_id`; without it those of the scene in alphabetical order.

    Returns:
        Detections with `xyxy` in pixels, `confidence` (None for annotations), `class_id` (-1 without a label), and in
        `data` the `class_name` ("" without a label) and `entity`, the place in `scene.entities`.

    Raises:
        MissingPackageError: supervision is not installed.
        InputError: some of the entities have a score and some none, or a label is not among the classes.
    """
    supervision = need("supervision", "supervision", "Detections are defined")
    places = [place for place, entity in enumerate(scene.entities) if entity.box is not None]
    entities = [scene.entities[place] for place in places]
    if not entities:
        return supervision.Detections.empty()
    names = [entity.label or "" for entity in entities]
    classes = sorted({name for name in names if name}) if classes is None else classes
    number = {name: place for place, name in enumerate(classes)}
    for name in names:
        if name and name not in number:
            raise InputError(
                f"The scene holds the class {name!r}, which is not among the classes. {nearest(name, classes)}"
            )
    scores = [entity.score for entity in entities]
    if len({score is None for score in scores}) > 1:
        raise InputError("Some entities have a score and some have none; Detections need it of all or of none.")
    return supervision.Detections(
        xyxy=scene.boxes[places],
        confidence=None if None in scores else np.array(scores, np.float64),
        class_id=np.array([number.get(name, -1) for name in names]),
        data={"class_name": np.array(names), "entity": np.array(places)},
    )


def from_detections(scene: Scene, detections: Any, classes: Sequence[str] | Mapping[int, str] | None = None) -> Scene:
    """The scene with the detections as its entities, in place of those it had.

    What said something about the old ones (relations, phrases, expressions) goes with them; questions and tracks stay.

    Args:
        scene: of the picture.
        detections: `supervision.Detections`, or anything with its fields.
        classes: names by `class_id`, where `detections.data` holds no `class_name`.

    Raises:
        InputError: a class has no name, or a box has no area.
    """
    count = len(detections.xyxy)
    names = _names(detections, classes, count)
    scores = [None] * count if detections.confidence is None else [float(value) for value in detections.confidence]
    tracker = getattr(detections, "tracker_id", None)
    ids = [None] * count if tracker is None else [str(int(value)) for value in tracker]
    boxes = np.asarray(detections.xyxy, np.float64).tolist()
    entities = tuple(
        Entity(name, tuple(box), score, id=id) for name, box, score, id in zip(names, boxes, scores, ids, strict=True)
    )
    return replace(
        scene,
        entities=entities,
        relations=(),
        phrases=(),
        expressions=(),
        questions=tuple(replace(question, entities=()) for question in scene.questions),
        tracks=tuple(replace(track, entity=None) for track in scene.tracks),
    ).validate()


def _names(detections: Any, classes: Sequence[str] | Mapping[int, str] | None, count: int) -> list[str | None]:
    found = (getattr(detections, "data", None) or {}).get("class_name")
    if found is not None:
        return [str(name) or None for name in found]
    if count == 0 or detections.class_id is None:
        return [None] * count
    if classes is None:
        raise InputError("The detections hold class numbers and no names. Give classes, names by class_id.")
    known = classes if isinstance(classes, Mapping) else dict(enumerate(classes))
    for number in detections.class_id:
        if int(number) not in known and int(number) != -1:
            raise InputError(f"class_id {int(number)} has no name: classes holds {len(known)}.")
    return [known.get(int(number)) for number in detections.class_id]

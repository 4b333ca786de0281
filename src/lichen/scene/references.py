"""Whether the numbers of a scene make sense together: boxes that are boxes, references that lead somewhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from .check import Box

if TYPE_CHECKING:
    from .records import Phrase, Solid, Track
    from .scene import Scene

_SLACK = 1e-6
"""What rounding in single precision may add to a score of 1."""
_SQUARE = 1e-4
"""How far a rotation's columns may be from unit length and right angles."""


def check_meaning(scene: Scene) -> None:
    """Check every number of a scene whose types are right already.

    Raises:
        InputError: the message begins with the field, such as `relations[3].object is 7, and there are 5 entities`.
    """
    if scene.size is not None and min(scene.size) < 1:
        raise InputError(f"size must be at least 1×1; got {scene.size}.")
    _check_boxes(scene)
    _check_scores(scene)
    _check_references(scene)
    for place, phrase in enumerate(scene.phrases):
        _check_phrase(f"phrases[{place}]", phrase, scene.captions)
    for place, solid in enumerate(scene.solids):
        _check_solid(f"solids[{place}]", solid)
    _check_tracks(scene.tracks, len(scene.frames))


def check_box(where: str, box: Box) -> None:
    """Refuse a box without area, or with its edges the wrong way round."""
    left, top, right, bottom = box
    if not (right > left and bottom > top):
        raise InputError(
            f"{where} must have left < right and top < bottom; got {tuple(box)}. "
            "A box is left, top, right, bottom, not left, top, width, height."
        )


def _check_boxes(scene: Scene) -> None:
    for place, entity in enumerate(scene.entities):
        if entity.box is not None:
            check_box(f"entities[{place}].box" + (f" of {entity.label!r}" if entity.label else ""), entity.box)
    for place, line in enumerate(scene.lines):
        check_box(f"lines[{place}].box", line.box)
        if 0 < len(line.polygon) < 3:
            raise InputError(f"lines[{place}].polygon has {len(line.polygon)} points; give at least three, or none.")
    for place, track in enumerate(scene.tracks):
        for frame, box in enumerate(track.boxes):
            if box is not None:
                check_box(f"tracks[{place}].boxes[{frame}]", box)


def _check_scores(scene: Scene) -> None:
    for name in ("entities", "relations", "phrases", "expressions", "lines", "solids", "tracks"):
        for place, record in enumerate(getattr(scene, name)):
            if record.score is not None and not 0.0 <= record.score <= 1.0 + _SLACK:
                raise InputError(f"{name}[{place}].score must lie between 0 and 1; got {record.score}.")
    for place, label in enumerate(scene.labels):
        # Labels are also what a search found, with its cosine.
        if label.score is not None and abs(label.score) > 1.0 + _SLACK:
            raise InputError(f"labels[{place}].score must lie between -1 and 1; got {label.score}.")


def _check_references(scene: Scene) -> None:
    count = len(scene.entities)
    for place, relation in enumerate(scene.relations):
        _check_place(f"relations[{place}].subject", relation.subject, count)
        _check_place(f"relations[{place}].object", relation.object, count)
    for place, expression in enumerate(scene.expressions):
        _check_place(f"expressions[{place}].entity", expression.entity, count)
    for place, track in enumerate(scene.tracks):
        if track.entity is not None:
            _check_place(f"tracks[{place}].entity", track.entity, count)
    for name in ("phrases", "questions"):
        for place, record in enumerate(getattr(scene, name)):
            for number, entity in enumerate(record.entities):
                _check_place(f"{name}[{place}].entities[{number}]", entity, count)


def _check_place(where: str, place: int, count: int, what: str = "entities") -> None:
    if not 0 <= place < count:
        there = f"there are {count} {what}" if count else f"there are no {what}"
        raise InputError(f"{where} is {place}, and {there}. Places count from 0.")


def _check_phrase(where: str, phrase: Phrase, captions: Sequence[str]) -> None:
    _check_place(f"{where}.caption", phrase.caption, len(captions), "captions")
    length = len(captions[phrase.caption])
    if not 0 <= phrase.start < phrase.end <= length:
        raise InputError(
            f"{where} is [{phrase.start}:{phrase.end}] of captions[{phrase.caption}], which has {length} characters; "
            "it must hold at least one of them."
        )


def _check_solid(where: str, solid: Solid) -> None:
    if min(solid.size) <= 0:
        raise InputError(f"{where}.size must be greater than 0 along each axis; got {tuple(solid.size)}.")
    matrix = np.array(solid.rotation, np.float64).reshape(3, 3)
    if not np.allclose(matrix.T @ matrix, np.eye(3), atol=_SQUARE) or np.linalg.det(matrix) < 0:
        raise InputError(
            f"{where}.rotation must be a rotation: columns of length 1 at right angles, determinant 1; "
            f"got {tuple(solid.rotation)}."
        )
    if solid.mirror is not None and abs(math.hypot(*solid.mirror[:3]) - 1.0) > _SQUARE:
        raise InputError(f"{where}.mirror must begin with a normal of length 1; got {tuple(solid.mirror)}.")


def _check_tracks(tracks: Sequence[Track], frames: int) -> None:
    for place, track in enumerate(tracks):
        if frames and len(track.boxes) != frames:
            raise InputError(f"tracks[{place}].boxes has {len(track.boxes)} entries, and there are {frames} frames.")
        if len(track.boxes) != len(tracks[0].boxes):
            raise InputError(
                f"tracks[{place}].boxes has {len(track.boxes)} entries and tracks[0].boxes {len(tracks[0].boxes)}; "
                "all tracks of a clip have one a frame."
            )

"""Entities as Detections and back, with a stand-in that has the fields of `supervision.Detections`."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from lichen.errors import InputError, MissingPackageError
from lichen.scene import Entity, Question, Relation, Scene, Track
from lichen.scene.detections import from_detections, to_detections


@dataclass
class Detections:
    """The fields that are read and written."""

    xyxy: np.ndarray
    confidence: np.ndarray | None = None
    class_id: np.ndarray | None = None
    tracker_id: np.ndarray | None = None
    data: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def empty(cls) -> Detections:
        return cls(np.empty((0, 4)), np.array([]), np.array([], int))


@pytest.fixture
def supervision(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("supervision")
    module.Detections = Detections  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "supervision", module)


CATS = (
    Entity("cat", (1.0, 2.0, 30.0, 40.1), 0.5),
    Entity("ghost"),
    Entity(None, (5.0, 5.0, 8.0, 9.0), 0.25),
    Entity("bat", (0.0, 0.0, 8.0, 9.0), 0.125),
)


@pytest.mark.usefixtures("supervision")
def test_there_and_back() -> None:
    made = to_detections(Scene("a", entities=CATS))
    np.testing.assert_array_equal(made.xyxy, [[1, 2, 30, 40.1], [5, 5, 8, 9], [0, 0, 8, 9]])
    np.testing.assert_array_equal(made.confidence, [0.5, 0.25, 0.125])
    np.testing.assert_array_equal(made.class_id, [1, -1, 0])
    np.testing.assert_array_equal(made.data["entity"], [0, 2, 3])
    assert made.data["class_name"].tolist() == ["cat", "", "bat"]
    assert from_detections(Scene("a"), made).entities == (CATS[0], CATS[2], CATS[3])


@pytest.mark.usefixtures("supervision")
def test_annotations_have_no_confidence_and_nothing_is_empty() -> None:
    made = to_detections(Scene("a", entities=(Entity("cat", (0.0, 0.0, 1.0, 1.0)),)), ["dog", "cat"])
    assert made.confidence is None and made.class_id.tolist() == [1]
    assert from_detections(Scene("a"), made).entities[0].score is None
    nothing = to_detections(Scene("a", entities=(Entity("ghost"),)))
    assert len(nothing.xyxy) == 0
    assert from_detections(Scene("a"), nothing) == Scene("a")


@pytest.mark.usefixtures("supervision")
def test_what_detections_cannot_say_is_refused() -> None:
    mixed = Scene("a", entities=(CATS[0], Entity("cat", (0.0, 0.0, 1.0, 1.0))))
    with pytest.raises(InputError, match="Some entities have a score and some have none"):
        to_detections(mixed)
    with pytest.raises(InputError, match="the class 'cat', which is not among the classes"):
        to_detections(Scene("a", entities=CATS[:1]), ["dog"])


def test_names_come_from_the_data_or_from_the_classes() -> None:
    boxes = np.array([[0, 0, 4, 4], [1, 1, 2, 2]], np.float32)
    made = Detections(boxes, np.array([0.5, 0.75], np.float32), np.array([2, -1]), np.array([7, 8]))
    scene = from_detections(Scene("a"), made, {2: "cat"})
    assert [entity.label for entity in scene.entities] == ["cat", None]
    assert [entity.id for entity in scene.entities] == ["7", "8"]
    with pytest.raises(InputError, match="Give classes"):
        from_detections(Scene("a"), made)
    with pytest.raises(InputError, match="class_id 2 has no name"):
        from_detections(Scene("a"), made, ["cat", "dog"])
    assert from_detections(Scene("a"), Detections(boxes)).entities[0] == Entity(None, (0.0, 0.0, 4.0, 4.0))


def test_what_spoke_of_the_old_entities_goes_with_them() -> None:
    scene = Scene(
        "a",
        captions=("A cat.",),
        entities=CATS,
        relations=(Relation(0, "on", 2),),
        questions=(Question("?", entities=(3,)),),
        tracks=(Track(((0.0, 0.0, 1.0, 1.0),), entity=3),),
    )
    after = from_detections(scene, Detections(np.array([[0.0, 0.0, 4.0, 4.0]])))
    assert len(after.entities) == 1 and after.relations == () and after.captions == scene.captions
    assert after.questions == (Question("?"),) and after.tracks[0].entity is None


def test_without_supervision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'lichen\[supervision\]'"):
        to_detections(Scene("a", entities=CATS))

"""A Scene survives JSON unchanged, and says what is wrong with what is none."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from lichen.errors import InputError
from lichen.scene import Entity, Expression, Label, Phrase, Question, Relation, Scene, Solid, TextLine, Track

from .strategies import scenes


@settings(max_examples=25, deadline=None)
@given(scenes())
def test_json_and_back(scene: Scene) -> None:
    line = scene.validate().to_json()
    assert "\n" not in line
    assert Scene.from_json(line) == scene
    assert Scene.from_dict(scene.to_dict()) == scene
    assert json.loads(line) == scene.to_dict()


def test_only_what_is_known_is_written() -> None:
    assert Scene("a").to_dict() == {"id": "a"}
    # An empty text is something else than none.
    assert Scene("a", text="").to_dict() == {"id": "a", "text": ""}
    scene = Scene("a", "a.png", labels=(Label("cat", 0.5), Label("dog")))
    labels = [{"name": "cat", "score": 0.5}, {"name": "dog", "score": None}]
    assert json.loads(scene.to_json()) == {"id": "a", "image": "a.png", "labels": labels}
    assert Scene("ä").to_json() == '{"id": "ä"}'


def test_a_whole_number_is_a_score_too() -> None:
    (label,) = Scene.from_json('{"id": "a", "labels": [{"name": "cat", "score": 1}]}').labels
    assert label == Label("cat", 1.0) and isinstance(label.score, float)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "needs an id, as text; got None"),
        ({"id": 3}, "needs an id, as text; got 3"),
        ({"id": "a", "lables": []}, "no field 'lables'. Did you mean 'labels'?"),
        ({"id": "a", "text": 3}, "text of scene 'a' must be text; got 3"),
        ({"id": "a", "image": ["b"]}, "image of scene 'a' must be text"),
        ({"id": "a", "captions": "two cats"}, "captions of scene 'a' must be a list of texts; got 'two cats'"),
        ({"id": "a", "captions": ["two", 2]}, "captions of scene 'a' must be a list of texts"),
        ({"id": "a", "labels": "cat"}, "labels of scene 'a' must be a list; got 'cat'"),
        ({"id": "a", "labels": ["cat"]}, "A Label needs a name, as text; got 'cat'"),
        ({"id": "a", "labels": [{"score": 1}]}, "A Label needs a name"),
        ({"id": "a", "labels": [{"name": "cat", "scroe": 1}]}, "no field 'scroe'. Did you mean 'score'?"),
        ({"id": "a", "labels": [{"name": "cat", "score": "high"}]}, "'cat' must be a number; got 'high'"),
        ({"id": "a", "labels": [{"name": "cat", "score": True}]}, "'cat' must be a number; got True"),
        ({"id": "a", "metadata": ["b"]}, "metadata of scene 'a' must be an object"),
    ],
)
def test_what_is_no_scene_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        Scene.from_json(json.dumps(values))
    assert message in str(caught.value)


@pytest.mark.parametrize(("text", "message"), [("{", "not JSON"), ("[]", "got a list"), ("3", "got a int")])
def test_text_that_is_no_object_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Scene.from_json(text)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"entities": [{"label": "cat"}, {"box": [0, 1, 2]}]}, "entities[1].box must be four numbers"),
        ({"entities": [{"label": "cat", "box": [0, 1, 2, "3"]}]}, "entities[0].box of 'cat'[3] must be a number"),
        ({"entities": [{"box": [0, 1, 2, float("nan")]}]}, "entities[0].box[3] must be a finite number; got nan"),
        ({"entities": [{"box": [0, 1, 2, 10**400]}]}, "entities[0].box[3] must be a finite number"),
        ({"entities": [{"colour": "red"}]}, "entities[0]: An Entity has no field 'colour'"),
        ({"entities": [["cat"]]}, "entities[0]: An Entity needs a label or a box"),
        ({"relations": [{"subject": 0, "predicate": "on"}]}, "relations[0]: A Relation needs a subject, a predicate"),
        ({"relations": [{"subject": 0.0, "predicate": "on", "object": 1}]}, "relations[0].subject must be a whole"),
        ({"phrases": [{"caption": 0, "start": True, "end": 3}]}, "phrases[0].start must be a whole number; got True"),
        ({"size": [640]}, "size of scene 'a' must be two whole numbers"),
        ({"size": 640}, "size of scene 'a' must be two whole numbers, width and height; got 640"),
        ({"questions": [{"text": "why?", "answers": "so"}]}, "questions[0].answers must be a list of texts"),
        ({"lines": [{"text": "STOP"}]}, "lines[0]: A TextLine needs a text and a box"),
        ({"solids": [{"centre": [0, 0, 0]}]}, "solids[0]: A Solid needs a centre and a size"),
        ({"solids": [{"centre": [0, 0, 0], "size": [1, 1, 1], "rotation": [1]}]}, "solids[0].rotation must be nine"),
        ({"tracks": [{"boxes": [[0, 0, 1, 1], [1]]}]}, "tracks[0].boxes[1] must be four numbers"),
        ({"frames": "a.png"}, "frames of scene 'a' must be a list of texts"),
        ({"metadata": {"a": [1, float("inf")]}}, "metadata['a'][1] must be a finite number; got inf"),
        ({"image": "\ud800.png"}, "image of scene 'a' holds half of a surrogate pair"),
    ],
)
def test_a_wrong_value_is_named_with_its_place(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        Scene.from_json(json.dumps({"id": "a", **values}))
    assert message in str(caught.value)
    assert "'a'" in str(caught.value)


BOX = (0.0, 0.0, 4.0, 4.0)
CATS = tuple(Entity("cat", BOX) for _ in range(5))


@pytest.mark.parametrize(
    ("scene", "message"),
    [
        (
            Scene("a", entities=(Entity("cat", (4.0, 0.0, 1.0, 4.0)),)),
            "entities[0].box of 'cat' must have left < right",
        ),
        (Scene("a", entities=(Entity(None, (0.0, 1.0, 4.0, 1.0)),)), "entities[0].box must have left < right"),
        (Scene("a", entities=CATS, relations=(Relation(0, "on", 7),)), "relations[0].object is 7, and there are 5 ent"),
        (Scene("a", relations=(Relation(0, "on", 0),)), "relations[0].subject is 0, and there are no entities"),
        (Scene("a", entities=CATS, expressions=(Expression("it", -1),)), "expressions[0].entity is -1"),
        (Scene("a", entities=CATS, questions=(Question("?", entities=(0, 5)),)), "questions[0].entities[1] is 5"),
        (
            Scene("a", captions=("abc",), phrases=(Phrase(1, 0, 1),)),
            "phrases[0].caption is 1, and there are 1 captions",
        ),
        (Scene("a", captions=("abc",), phrases=(Phrase(0, 1, 4),)), "phrases[0] is [1:4] of captions[0], which has 3"),
        (Scene("a", captions=("abc",), phrases=(Phrase(0, 2, 2),)), "phrases[0] is [2:2]"),
        (Scene("a", captions=("abc",), phrases=(Phrase(0, 0, 2, (3,)),)), "phrases[0].entities[0] is 3"),
        (Scene("a", labels=(Label("cat", 1.5),)), "labels[0].score must lie between -1 and 1; got 1.5"),
        (Scene("a", entities=(Entity("cat", score=-0.1),)), "entities[0].score must lie between 0 and 1; got -0.1"),
        (Scene("a", size=(0, 3)), "size must be at least 1×1; got (0, 3)"),
        (Scene("a", lines=(TextLine("x", BOX, ((0.0, 0.0), (1.0, 1.0))),)), "lines[0].polygon has 2 points"),
        (Scene("a", solids=(Solid((0.0, 0.0, 0.0), (1.0, 0.0, 1.0)),)), "solids[0].size must be greater than 0"),
        (
            Scene("a", solids=(Solid((0.0,) * 3, (1.0,) * 3, (2.0, *(0.0,) * 8)),)),
            "solids[0].rotation must be a rotation",
        ),
        (
            # A reflection has right angles and is no rotation.
            Scene("a", solids=(Solid((0.0,) * 3, (1.0,) * 3, (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)),)),
            "solids[0].rotation must be a rotation",
        ),
        (
            Scene("a", solids=(Solid((0.0,) * 3, (1.0,) * 3, mirror=(2.0, 0.0, 0.0, 1.0)),)),
            "solids[0].mirror must begin",
        ),
        (
            Scene("a", tracks=(Track((BOX,)),), frames=("a", "b")),
            "tracks[0].boxes has 1 entries, and there are 2 frames",
        ),
        (Scene("a", tracks=(Track((BOX,)), Track((BOX, None)))), "tracks[1].boxes has 2 entries and tracks[0].boxes 1"),
        (Scene("a", tracks=(Track((None, (3.0, 3.0, 3.0, 4.0))),)), "tracks[0].boxes[1] must have left < right"),
        (Scene("a", tracks=(Track((BOX,), entity=0),)), "tracks[0].entity is 0"),
        (Scene("a", metadata={"a": {"b": (1, 2)}}), "metadata['a']['b'] cannot be written as JSON: it is a tuple"),
        (Scene("a", metadata={"a": {1: 2}}), "metadata['a'] has a key that is not text: 1"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(scene: Scene, message: str) -> None:
    with pytest.raises(InputError) as caught:
        scene.validate()
    assert str(caught.value).startswith("Scene 'a': ")
    assert message in str(caught.value)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Scene("a", entities=(Entity("cat", np.zeros(4)),)), "entities[0].box of 'cat' must be four numbers"),
        (lambda: Scene("a", entities=(Entity("cat", score=np.float32(0.5)),)), "Take its .item()"),
        (lambda: Scene("a", entities=({"label": "cat"},)), "entities[0] must be of type Entity; got {'label': 'cat'}"),
        (lambda: Scene("a", entities=CATS[0]), "entities must be a list; got Entity("),
        (lambda: Scene("a", captions="two cats"), "captions must be a list of texts"),
        (lambda: Scene(3), "id must be text; got 3"),
    ],
)
def test_what_an_unchecked_caller_put_in_is_refused_by_name(make: Callable[[], Scene], message: str) -> None:
    with pytest.raises(InputError) as caught:
        make().validate()
    assert message in str(caught.value)


def test_json_refuses_what_it_cannot_hold_and_says_where() -> None:
    nan = Scene("a", entities=(Entity("cat"), Entity("dog", (0.0, 0.0, 1.0, math.nan))))
    with pytest.raises(
        InputError, match=r"Scene 'a': entities\[1\]\.box of 'dog'\[3\] must be a finite number; got nan"
    ):
        nan.to_json()
    with pytest.raises(InputError, match=r"metadata\['x'\] must be a finite number"):
        Scene("a", metadata={"x": math.inf}).to_json()
    with pytest.raises(InputError, match=r"metadata\['x'\] cannot be written as JSON: it is a ndarray"):
        Scene("a", metadata={"x": np.zeros(2)}).to_json()


def test_garbage_that_is_nested_deeply_is_refused() -> None:
    with pytest.raises(InputError, match="not JSON"):
        Scene.from_json("[" * 100_000)


def test_boxes_are_rows_and_nan_where_there_is_none() -> None:
    scene = Scene("a", entities=(Entity("cat", (1.0, 2.0, 3.0, 4.0)), Entity("dog")))
    assert scene.boxes.dtype == np.float64
    np.testing.assert_array_equal(scene.boxes, [[1, 2, 3, 4], [np.nan] * 4])
    assert Scene("a").boxes.shape == (0, 4)


def test_fields_at_their_defaults_are_left_out_of_every_part() -> None:
    scene = Scene("a", entities=CATS[:1], solids=(Solid((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),))
    assert scene.to_dict() == {
        "id": "a",
        "entities": [{"label": "cat", "box": [0.0, 0.0, 4.0, 4.0]}],
        "solids": [{"centre": [0.0, 0.0, 0.0], "size": [1.0, 1.0, 1.0]}],
    }


def test_whole_numbers_in_boxes_become_floats_and_null_is_a_default() -> None:
    text = '{"id": "a", "text": null, "entities": [{"label": null, "box": [1, 2, 3, 4], "attributes": null}]}'
    scene = Scene.from_json(text)
    assert scene == Scene("a", entities=(Entity(None, (1.0, 2.0, 3.0, 4.0)),))
    assert scene.entities[0].box is not None and all(isinstance(value, float) for value in scene.entities[0].box)


def test_a_message_cuts_a_long_value() -> None:
    with pytest.raises(InputError) as caught:
        Scene.from_dict({"id": "a", "size": list(range(100_000))})
    assert len(str(caught.value)) < 250


def test_phrases_of_one_leave_out_groups_and_repeats() -> None:
    entities = (Entity(label="dog"), Entity(label="cat"))
    phrases = (Phrase(0, 0, 5, (0,)), Phrase(0, 10, 15, (1,)), Phrase(0, 0, 15, (0, 1)), Phrase(0, 0, 5, (0,)))
    scene = Scene("a", captions=("a dog and a cat",), entities=entities, phrases=phrases)
    assert scene.phrases_of_one == [("a dog", 0), ("a cat", 1)]

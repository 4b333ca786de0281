"""A Scene survives JSON unchanged, and says what is wrong with what is none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.errors import InputError
from lichen.scene import Label, Scene

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
LABELS = st.tuples(TEXT, st.none() | st.floats(0, 1))
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT
METADATA = st.dictionaries(TEXT, PLAIN | st.lists(PLAIN, max_size=2), max_size=3)


@settings(max_examples=50, deadline=None)
@given(TEXT, st.none() | TEXT, st.none() | TEXT, st.lists(TEXT, max_size=3), st.lists(LABELS, max_size=3), METADATA)
def test_json_and_back(
    id: str, image: str | None, text: str | None, captions: list[str], labels: list[Any], metadata: dict[str, Any]
) -> None:
    scene = Scene(id, image, text, tuple(captions), tuple(Label(*label) for label in labels), metadata)
    line = scene.to_json()
    assert "\n" not in line
    assert Scene.from_json(line) == scene
    assert Scene.from_dict(scene.to_dict()) == scene


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

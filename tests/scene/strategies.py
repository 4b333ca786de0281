"""Hypothesis strategies for scenes, for whoever tests something that reads or writes them."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
from hypothesis import strategies as st

from lichen.scene import (
    Box,
    Entity,
    Expression,
    Label,
    Phrase,
    Question,
    Relation,
    Scene,
    Solid,
    TextLine,
    Track,
)

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
WORDS = TEXT.filter(bool)
SCORES = st.none() | st.floats(0, 1)
COORDINATES = st.floats(-1e6, 1e6)
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
METADATA = st.dictionaries(
    TEXT,
    st.recursive(
        PLAIN, lambda item: st.lists(item, max_size=2) | st.dictionaries(TEXT, item, max_size=2), max_leaves=4
    ),
    max_size=3,
)


def steady(make: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, but the state of `random` is afterwards what it was.

    The check of types draws which items it looks at, and hypothesis accepts no chance in strategies but its own.
    """

    @wraps(make)
    def made(*values: Any, **named: Any) -> Any:
        state = random.getstate()
        try:
            return make(*values, **named)
        finally:
            random.setstate(state)

    return made


@st.composite
def boxes(draw: st.DrawFn, width: float = 640.0, height: float = 480.0) -> Box:
    """A box with an area, within a picture of the given size."""
    left, right = sorted(draw(st.lists(st.floats(0, width), min_size=2, max_size=2, unique=True)))
    top, bottom = sorted(draw(st.lists(st.floats(0, height), min_size=2, max_size=2, unique=True)))
    return left, top, right, bottom


@st.composite
def solids(draw: st.DrawFn, extent: float = 100.0) -> Solid:
    """A cuboid turned by a random rotation."""
    numbers = st.floats(-extent, extent)
    sizes = st.floats(0.01, extent)
    quaternion = np.array(draw(st.tuples(*[st.floats(-1, 1)] * 4)), np.float64)
    length = np.linalg.norm(quaternion)
    w, x, y, z = quaternion / length if length > 1e-3 else np.array([1.0, 0.0, 0.0, 0.0])
    rotation = (
        *(1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
        *(2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
        *(2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)),
    )
    return steady(Solid)(
        centre=draw(st.tuples(numbers, numbers, numbers)),
        size=draw(st.tuples(sizes, sizes, sizes)),
        rotation=tuple(float(value) for value in rotation),
        part=draw(st.none() | TEXT),
        mirror=draw(st.none() | st.tuples(st.just(1.0), st.just(0.0), st.just(0.0), numbers)),
        score=draw(SCORES),
    )


def entities(boxed: bool = False) -> st.SearchStrategy[Entity]:
    """Entities; all of them with a label and a box if `boxed`."""
    maybe = st.nothing() if boxed else st.none()
    return st.builds(
        steady(Entity),
        label=maybe | TEXT,
        box=maybe | boxes(),
        score=SCORES,
        attributes=st.lists(TEXT, max_size=2).map(tuple),
        id=st.none() | TEXT,
    )


@st.composite
def phrases(draw: st.DrawFn, captions: tuple[str, ...], places: st.SearchStrategy[tuple[int, ...]]) -> Phrase:
    """A part of one of the captions, of which one at least is not empty."""
    caption = draw(st.sampled_from([place for place, text in enumerate(captions) if text]))
    start = draw(st.integers(0, len(captions[caption]) - 1))
    return steady(Phrase)(
        caption, start, draw(st.integers(start + 1, len(captions[caption]))), draw(places), draw(SCORES)
    )


def _lists(items: st.SearchStrategy[Any], size: int = 2) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(items, max_size=size).map(tuple)


@st.composite
def scenes(draw: st.DrawFn, ids: st.SearchStrategy[str] = TEXT) -> Scene:
    """A scene that `validate` accepts, with anything that a scene can hold."""
    things = draw(_lists(entities(), 3))
    captions = draw(_lists(TEXT))
    places = st.integers(0, len(things) - 1) if things else st.nothing()
    several = _lists(places) if things else st.just(())
    some = st.none() | places if things else st.none()
    frames = draw(_lists(TEXT, 3))
    length = len(frames) or draw(st.integers(0, 3))
    return steady(Scene)(
        id=draw(ids),
        image=draw(st.none() | TEXT),
        text=draw(st.none() | TEXT),
        size=draw(st.none() | st.tuples(st.integers(1, 10_000), st.integers(1, 10_000))),
        captions=captions,
        labels=draw(_lists(st.builds(steady(Label), TEXT, SCORES))),
        entities=things,
        relations=draw(_lists(st.builds(steady(Relation), places, TEXT, places, SCORES))) if things else (),
        phrases=draw(_lists(phrases(captions, several))) if any(captions) else (),
        expressions=draw(_lists(st.builds(steady(Expression), TEXT, places, SCORES))) if things else (),
        questions=draw(_lists(st.builds(steady(Question), TEXT, _lists(TEXT), st.none() | TEXT, several))),
        lines=draw(_lists(st.builds(steady(TextLine), TEXT, boxes(), _polygons(), SCORES))),
        solids=draw(_lists(solids())),
        tracks=draw(_lists(st.builds(steady(Track), _tracked(length), st.none() | TEXT, SCORES, some))),
        frames=frames,
        metadata=draw(METADATA),
    )


def _polygons() -> st.SearchStrategy[tuple[tuple[float, float], ...]]:
    return st.just(()) | st.lists(st.tuples(COORDINATES, COORDINATES), min_size=3, max_size=5).map(tuple)


def _tracked(length: int) -> st.SearchStrategy[tuple[Box | None, ...]]:
    return st.tuples(*[st.none() | boxes()] * length)

"""Shapes, figures and letters."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lichen.data.playground.cast import clothed, look_of
from lichen.data.playground.dice import Dice
from lichen.data.playground.drawing import Canvas, Pen, draw_entity
from lichen.data.playground.drawing.backgrounds import PLACES, draw_background
from lichen.data.playground.drawing.canvas import PARTS, clip_band
from lichen.data.playground.drawing.colours import NAMED, Look, cloth, paint, shade
from lichen.data.playground.drawing.letters import FACES, width_of, write
from lichen.data.playground.drawing.people import BUILDS, Pose, bones
from lichen.data.playground.drawing.things import THINGS
from lichen.data.playground.words import WORDS
from lichen.data.playground.world import ANIMALS, PEOPLE
from lichen.errors import InputError

RED = Look("red", (214, 48, 44), (255, 255, 255))


def owned(canvas: Canvas, entity: int) -> np.ndarray:
    return canvas.parts() // PARTS == entity


def test_a_rectangle_is_where_it_should_be() -> None:
    canvas = Canvas(40, 20, supersample=2)
    Pen(canvas, 10.0, 15.0, 10.0, entity=3).rect(0.0, 0.0, 1.0, 0.5, (200, 100, 50))
    rows, columns = owned(canvas, 3).nonzero()
    assert (columns.min(), columns.max(), rows.min(), rows.max()) == (20, 40, 20, 30)
    picture = canvas.finish(canvas.parts())
    assert picture.shape == (20, 40, 3) and picture.dtype == np.uint8
    assert picture[12, 15].tolist() == [200, 100, 50]
    # The outline: half as bright.
    assert picture[12, 10].max() < 200


def test_facing_mirrors_and_turning_turns() -> None:
    canvas = Canvas(60, 60, supersample=1)
    pen = Pen(canvas, 30.0, 30.0, 20.0, facing=-1)
    assert pen.place((1.0, 0.5)) == pytest.approx((10.0, 20.0))
    assert pen.mirrored().place((1.0, 0.5)) == pytest.approx((50.0, 20.0))
    assert pen.readable().facing == 1 and Pen(canvas, 0.0, 0.0, 1.0).readable().facing == 1
    up = Pen(canvas, 30.0, 30.0, 20.0).at((0.5, 0.0), turn=math.pi / 2, scale=0.5)
    assert up.place((1.0, 0.0)) == pytest.approx((40.0, 20.0))


def test_extents_reach_beyond_the_picture() -> None:
    canvas = Canvas(32, 32, supersample=1)
    Pen(canvas, 0.0, 16.0, 10.0, entity=1).oval(0.0, 0.0, 1.0, 0.5, (1, 2, 3))
    left, top, right, bottom = canvas.extents[1]
    assert left == -10 and right == 10 and top == 11 and bottom == 21


def test_strokes_of_the_background_own_nothing() -> None:
    canvas = Canvas(32, 32)
    for place in PLACES:
        backdrop = draw_background(canvas, place, Dice(0, 0))
        assert not (canvas.parts() >= PARTS).any()
        assert backdrop.name == place and 0.2 < backdrop.horizon < 0.7
    assert canvas.extents == {}


def test_places_differ_and_repeat() -> None:
    def pixels(place: str, number: int) -> bytes:
        canvas = Canvas(48, 48)
        draw_background(canvas, place, Dice(0, number))
        return canvas.finish(canvas.parts()).tobytes()

    assert len({pixels(place, 0) for place in PLACES}) == len(PLACES)
    assert pixels("street", 1) == pixels("street", 1) != pixels("street", 2)


@pytest.mark.parametrize("label", [*PEOPLE, *ANIMALS, *THINGS])
def test_every_class_fills_its_place(label: str) -> None:
    canvas = Canvas(96, 96)
    look = look_of(label, Dice(0, 5)) if label not in PEOPLE else clothed(label, Dice(0, 5)).look
    draw_entity(Pen(canvas, 48.0, 80.0, 40.0, entity=1), label, look)
    mask = owned(canvas, 1)
    assert mask.sum() > 150
    left, top, right, bottom = canvas.extents[1]
    rows, columns = mask.nonzero()
    assert columns.min() >= left and columns.max() <= right and rows.min() >= top and rows.max() <= bottom
    # It stands on its ground, or floats above it.
    assert rows.max() <= 80 * 3 + 6


@pytest.mark.parametrize("label", ["man", "girl", "dog", "bird"])
def test_poses_differ(label: str) -> None:
    seen = set()
    for pose in ("stand", "walk", "run"):
        canvas = Canvas(64, 64)
        draw_entity(Pen(canvas, 32.0, 60.0, 40.0, entity=1), label, RED, pose if label != "bird" else "fly", phase=0.7)
        seen.add(canvas.parts().tobytes())
    assert len(seen) == (1 if label == "bird" else 3)


def test_unknown_classes_and_poses_are_refused() -> None:
    pen = Pen(Canvas(32, 32), 16.0, 30.0, 20.0)
    with pytest.raises(InputError, match="Did you mean 'horse'"):
        draw_entity(pen, "hrose", RED)
    with pytest.raises(InputError, match="Unknown pose"):
        draw_entity(pen, "dog", RED, "swim")


@pytest.mark.parametrize("target", [(0.6, 0.3), (-0.2, 0.9), (0.05, 0.0)])
def test_bones_keep_their_lengths_and_reach(target: tuple[float, float]) -> None:
    for bend in (1.0, -1.0):
        start, joint, end = bones((0.0, 0.5), target, 0.4, 0.35, bend)
        assert math.dist(start, joint) == pytest.approx(0.4) and math.dist(joint, end) == pytest.approx(0.35)
        distance = math.dist(start, target)
        reached = min(0.75 * 0.999, max(0.05 + 1e-6, distance))
        assert math.dist(start, end) == pytest.approx(reached)
        if reached == distance:
            assert end == pytest.approx(target)


@pytest.mark.parametrize("kind", BUILDS)
def test_hands_reach_what_they_hold(kind: str) -> None:
    person = clothed(kind, Dice(0, 0)).posed(near_hand=(0.24, 0.6), far_hand=(0.25, 0.58))
    assert person.hand(near=True) == pytest.approx((0.24, 0.6), abs=1e-9)
    assert person.hand(near=False) == pytest.approx((0.25, 0.58), abs=1e-9)
    assert person.pose != Pose() and clothed(kind, Dice(0, 0)).pose == Pose()


def test_stripes_and_spots_show() -> None:
    square = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]
    shares = {}
    for pattern in (None, "striped", "spotted"):
        canvas = Canvas(40, 40, supersample=1)
        cloth(Pen(canvas, 4.0, 36.0, 32.0, entity=1), square, Look("red", (200, 0, 0), (0, 0, 200), pattern), 0.2)
        pixels = np.asarray(canvas.image)[..., :3]
        shares[pattern] = (pixels == (0, 0, 200)).all(-1).sum() / 32**2
        assert owned(canvas, 1).sum() == pytest.approx(33**2, rel=0.02)
    assert shares[None] == 0.0 and 0.3 < shares["striped"] < 0.7 and 0.1 < shares["spotted"] < 0.5


def test_bands_are_cut_exactly() -> None:
    triangle = [(0.0, 0.0), (2.0, 0.0), (0.0, 2.0)]
    band = clip_band(triangle, 0.5, 1.0)
    assert sorted(band) == [(0.0, 0.5), (0.0, 1.0), (1.0, 1.0), (1.5, 0.5)]
    assert clip_band(triangle, 3.0, 4.0) == []


def test_colours_keep_their_names_apart() -> None:
    dice = Dice(0, 3)
    for name in NAMED:
        look = paint(name, dice)
        nearest = min(NAMED, key=lambda other: math.dist(NAMED[other], look.main))
        assert nearest == name and look.attributes == (name,)
    assert paint("red", dice, "striped").attributes == ("red", "striped")
    assert shade((100, 200, 40), 0.5) == (50, 100, 20) and shade((0, 0, 0), 1.5) == (127, 127, 127)


def test_every_word_can_be_written_in_every_face() -> None:
    images = set()
    for face in FACES.values():
        canvas = Canvas(200, 24, supersample=1)
        pen = Pen(canvas, 0.0, 24.0, 24.0, entity=1)
        corners = write(pen, "PLATFORM 9", face, (4.0, 0.5), 0.6, (0, 0, 0), (255, 255, 255))
        rows, columns = owned(canvas, 1).nonzero()
        (left, top), (right, bottom) = corners[0], corners[2]
        shadow = 2 if face.shadow else 0
        assert columns.min() >= left - 1 - shadow and columns.max() <= right + 1 + shadow
        assert rows.min() >= top - 1 and rows.max() <= bottom + 1 + shadow
        # The box is no larger than the ink needs.
        assert columns.max() - columns.min() > 0.9 * (right - left) and rows.max() - rows.min() > 0.85 * (bottom - top)
        images.add(canvas.parts().tobytes())
        assert all(width_of(word, face) > 0 for word in WORDS)
    assert len(images) == len(FACES) >= 3
    pen = Pen(Canvas(64, 16), 0.0, 16.0, 16.0)
    for word in WORDS:
        write(pen, word, FACES["plain"], (2.0, 0.5), 0.5, (0, 0, 0), (255, 255, 255))

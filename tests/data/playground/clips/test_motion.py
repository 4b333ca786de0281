"""Movers go the way they say: steps cover the ground, paths are smooth, nearer things hide farther ones."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest

from lichen.data.playground.cast import clothed
from lichen.data.playground.clips.config import ClipConfig
from lichen.data.playground.clips.film import Film, shoot
from lichen.data.playground.clips.movers import Moment, Mover, on_foot, standing, stepping
from lichen.data.playground.clips.paths import Way, stay, travel
from lichen.data.playground.clips.planning import Plan, Role
from lichen.data.playground.clips.repertoire import MOVERS, SCREENS, mover
from lichen.data.playground.dice import Dice
from lichen.data.playground.staging import alone
from lichen.data.playground.world import BACKGROUNDS

FRAMES = 12


def film(roles: list[Role], place: str = "meadow") -> Film:
    first = 0
    for role in roles:
        role.first = first
        first += len(role.mover.members)
    frames = len(roles[0].way.x)
    return shoot(Plan(place, roles, np.zeros(frames), 0.6, 0), ClipConfig(), Dice(0, 0, 1))


def along(made: Mover, depth: float, x: tuple[float, float], frames: int = FRAMES) -> Role:
    """A mover on a straight way."""
    steps = np.linspace(*x, frames)
    moments = tuple(Moment(0.5 * frame, 1.0) for frame in range(frames))
    facing = (1 if x[1] > x[0] else -1,) * frames
    return Role(made, Way(steps, np.full(frames, depth), np.zeros(frames), facing, moments, "steady"))


def test_nearer_things_hide_farther_ones() -> None:
    dog, tree = mover("dog", Dice(1, 0)), standing(alone("tree", Dice(1, 1)))
    trunk = Role(tree, stay(0.5, 0.6, 1, FRAMES))
    for depth, in_front in ((0.3, False), (0.9, True)):
        shot = film([along(dog, depth, (0.1, 0.9)), trunk])
        crossing = shot.visible[0].argmin() if not in_front else shot.visible[1].argmin()
        assert 2 <= crossing <= 9
        hidden, hider = (1, 0) if in_front else (0, 1)
        assert shot.visible[hidden].min() < 0.98
        assert (shot.visible[hider] == 1.0).all()


def test_visible_share_counts_what_is_left() -> None:
    alone_there = film([along(mover("dog", Dice(1, 0)), 0.3, (0.1, 0.9))])
    box = Role(standing(alone("car", Dice(3, 1))), stay(0.5, 0.45, 1, FRAMES))
    both = film([along(mover("dog", Dice(1, 0)), 0.3, (0.1, 0.9)), box])
    for frame in range(FRAMES):
        before = int((alone_there.owners[frame] == 1).sum())
        after = int((both.owners[frame] == 1).sum())
        assert after / before == pytest.approx(both.visible[0, frame], abs=0.08)
    assert both.visible[0].min() < 0.5


def test_things_that_are_hidden_or_outside_have_no_box() -> None:
    ball = along(mover("ball", Dice(2, 0)), 0.25, (-0.5, 1.5))
    sofa = Role(standing(alone("sofa", Dice(2, 1))), stay(0.5, 0.3, 1, FRAMES))
    shot = film([ball, sofa], "room")
    assert shot.boxes[0][0] is None and shot.boxes[0][-1] is None
    assert shot.visible[0, 0] == 0.0
    hidden = [frame for frame in range(FRAMES) if shot.visible[0, frame] < 0.1 and 0.1 < ball.way.x[frame] < 0.9]
    assert hidden and all(shot.boxes[0][frame] is None for frame in hidden)
    assert all(box is not None for box in shot.boxes[1])


def test_boxes_follow_the_way() -> None:
    role = along(mover("ball", Dice(4, 0)), 0.5, (0.2, 0.8))
    shot = film([role])
    for frame in range(FRAMES):
        left, _, right, _ = shot.boxes[0][frame] or (0.0, 0.0, 0.0, 0.0)
        assert (left + right) / 2 == pytest.approx(role.way.x[frame] * 64, abs=0.6)


@pytest.mark.parametrize("how", ["walk", "run"])
def test_feet_take_turns_and_stay_on_the_ground(how: str) -> None:
    person = clothed("man", Dice(0, 0))
    for turn in np.linspace(0.0, math.tau, 17):
        pose = stepping(person, Moment(float(turn), 1.0), how).pose
        assert pose.near_foot[0] == pytest.approx(-pose.far_foot[0])
        # One foot at least is on the ground, the other one comes forward through the air.
        assert min(pose.near_foot[1], pose.far_foot[1]) == pytest.approx(0.0)
    still = stepping(person, Moment(1.3, 0.0), how).pose
    assert still.near_foot == (0.0, 0.0) and still.far_foot == (0.0, 0.0) and still.lean == 0.0


def test_a_walkers_step_is_as_long_as_its_legs_reach() -> None:
    for number in range(20):
        made = on_foot("woman", Dice(5, number))
        if made.verb == "walks":
            height = made.height
            foot = stepping(clothed("woman", Dice(5, number)), Moment(0.0, 1.0)).pose.near_foot[0]
            # While a foot goes from its foremost to its hindmost place, the body goes twice the reach.
            assert made.cycle / 2 == pytest.approx(2 * foot * height)


def test_ways_are_smooth_and_pass_where_they_are_told() -> None:
    for number in range(60):
        dice = Dice(6, number)
        made = mover(("man", "dog", "car", "ball", "riding bicycle", "bird")[number % 6], dice)
        way = travel(made, dice, FRAMES, (0.4, 5.0), 0.5, 0.6)
        assert float(way.x[5]) == pytest.approx(0.4, abs=0.12)
        steps = np.diff(way.x)
        assert np.abs(np.diff(steps)).max() < 0.6 * max(np.abs(steps).max(), 1e-9)
        assert np.abs(np.diff(way.depth)).max() < 0.04 and way.depth.min() >= 0 and way.depth.max() <= 1
        assert (way.lift >= 0).all() and np.abs(np.diff(way.lift)).max() < 0.6
        angles = np.diff([moment.angle for moment in way.moments])
        assert (angles >= 0).all()


@cache
def boys() -> list[Way]:
    """Ways of many who may start, stop and turn back."""
    made = on_foot("boy", Dice(7, 0))
    return [travel(made, Dice(7, number), 16, (0.5, 8.0), 0.5, 0.6) for number in range(120)]


@pytest.mark.parametrize("pace", ["starts", "stops", "turns"])
def test_paces_are_what_they_are_called(pace: str) -> None:
    ways = [way for way in boys() if way.pace == pace]
    assert len(ways) > 3
    for way in ways:
        steps = np.diff(way.x)
        if pace == "starts":
            assert steps[0] == 0 and way.moments[0].gait == 0 and steps[-1] != 0
        elif pace == "stops":
            assert steps[0] != 0 and steps[-1] == 0 and way.moments[-1].gait == 0
        else:
            assert steps[0] * steps[-1] < 0 and way.facing[0] == -way.facing[-1]
        moving = steps[np.abs(steps) > 1e-6]
        assert len(set(np.sign(moving))) == (2 if pace == "turns" else 1)
        assert np.sign(moving[0]) == way.facing[0]


def test_every_mover_of_every_place_can_be_drawn() -> None:
    assert set(MOVERS) == set(SCREENS) == set(BACKGROUNDS)
    for name in sorted({name for names in MOVERS.values() for name in names}):
        role = along(mover(name, Dice(8, 0)), 0.6, (0.48, 0.52), 2)
        shot = film([role])
        assert None not in shot.boxes[0], name
        assert (shot.frames[0] != shot.frames[1]).any()
        assert role.mover.verb.split(" ")[0].endswith("s")
        assert all(number < len(role.mover.members) for s, _, o in role.mover.relations for number in (s, o))


def test_everything_that_may_stand_in_the_way_can_be_drawn() -> None:
    for name in sorted({name for names in SCREENS.values() for name in names}):
        shot = film([Role(standing(alone(name, Dice(9, 0))), stay(0.5, 0.5, 1, 2))])
        assert shot.boxes[0][0] == shot.boxes[0][1] is not None
        assert (shot.frames == shot.frames[0]).all()

"""What hands and feet do: hold, carry, throw, kick."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..cast import Group
from ..drawing.animals import Animal
from ..drawing.canvas import Pen, Point
from ..drawing.held import HELD
from ..drawing.things import THINGS
from .stage import Stage, extent, stride

_GRASPS: Mapping[str, tuple[Point, bool, float]] = {
    "umbrella": ((0.2, 0.64), False, 0.0),
    "balloon": ((0.24, 0.62), False, -0.1),
    "kite": ((0.24, 0.72), False, -0.3),
    "ball": ((0.27, 0.56), True, 0.1),
    "cup": ((0.24, 0.62), False, 0.0),
    "book": ((0.25, 0.6), True, 0.25),
    "phone": ((0.28, 0.66), False, 0.1),
    "guitar": ((0.1, 0.52), True, 0.0),
    "racket": ((0.25, 0.64), False, 0.0),
    "flag": ((0.24, 0.6), False, -0.1),
    "flower": ((0.3, 0.56), False, 0.0),
    "ice cream": ((0.28, 0.62), False, 0.0),
}
"""Where a hand holds a thing, in heights of the person; whether both hands do; how far the head nods."""


def holding(s: Stage) -> Group:
    """At the end of an arm; animals hold it in the mouth."""
    s.members[1].stands = False
    if not s.is_person:
        return _in_mouth(s)
    h = s.person.height
    hand, both, nod = _GRASPS[s.thing]
    size = (1.0 + h) / 2.0 * (1.2 if s.thing in ("cup", "phone", "ice cream", "book", "flower") else 1.0)
    far: Point | None = None
    if both:
        far = (0.34, 0.68) if s.thing == "guitar" else (hand[0] + 0.03, hand[1] + 0.02)
    near = (0.02, 0.47) if s.thing == "guitar" else hand
    feet = stride(s.dice) if s.dice.chance(0.35) else {}
    s.pose(near_hand=near, far_hand=far, nod=nod, **feet)
    grip = (hand[0] * h, hand[1] * h)
    turn = 0.0
    actor = s.person

    def draw(pens: Sequence[Pen]) -> None:
        actor.far(pens)
        actor.body(pens)
        HELD[s.thing](pens[1].at(grip if s.thing == "guitar" else actor.hand(), turn=turn, scale=size), s.look)
        actor.person.near(actor.pen(pens))

    top = {"umbrella": 0.72, "kite": 0.84, "balloon": 0.74, "flag": 0.62}.get(s.thing, 0.3) * size + grip[1]
    ahead = {"umbrella": 0.38, "kite": 0.58, "guitar": 0.5}.get(s.thing, 0.2) * size + grip[0]
    group = s.group(draw, -0.18 * h, ahead, max(h, top))
    group.shadow = (-0.18 * h, 0.22 * h)
    return group


def _in_mouth(s: Stage) -> Group:
    reach, height = extent(s.subject)
    pose = s.dice.pick(("stand", "walk"))
    look = s.members[0].look
    if s.subject == "bird":
        mouth = (0.29, 0.26)
    elif s.subject == "elephant":
        x, y = Animal(s.subject, look).skull
        mouth = (x + 0.24, y - 0.42)
    else:
        mouth = Animal(s.subject, look, pose, -0.1).mouth
    scale = 0.6 if s.subject in ("bird", "dog") else 0.9
    drop = -0.03 if s.thing == "ball" else 0.0

    def draw(pens: Sequence[Pen]) -> None:
        s.animal_at(pens, pose=pose, nod=-0.1)
        HELD[s.thing](pens[1].at((mouth[0], mouth[1] + drop), scale=scale), s.look)

    return s.group(
        draw, -reach, reach + 0.12, max(height, mouth[1] + (0.75 if s.thing in ("balloon", "flag") else 0.2) * scale)
    )


def carrying(s: Stage) -> Group:
    """Walking, with the weight in both arms, at the side or under the arm."""
    actor, h, dice = s.person, s.person.height, s.dice
    s.members[1].stands = False
    scale = (1.0 + h) / 2.0
    hold: Point = (0.24, 0.44)
    feet = stride(dice, 0.14)
    if s.thing in ("suitcase", "basket"):
        hand = (0.06, 0.42) if s.thing == "suitcase" else (0.16, 0.46)
        scale = min(scale, hand[1] * h / 0.32)
        s.pose(near_hand=hand, **feet)
    elif s.thing in ("ball", "skateboard", "surfboard", "guitar"):
        hold = (0.0, 0.5)
        s.pose(near_hand=(0.05, 0.44), far_hand=(0.16, 0.5), **feet)
    else:
        s.pose(near_hand=(0.24, 0.46), far_hand=(0.28, 0.48), lean=-0.06, **feet)
    grip = (hold[0] * h, hold[1] * h)

    def load(pens: Sequence[Pen]) -> None:
        if s.thing in ("suitcase", "basket"):
            HELD[s.thing](pens[1].at(actor.hand(), scale=scale), s.look)
        elif s.thing == "surfboard":
            THINGS[s.thing].draw(pens[1].at((grip[0] - 0.46 * scale, grip[1]), turn=-1.5708, scale=scale), s.look)
        elif s.thing == "skateboard":
            THINGS[s.thing].draw(pens[1].at((grip[0] + 0.02, grip[1] - 0.07), turn=0.2, scale=scale), s.look)
        elif s.thing == "guitar":
            HELD[s.thing](pens[1].at(grip, turn=0.5, scale=scale), s.look)
        elif s.thing == "ball":
            HELD[s.thing](pens[1].at((grip[0] - 0.01, grip[1]), scale=scale), s.look)
        elif s.thing == "box":
            HELD[s.thing](pens[1].at((grip[0] + 0.06, grip[1]), scale=scale), s.look)
        else:
            s.thing_at(pens, (grip[0] - 0.01, grip[1] - 0.02), scale * 0.9)

    def draw(pens: Sequence[Pen]) -> None:
        actor.far(pens)
        actor.body(pens)
        load(pens)
        actor.person.near(actor.pen(pens))

    wide = 0.5 if s.thing == "surfboard" else 0.16
    return s.group(
        draw, -wide * scale, 0.48 if s.thing in ("box", "cat", "dog", "sheep", "chair", "surfboard") else 0.26, h
    )


def kicking(s: Stage) -> Group:
    """A leg swung forward, the thing flying off the foot."""
    h = s.person.height
    s.pose(lean=-0.2, near_foot=(0.34, 0.17), far_foot=(-0.04, 0.0), near_hand=(-0.24, 0.6), far_hand=(0.24, 0.66))
    half, tall = extent(s.thing)
    x, y = (0.34 + 0.09) * h + half * 0.8, 0.13 * h
    s.members[1].stands = False

    def draw(pens: Sequence[Pen]) -> None:
        s.thing_at(pens, (x, y))
        s.person.draw(pens)

    return s.group(draw, -0.26 * h, x + half, max(h, y + tall))


def throwing(s: Stage) -> Group:
    """An arm flung up, the thing in the air before it."""
    h = s.person.height
    s.pose(
        lean=0.16,
        near_hand=(0.34, 0.98),
        far_hand=(0.3, 0.66),
        near_foot=(-0.17, 0.0),
        far_foot=(0.14, 0.0),
        elbow=1.0,
        nod=-0.25,
    )
    x, y = s.person.hand()
    half, tall = extent(s.thing)
    x, y = x + half + 0.06, y + 0.06
    s.members[1].stands = False

    def draw(pens: Sequence[Pen]) -> None:
        s.person.draw(pens)
        s.thing_at(pens, (x, y))

    return s.group(draw, -0.22 * h, x + half, y + tall)

"""`Mover`: something that can go, and how it looks at any moment of its way.

Figures are those of the pictures; what is added here is their gait. Lengths are in heights of a grown-up, times in
frames, angles of a step in radians: one turn is two steps, and a foot on the ground stays where it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..cast import Actor, Group, Member, clothed, coat, draw_animal, surface
from ..dice import Dice
from ..drawing.animals import BEASTS
from ..drawing.canvas import Pen, Point
from ..drawing.held import HELD
from ..drawing.people import Person
from ..drawing.things import THINGS
from ..staging import STAGES
from ..staging.stage import Stage, dress, extent
from ..world import pairs


@dataclass(frozen=True)
class Moment:
    """What of a mover changes from frame to frame, beside its place."""

    angle: float = 0.0
    """Of the step, or of whatever turns, in radians."""
    gait: float = 0.0
    """0 stands, 1 is in full motion."""


@dataclass
class Mover:
    """Entities that move as one."""

    members: list[Member]
    relations: list[tuple[int, str, int]]
    draw: Callable[[Sequence[Pen], Moment], None]
    """Takes one pen a member, at the origin on the ground (or in the air)."""
    left: float
    right: float
    height: float
    """Extent around the origin."""
    verb: str
    """What it does, in captions: "walks"."""
    speed: float
    """Per frame."""
    cycle: float
    """Way for one turn of the angle; 0 where nothing turns."""
    style: str = "go"
    """"go" on the ground, "bounce", "fly" or "rise"."""
    nimble: bool = False
    """Whether it may start, stop and turn back within a clip."""
    shadow: tuple[float, float] | None = None
    """From where to where it falls; None: all the width."""


_REACH = {"walk": 0.14, "run": 0.21}
_LIFT = {"walk": 0.05, "run": 0.12}
_PEDALS: tuple[Point, float] = ((0.0, 0.14), 0.08)
_SPEEDS = {"dog": 0.16, "cat": 0.13, "horse": 0.22, "cow": 0.08, "sheep": 0.09, "elephant": 0.11, "bear": 0.13}
_RUNNERS = ("dog", "cat", "horse", "bear")


def stepping(person: Person, moment: Moment, how: str = "walk", middle: float = 0.0, arms: bool = True) -> Person:
    """A person in the middle of a step.

    Args:
        person: in any pose.
        moment: angle and strength of the step.
        how: "walk" or "run".
        middle: where the feet pass each other, against the ground below the figure.
        arms: whether they swing; else they stay where the pose holds them.
    """
    reach, lift = _REACH[how] * moment.gait, _LIFT[how] * moment.gait
    feet = []
    for turn in (moment.angle, moment.angle + math.pi):
        # On the ground while it moves back, in the air while it moves forward.
        feet.append((middle + reach * math.cos(turn), lift * max(0.0, -math.sin(turn))))
    posed = person.posed(near_foot=feet[0], far_foot=feet[1])
    if not arms:
        return posed
    posed = posed.posed(lean=(0.05 if how == "walk" else 0.2) * moment.gait)
    swing, length = 0.85 * reach * math.cos(moment.angle), 1.8 * (person.build.shoulder - person.build.hip) * 0.63
    hands = []
    for near, way in ((True, -swing), (False, swing)):
        x, y = posed.shoulder(near)
        hands.append((x + 0.02 + way, y - length + abs(way) * (1.2 if how == "run" else 0.4)))
    return posed.posed(near_hand=hands[0], far_hand=hands[1])


def on_foot(label: str, dice: Dice) -> Mover:
    """A person who walks or runs, dressed for the weather."""
    how = "run" if dice.chance(0.35) else "walk"
    person = clothed(label, dice)
    actor = Actor(person)
    members, relations = [Member(label, person.look)], list[tuple[int, str, int]]()
    dress(actor, members, relations, dice)
    h = actor.height

    def draw(pens: Sequence[Pen], moment: Moment) -> None:
        actor.person = stepping(person, moment, how)
        actor.draw(pens)

    speed = h * (dice.between(0.09, 0.13) if how == "walk" else dice.between(0.16, 0.23))
    # A runner leaves the ground, so that a step is longer than the reach of the legs.
    cycle = 4 * _REACH[how] * h * (1.0 if how == "walk" else 1.4)
    return Mover(members, relations, draw, -0.24 * h, 0.24 * h, h, f"{how}s", speed, cycle, nimble=True)


def animal(label: str, dice: Dice) -> Mover:
    """An animal on its legs, or a bird on its wings."""
    look = coat(label, dice)
    reach, height = extent(label)
    flies, runs = label == "bird", label in _RUNNERS and dice.chance(0.6)
    pose = "fly" if flies else "run" if runs else "walk"

    def draw(pens: Sequence[Pen], moment: Moment) -> None:
        phase = math.cos(moment.angle) * (1.0 if flies else moment.gait)
        draw_animal(label, look, pens[0], pose if flies or moment.gait else "stand", phase=phase)

    member = Member(label, look, stands=not flies)
    if flies:
        return Mover([member], [], draw, -reach, reach, 0.3, "flies", dice.between(0.14, 0.26), 0.75, "fly")
    speed = _SPEEDS[label] * dice.between(0.8, 1.2) * (1.0 if runs else 0.7 if label in _RUNNERS else 1.0)
    cycle = BEASTS[label].leg * (3.0 if runs else 1.5)
    return Mover([member], [], draw, -reach, reach, height, f"{pose}s", speed, cycle, nimble=True)


def ball(label: str, dice: Dice) -> Mover:
    """A ball that rolls or bounces."""
    look, radius = surface("ball", dice), 0.105
    size = dice.between(1.0, 1.6)
    bounces = dice.chance(0.6)

    def draw(pens: Sequence[Pen], moment: Moment) -> None:
        HELD["ball"](pens[0].at((0.0, radius * size), turn=-moment.angle, scale=size), look)

    reach = radius * size
    verb, style = ("bounces", "bounce") if bounces else ("rolls", "go")
    speed = dice.between(0.1, 0.24)
    return Mover([Member("ball", look)], [], draw, -reach, reach, 2 * reach, verb, speed, math.tau * reach, style)


def balloon(label: str, dice: Dice) -> Mover:
    """A balloon that rises."""
    look = surface("balloon", dice)

    def draw(pens: Sequence[Pen], moment: Moment) -> None:
        THINGS["balloon"].draw(pens[0].at((0.0, 0.0), turn=0.12 * math.sin(moment.angle)), look)

    member = Member("balloon", look, stands=False)
    return Mover(
        [member], [], draw, -0.2, 0.2, 0.76, "rises", dice.between(0.05, 0.1), 0.6, "rise", shadow=(-0.06, 0.06)
    )


def vehicle(label: str, dice: Dice) -> Mover:
    """A car."""
    look = surface(label, dice)
    reach, height = extent(label)

    def draw(pens: Sequence[Pen], moment: Moment) -> None:
        THINGS[label].draw(pens[0], look)

    return Mover([Member(label, look)], [], draw, -reach, reach, height, "drives", dice.between(0.14, 0.28), 0.0)


def doing(predicate: str, thing: str, dice: Dice) -> Mover:
    """A person on the way who rides, pulls, pushes, carries or holds something.

    Who does it is as likely as in the pictures.
    """
    people = {
        who: weight for (who, what), weight in pairs(predicate, False).items() if what == thing and who in _PEOPLE
    }
    stage = Stage(dice.weighted(people), predicate, thing, dice)
    group = STAGES[predicate](stage)
    actor = stage.person
    still, h = actor.person, actor.height
    wheels = thing if predicate == "riding" else None
    middle = (still.pose.near_foot[0] + still.pose.far_foot[0]) / 2

    def draw(pens: Sequence[Pen], moment: Moment) -> None:
        if wheels is None:
            actor.person = stepping(still, moment, "walk", middle, arms=False)
        elif wheels == "bicycle":
            (x, y), radius = _PEDALS
            along, up = radius * math.cos(moment.angle), radius * math.sin(moment.angle)
            # Forward over the top.
            actor.person = still.posed(near_foot=(x + along, y - up), far_foot=(x - along, y + up))
        group.draw(pens)

    verb = {"riding": "rides", "pulling": "pulls", "pushing": "pushes", "carrying": "carries", "holding": "walks with"}
    speed = dice.between(0.13, 0.22) if wheels else h * dice.between(0.08, 0.11)
    cycle = (1.6 if wheels == "bicycle" else 0.0) if wheels else 4 * _REACH["walk"] * h
    made = group_mover(group, draw, verb[predicate], speed)
    made.cycle = cycle
    return made


_PEOPLE = ("man", "woman", "boy", "girl")


def group_mover(group: Group, draw: Callable[[Sequence[Pen], Moment], None], verb: str, speed: float = 0.0) -> Mover:
    """A group of the pictures as a mover: for what stands, `draw` takes no notice of the moment."""
    return Mover(
        members=group.members,
        relations=group.relations,
        draw=draw,
        left=group.left,
        right=group.right,
        height=group.height,
        verb=verb,
        speed=speed,
        cycle=0.0,
        shadow=group.shadow,
    )


def standing(group: Group) -> Mover:
    """A group of the pictures that stays where it is."""
    return group_mover(group, lambda pens, moment: group.draw(pens), "stands")

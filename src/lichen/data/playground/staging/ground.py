"""What stands, lies and moves on the ground: on, under, looking at, pulling, pushing, jumping over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..cast import Group, draw_animal
from ..drawing.animals import BEASTS, COATS, Animal
from ..drawing.canvas import Pen, Point
from ..drawing.colours import INK
from ..drawing.held import HELD
from ..drawing.people import BUILDS
from ..drawing.things import THINGS
from .stage import Stage, extent, stride

ROPE = (120, 96, 70)

TOPS: Mapping[str, float] = {"table": 0.43, "box": 0.27, "sofa": 0.28, "bench": 0.26, "chair": 0.3}
"""Height of what things lie on."""


def on(s: Stage) -> Group:
    """A thing lying on furniture."""
    top = TOPS[s.thing]
    half, height = extent(s.thing)
    x = s.dice.between(-0.26, 0.26) if s.thing in ("table", "sofa", "bench") else 0.0
    s.members[0].stands = False
    scale = 1.25 if s.subject in ("cup", "phone", "book", "flower") else 1.0

    def draw(pens: Sequence[Pen]) -> None:
        s.thing_at(pens)
        THINGS[s.subject].draw(pens[0].at((x, top), scale=scale), s.members[0].look)

    return s.group(draw, -half, half, max(height, top + extent(s.subject)[1] * scale))


def looking_at(s: Stage) -> Group:
    """Turned towards it, a hand over the eyes."""
    size = {"sign": 0.8}.get(s.thing, 1.0)
    reach, height = extent(s.thing)
    up = s.thing in ("kite", "bird") and s.is_person
    gap = s.dice.between(0.3, 0.5)
    own = extent(s.subject)[0]
    x = own + gap + reach * size
    if s.is_person:
        h = s.person.height
        nod = -0.4 if up else 0.25 if height < 0.5 * h else 0.0
        face = s.person.person.posed(nod=nod).face
        head = BUILDS[s.subject].head
        s.pose(nod=nod, near_hand=(face[0] + head * 0.95, face[1] + head * 0.45), far_hand=None, elbow=-1.0, lean=0.06)
    lift = 0.75 if s.thing == "bird" and up else 0.0

    def draw(pens: Sequence[Pen]) -> None:
        if s.thing in COATS:
            pose = "fly" if lift else "stand"
            draw_animal(s.thing, s.look, pens[1].mirrored((x, lift)) if not lift else pens[1].at((x, lift)), pose)
        else:
            s.thing_at(pens, (x, 0.0), size)
        if s.actor is not None:
            s.actor.draw(pens)
        else:
            s.animal_at(pens, pose="sit", nod=0.15)

    s.members[1].stands = not (up or s.thing == "kite")
    return s.group(draw, -own, x + reach * size, max(extent(s.subject)[1], height, 1.4 if up else 0.0))


def under(s: Stage) -> Group:
    """Below a crown, a parasol or a table top."""
    tall = extent(s.subject)[1]
    size = 1.0
    scale = {"tree": 1.32, "umbrella": 1.9, "table": 1.25, "bench": 1.5}[s.thing]
    if s.thing == "umbrella":
        scale = max(1.2, min(2.0, (tall + 0.12) / 0.56))
    if s.thing in ("table", "bench"):
        room = (0.35 if s.thing == "table" else 0.2) * scale
        size = min(1.0, room * 0.94 / tall)
    x = s.dice.side() * s.dice.between(0.16, 0.26) if s.thing in ("tree", "umbrella") else s.dice.between(-0.12, 0.12)
    half, height = extent(s.thing)

    def draw(pens: Sequence[Pen]) -> None:
        s.thing_at(pens, scale=scale)
        if s.actor is not None:
            s.actor.origin = (x, 0.0)
            s.actor.draw(pens)
        elif s.subject in COATS:
            draw_animal(s.subject, s.members[0].look, pens[0].at((x, 0.01), scale=size), "stand")
        else:
            THINGS[s.subject].draw(pens[0].at((x, 0.01), scale=size), s.members[0].look)

    return s.group(draw, -half * scale, half * scale, height * scale)


def pulling(s: Stage) -> Group:
    """Leaning forward, what is pulled behind."""
    reach, height = extent(s.thing)
    if s.is_person:
        h = s.person.height
        s.pose(lean=0.22, near_hand=(-0.2, 0.5), far_hand=(0.14, 0.5), **stride(s.dice, 0.15))
        hand, tall = s.person.hand(), h
    else:
        tall = extent(s.subject)[1]
        hand = (Animal(s.subject, s.look).rear[0], BEASTS[s.subject].leg + BEASTS[s.subject].depth * 0.4)
    x = hand[0] - reach - (0.1 if s.thing == "cart" else 0.16)
    tie: Point = (x + reach * 0.9, 0.1)
    if s.thing == "cart":
        tie = (x + 0.5, 0.29)
    elif s.thing in BEASTS:
        cx, cy = Animal(s.thing, s.look).skull
        tie, x = (hand[0] - 0.22, cy - 0.03), hand[0] - 0.22 - cx

    def draw(pens: Sequence[Pen]) -> None:
        if s.thing == "suitcase":
            HELD[s.thing](pens[1].at((hand[0] - 0.1, hand[1] - 0.14 * tall), turn=-0.5, scale=tall), s.look)
            pens[1].part(4).line([hand, (hand[0] - 0.12, hand[1] - 0.18 * tall)], 0.026, INK)
        else:
            s.thing_at(pens, (x, 0.0), pose="walk")
            pens[0].at((0.0, 0.0), entity=0).line([hand, tie], 0.02, ROPE)
        if s.actor is not None:
            s.actor.draw(pens)
        else:
            s.animal_at(pens, pose="walk")

    return s.group(
        draw, x - reach if s.thing != "suitcase" else -0.5, max(0.2, extent(s.subject)[0]), max(tall, height)
    )


def pushing(s: Stage) -> Group:
    """Leaning on it, both hands against it."""
    reach, height = extent(s.thing)
    if s.is_person:
        h = s.person.height
        low = min(0.52, height * 0.92 / h)
        s.pose(
            lean=0.36 + (0.52 - low),
            near_hand=(0.36, low),
            far_hand=(0.38, low + 0.03),
            near_foot=(-0.24, 0.0),
            far_foot=(0.08, 0.0),
        )
        edge = s.person.hand()[0]
        left = -0.3
    else:
        edge, left = extent(s.subject)[0] + (0.06 if s.subject == "elephant" else 0.0), -extent(s.subject)[0]
    x = edge + reach - 0.03

    def draw(pens: Sequence[Pen]) -> None:
        s.thing_at(pens, (x, 0.0))
        if s.actor is not None:
            s.actor.draw(pens)
        else:
            s.animal_at(pens, pose="walk", nod=0.25)

    return s.group(draw, left, x + reach, max(extent(s.subject)[1], height))


def jumping_over(s: Stage) -> Group:
    """In the air above it."""
    half, tall = extent(s.thing)
    rise = tall * 0.95 + 0.04
    if s.is_person:
        s.person.origin = (0.0, rise - 0.04)
        s.pose(near_foot=(-0.27, 0.14), far_foot=(0.27, 0.1), hip=(0.0, BUILDS[s.subject].hip), near_hand=(-0.22, 0.8),
               far_hand=(0.28, 0.85), lean=0.12)  # fmt: skip

    def draw(pens: Sequence[Pen]) -> None:
        s.thing_at(pens)
        if s.actor is not None:
            s.actor.draw(pens)
        else:
            s.animal_at(pens, (0.0, rise), pose="run", nod=-0.15)

    s.members[0].stands = False
    reach = max(half, extent(s.subject)[0], 0.3)
    return s.group(draw, -reach, reach, rise + extent(s.subject)[1])

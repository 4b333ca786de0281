"""Sitting and riding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..cast import Group, draw_animal
from ..drawing.animals import BEASTS, Animal
from ..drawing.canvas import Pen
from ..drawing.people import BUILDS
from ..drawing.vehicles import surfboard
from .stage import Stage, extent

SEATS: Mapping[str, tuple[float, bool]] = {
    "chair": (0.31, False),
    "bench": (0.29, True),
    "sofa": (0.3, True),
    "table": (0.46, True),
    "box": (0.3, True),
    "suitcase": (0.31, True),
    "car": (0.58, True),
    "cow": (0.62, True),
    "sheep": (0.44, True),
    "horse": (0.66, True),
    "elephant": (0.79, True),
}
"""Height of what one sits on, and whether one sits facing the viewer."""


def riding(s: Stage) -> Group:
    """Astride, or standing or sitting on boards and sleds."""
    if s.thing in BEASTS:
        return _astride(s)
    if s.thing in ("skateboard", "surfboard"):
        return _on_board(s)
    if not s.is_person:
        return _on_board(s)
    actor, h = s.person, s.person.height
    if s.thing == "bicycle":
        s.pose(hip=(-0.12, 0.56), lean=0.35, near_foot=(0.06, 0.08), far_foot=(-0.06, 0.2), near_hand=(0.2, 0.585),
               far_hand=(0.2, 0.585), seated=True, nod=-0.15)  # fmt: skip
        scale = h

        def draw(pens: Sequence[Pen]) -> None:
            actor.far(pens)
            s.thing_at(pens, scale=scale)
            actor.body(pens)
            actor.person.near(actor.pen(pens))

        return s.group(draw, -0.48 * h, 0.48 * h, 1.12 * h)
    s.pose(hip=(-0.12, 0.2 / h + 0.02), lean=-0.12, near_foot=(0.24, 0.2), far_foot=(0.27, 0.22), near_hand=(0.24, 0.4),
           far_hand=(0.26, 0.42), seated=True)  # fmt: skip

    def slide(pens: Sequence[Pen]) -> None:
        actor.far(pens)
        s.thing_at(pens)
        actor.body(pens)
        actor.near(pens)

    return s.group(slide, -0.38, 0.38, 0.78 * h + 0.1, "snow")


def _on_board(s: Stage) -> Group:
    board = {"skateboard": 0.11, "surfboard": 0.14, "sled": 0.19}[s.thing]
    wide = {"skateboard": 0.3, "surfboard": 0.5, "sled": 0.37}[s.thing]
    place = {"surfboard": "beach", "sled": "snow"}.get(s.thing)
    if s.is_person:
        actor, h = s.person, s.person.height
        actor.origin = (0.0, board)
        s.pose(hip=(-0.03, BUILDS[s.subject].hip - 0.07), lean=0.18, near_foot=(-0.14, 0.0), far_foot=(0.14, 0.0),
               near_hand=(-0.2, 0.62), far_hand=(0.26, 0.62), nod=-0.1)  # fmt: skip
        top = h + board
    else:
        reach, top = extent(s.subject)
        wide, top = max(wide, reach), top + board

    def draw(pens: Sequence[Pen]) -> None:
        if s.thing == "surfboard":
            wave = pens[0].at((0.0, 0.0), entity=0)
            wave.oval(-0.1, 0.02, 0.62, 0.1, (96, 172, 210))
            wave.oval(-0.1, 0.0, 0.66, 0.06, (236, 246, 250))
            surfboard(pens[1].at((0.0, 0.06)), s.look)
        else:
            s.thing_at(pens)
        if s.actor is not None:
            s.actor.draw(pens)
        else:
            s.animal_at(pens, (0.0, board))

    return s.group(draw, -wide, wide, top, place)


def _astride(s: Stage) -> Group:
    actor, h = s.person, s.person.height
    pose = s.dice.pick(("stand", "walk", "run" if s.thing == "horse" else "walk"))
    mount = Animal(s.thing, s.look, pose)
    hip = BUILDS[s.subject].hip
    x, y = mount.back
    actor.origin = (x, y + 0.02 - hip * h)
    leg = min(0.36, (mount.beast.depth * 1.05 + 0.1) / h)
    s.pose(hip=(0.0, hip), near_foot=(0.07, hip - leg), far_foot=(0.1, hip - leg), near_hand=(0.28, hip + 0.12),
           far_hand=(0.3, hip + 0.13), seated=True, lean=0.08)  # fmt: skip

    def draw(pens: Sequence[Pen]) -> None:
        mount.far(pens[1])
        actor.far(pens)
        mount.body(pens[1])
        mount.near(pens[1])
        actor.body(pens)
        actor.person.near(actor.pen(pens))

    reach, height = extent(s.thing)
    return s.group(draw, -reach + mount.beast.neck[0] * 0.5, reach, max(height, actor.origin[1] + h))


def sitting_on(s: Stage) -> Group:
    """Weight on the seat, legs down."""
    seat, front = SEATS[s.thing]
    half, height = extent(s.thing)
    x = s.dice.between(-0.22, 0.22) if s.thing in ("bench", "sofa", "table") else 0.0
    if not s.is_person:
        size = 0.8 if s.subject == "dog" else 1.0
        if s.thing == "car":
            x = -0.06

        def perch(pens: Sequence[Pen]) -> None:
            s.thing_at(pens)
            draw_animal(s.subject, s.members[0].look, pens[0].at((x, seat - 0.02), scale=size), "sit")

        return s.group(perch, -half - 0.02, half + 0.02, max(height, seat + extent(s.subject)[1] * 1.2))
    actor, h = s.person, s.person.height
    hip = seat / h + 0.03
    if front:
        actor.origin = (x, 0.0)
        low = max(0.0, hip - BUILDS[s.subject].hip * 0.72)
        s.pose(hip=(0.0, hip), near_foot=(-0.055, low), far_foot=(0.055, low), near_hand=(-0.07, hip + 0.02),
               far_hand=(0.07, hip + 0.02), seated=True, front=True)  # fmt: skip
    else:
        s.pose(hip=(-0.06, hip), near_foot=(0.24 / h, 0.0), far_foot=(0.27 / h, 0.0), near_hand=(0.2, hip + 0.06),
               far_hand=(0.22, hip + 0.07), seated=True)  # fmt: skip

    def draw(pens: Sequence[Pen]) -> None:
        s.thing_at(pens)
        actor.draw(pens)

    return s.group(draw, -max(half, 0.2), max(half, 0.34 if not front else 0.0), max(height, seat + h * 0.6))

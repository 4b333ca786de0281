"""One person, animal or object that does nothing to another."""

from __future__ import annotations

from collections.abc import Sequence

from ..cast import Actor, Group, Member, clothed, draw_animal, look_of
from ..dice import Dice
from ..drawing.animals import COATS
from ..drawing.canvas import Pen
from ..drawing.people import BUILDS
from ..drawing.things import THINGS
from .stage import draw_sign, dress, extent, lettered, stride


def alone(label: str, dice: Dice) -> Group:
    """A person, animal or object by itself."""
    if label in BUILDS:
        person = clothed(label, dice)
        actor = Actor(person)
        roll = dice.unit()
        if roll < 0.35:
            actor.person = person.posed(**stride(dice))
        elif roll < 0.65:
            hand = (-0.3, 0.93) if dice.chance(0.4) else None
            actor.person = person.posed(
                front=True, near_foot=(-0.06, 0.0), far_foot=(0.06, 0.0), near_hand=hand, elbow=1.0 if hand else -1.0
            )
        members, relations = [Member(label, person.look)], list[tuple[int, str, int]]()
        dress(actor, members, relations, dice)
        h = actor.height
        return Group(members, relations, actor.draw, -0.18 * h, 0.18 * h, h)
    return _solitary(label, dice)


def _solitary(label: str, dice: Dice) -> Group:
    """An animal or object by itself."""
    member = lettered(label, look_of(label, dice), dice)
    look, scale = member.look, 1.0
    if label != "sign" and dice.chance(0.24):
        member.size, scale = ("small", 0.68) if dice.chance(0.5) else ("large", 1.36)
    reach, height = extent(label)
    lift = THINGS[label].floats if label in THINGS else 0.0
    member.stands = not lift
    if label in COATS:
        pose = dice.pick(("stand", "walk", "sit" if label in ("dog", "cat", "bear") else "stand"))
        nod = dice.between(-0.15, 0.3)
        if label == "bird" and dice.chance(0.4):
            pose, lift, member.stands = "fly", dice.between(0.6, 1.0), False

        def beast(pens: Sequence[Pen]) -> None:
            draw_animal(label, look, pens[0].at((0.0, lift), scale=scale), pose, nod)

        return Group([member], [], beast, -reach * scale, reach * scale, height * scale + lift)
    if label == "sign":
        group = Group([member], [], lambda pens: None, -0.42, 0.42, 0.82)
        group.draw = lambda pens: group.written.__setitem__(slice(None), [draw_sign(pens[0], member)])
        return group

    def thing(pens: Sequence[Pen]) -> None:
        THINGS[label].draw(pens[0].at((0.0, 0.0), scale=scale), look)

    return Group([member], [], thing, -reach * scale, reach * scale, height * scale + lift * 0.3)

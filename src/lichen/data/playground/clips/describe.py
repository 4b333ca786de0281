"""Captions of clips: who moves where, past what, and what the camera does; every phrase is tied to its entity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ....scene import Box
from ..dice import Dice
from ..language.captions import Sentence, Span
from ..language.names import PLACES, article, noun, phrase
from .film import Film
from .planning import Plan, Role

_OVERLAP = 0.3
"""Share of the smaller of two boxes that they must share for one to pass the other."""


def describe(plan: Plan, film: Film, numbers: Mapping[int, int], dice: Dice) -> list[tuple[str, list[Span]]]:
    """Captions: one of all that happens, and one of what the clip is about, if that says less.

    Args:
        plan: what happens.
        film: how it was drawn; what is never seen is not spoken of.
        numbers: place in the scene of every entity that is seen, by its number in the plan.
        dice: of the words.
    """
    seen = [role for role in plan.roles if role.first in numbers]
    moving = [role for role in seen if role.moves]
    place = dice.pick(PLACES[plan.place]) if plan.drawn else ""
    whole, short = Sentence(), Sentence()
    if not moving:
        return [_at(whole.say("the camera shows nothing that moves"), place).end()]
    main = moving[0]
    _clause(whole, main, numbers, dice)
    passed = _passed(main, seen, film)
    if passed is not None:
        other, how = passed
        whole.say(how)
        _name(whole, other, 0, numbers, dice)
    for number, other in enumerate(moving[1:]):
        whole.say("while" if number == 0 else "and")
        _clause(whole, other, numbers, dice)
    if len(moving) == 1 or dice.chance(0.5):
        _at(whole, place)
    if plan.pan:
        whole.say(", and the camera pans to the").say("right" if plan.pan > 0 else "left")
    _clause(short, main, numbers, dice)
    if dice.chance(0.5):
        _at(short, place)
    said = [whole.end(), short.end()]
    return said if said[0][0] != said[1][0] else said[:1]


def _at(sentence: Sentence, place: str) -> Sentence:
    """Where it happens, if there is a place."""
    return sentence.say(place) if place else sentence


def _name(sentence: Sentence, role: Role, member: int, numbers: Mapping[int, int], dice: Dice) -> None:
    """One of a role's entities with some of its attributes."""
    who = role.mover.members[member]
    attributes = [word for word in who.attributes if dice.chance(0.8)]
    words = article(phrase(who.label, attributes, noun(who.label, dice), dice))
    number = numbers.get(role.first + member)
    if number is None:
        sentence.say(words)
    else:
        sentence.name(words, number)


def _clause(sentence: Sentence, role: Role, numbers: Mapping[int, int], dice: Dice) -> None:
    """Who does what, whereto."""
    _name(sentence, role, 0, numbers, dice)
    mover, way = role.mover, role.way
    if way.pace == "starts":
        sentence.say("stands and then")
    sentence.say(mover.verb)
    if mover.relations and mover.relations[0][1] != "wearing":
        _name(sentence, role, mover.relations[0][2], numbers, dice)
    if mover.style == "rise":
        return
    # Whoever turns back first went the way that it faces at the start.
    side = way.facing[0] if way.pace == "turns" else way.facing[-1]
    sentence.say("to the").say("right" if side > 0 else "left")
    if way.pace in ("stops", "turns"):
        sentence.say("and").say("stops" if way.pace == "stops" else "turns back")


def _passed(main: Role, seen: Sequence[Role], film: Film) -> tuple[Role, str] | None:
    """What the main mover passes, and on which side; what hides it comes first."""
    found = []
    for role in seen:
        if role.moves:
            continue
        frames = [
            frame
            for frame, pair in enumerate(zip(film.boxes[main.first], film.boxes[role.first], strict=True))
            if _overlap(*pair) > _OVERLAP
        ]
        # Something beside it all the time is not passed.
        if frames and len(frames) < len(film.frames):
            behind = main.way.depth[frames[0]] < role.way.depth[frames[0]]
            found.append((role, "behind" if behind else "in front of"))
    return min(found, key=lambda item: item[1] != "behind", default=None)


def _overlap(one: Box | None, two: Box | None) -> float:
    """Share of the smaller box that lies in the other."""
    if one is None or two is None:
        return 0.0
    width = min(one[2], two[2]) - max(one[0], two[0])
    height = min(one[3], two[3]) - max(one[1], two[1])
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (one, two))
    return max(0.0, width) * max(0.0, height) / smaller

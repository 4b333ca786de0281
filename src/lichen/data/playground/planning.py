"""What happens in a picture: the place, the main event, and whatever else is around."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .cast import Group
from .dice import Dice
from .drawing.backgrounds import INDOORS
from .habits import AFFINITY, BYSTANDERS
from .staging import alone, stage
from .world import events, pairs

_GROUPS = {1: 0.1, 2: 0.28, 3: 0.36, 4: 0.26}
_FOLK = {"man": 3.0, "woman": 3.0, "boy": 2.0, "girl": 2.0}
_ELSEWHERE = {
    "room": 3.0,
    "street": 3.0,
    "meadow": 3.0,
    "beach": 2.0,
    "snow": 1.5,
    "hall": 1.5,
    "desert": 1.0,
    "night": 1.5,
}


@dataclass
class Plan:
    """Groups, the main one first, and how each stands to the one before it."""

    background: str
    groups: list[Group]
    ties: list[str | None]
    """"beside", "behind", "before" or None, by group."""


def plan(dice: Dice, unseen: bool) -> Plan:
    """Decide what a picture shows."""
    cast: list[tuple[str, ...]] = []
    if unseen or dice.chance(0.86):
        predicate = dice.weighted(events(unseen))
        subject, thing = dice.weighted(pairs(predicate, unseen))
        background = _home(dice, thing, subject, predicate)
        groups = [stage(subject, predicate, thing, dice)]
        cast.append((subject, thing))
    else:
        background = dice.weighted(_ELSEWHERE)
        subject = dice.weighted(_FOLK)
        groups = [alone(subject, dice)]
        cast.append((subject,))
    ties: list[str | None] = [None]
    for _ in range(dice.weighted(_GROUPS) - 1):
        added = _another(dice, background, cast)
        groups.append(added)
        roll = dice.unit()
        ties.append("beside" if roll < 0.36 else "behind" if roll < 0.5 else "before" if roll < 0.55 else None)
    return Plan(background, groups, ties)


def _home(dice: Dice, thing: str, subject: str, predicate: str) -> str:
    forced = {("riding", "sled"): "snow", ("riding", "surfboard"): "beach"}.get((predicate, thing))
    if forced:
        return forced
    if predicate == "under" and thing == "umbrella":
        return dice.weighted({"beach": 5.0, "meadow": 2.0, "desert": 1.0})
    if predicate == "on" and thing == "bench":
        return dice.weighted({"hall": 2.0, "meadow": 2.0, "street": 2.0})
    homes: Mapping[str, float] = AFFINITY.get(thing) or AFFINITY.get(subject) or _ELSEWHERE
    return dice.weighted(homes)


def _fits(background: str, *labels: str) -> bool:
    return all(background in AFFINITY.get(label, {background: 1.0}) for label in labels)


def _another(dice: Dice, background: str, cast: list[tuple[str, ...]]) -> Group:
    """One more group: often of the classes of an earlier event but doing nothing, so that being there is no proof."""
    roll = dice.unit()
    if roll < 0.09 and _fits(background, "sign"):
        return alone("sign", dice)
    if roll < 0.3:
        label = dice.pick(dice.pick(cast))
        if label not in ("scarf", "glasses") and _fits(background, label):
            return alone(label, dice)
    elif roll < 0.6:
        for _ in range(4):
            predicate = dice.weighted(events(False))
            subject, thing = dice.weighted(pairs(predicate, False))
            outside = background in INDOORS and thing in ("tree", "umbrella", "kite")
            if _fits(background, subject, thing) and not outside:
                cast.append((subject, thing))
                return stage(subject, predicate, thing, dice)
    elif roll < 0.78:
        label = dice.weighted(_FOLK)
        cast.append((label,))
        return alone(label, dice)
    return alone(dice.weighted(BYSTANDERS[background]), dice)

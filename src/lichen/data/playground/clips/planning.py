"""What happens in a clip: the place, who moves and how, what stands in the way, and what the camera does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..cast import Member
from ..dice import Dice
from ..drawing.canvas import MOST_ENTITIES
from ..staging import alone
from ..staging.stage import extent
from .config import ClipConfig
from .movers import Mover, standing
from .paths import Series, Way, stay, travel
from .repertoire import MOVERS, SCREENS, mover

_PLACES = {
    "meadow": 3.0,
    "street": 3.0,
    "room": 2.0,
    "beach": 2.0,
    "snow": 1.5,
    "hall": 1.5,
    "desert": 1.5,
    "night": 1.2,
}
_COUNTS = {1: 0.35, 2: 0.45, 3: 0.2}
"""Movers of a clip."""
_STILL = {0: 0.15, 1: 0.45, 2: 0.4}
"""Things of a clip that stand."""
_APART = 0.18
"""Least difference in depth of two that pass each other."""


@dataclass
class Role:
    """A mover with its way."""

    mover: Mover
    way: Way
    first: int = 0
    """Number of its first entity."""

    @property
    def moves(self) -> bool:
        """Whether it goes anywhere."""
        return self.way.pace != "still"


@dataclass
class Plan:
    """A whole clip before it is drawn. Lengths are in heights of a frame."""

    place: str
    roles: list[Role]
    """The one that the clip is about first."""
    camera: Series
    """Left edge of every frame's view."""
    grown: float
    """Height of a grown-up at the near end of the ground."""
    pan: int
    """-1 where the camera pans to the left, 1 to the right, 0 where it stands still."""
    drawn: bool = True
    """Whether the place can be seen; otherwise the background is plain."""

    @property
    def members(self) -> list[Member]:
        """All entities, in the order of their numbers."""
        return [member for role in self.roles for member in role.mover.members]


def plan_clip(dice: Dice, config: ClipConfig) -> Plan:
    """Decide what a clip shows."""
    frames = config.frames[0] + dice.whole(config.frames[1] - config.frames[0] + 1)
    casts = {place: _cast(place, config) for place in _PLACES}
    place, grown = dice.weighted({name: _PLACES[name] for name in casts if casts[name]}), dice.between(*config.grown)
    cast = casts[place]
    main = _mover(cast, config, dice)
    depth = dice.between(0.25, 0.7)
    at = dice.between(0.35, 0.65) * (frames - 1)
    meet = dice.between(0.38, 0.62)
    way = travel(main, dice, frames, (meet, at), depth, grown)
    camera, pan = _camera(dice, config, way)
    # The meeting place was meant against the view at that time.
    middle = float(np.interp(at, np.arange(frames), camera))
    roles = [Role(main, Way(way.x + middle, way.depth, way.lift, way.facing, way.moments, way.pace))]
    for _ in range(min(dice.weighted(_COUNTS), config.movers) - 1):
        other = _mover(cast, config, dice)
        _add(roles, _second(dice, other, frames, roles[0], camera, grown))
    for _ in range(min(dice.weighted(_STILL), config.props)):
        _add(roles, _prop(dice, place, frames, roles[0], camera, grown))
    return Plan(place, roles, camera, grown, pan, drawn=not config.plain)


def _cast(place: str, config: ClipConfig) -> dict[str, float | int]:
    """Who may move in a place, with weights."""
    return {name: weight for name, weight in MOVERS[place].items() if not config.classes or name in config.classes}


def _mover(cast: Mapping[str, float | int], config: ClipConfig, dice: Dice) -> Mover:
    """One of those who may move."""
    made = mover(dice.weighted(cast), dice)
    made.speed *= config.speed
    return made


def _add(roles: list[Role], role: Role) -> None:
    count = sum(len(known.mover.members) for known in roles)
    if count + len(role.mover.members) <= MOST_ENTITIES:
        role.first = count
        roles.append(role)


def _camera(dice: Dice, config: ClipConfig, way: Way) -> tuple[Series, int]:
    """Still, panning evenly, or following whom the clip is about."""
    frames = len(way.x)
    roll, share, side = dice.unit(), dice.between(0.03, 0.065), dice.side()
    follows = dice.chance(0.6) and way.direction != 0
    if roll >= config.panning:
        return np.zeros(frames), 0
    if follows:
        # Slower than the mover, so that it also crosses the view.
        gone = (way.x - way.x[0]) * 0.75
        smooth = np.convolve(np.pad(gone, 2, mode="edge"), np.full(5, 0.2), mode="valid")
        return smooth - smooth[0], way.direction
    return np.arange(frames) * share * side, side


def _depth_beside(dice: Dice, depth: float, near: bool) -> float:
    """A depth clearly before or behind another one, where there is room."""
    room = (depth + _APART, 1.0) if near else (0.0, depth - _APART)
    if room[0] > room[1]:
        return min(1.0, depth + _APART) if near else max(0.0, depth - _APART)
    return dice.between(*room)


def _second(dice: Dice, other: Mover, frames: int, main: Role, camera: Series, grown: float) -> Role:
    """Another mover, who often crosses the way of the first before or behind it."""
    time = dice.between(0.25, 0.75) * (frames - 1)
    steps = np.arange(frames)
    crosses = dice.chance(0.6)
    there = float(np.interp(time, steps, main.way.x))
    free = float(np.interp(time, steps, camera)) + dice.between(0.15, 0.85)
    depth = _depth_beside(dice, float(np.interp(time, steps, main.way.depth)), dice.chance(0.5))
    return Role(other, travel(other, dice, frames, (there if crosses else free, time), depth, grown))


def _prop(dice: Dice, place: str, frames: int, main: Role, camera: Series, grown: float) -> Role:
    """Something that stands: often before the way of the first mover, so that it is hidden for a while."""
    label = dice.weighted(SCREENS[place])
    group = alone(label, dice)
    # Whoever hardly moves would be hidden all the time.
    wide = (group.right - group.left + main.mover.right - main.mover.left) * grown
    before = dice.chance(0.75) and abs(float(main.way.x[-1] - main.way.x[0])) > wide
    time = dice.between(0.2, 0.8) * (frames - 1)
    steps = np.arange(frames)
    there = float(np.interp(time, steps, main.way.x))
    depth = _depth_beside(dice, float(main.way.depth.max() if before else main.way.depth.min()), before)
    low, high = float(camera.min()), float(camera.max()) + 1.0
    x = there if before else dice.between(low, high)
    # A tree before the camera must not fill the view.
    if extent(label)[1] > 1.2:
        depth = min(depth, 0.75)
    return Role(standing(group), stay(x, depth, dice.side(), frames))

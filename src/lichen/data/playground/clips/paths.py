"""Ways: where a mover is in every frame. Lengths are in heights of a frame, x to the right from the first view's edge.

Depth runs from 0 (far) to 1 (near) and gives height on the ground and scale, as in the pictures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from ..dice import Dice
from .movers import Moment, Mover

Series = Float64[np.ndarray, " frames"]

PACES = {"steady": 5.0, "starts": 1.5, "stops": 1.5, "turns": 1.0}
"""How the speed changes over a clip, and how often."""
_FAR = 0.52
"""Scale at the far end of the ground, as a share of that at the near end."""


@dataclass(frozen=True, eq=False)
class Way:
    """Place and gait in every frame."""

    x: Series
    depth: Series
    lift: Series
    """Height above the ground, in heights of a grown-up there."""
    facing: tuple[int, ...]
    moments: tuple[Moment, ...]
    pace: str = "still"

    def ground(self, horizon: float) -> Series:
        """Height of the ground below, measured from the frame's top."""
        return 1.0 - horizon + horizon * (0.13 + 0.8 * self.depth)

    def scale(self, grown: float) -> Series:
        """Height of a grown-up, where one at the near end is `grown` high."""
        return grown * (_FAR + (1.0 - _FAR) * self.depth)

    @property
    def direction(self) -> int:
        """1 where it ends to the right of its start, -1 to the left, 0 where it stays."""
        step = float(self.x[-1] - self.x[0])
        return 0 if abs(step) < 0.05 else 1 if step > 0 else -1


def stay(x: float, depth: float, facing: int, frames: int) -> Way:
    """The way of something that stands."""
    level = np.full(frames, 1.0)
    return Way(x * level, depth * level, 0.0 * level, (facing,) * frames, (Moment(),) * frames)


def travel(mover: Mover, dice: Dice, frames: int, meet: tuple[float, float], depth: float, grown: float) -> Way:
    """The way of a mover that is at a given place at a given time.

    Args:
        mover: its speed and how it moves.
        dice: chance.
        frames: of the clip.
        meet: x in heights of a frame, and time in frames.
        depth: at that time.
        grown: as in `Way.scale`.
    """
    thrown = dice.weighted(PACES)
    pace = thrown if mover.nimble else "steady"
    times = np.arange(frames, dtype=np.float64)
    speeds = _speeds(pace, frames, dice)
    slope = dice.between(-0.3, 0.3) if dice.chance(0.5) else 0.0
    depths = np.clip(depth + slope * (times - meet[1]) / frames, 0.0, 1.0)
    scale = grown * (_FAR + (1.0 - _FAR) * depths)
    way = _sums(speeds * mover.speed)
    # One scale for the whole way keeps steps even; feet that come nearer would slide by a pixel at most.
    along = way * float(scale.mean())
    along = along - np.interp(meet[1], times, along)
    side = dice.side()
    moments = tuple(_moments(mover, way, speeds, dice))
    facing = tuple(side if value >= 0 else -side for value in _held(speeds))
    lift = np.zeros(frames)
    x = meet[0] + side * along
    if mover.style == "bounce":
        hop, high, start = dice.between(0.5, 0.9), dice.between(0.35, 0.8), dice.unit()
        part = (np.abs(way) / hop + start) % 1.0
        lift = 4.0 * high * part * (1.0 - part)
    elif mover.style == "fly":
        lift = dice.between(0.6, 1.0) + 0.12 * _sines(way / 0.9 + dice.unit())
    elif mover.style == "rise":
        lift = 0.1 + way - way[0]
        x = meet[0] + 0.05 * scale * _sines(way / 0.6 + dice.unit())
    return Way(x, depths, lift, facing, moments, pace)


def _speeds(pace: str, frames: int, dice: Dice) -> Series:
    """Share of the full speed in every frame; negative after turning back."""
    times = np.arange(frames, dtype=np.float64)
    at, ramp = dice.between(0.3, 0.55) * frames, 0.22 * frames
    if pace == "starts":
        return np.clip((times - at) / ramp, 0.0, 1.0)
    if pace == "stops":
        return np.clip((frames - at - times) / ramp, 0.0, 1.0)
    if pace == "turns":
        return np.clip((frames - at - times) / (0.5 * ramp), -1.0, 1.0)
    return np.ones(frames)


def _sums(speeds: Series) -> Series:
    """Way travelled by every frame, with the speed changing evenly between frames."""
    return np.concatenate([[0.0], np.cumsum((speeds[1:] + speeds[:-1]) / 2)])


def _held(speeds: Series) -> list[float]:
    """Speeds, where standing counts as the last direction gone, or the first one to come."""
    held, last = [], float(next((value for value in speeds if value), 1.0))
    for value in speeds.tolist():
        last = value or last
        held.append(last)
    return held


def _moments(mover: Mover, way: Series, speeds: Series, dice: Dice) -> list[Moment]:
    start = dice.unit() * math.tau
    turned = _unrolled(way)
    if mover.style in ("fly", "rise"):
        # Wings beat and strings sway by time.
        rate = math.tau / (4.5 if mover.style == "fly" else 9.0)
        return [Moment(start + rate * time, 1.0) for time in range(len(way))]
    if not mover.cycle:
        return [Moment(start, abs(value)) for value in speeds.tolist()]
    return [
        Moment(start + math.tau * gone / mover.cycle, min(1.0, 1.5 * abs(value)))
        for gone, value in zip(turned.tolist(), speeds.tolist(), strict=True)
    ]


def _unrolled(way: Series) -> Series:
    """Way travelled without regard to direction: whoever turns back walks forward all the same."""
    return np.concatenate([[0.0], np.cumsum(np.abs(np.diff(way)))])


def _sines(turns: Series) -> Series:
    """Sines of turns (one is a full circle), the same on every machine."""
    return np.array([math.sin(math.tau * turn) for turn in turns.tolist()])

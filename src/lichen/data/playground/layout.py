"""Where groups stand: depth gives the height of the ground below them and their scale, as in perspective."""

from __future__ import annotations

from dataclasses import dataclass

from .cast import Group
from .dice import Dice
from .drawing.canvas import Canvas, Pen
from .planning import Plan

_FAR = 0.52
"""Scale at the far end of the ground, as a share of that at the near end."""


@dataclass
class Placed:
    """A group with its place. Lengths are shares of the picture's height, y downwards."""

    group: Group
    order: int
    """Its number in the plan; 0 is the main event."""
    x: float
    y: float
    """Of its origin."""
    scale: float
    """Height of a grown-up there."""
    facing: int
    first: int = 0
    """Number of its first entity, less one."""
    pixels: float = 1.0
    """Height of the picture, once it is drawn."""

    def pen(self, canvas: Canvas, entity: int = 0) -> Pen:
        """A pen at its origin."""
        h = self.pixels = float(canvas.height)
        return Pen(canvas, self.x * h, self.y * h, self.scale * h, self.facing, entity=entity)

    def bounds(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom."""
        a, b = self.group.left * self.scale * self.facing, self.group.right * self.scale * self.facing
        return self.x + min(a, b), self.y - self.group.height * self.scale, self.x + max(a, b), self.y


def place(plan: Plan, dice: Dice, horizon: float, aspect: float) -> list[Placed]:
    """Give every group a place, and order them from far to near.

    Args:
        plan: what there is.
        dice: chance.
        horizon: height of sky or wall as a share of the picture's, measured from the bottom.
        aspect: width of the picture in heights.
    """
    main = plan.groups[0]
    depth = dice.between(0.35, 0.9)
    y = _ground(depth, horizon)
    # The main event fills a good part of the picture and is all inside.
    room = min(0.94 * aspect / (main.right - main.left), (y - 0.03) / main.height) / _shrink(depth)
    grown = min(dice.between(0.54, 0.86), room)
    placed: list[Placed] = []
    for number, group in enumerate(plan.groups):
        if number:
            item = _fit(group, number, plan.ties[number], placed, dice, horizon, aspect, grown)
        else:
            scale, facing = grown * _shrink(depth), dice.side()
            low, high = (main.left, main.right) if facing == 1 else (-main.right, -main.left)
            left, right = -low * scale + 0.02, aspect - high * scale - 0.02
            item = Placed(group, 0, left + (right - left) * (0.2 + 0.6 * dice.unit()), y, scale, facing)
        if item is not None:
            placed.append(item)
    return sorted(placed, key=lambda item: item.y)


def _ground(depth: float, horizon: float) -> float:
    return 1.0 - horizon + horizon * (0.13 + 0.8 * depth)


def _shrink(depth: float) -> float:
    return _FAR + (1.0 - _FAR) * depth


def _fit(
    group: Group,
    number: int,
    tie: str | None,
    placed: list[Placed],
    dice: Dice,
    horizon: float,
    aspect: float,
    grown: float,
) -> Placed | None:
    """The best of several tries: as little over others as possible; None where there is no room."""
    best: tuple[float, Placed] | None = None
    for trial in range(7):
        depth, facing = dice.between(0.0, 1.0), dice.side()
        other = dice.pick(placed)
        if tie and trial < 5:
            known = ((other.y - 1.0 + horizon) / horizon - 0.13) / 0.8
            shift = {
                "beside": dice.between(-0.1, 0.1),
                "behind": -dice.between(0.2, 0.5),
                "before": dice.between(0.2, 0.4),
            }[tie]
            depth = min(1.0, max(0.0, known + shift))
        scale = grown * _shrink(depth)
        item = Placed(group, number, 0.0, _ground(depth, horizon), scale, facing)
        low, _, high, _ = item.bounds()
        # Words must be whole to be read.
        over = -0.02 if _written(item) else 0.05
        left, right = -low - over, aspect - high + over
        item.x = left + (right - left) * dice.unit()
        if tie and trial < 5:
            o_left, _, o_right, _ = other.bounds()
            if tie == "beside":
                gap = dice.between(0.02, 0.2) * scale
                item.x = o_right + gap - low if dice.chance(0.5) else o_left - gap - high
            else:
                item.x = (o_left + o_right) / 2 - (low + high) / 2 + dice.between(-0.3, 0.3) * (o_right - o_left)
        cost = _cost(item, placed, aspect, 0.55 if tie in ("behind", "before") else 0.15)
        if best is None or cost < best[0]:
            best = cost, item
        if cost <= 0.0:
            break
    if best is None or best[0] > 0.75:
        return None
    return best[1]


def _cost(item: Placed, placed: list[Placed], aspect: float, allowed: float) -> float:
    """0 where all is well; grows with what would be hidden or outside the picture."""
    left, top, right, bottom = item.bounds()
    area = (right - left) * (bottom - top)
    inside = max(0.0, min(right, aspect) - max(left, 0.0)) * max(0.0, bottom - max(top, 0.0))
    outside = 1.0 - inside / area
    worst = 0.0
    for other in placed:
        o_left, o_top, o_right, o_bottom = other.bounds()
        wide, tall = min(right, o_right) - max(left, o_left), min(bottom, o_bottom) - max(top, o_top)
        if wide > 0.0 and tall > 0.0:
            farther = area if item.y < other.y else (o_right - o_left) * (o_bottom - o_top)
            share = wide * tall / farther
            # Neither the main event nor words are to be hidden.
            behind = other if item.y >= other.y else item
            worst = max(worst, share * (2.0 if behind.order == 0 or _written(behind) else 1.0))
    margin, weight = (0.0, 8.0) if _written(item) else (0.12, 2.0)
    return max(0.0, worst - allowed) + max(0.0, outside - margin) * weight


def _written(item: Placed) -> bool:
    return any(member.word for member in item.group.members)

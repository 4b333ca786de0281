"""Chairs: a base, a seat, a back and perhaps arms, each in several styles that go together."""

from __future__ import annotations

import math

from ..dice import Dice
from .blocks import CLOTH, METAL, WOOD, Block, lean, leg, side, span, turned
from .designs import Design


def chair(dice: Dice) -> Design:
    """A chair: dining, ladder-back, slat-back, armchair, bar, sled-base, cantilever, swivel, lounge."""
    style = dice.weighted(STYLES)
    return _swivel(dice) if style == "swivel" else _lounge(dice) if style == "lounge" else _dining(dice, style)


STYLES = {
    "panel-back": 3.0,
    "ladder-back": 3.0,
    "slat-back": 3.0,
    "padded": 2.0,
    "bar": 1.5,
    "sled-base": 1.5,
    "cantilever": 1.0,
    "swivel": 2.0,
    "lounge": 1.5,
}
"""Styles and how often each occurs."""


class _Sizes:
    """Measures that the parts of one chair share."""

    def __init__(self, dice: Dice, seat_height: tuple[float, float]) -> None:
        self.width = dice.between(0.40, 0.54)
        self.depth = dice.between(0.40, 0.52)
        self.seat = dice.between(*seat_height)
        """Height of the seat's underside."""
        self.board = dice.between(0.02, 0.05)
        """Thickness of the seat."""
        self.post = dice.between(0.028, 0.055)
        """Edge of legs and posts."""
        self.tilt = dice.pick((0.0, dice.between(0.06, 0.26)))
        """How far the back leans, in radians."""
        self.left, self.front, self.rear = -self.width / 2, self.depth / 2, -self.depth / 2

    @property
    def top(self) -> float:
        """Height of the seat's upper side."""
        return self.seat + self.board


def _dining(dice: Dice, style: str) -> Design:
    """A chair on legs, a sled or a cantilever."""
    sizes = _Sizes(dice, (0.62, 0.74) if style == "bar" else (0.39, 0.46))
    padded = style == "padded" or dice.chance(0.35)
    if padded:
        sizes.board = dice.between(0.05, 0.10)
    metal = style in ("sled-base", "cantilever") or (style == "bar" and dice.chance(0.5))
    frame = METAL if metal else WOOD
    if metal:
        sizes.post = dice.between(0.022, 0.034)
    blocks = [span("seat", sizes.width, (sizes.rear, sizes.front), (sizes.seat, sizes.top), CLOTH if padded else WOOD)]
    words = []
    if style == "sled-base":
        blocks += _sled(sizes, frame)
    elif style == "cantilever":
        blocks += _cantilever(sizes, frame)
    else:
        blocks += _legs(dice, sizes, frame, style)
    back = {"ladder-back": _ladder, "slat-back": _slats}.get(style)
    if back is None:
        back = dice.pick((_panel, _ladder, _slats)) if style == "bar" else _panel
    height = dice.between(0.18, 0.30) if style == "bar" else dice.between(0.36, 0.58)
    blocks += back(dice, sizes, height, frame, padded)
    if style != "bar" and dice.chance(0.35):
        blocks += _arms(dice, sizes, frame)
        words.append("with arms")
    return Design("chair", style, tuple(blocks), tuple(words))


def _legs(dice: Dice, sizes: _Sizes, frame: str, style: str) -> list[Block]:
    """Four legs, straight or splayed, with stretchers where they are straight."""
    post, splay = sizes.post, dice.between(0.08, 0.24)
    how = dice.weighted({"straight": 3.0, "out": 1.0, "apart": 1.0})
    x = sizes.left + post / 2 + (0.0 if how == "straight" else dice.between(0.01, 0.05))
    blocks = []
    for name, y, sign in (("front leg", sizes.front - post / 2, 1), ("back leg", sizes.rear + post / 2, -1)):
        if how == "out":
            blocks.append(leg(name, (x, y, sizes.seat), (post, post), frame, 1, splay))
        elif how == "apart":
            blocks.append(leg(name, (x, y - sign * 0.03, sizes.seat), (post, post), frame, 0, sign * splay))
        else:
            blocks.append(leg(name, (x, y, sizes.seat), (post, post), frame))
    if how == "straight" and (style == "bar" or dice.chance(0.5)):
        z = sizes.seat * (dice.between(0.25, 0.4) if style == "bar" else dice.between(0.2, 0.55))
        thin = post * 0.7
        inner, across = (sizes.rear + post, sizes.front - post), (x - thin / 2, x + thin / 2)
        blocks.append(side("side rail", across, inner, (z, z + thin), frame))
        if dice.chance(0.6):
            y = dice.pick((0.0, sizes.front - post))
            blocks.append(span("rail", -2 * x - thin, (y, y + thin), (z, z + thin), frame))
    return blocks


def _sled(sizes: _Sizes, frame: str) -> list[Block]:
    """Two runners on the floor, each under a front and a back post."""
    post = sizes.post
    x = (sizes.left, sizes.left + post)
    blocks = [side("runner", x, (sizes.rear, sizes.front), (0.0, post), frame)]
    for name, y in (("front leg", sizes.front - post), ("back leg", sizes.rear)):
        blocks.append(side(name, x, (y, y + post), (post, sizes.seat), frame))
    return blocks


def _cantilever(sizes: _Sizes, frame: str) -> list[Block]:
    """Runners on the floor and front posts alone: the seat hangs in the air behind."""
    post = sizes.post
    x = (sizes.left, sizes.left + post)
    return [
        side("runner", x, (sizes.rear, sizes.front), (0.0, post), frame),
        side("front leg", x, (sizes.front - post, sizes.front), (post, sizes.seat), frame),
        side("side rail", x, (sizes.rear, sizes.front - post), (sizes.seat - post, sizes.seat), frame),
    ]


def _panel(dice: Dice, sizes: _Sizes, height: float, frame: str, padded: bool) -> list[Block]:
    """One board or cushion, on the seat or on two short posts above a gap."""
    thick = dice.between(0.05, 0.09) if padded else dice.between(0.015, 0.03)
    width = sizes.width * dice.between(0.82, 1.0)
    gap = dice.between(0.07, 0.16) if dice.chance(0.5) else 0.0
    y = (sizes.rear, sizes.rear + thick)
    made_of = CLOTH if padded else WOOD
    blocks = [span("back", width, y, (sizes.top + gap, sizes.top + height), made_of)]
    if gap:
        post = max(sizes.post * 0.8, 0.022)
        x = -width / 2 + dice.between(0.02, 0.06)
        # The posts go on behind the board, so that nothing hangs in the air.
        blocks.append(
            side("back post", (x, x + post), (sizes.rear, sizes.rear + post), (sizes.seat, sizes.top + gap), frame)
        )
    return lean(blocks, sizes.tilt, sizes.rear, sizes.top)


def _stiles(sizes: _Sizes, height: float, frame: str) -> tuple[list[Block], float]:
    """The two posts of an open back, and the width between them."""
    post = sizes.post
    stile = side(
        "back post",
        (sizes.left, sizes.left + post),
        (sizes.rear, sizes.rear + post),
        (sizes.top, sizes.top + height),
        frame,
    )
    return [stile], sizes.width - 2 * post


def _ladder(dice: Dice, sizes: _Sizes, height: float, frame: str, padded: bool) -> list[Block]:
    """Two posts with level boards between them."""
    blocks, width = _stiles(sizes, height, frame)
    count = 2 + dice.whole(2) + (height > 0.35)
    step = height / count
    board = step * dice.between(0.28, 0.6)
    thick = min(sizes.post * 0.6, 0.025)
    y = sizes.rear + (sizes.post - thick) / 2
    for number in range(count):
        upper = sizes.top + height - number * step
        name = "crest rail" if number == 0 else "back rail"
        blocks.append(span(name, width, (y, y + thick), (upper - board, upper), frame))
    return lean(blocks, sizes.tilt, sizes.rear, sizes.top)


def _slats(dice: Dice, sizes: _Sizes, height: float, frame: str, padded: bool) -> list[Block]:
    """Two posts, a crest rail on top and upright slats under it."""
    blocks, width = _stiles(sizes, height, frame)
    crest = dice.between(0.05, 0.10)
    thick = min(sizes.post * 0.6, 0.025)
    y = sizes.rear + (sizes.post - thick) / 2
    z = (sizes.top, sizes.top + height - crest)
    blocks.append(span("crest rail", width, (y, y + thick), (z[1], sizes.top + height), frame))
    count = 3 + dice.whole(4)
    step = width / count
    slat = step * dice.between(0.3, 0.6)
    for number in range(count // 2):
        x = -width / 2 + (number + 0.5) * step
        blocks.append(side("slat", (x - slat / 2, x + slat / 2), (y, y + thick), z, frame))
    if count % 2:
        blocks.append(span("slat", slat, (y, y + thick), z, frame))
    return lean(blocks, sizes.tilt, sizes.rear, sizes.top)


def _arms(dice: Dice, sizes: _Sizes, frame: str) -> list[Block]:
    """Arm rests on posts, or closed panels, outside the seat."""
    rest = sizes.top + dice.between(0.18, 0.25)
    wide = dice.between(0.035, 0.06)
    thick = dice.between(0.02, 0.035)
    x = (sizes.left - wide, sizes.left)
    front = sizes.front - dice.between(0.0, 0.08)
    # A leaning back moves away from the seat; the arm follows it.
    rear = sizes.rear - math.sin(sizes.tilt) * (rest - sizes.top)
    blocks = [side("arm", x, (rear, front), (rest - thick, rest), frame)]
    if dice.chance(0.25):
        blocks.append(side("arm panel", x, (rear, front), (sizes.seat, rest - thick), frame))
    else:
        post = min(wide, sizes.post)
        middle = sizes.left - post
        blocks.append(side("arm post", (middle, sizes.left), (front - post, front), (sizes.seat, rest - thick), frame))
    return blocks


def _swivel(dice: Dice) -> Design:
    """An office chair: five feet on the floor, a column, a padded seat and back."""
    sizes = _Sizes(dice, (0.40, 0.50))
    sizes.board = dice.between(0.06, 0.10)
    reach, bar, foot = dice.between(0.27, 0.33), dice.between(0.035, 0.05), dice.between(0.05, 0.08)
    column = dice.between(0.045, 0.07)
    blocks = [
        span("seat", sizes.width, (sizes.rear, sizes.front), (sizes.seat, sizes.top), CLOTH),
        span("column", column, (-column / 2, column / 2), (foot, sizes.seat), METAL),
        span("base", bar, (0.0, reach), (foot / 2, foot), METAL),
    ]
    # They begin inside the column, so that before they are turned, too, they lie on one side of the mirror plane.
    hub = column * 0.4
    for name, degrees in (("side base", 72.0), ("back base", 144.0)):
        angle, middle = math.radians(90.0 + degrees), (reach + hub) / 2
        centre = (middle * math.cos(angle), middle * math.sin(angle), foot * 0.75)
        blocks.append(turned(name, centre, (reach - hub, bar, foot / 2), 90.0 + degrees, METAL))
    height, thick = dice.between(0.40, 0.62), dice.between(0.05, 0.09)
    gap = dice.between(0.04, 0.14)
    width = sizes.width * dice.between(0.8, 1.0)
    spine = dice.between(0.06, 0.12)
    back = [
        span("back", width, (sizes.rear, sizes.rear + thick), (sizes.top + gap, sizes.top + height), CLOTH),
        span("back post", spine, (sizes.rear - 0.02, sizes.rear), (sizes.seat, sizes.top + height * 0.6), METAL),
    ]
    blocks += lean(back, sizes.tilt * 0.7, sizes.rear, sizes.top)
    words = []
    if dice.chance(0.6):
        rest, wide = sizes.top + dice.between(0.17, 0.24), dice.between(0.05, 0.08)
        x = (sizes.left - wide, sizes.left)
        blocks.append(side("arm", x, (-0.14, 0.12), (rest - 0.03, rest), CLOTH))
        blocks.append(side("arm post", (x[1] - 0.03, x[1]), (-0.04, 0.02), (sizes.seat, rest - 0.03), METAL))
        words.append("with arms")
    return Design("chair", "swivel", tuple(blocks), tuple(words))


def _lounge(dice: Dice) -> Design:
    """A deep armchair: cushion, closed or open sides, a leaning padded back, short legs."""
    width, depth = dice.between(0.52, 0.66), dice.between(0.58, 0.72)
    foot, box, cushion = dice.between(0.10, 0.20), dice.between(0.08, 0.14), dice.between(0.10, 0.16)
    front, rear, left = depth / 2, -depth / 2, -width / 2
    arm, rest = dice.between(0.06, 0.15), foot + box + cushion + dice.between(0.10, 0.18)
    thick, height = dice.between(0.10, 0.16), dice.between(0.38, 0.55)
    top = foot + box
    closed = dice.chance(0.6)
    made_of = CLOTH if closed else WOOD
    blocks = [
        span("frame", width, (rear, front), (foot, top), made_of),
        span("seat", width, (rear + thick, front), (top, top + cushion), CLOTH),
    ]
    blocks += lean(
        [span("back", width, (rear, rear + thick), (top, top + height), CLOTH)], dice.between(0.1, 0.3), rear, top
    )
    x = (left - arm, left)
    if closed:
        blocks.append(side("arm", x, (rear, front), (foot, rest), CLOTH))
    else:
        post = dice.between(0.035, 0.05)
        x = (left - 0.07, left)
        blocks.append(side("arm", x, (rear, front), (rest - 0.035, rest), WOOD))
        for name, y in (("front arm post", front - post - 0.02), ("back arm post", rear + 0.02)):
            blocks.append(side(name, (left - post, left), (y, y + post), (foot, rest - 0.035), WOOD))
    post = dice.between(0.03, 0.05)
    splay = dice.pick((0.0, 0.15))
    for name, y, sign in (("front leg", front - 0.08, 1), ("back leg", rear + 0.08, -1)):
        blocks.append(leg(name, (left + 0.05, y, foot), (post, post), WOOD, 0, sign * splay))
    return Design("chair", "lounge", tuple(blocks), ())

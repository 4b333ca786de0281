"""Shelves: boards between sides or posts, open or with a back, some with dividers or doors."""

from __future__ import annotations

from ..dice import Dice
from .blocks import METAL, WOOD, Block, leg, side, span
from .designs import Design

STYLES = {"bookcase": 3.0, "open": 2.0, "cube": 2.0, "ladder": 1.5, "cabinet": 1.5, "low": 1.5}
"""Styles and how often each occurs."""


def shelf(dice: Dice) -> Design:
    """A shelf that stands on the floor."""
    style = dice.weighted(STYLES)
    if style == "ladder":
        return _ladder(dice)
    if style == "open":
        return _open(dice)
    low = style == "low"
    width = dice.between(0.9, 1.5) if low else dice.between(0.55, 1.05)
    height = dice.between(0.6, 0.95) if low else dice.between(1.15, 2.0)
    if style == "cube":
        width = height * dice.between(0.55, 0.95)
    depth, board = dice.between(0.24, 0.38), dice.between(0.018, 0.032)
    y, inner = (-depth / 2, depth / 2), width - 2 * board
    foot = dice.pick((0.0, dice.between(0.04, 0.09)))
    blocks = [
        side("side", (-width / 2, -width / 2 + board), y, (0.0, height - board)),
        span("top board", width, y, (height - board, height)),
        span("bottom board", inner, y, (foot, foot + board)),
    ]
    if foot:
        blocks.append(span("base", inner, (y[0], y[1] - 0.02), (0.0, foot)))
    bays = (foot + board, height - board)
    words: list[str] = []
    if style == "cabinet":
        split = bays[0] + (bays[1] - bays[0]) * dice.between(0.3, 0.42)
        blocks.append(span("board", inner, y, (split, split + board)))
        door = (y[1], y[1] + 0.018)
        blocks.append(side("door", (-width / 2 + 0.006, -0.004), door, (bays[0] - board, split + board)))
        bays = (split + board, bays[1])
        words.append("with doors")
    count = 2 + dice.whole(2) if style == "cube" else dice.whole(2) + low if low else 2 + dice.whole(3)
    count -= style == "cabinet"
    blocks += _boards(count, inner, y, bays, board)
    if style == "cube" or (low and dice.chance(0.6)):
        blocks += _dividers(dice, inner, y, bays, board)
    if dice.chance(0.6):
        blocks.append(span("back", inner, (y[0] + 0.004, y[0] + 0.012), (foot + board, height - board)))
        words.append("with a back")
    return Design("shelf", style, tuple(blocks), tuple(words))


def _boards(count: int, width: float, y: tuple[float, float], z: tuple[float, float], board: float) -> list[Block]:
    """Boards that divide the height into equal bays."""
    step = (z[1] - z[0]) / (count + 1)
    places = [z[0] + step * (number + 1) for number in range(count)]
    return [span("board", width, y, (place - board / 2, place + board / 2)) for place in places]


def _dividers(dice: Dice, inner: float, y: tuple[float, float], z: tuple[float, float], board: float) -> list[Block]:
    """One upright board in the middle, or two that make three columns. The level boards go through them."""
    y = (y[0] + 0.006, y[1] - 0.006)
    if dice.chance(0.5):
        return [span("divider", board, y, z)]
    x = -inner / 6
    return [side("divider", (x - board / 2, x + board / 2), y, z)]


def _open(dice: Dice) -> Design:
    """Boards on four posts, without sides or back."""
    width, height, depth = dice.between(0.6, 1.1), dice.between(0.8, 1.9), dice.between(0.28, 0.42)
    frame = dice.pick((METAL, WOOD))
    post = dice.between(0.022, 0.032) if frame == METAL else dice.between(0.03, 0.045)
    board = dice.between(0.018, 0.035)
    left = -width / 2
    blocks = [
        side(name, (left, left + post), (y, y + post), (0.0, height), frame)
        for name, y in (("front post", depth / 2 - post), ("back post", -depth / 2))
    ]
    count = 3 + dice.whole(2) + (height > 1.3)
    first = dice.between(0.06, 0.2)
    step = (height - board - first) / (count - 1)
    for number in range(count):
        z = first + number * step
        name = "top board" if number == count - 1 else "bottom board" if number == 0 else "board"
        blocks.append(span(name, width - 2 * post, (-depth / 2, depth / 2), (z, z + board)))
    return Design("shelf", "open", tuple(blocks), ())


def _ladder(dice: Dice) -> Design:
    """Two leaning posts in front, two upright ones behind; boards grow towards the floor."""
    width, height = dice.between(0.55, 0.85), dice.between(1.3, 1.9)
    frame = dice.pick((WOOD, METAL))
    post, board = dice.between(0.025, 0.04), dice.between(0.018, 0.028)
    deep, shallow = dice.between(0.36, 0.48), dice.between(0.18, 0.24)
    angle = (deep - shallow) / height
    left, rear = -width / 2, -deep / 2
    head = (left + post / 2, rear + shallow - post / 2, height)
    blocks = [
        leg("front post", head, (post, post), frame, 0, angle),
        side("back post", (left, left + post), (rear, rear + post), (0.0, height), frame),
    ]
    count = 3 + dice.whole(3)
    for number in range(count):
        z = height * (0.12 + 0.84 * number / (count - 1)) - board
        reach = deep - z * angle - post * 0.5
        name = "top board" if number == count - 1 else "bottom board" if number == 0 else "board"
        blocks.append(span(name, width - 2 * post, (rear, rear + reach), (z, z + board)))
    return Design("shelf", "ladder", tuple(blocks), ())

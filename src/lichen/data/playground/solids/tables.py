"""Tables: a top on legs, panels, a trestle or a column."""

from __future__ import annotations

from ..dice import Dice
from .blocks import METAL, WOOD, Block, leg, side, span
from .designs import Design

STYLES = {
    "four-legged": 3.0,
    "farmhouse": 2.0,
    "splay-legged": 2.0,
    "trestle": 1.5,
    "pedestal": 1.5,
    "coffee": 2.5,
    "waterfall": 1.0,
    "side": 1.5,
}
"""Styles and how often each occurs."""

_SIZES = {
    "coffee": ((0.85, 1.25), (0.50, 0.70), (0.34, 0.46)),
    "side": ((0.40, 0.58), (0.38, 0.52), (0.50, 0.64)),
    "pedestal": ((0.70, 1.00), (0.70, 1.00), (0.70, 0.78)),
}
"""Width, depth and height by style, in metres."""
_USUAL = ((1.15, 1.90), (0.75, 0.95), (0.71, 0.78))


def table(dice: Dice) -> Design:
    """A table: dining, farmhouse, trestle, pedestal, coffee, side."""
    style = dice.weighted(STYLES)
    width, depth, height = (dice.between(*span) for span in _SIZES.get(style, _USUAL))
    board = dice.between(0.02, 0.055)
    under = height - board
    blocks = [span("top", width, (-depth / 2, depth / 2), (under, height))]
    words: list[str] = []
    if style == "pedestal":
        blocks += _pedestal(dice, width, depth, under)
    elif style == "trestle":
        blocks += _trestle(dice, width, depth, under)
    elif style == "waterfall":
        blocks.append(side("end panel", (-width / 2, -width / 2 + board), (-depth / 2, depth / 2), (0.0, under)))
        if dice.chance(0.4):
            z = under * dice.between(0.3, 0.5)
            blocks.append(span("shelf", width - 2 * board, (-depth / 2, depth / 2), (z, z + board * 0.8)))
            words.append("with a shelf")
    else:
        blocks += _legged(dice, style, width, depth, under, words)
    return Design("table", style, tuple(blocks), tuple(words))


def _legged(dice: Dice, style: str, width: float, depth: float, under: float, words: list[str]) -> list[Block]:
    """Four legs, and an apron or a shelf between them where the style has one."""
    frame = METAL if style in ("coffee", "side", "four-legged") and dice.chance(0.35) else WOOD
    thick = dice.between(0.025, 0.04) if frame == METAL else dice.between(0.045, 0.085)
    inset = dice.between(0.0, 0.09) * (width > 0.8)
    x, y = -width / 2 + inset + thick / 2, depth / 2 - inset - thick / 2
    if style == "splay-legged":
        angle = dice.between(0.1, 0.28)
        axis = dice.whole(2)
        x, y = x + 0.06 * (axis == 1), y - 0.06 * (axis == 0)
        signs = (1, -1) if axis == 0 else (1, 1)
        return [
            leg(name, (x, place, under), (thick, thick), frame, axis, sign * angle)
            for (name, place), sign in zip((("front leg", y), ("back leg", -y)), signs, strict=True)
        ]
    blocks = [
        leg(name, (x, place, under), (thick, thick), frame) for name, place in (("front leg", y), ("back leg", -y))
    ]
    if style == "farmhouse" or dice.chance(0.3):
        tall, thin = dice.between(0.06, 0.12), 0.02
        inner = 2 * abs(x) - thick
        for name, place in (("front apron", y), ("back apron", -y)):
            blocks.append(span(name, inner, (place - thin / 2, place + thin / 2), (under - tall, under), frame))
        blocks.append(
            side(
                "side apron",
                (x - thin / 2, x + thin / 2),
                (-y + thick / 2, y - thick / 2),
                (under - tall, under),
                frame,
            )
        )
    if style in ("coffee", "side") and dice.chance(0.5):
        z, board = under * dice.between(0.22, 0.4), dice.between(0.015, 0.03)
        blocks.append(span("shelf", 2 * abs(x), (-y, y), (z, z + board)))
        words.append("with a shelf")
    return blocks


def _pedestal(dice: Dice, width: float, depth: float, under: float) -> list[Block]:
    """A column on a plate or on crossed feet."""
    made_of = dice.pick((WOOD, METAL))
    column, foot = dice.between(0.06, 0.14), dice.between(0.03, 0.06)
    blocks = [span("column", column, (-column / 2, column / 2), (foot, under), made_of)]
    if dice.chance(0.5):
        edge = min(width, depth) * dice.between(0.5, 0.65)
        return [*blocks, span("base", edge, (-edge / 2, edge / 2), (0.0, foot), made_of)]
    bar = dice.between(0.05, 0.09)
    long, deep = width * dice.between(0.65, 0.85), depth * dice.between(0.65, 0.85)
    # One bar is whole, the other one is cut where they cross.
    blocks.append(span("base", bar, (-deep / 2, deep / 2), (0.0, foot), made_of))
    blocks.append(side("cross base", (-long / 2, -bar / 2), (-bar / 2, bar / 2), (0.0, foot), made_of))
    return blocks


def _trestle(dice: Dice, width: float, depth: float, under: float) -> list[Block]:
    """A post and a foot at either end, or two legs that stand apart, and a bar between the ends."""
    inset, thick = dice.between(0.15, 0.28), dice.between(0.06, 0.10)
    x = -width / 2 + inset
    bar = dice.between(0.05, 0.09)
    z = under * dice.between(0.25, 0.5)
    if dice.chance(0.5):
        deep, tall = depth * dice.between(0.65, 0.85), dice.between(0.05, 0.08)
        sides = (x - thick / 2, x + thick / 2)
        post = dice.between(0.08, 0.16)
        return [
            span("rail", 2 * abs(x) - thick, (-0.02, 0.02), (z, z + bar)),
            side("foot", sides, (-deep / 2, deep / 2), (0.0, tall)),
            side("end panel", sides, (-post / 2, post / 2), (tall, under)),
        ]
    angle = dice.between(0.18, 0.34)
    y = 0.05 + (under - z) * angle
    blocks = [
        span("rail", 2 * abs(x) - 0.04, (-0.02, 0.02), (z - 0.03, z - 0.03 + bar)),
        side("side rail", (x - 0.02, x + 0.02), (-y, y), (z - 0.03, z + 0.01)),
    ]
    for name, sign in (("front leg", 1), ("back leg", -1)):
        blocks.append(leg(name, (x, sign * 0.05, under), (thick, thick * 0.7), WOOD, 0, sign * angle))
    return blocks

"""Desks: a top with drawers, panels or legs under it, some with a shelf above."""

from __future__ import annotations

from ..dice import Dice
from .blocks import METAL, WOOD, Block, leg, side, span
from .designs import Design

STYLES = {"writing": 3.0, "double-pedestal": 2.5, "panel-end": 2.0, "hutch": 2.0, "trestle-leg": 1.5}
"""Styles and how often each occurs."""


def desk(dice: Dice) -> Design:
    """A desk; whoever works at it sits at its front."""
    style = dice.weighted(STYLES)
    width, depth = dice.between(1.05, 1.70), dice.between(0.55, 0.80)
    height, board = dice.between(0.71, 0.77), dice.between(0.022, 0.045)
    under, front, rear = height - board, depth / 2, -depth / 2
    blocks = [span("top", width, (rear, front), (under, height))]
    words: list[str] = []
    if style == "double-pedestal" or (style == "hutch" and dice.chance(0.5)):
        blocks += _pedestals(dice, width, (rear + 0.03, front - 0.03), under, words)
    elif style in ("panel-end", "hutch"):
        inset = dice.between(0.0, 0.05)
        x = -width / 2 + inset
        blocks.append(side("end panel", (x, x + board), (rear + 0.02, front - 0.02), (0.0, under)))
        z = under * dice.between(0.1, 0.5)
        blocks.append(span("modesty panel", 2 * abs(x) - 2 * board, (rear + 0.04, rear + 0.06), (z, under)))
        if dice.chance(0.4):
            words.append("with drawers")
            blocks += _drawers(dice, 2 * abs(x) - 2 * board, front, under)
    else:
        blocks += _legs(dice, style, width, (rear, front), under, words)
    if style == "hutch":
        blocks += _hutch(dice, width, rear, height)
        words.append("with a shelf above")
    elif dice.chance(0.25):
        tall = dice.between(0.10, 0.16)
        blocks.append(side("shelf side", (-width / 2, -width / 2 + 0.02), (rear, rear + 0.2), (height, height + tall)))
        blocks.append(span("riser", width, (rear, rear + 0.2), (height + tall, height + tall + 0.02)))
    return Design("desk", style, tuple(blocks), tuple(words))


def _pedestals(dice: Dice, width: float, y: tuple[float, float], under: float, words: list[str]) -> list[Block]:
    """A chest of drawers under either end, its fronts standing out a little."""
    wide, foot = dice.between(0.32, 0.42), dice.between(0.02, 0.08)
    x = -width / 2 + dice.between(0.0, 0.04)
    blocks = [side("pedestal", (x, x + wide), y, (foot, under))]
    count = 2 + dice.whole(3)
    step = (under - foot) / count
    for number in range(count):
        z = foot + number * step
        face = (y[1], y[1] + 0.018)
        blocks.append(side("drawer", (x + 0.02, x + wide - 0.02), face, (z + 0.012, z + step - 0.012)))
    blocks.append(span("modesty panel", -2 * (x + wide), (y[0], y[0] + 0.02), (under * 0.4, under)))
    words.append("with drawers")
    return blocks


def _drawers(dice: Dice, inner: float, front: float, under: float) -> list[Block]:
    """Shallow drawers under the top: one wide, or one on either side."""
    tall, deep = dice.between(0.08, 0.12), dice.between(0.25, 0.4)
    y, z = (front - deep, front - 0.02), (under - tall, under)
    if dice.chance(0.5):
        return [span("drawer", inner * dice.between(0.5, 0.98), y, z)]
    return [side("drawer", (-inner / 2, -0.008), y, z)]


def _legs(dice: Dice, style: str, width: float, y: tuple[float, float], under: float, words: list[str]) -> list[Block]:
    """Four legs; writing desks have drawers between them, trestle legs stand apart."""
    rear, front = y
    frame = METAL if dice.chance(0.4) else WOOD
    thick = dice.between(0.028, 0.042) if frame == METAL else dice.between(0.04, 0.06)
    x = -width / 2 + dice.between(0.01, 0.08) + thick / 2
    if style == "trestle-leg":
        angle = dice.between(0.12, 0.22)
        middle, z = (rear + front) / 2, under * dice.between(0.2, 0.35)
        blocks = [
            leg(name, (x + 0.05, middle + sign * 0.07, under), (thick, thick), frame, 0, sign * angle)
            for name, sign in (("front leg", 1), ("back leg", -1))
        ]
        reach = 0.07 + (under - z) * angle
        rail = side("side rail", (x + 0.04, x + 0.06), (middle - reach, middle + reach), (z, z + 0.035), frame)
        return [*blocks, rail]
    blocks = [
        leg(name, (x, place, under), (thick, thick), frame)
        for name, place in (("front leg", front - thick / 2 - 0.02), ("back leg", rear + thick / 2 + 0.02))
    ]
    inner = 2 * abs(x) - thick
    if dice.chance(0.7):
        blocks += _drawers(dice, inner, front, under)
        words.append("with drawers")
    else:
        blocks.append(span("modesty panel", inner, (rear + 0.02, rear + 0.04), (under * 0.6, under), frame))
    if dice.chance(0.3):
        z = under * dice.between(0.12, 0.3)
        blocks.append(span("rail", inner, (rear + 0.03, rear + 0.055), (z, z + 0.03), frame))
    return blocks


def _hutch(dice: Dice, width: float, rear: float, height: float) -> list[Block]:
    """A shelf on the rear half of the top, with a back or without."""
    deep, tall, board = dice.between(0.2, 0.28), dice.between(0.32, 0.6), 0.022
    y, top = (rear, rear + deep), height + tall
    blocks = [
        side("shelf side", (-width / 2, -width / 2 + board), y, (height, top)),
        span("upper shelf", width, y, (top, top + board)),
    ]
    middle = height + tall * dice.between(0.4, 0.6)
    blocks.append(span("shelf", width - 2 * board, y, (middle, middle + board)))
    if dice.chance(0.6):
        blocks.append(span("back panel", width - 2 * board, (rear, rear + 0.015), (height, top)))
    return blocks

"""Sofas: an upholstered box with arms, a back, and cushions on it or not."""

from __future__ import annotations

import math

from ..dice import Dice
from .blocks import CLOTH, METAL, WOOD, Block, lean, leg, side, span
from .designs import Design

STYLES = {"track-arm": 3.0, "slipper": 1.0, "box": 2.0, "flared-arm": 1.5, "frame": 1.5, "loveseat": 2.0}
"""Styles and how often each occurs."""


def sofa(dice: Dice) -> Design:
    """A sofa for two or three."""
    style = dice.weighted(STYLES)
    seats = 2 if style == "loveseat" else dice.pick((2, 3, 3))
    inner = seats * dice.between(0.52, 0.66)
    depth = dice.between(0.78, 0.98)
    foot = 0.0 if style == "box" and dice.chance(0.5) else dice.between(0.06, 0.17)
    box, cushion = dice.between(0.12, 0.22), dice.between(0.11, 0.18)
    front, rear, top = depth / 2, -depth / 2, foot + box
    thick = dice.between(0.12, 0.2)
    tall = dice.between(0.40, 0.58)
    frame = style == "frame"
    blocks = [span("base", inner, (rear, front), (foot, top), WOOD if frame else CLOTH)]
    blocks += _cushions(dice, seats, inner, (rear + thick, front), (top, top + cushion))
    blocks += _back(dice, seats, inner, (rear, rear + thick), (top, top + tall), cushion)
    if style != "slipper":
        blocks += _arms(dice, style, inner, (rear, front), foot, top + cushion)
    if foot:
        post = dice.between(0.035, 0.07)
        x = -inner / 2 + (0.06 if style == "slipper" else 0.0)
        made_of = dice.pick((WOOD, METAL))
        splay = dice.pick((0.0, 0.0, 0.2))
        for name, y, sign in (("front leg", front - 0.09, 1), ("back leg", rear + 0.09, -1)):
            blocks.append(leg(name, (x, y, foot), (post, post), made_of, 0, sign * splay))
    words = () if style == "loveseat" else (f"with {'two' if seats == 2 else 'three'} seats",)
    return Design("sofa", style, tuple(blocks), words)


def _cushions(dice: Dice, seats: int, inner: float, y: tuple[float, float], z: tuple[float, float]) -> list[Block]:
    """One long cushion, or one a seat with a seam between them."""
    if dice.chance(0.25):
        return [span("seat", inner, y, z, CLOTH)]
    seam, width = 0.012, inner / seats
    lip = (y[0], y[1] + dice.between(0.0, 0.03))
    if seats == 2:
        return [side("seat cushion", (-width, -seam / 2), lip, z, CLOTH)]
    return [
        span("seat cushion", width - seam, lip, z, CLOTH),
        side("seat cushion", (-inner / 2, -width / 2 - seam / 2), lip, z, CLOTH),
    ]


def _back(
    dice: Dice, seats: int, inner: float, y: tuple[float, float], z: tuple[float, float], cushion: float
) -> list[Block]:
    """An upholstered board, with loose cushions leaning on it in some."""
    blocks = [span("back", inner, y, z, CLOTH)]
    if seats == 2 and dice.chance(0.6):
        width, thick = inner / 2, dice.between(0.10, 0.16)
        low = z[0] + cushion
        loose = side(
            "back cushion", (-width, -0.008), (y[1], y[1] + thick), (low, low + dice.between(0.30, 0.40)), CLOTH
        )
        blocks += lean([loose], dice.between(0.08, 0.2), y[1], low)
    elif dice.chance(0.5):
        blocks = lean(blocks, dice.between(0.05, 0.18), y[0], z[0])
    return blocks


def _arms(dice: Dice, style: str, inner: float, y: tuple[float, float], foot: float, seat: float) -> list[Block]:
    """Arms outside the seat: a box, a box that leans outwards, or a wooden frame."""
    left, rest = -inner / 2, seat + dice.between(0.10, 0.22)
    wide = dice.between(0.09, 0.2)
    if style == "frame":
        post = dice.between(0.04, 0.06)
        return [
            side("arm", (left - 0.08, left), y, (rest - 0.04, rest), WOOD),
            side("front leg", (left - post, left), (y[1] - post, y[1]), (0.0, rest - 0.04), WOOD),
            side("back leg", (left - post, left), (y[0], y[0] + post), (0.0, rest - 0.04), WOOD),
        ]
    if style == "flared-arm":
        # Its foot stays at the seat, its upper edge moves out.
        angle = -dice.between(0.10, 0.22)
        x = left - wide / 2 + math.sin(angle) * (rest - foot) + 0.01
        return [leg("arm", (x, 0.0, rest), (wide, y[1] - y[0]), CLOTH, 1, angle, foot)]
    return [side("arm", (left - wide, left), y, (foot, rest), CLOTH)]

"""Beds: a mattress on a frame, a headboard, pillows; some with a footboard or four posts."""

from __future__ import annotations

from ..dice import Dice
from .blocks import CLOTH, LINEN, METAL, PILLOW, WOOD, Block, lean, leg, side, span
from .designs import Design

STYLES = {"platform": 3.0, "panel": 2.5, "slatted": 2.0, "upholstered": 2.0, "four-poster": 1.5, "storage": 1.5}
"""Styles and how often each occurs."""


def bed(dice: Dice) -> Design:
    """A bed for one or two."""
    style = dice.weighted(STYLES)
    double = dice.chance(0.65)
    width = dice.between(1.40, 1.90) if double else dice.between(0.90, 1.10)
    length = dice.between(1.95, 2.10)
    foot = 0.0 if style == "storage" else dice.between(0.08, 0.26)
    tall = dice.between(0.22, 0.34) if style == "storage" else dice.between(0.06, 0.2)
    front, rear, top = length / 2, -length / 2, foot + tall
    mattress = dice.between(0.16, 0.28)
    made_of = CLOTH if style == "upholstered" else METAL if style == "four-poster" and dice.chance(0.4) else WOOD
    margin = dice.between(0.0, 0.06)
    blocks = [
        span("frame", width, (rear, front), (foot, top), made_of),
        span("mattress", width - 2 * margin, (rear + 0.01, front - margin), (top, top + mattress), LINEN),
    ]
    blocks += _pillows(dice, double, width - 2 * margin, rear, top + mattress)
    high = top + mattress + dice.between(0.25, 0.65)
    blocks += _headboard(dice, style, width, rear, high, made_of)
    if style in ("panel", "slatted") and dice.chance(0.6):
        end = top + mattress * dice.between(0.3, 1.3)
        blocks.append(span("footboard", width, (front, front + 0.04), (0.0, end), made_of))
    if style == "four-poster":
        blocks += _posts(dice, width, (rear, front), made_of)
    elif foot:
        post = dice.between(0.05, 0.09)
        x, inset = -width / 2 + post / 2, dice.between(0.0, 0.12)
        for name, y in (("front leg", front - post / 2 - inset), ("back leg", rear + post / 2 + inset)):
            blocks.append(leg(name, (x, y, foot), (post, post), dice.pick((WOOD, METAL))))
    if style == "storage":
        end, gap = dice.between(0.02, 0.05), 0.02
        face = (-width / 2 - 0.02, -width / 2)
        blocks.append(side("drawer", face, (rear + end, -gap), (0.04, tall - 0.03), made_of))
        blocks.append(side("drawer", face, (gap, front - end), (0.04, tall - 0.03), made_of))
    return Design("bed", style, tuple(blocks), ("for two",) if double else ("for one",))


def _pillows(dice: Dice, double: bool, width: float, rear: float, top: float) -> list[Block]:
    """One pillow in the middle, or one on either side; flat, or leaning on the headboard."""
    deep, thick = dice.between(0.38, 0.46), dice.between(0.09, 0.14)
    angle = dice.pick((0.0, dice.between(0.25, 0.7)))
    y, z = (rear + 0.06, rear + 0.06 + deep), (top, top + thick)
    if double:
        edge = width * dice.between(0.36, 0.43)
        x = -width / 4
        block = side("pillow", (x - edge / 2, x + edge / 2), y, z, PILLOW)
    else:
        block = span("pillow", width * dice.between(0.6, 0.75), y, z, PILLOW)
    # Turned about its front lower edge, the rear end comes up.
    return lean([block], -angle, y[1], z[0])


def _headboard(dice: Dice, style: str, width: float, rear: float, high: float, made_of: str) -> list[Block]:
    """A board behind the pillows, or posts with rails or slats."""
    thick = dice.between(0.08, 0.13) if style == "upholstered" else dice.between(0.03, 0.05)
    y = (rear - thick, rear)
    if style == "four-poster":
        return [span("headboard", width, y, (0.25, high), made_of)]
    if style != "slatted":
        wide = width + dice.pick((0.0, 0.0, dice.between(0.1, 0.5)))
        return [span("headboard", wide, y, (0.0, high), made_of)]
    post, rail = dice.between(0.04, 0.07), dice.between(0.05, 0.1)
    blocks = [side("headboard post", (-width / 2, -width / 2 + post), y, (0.0, high), made_of)]
    inner, thin = width - 2 * post, (rear - thick * 0.7, rear - thick * 0.2)
    if dice.chance(0.5):
        for number in range(2 + dice.whole(2)):
            z = high - number * (rail + 0.09)
            blocks.append(span("headboard rail", inner, thin, (z - rail, z), made_of))
        return blocks
    blocks.append(span("headboard rail", inner, thin, (high - rail, high), made_of))
    count = 4 + 2 * dice.whole(3)
    step = inner / count
    for number in range(count // 2):
        x = -inner / 2 + (number + 0.5) * step
        slat = step * 0.22
        blocks.append(side("headboard slat", (x - slat, x + slat), thin, (0.3, high - rail), made_of))
    return blocks


def _posts(dice: Dice, width: float, y: tuple[float, float], made_of: str) -> list[Block]:
    """Four tall posts, joined at the top or not."""
    post, tall = dice.between(0.05, 0.08), dice.between(1.5, 2.0)
    left, (rear, front) = -width / 2, y
    x = (left - post, left)
    blocks = [
        side("front post", x, (front - post, front), (0.0, tall), made_of),
        side("back post", x, (rear - post, rear), (0.0, tall), made_of),
    ]
    if dice.chance(0.6):
        z = (tall, tall + post * 0.8)
        blocks.append(side("side canopy rail", x, (rear - post, front), z, made_of))
        blocks.append(span("canopy rail", width, (front - post, front), z, made_of))
        blocks.append(span("canopy rail", width, (rear - post, rear), z, made_of))
    return blocks

"""Drawing a planned clip: frames, and who is seen where in each of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, UInt8
from PIL import Image

from ....scene import Box
from ..dice import Dice
from ..drawing.backgrounds import INDOORS, draw_background, draw_plain
from ..drawing.canvas import PARTS, Canvas, Pen
from .config import ClipConfig
from .planning import Plan, Role

HIDDEN = 0.12
"""An entity of which a smaller share of its pixels in the frame can be seen is out of sight there."""
SMALLEST = 3.0
"""So is one with fewer pixels."""


@dataclass(frozen=True, eq=False)
class Film:
    """A drawn clip."""

    frames: UInt8[np.ndarray, "frames height width 3"]
    owners: UInt8[np.ndarray, "frames height width"]
    """Number of the entity that is seen at every pixel's middle, from 1; 0 is the background."""
    boxes: tuple[tuple[Box | None, ...], ...]
    """By entity and frame: its extent within the frame, also behind others; None where it is out of sight."""
    visible: Float64[np.ndarray, "entities frames"]
    """Share of its pixels within the frame that nothing hides; 0 where it has none."""


def shoot(plan: Plan, config: ClipConfig, dice: Dice) -> Film:
    """Draw all frames.

    Args:
        plan: what happens.
        config: size and detail.
        dice: of the background.
    """
    size, fine = config.size, config.detail
    # In whole drawn pixels, so that what stands is drawn alike in every frame.
    steps = np.rint((plan.camera - plan.camera.min()) * size * fine).astype(int).tolist()
    backdrop_canvas = Canvas(size + math.ceil(max(steps) / fine), size, fine)
    backdrop = (draw_background if plan.drawn else draw_plain)(backdrop_canvas, plan.place, dice)
    count = len(plan.members)
    frames, owners, boxes, visible = [], [], [], np.zeros((count, len(steps)))
    for time, step in enumerate(steps):
        canvas = Canvas(size, size, fine)
        canvas.image.paste(backdrop_canvas.image.crop((step, 0, step + size * fine, size * fine)))
        origin = step / fine + float(plan.camera.min()) * size
        own, extents = _draw(canvas, plan, time, origin, backdrop.horizon, backdrop.shadow)
        parts = canvas.parts()
        tally = np.bincount(parts.ravel(), minlength=PARTS * (count + 1))
        seen = tally[PARTS : PARTS * (count + 1)].reshape(count, PARTS).sum(axis=1)
        visible[:, time] = seen / np.maximum(own, 1)
        found = seen >= np.maximum(HIDDEN * own, SMALLEST * fine * fine)
        boxes.append([extents.get(entity) if found[entity] else None for entity in range(count)])
        owners.append(parts[fine // 2 :: fine, fine // 2 :: fine] // PARTS)
        frames.append(canvas.finish(parts))
    return Film(np.stack(frames), np.stack(owners), tuple(zip(*boxes, strict=True)), visible)


def _draw(
    canvas: Canvas, plan: Plan, time: int, origin: float, horizon: float, shadow: tuple[int, int, int]
) -> tuple[Float64[np.ndarray, " entities"], dict[int, Box]]:
    """Draw one frame, far things first.

    Returns:
        The drawn pixels that every entity has in the frame before others cover it, and its extent within the frame;
        an entity outside has none.
    """
    size, indoors = canvas.height, plan.place in INDOORS
    placed = []
    for role in plan.roles:
        scale = float(role.way.scale(plan.grown)[time]) * size
        y = float(role.way.ground(horizon)[time]) * size
        placed.append((y, float(role.way.x[time]) * size - origin, scale, role))
    # Of two at one depth, the later one in the plan stands before.
    placed.sort(key=lambda item: item[0])
    for y, x, scale, role in placed:
        _shadow(Pen(canvas, x, y, scale, role.way.facing[time]), role, time, shadow, indoors)
    own, extents = np.zeros(len(plan.members)), dict[int, Box]()
    for y, x, scale, role in placed:
        raised = y - float(role.way.lift[time]) * scale
        numbers = range(role.first, role.first + len(role.mover.members))
        pens = [Pen(canvas, x, raised, scale, role.way.facing[time], entity=number + 1) for number in numbers]
        role.mover.draw(pens, role.way.moments[time])
        owners = canvas.image.getchannel("X")
        histogram = owners.histogram()
        for number in numbers:
            own[number] = sum(histogram[PARTS * (number + 1) : PARTS * (number + 2)])
            box = _box(canvas, owners, number + 1)
            if box is not None:
                extents[number] = box
    return own, extents


def _shadow(pen: Pen, role: Role, time: int, colour: tuple[int, int, int], indoors: bool) -> None:
    """A flat shadow on the ground, smaller for what is high above it."""
    left, right = role.mover.shadow or (role.mover.left, role.mover.right)
    near = 1.0 / (1.0 + 1.2 * float(role.way.lift[time]))
    wide = ((right - left) * 0.46 + 0.03) * near
    pen.oval((left + right) / 2, 0.0, wide, (0.035 if indoors else 0.045) * near, colour)


def _box(canvas: Canvas, owners: Image.Image, entity: int) -> Box | None:
    """Extent of an entity within the frame, in pixels; None where it lies outside.

    Args:
        canvas: that it was drawn on.
        owners: the canvas's map of parts while nothing nearer covers the entity.
        entity: its number, from 1.
    """
    fine = canvas.supersample
    left, top, right, bottom = canvas.extents[entity]
    if left < 0 or top < 0 or right >= owners.width or bottom >= owners.height:
        # What is cut off does not count: a trunk outside says nothing of the branches that are left.
        inside = owners.point([PARTS * entity <= part < PARTS * (entity + 1) for part in range(256)]).getbbox()
        if inside is None:
            return None
        left, top, right, bottom = inside
    else:
        right, bottom = right + 1, bottom + 1
    return left / fine, top / fine, right / fine, bottom / fine

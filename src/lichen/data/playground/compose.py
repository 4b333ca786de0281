"""From (seed, index) to a picture and to all that is known of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import UInt8

from .cast import Member
from .dice import Dice
from .drawing.backgrounds import INDOORS, draw_background
from .drawing.canvas import PARTS, Canvas
from .layout import Placed, place
from .planning import Plan, plan
from .spatial import spatial_relations
from .world import UNSEEN

Box = tuple[float, float, float, float]
HIDDEN = 0.7
"""An entity of which more is hidden is in the picture but not in the Scene."""
SMALLEST = 0.0011
"""Nor is one that covers a smaller share of the picture."""
READABLE = 0.98
"""Share of a word's box that must be free of other things."""


@dataclass
class Shown:
    """One entity that can be seen."""

    member: Member
    box: Box
    """Of its visible extent, in pixels."""
    full: Box
    """Of its whole extent, also behind others and outside the picture."""
    hidden: float
    """Share of it that others hide."""
    placed: Placed


@dataclass
class Drawn:
    """A picture with its entities and what they do."""

    pixels: UInt8[np.ndarray, "height width 3"]
    background: str
    shown: list[Shown]
    relations: list[tuple[int, str, int]]
    """Numbers of `shown`."""
    events: list[int]
    """Places in `relations` of what was staged, the main event first."""
    words: list[tuple[int, str, list[tuple[float, float]]]] = field(default_factory=list)
    """Number of the sign, the word, its corners."""
    dropped: list[str] = field(default_factory=list)
    """Classes of entities that are too hidden or too small."""


def draw(seed: int, index: int, unseen: bool, width: int, height: int, supersample: int | None = None) -> Drawn:
    """Make one picture. Only its resolution depends on its size; its aspect ratio changes the layout.

    Args:
        seed: of the world.
        index: of the picture.
        unseen: whether its main event is one of the pairs that are never trained on.
        width, height: in pixels.
        supersample: drawn pixels to an edge of a finished one.
    """
    drawn = _draw(seed, index, unseen, width, height, supersample, crowded=True)
    if unseen and not any((p, drawn.shown[o].member.label) in UNSEEN for _, p, o in drawn.relations):
        # Others hide what the picture is for; without them it is seen.
        drawn = _draw(seed, index, unseen, width, height, supersample, crowded=False)
    return drawn


def _draw(
    seed: int, index: int, unseen: bool, width: int, height: int, supersample: int | None, crowded: bool
) -> Drawn:
    dice = Dice(seed, index)
    planned = plan(dice, unseen)
    if not crowded:
        del planned.groups[1:]
    canvas = Canvas(width, height, supersample)
    backdrop = draw_background(canvas, planned.background, Dice(seed, index, 1))
    placed = place(planned, dice, backdrop.horizon, width / height)
    _shadows(canvas, placed, backdrop.shadow, planned.background in INDOORS)
    counts = _draw_groups(canvas, placed)
    return _read(canvas, planned, placed, counts)


def _shadows(canvas: Canvas, placed: list[Placed], colour: tuple[int, int, int], indoors: bool) -> None:
    for item in placed:
        pen = item.pen(canvas)
        left, right = item.group.shadow or (item.group.left, item.group.right)
        pen.oval((left + right) / 2, 0.0, (right - left) * 0.46 + 0.03, 0.035 if indoors else 0.045, colour)


def _draw_groups(canvas: Canvas, placed: list[Placed]) -> dict[int, int]:
    """Draw from far to near; gives the pixels of every entity as its own group left them."""
    counts: dict[int, int] = {}
    number = 0
    for item in placed:
        pens = [item.pen(canvas, number + k + 1) for k in range(len(item.group.members))]
        item.first = number
        number += len(pens)
        item.group.draw(pens)
        for pen in pens:
            counts[pen.entity] = 0
        left, top, right, bottom = _reach(canvas, [pen.entity for pen in pens])
        if right > left and bottom > top:
            region = canvas.image.crop((left, top, right, bottom)).getchannel("X").histogram()
            for pen in pens:
                counts[pen.entity] = sum(region[PARTS * pen.entity : PARTS * (pen.entity + 1)])
    return counts


def _reach(canvas: Canvas, entities: list[int]) -> tuple[int, int, int, int]:
    """Bounds of entities in drawn pixels, inside the picture."""
    known = [canvas.extents[entity] for entity in entities if entity in canvas.extents]
    width, height = canvas.image.size
    return (
        max(0, min(k[0] for k in known)),
        max(0, min(k[1] for k in known)),
        min(width, max(k[2] for k in known) + 1),
        min(height, max(k[3] for k in known) + 1),
    )


def _read(canvas: Canvas, planned: Plan, placed: list[Placed], counts: dict[int, int]) -> Drawn:
    parts = canvas.parts()
    owners = parts // PARTS
    ss = canvas.supersample
    smallest = SMALLEST * parts.size
    shown: list[Shown] = []
    numbers: dict[int, int] = {}
    dropped: list[str] = []
    for item in placed:
        for k, member in enumerate(item.group.members):
            entity = item.first + k + 1
            left, top, right, bottom = _reach(canvas, [entity])
            mask = owners[top:bottom, left:right] == entity
            columns, rows = mask.any(0), mask.any(1)
            seen = int(np.count_nonzero(mask))
            hidden = 1.0 - seen / max(1, counts[entity])
            if seen < smallest or hidden > HIDDEN:
                dropped.append(member.label)
                continue
            box = (
                left + int(columns.argmax()),
                top + int(rows.argmax()),
                right - int(columns[::-1].argmax()),
                bottom - int(rows[::-1].argmax()),
            )
            full = canvas.extents[entity]
            numbers[entity] = len(shown)
            shown.append(
                Shown(
                    member,
                    (box[0] / ss, box[1] / ss, box[2] / ss, box[3] / ss),
                    (full[0] / ss, full[1] / ss, (full[2] + 1) / ss, (full[3] + 1) / ss),
                    hidden,
                    item,
                )
            )
    result = Drawn(canvas.finish(parts), planned.background, shown, [], [], dropped=dropped)
    _relate(result, placed, numbers)
    _read_signs(result, placed, numbers, owners, ss)
    return result


def _relate(drawn: Drawn, placed: list[Placed], numbers: dict[int, int]) -> None:
    for item in sorted(placed, key=lambda item: item.order):
        for k, (subject, predicate, thing) in enumerate(item.group.relations):
            ends = numbers.get(item.first + subject + 1), numbers.get(item.first + thing + 1)
            if ends[0] is not None and ends[1] is not None:
                if k == 0 and predicate != "wearing":
                    drawn.events.append(len(drawn.relations))
                drawn.relations.append((ends[0], predicate, ends[1]))
    drawn.relations += spatial_relations(drawn.shown)


def _read_signs(
    drawn: Drawn, placed: list[Placed], numbers: dict[int, int], owners: UInt8[np.ndarray, "rows columns"], ss: int
) -> None:
    """Note the words that can be read whole: inside the picture, and nothing before them."""
    height, width = owners.shape
    for item in placed:
        signs = [k for k, member in enumerate(item.group.members) if member.word is not None]
        for k, corners in zip(signs, item.group.written, strict=False):
            entity, word = item.first + k + 1, item.group.members[k].word
            left, top = int(corners[0][0] * ss), int(corners[0][1] * ss)
            right, bottom = int(corners[2][0] * ss) + 1, int(corners[2][1] * ss) + 1
            inside = left >= 0 and top >= 0 and right <= width and bottom <= height
            if entity in numbers and word and inside:
                clear = np.count_nonzero(owners[top:bottom, left:right] == entity)
                if clear >= READABLE * (right - left) * (bottom - top):
                    drawn.words.append((numbers[entity], word, corners))

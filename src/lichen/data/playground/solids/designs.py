"""`Design`: what a builder hands over, a half model in metres; part names and their classes."""

from __future__ import annotations

from dataclasses import dataclass

from ....errors import InputError, nearest, pick
from .blocks import Block

PARTS: dict[str, dict[str, tuple[str, ...]]] = {
    "chair": {
        "seat": ("seat",),
        "back": ("back", "back post", "back rail", "crest rail", "slat"),
        "leg": ("front leg", "back leg"),
        "arm": ("arm", "arm post", "arm panel", "front arm post", "back arm post"),
        "rail": ("rail", "side rail", "frame"),
        "base": ("base", "side base", "back base", "column", "runner"),
    },
    "table": {
        "top": ("top",),
        "leg": ("front leg", "back leg", "end panel"),
        "rail": ("rail", "side rail", "front apron", "back apron", "side apron"),
        "base": ("base", "cross base", "column", "foot"),
        "shelf": ("shelf",),
    },
    "sofa": {
        "seat": ("seat", "seat cushion"),
        "back": ("back", "back cushion"),
        "arm": ("arm",),
        "base": ("base",),
        "leg": ("front leg", "back leg"),
    },
    "bed": {
        "mattress": ("mattress",),
        "headboard": ("headboard", "headboard post", "headboard rail", "headboard slat"),
        "footboard": ("footboard",),
        "frame": ("frame", "side rail", "canopy rail", "side canopy rail", "drawer"),
        "leg": ("front leg", "back leg", "front post", "back post"),
        "pillow": ("pillow",),
    },
    "desk": {
        "top": ("top",),
        "leg": ("front leg", "back leg", "end panel"),
        "drawer": ("drawer", "pedestal"),
        "panel": ("modesty panel", "back panel"),
        "rail": ("rail", "side rail"),
        "shelf": ("shelf", "upper shelf", "shelf side", "riser"),
    },
    "shelf": {
        "side": ("side",),
        "post": ("front post", "back post"),
        "board": ("board", "top board", "bottom board"),
        "back": ("back",),
        "divider": ("divider",),
        "base": ("base", "door", "foot"),
    },
}
"""Kinds of furniture; the classes that a network tells their parts apart by; the names of parts in each class."""

KINDS = tuple(PARTS)

_CLASSES = {
    kind: {name: number for number, names in enumerate(classes.values()) for name in names}
    for kind, classes in PARTS.items()
}


@dataclass(frozen=True)
class Design:
    """One piece of furniture as a builder made it."""

    kind: str
    """Such as "chair"."""
    style: str
    """Such as "ladder-back"."""
    blocks: tuple[Block, ...]
    """The half model: blocks on the left and blocks across the mirror plane."""
    words: tuple[str, ...] = ()
    """What a caption may add: "with arms"."""


def part_class(kind: str, part: str) -> int:
    """Number of a part's class among those of its kind.

    Args:
        kind: such as "chair".
        part: its name in the scene, such as "left front leg"; the side does not matter.

    Returns:
        Its place in `PARTS[kind]`.

    Raises:
        InputError: no such kind, or no such part of it.
    """
    classes = _CLASSES[pick("kind of furniture", kind, KINDS)]
    name = part.removeprefix("left ").removeprefix("right ")
    if name not in classes:
        raise InputError(f"A {kind} has no part {part!r}. {nearest(name, classes)}")
    return classes[name]

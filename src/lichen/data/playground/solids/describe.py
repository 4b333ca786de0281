"""Captions of objects, such as "An oak ladder-back chair with arms, upholstered in navy, seen from the front left."""

from __future__ import annotations

from collections.abc import Mapping

from .blocks import CLOTH, METAL, WOOD
from .furniture import Furniture
from .materials import Material

_NAMES = {
    ("chair", "padded"): "padded chair",
    ("chair", "bar"): "bar chair",
    ("chair", "lounge"): "lounge chair",
    ("chair", "cantilever"): "cantilever chair",
    ("chair", "swivel"): "swivel chair",
    ("table", "coffee"): "coffee table",
    ("table", "side"): "side table",
    ("sofa", "loveseat"): "loveseat",
    ("sofa", "slipper"): "armless sofa",
    ("sofa", "frame"): "wooden-frame sofa",
    ("bed", "slatted"): "slatted-headboard bed",
    ("shelf", "bookcase"): "bookcase",
    ("shelf", "open"): "open shelf",
    ("desk", "hutch"): "desk",
}
"""Words where style and kind, one after the other, are not how one says it."""
_SIDES = (
    (20.0, "the front"),
    (70.0, "the front {side}"),
    (110.0, "the {side}"),
    (160.0, "the back {side}"),
    (180.0, "the back"),
)


_SOFT = {("chair", "swivel"), ("bed", "upholstered")}
"""Named for their cloth although they have a frame."""


def describe(furniture: Furniture, finish: Mapping[str, Material], azimuth: float, drawing: bool) -> str:
    """A sentence about an object in one view.

    Args:
        furniture: the object.
        finish: the material of everything that it is made of.
        azimuth: of the camera, degrees from the front towards the object's right.
        drawing: whether the picture is a line drawing, in which materials cannot be seen.
    """
    key, made_of = (furniture.kind, furniture.style), set(furniture.made_of)
    # "with drawers", "with a shelf": one "with" is enough.
    words = " ".join(furniture.words).replace(" with ", " and ")
    text = " ".join([_NAMES.get(key, f"{furniture.style} {furniture.kind}"), *filter(None, [words])])
    if drawing:
        return f"A line drawing of {_a(text)}, seen from {view_from(azimuth)}."
    soft = furniture.kind == "sofa" or key in _SOFT
    main = WOOD if WOOD in made_of and not soft else CLOTH if CLOTH in made_of else METAL
    text = _a(f"{finish[main].name} {text}")
    if main != CLOTH and CLOTH in made_of:
        text += f", upholstered in {finish[CLOTH].name}"
    if main != METAL and METAL in made_of:
        text += f", on {finish[METAL].name}"
    return f"{text[0].upper()}{text[1:]}, seen from {view_from(azimuth)}."


def _a(text: str) -> str:
    return f"{'an' if text[0] in 'aeiou' else 'a'} {text}"


def view_from(azimuth: float) -> str:
    """The side that a camera sees, in words; left and right are the object's own."""
    turn = (azimuth + 180.0) % 360.0 - 180.0
    words = next(words for most, words in _SIDES if abs(turn) <= most)
    return words.format(side="right" if turn > 0 else "left")

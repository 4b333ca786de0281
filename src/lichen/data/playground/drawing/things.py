"""`THINGS`: every object class in the form in which it stands, lies or floats by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from . import furniture, held, outdoors, vehicles, worn
from .canvas import Pen
from .colours import Look
from .held import GRIP, HELD, Draw


@dataclass(frozen=True)
class Thing:
    """An object by itself."""

    draw: Draw
    """From the ground below its middle."""
    reach: float
    """Half its width."""
    height: float
    colours: tuple[str, ...]
    """Which it comes in."""
    patterned: bool = False
    """Whether it may be striped or spotted."""
    floats: float = 0.0
    """Height of its lowest point above the ground, when by itself."""


_GAY = ("red", "orange", "yellow", "green", "blue", "purple", "pink")
_ALL = (*_GAY, "white", "black", "grey", "brown")
_STURDY = ("brown", "red", "green", "blue", "grey", "white", "black")


def _resting(label: str, turn: float = 0.0, up: float = 0.0) -> Draw:
    """The held form, its grip at the height at which it rests."""

    def draw(pen: Pen, look: Look) -> None:
        HELD[label](pen.at((0.0, GRIP[label] + up), turn=turn), look)

    return draw


def _book(pen: Pen, look: Look) -> None:
    held.book(pen.at((0.0, 0.07)), look)


def _racket(pen: Pen, look: Look) -> None:
    held.racket(pen.at((-0.22, 0.07), turn=-1.1), look)


THINGS: Mapping[str, Thing] = {
    "umbrella": Thing(_resting("umbrella"), 0.37, 0.86, _ALL[:9], True),
    "balloon": Thing(_resting("balloon"), 0.15, 0.76, _GAY, True),
    "kite": Thing(lambda pen, look: held.kite(pen.at((-0.33, 0.0)), look), 0.3, 0.85, _GAY, True, 0.55),
    "ball": Thing(_resting("ball"), 0.11, 0.21, _ALL[:8], True),
    "cup": Thing(_resting("cup"), 0.08, 0.15, _ALL[:8], True),
    "book": Thing(_book, 0.13, 0.21, _ALL),
    "phone": Thing(_resting("phone"), 0.05, 0.17, ("black", "white", "red", "pink", "blue")),
    "guitar": Thing(_resting("guitar", turn=0.75), 0.15, 0.6, ("brown", "red", "orange", "black", "blue")),
    "racket": Thing(_racket, 0.26, 0.3, _GAY),
    "flag": Thing(_resting("flag"), 0.3, 0.7, _ALL[:9], True),
    "flower": Thing(_resting("flower"), 0.11, 0.34, ("red", "yellow", "pink", "purple", "white", "orange", "blue")),
    "ice cream": Thing(_resting("ice cream"), 0.08, 0.27, ("pink", "white", "brown", "green", "yellow")),
    "box": Thing(_resting("box"), 0.2, 0.31, ("brown", "brown", "brown", *_GAY, "white"), True),
    "basket": Thing(_resting("basket"), 0.16, 0.29, ("brown", "orange", "white", "green", "blue")),
    "suitcase": Thing(_resting("suitcase"), 0.17, 0.3, _ALL, True),
    "hat": Thing(worn.hat_down, 0.18, 0.17, _ALL, True),
    "backpack": Thing(worn.backpack_down, 0.14, 0.32, _ALL, True),
    "bicycle": Thing(vehicles.bicycle, 0.47, 0.6, _ALL[:9]),
    "skateboard": Thing(vehicles.skateboard, 0.3, 0.14, _ALL, True),
    "surfboard": Thing(vehicles.surfboard_up, 0.13, 0.95, _ALL[:8], True),
    "sled": Thing(vehicles.sled, 0.36, 0.2, ("red", "brown", "blue", "green", "yellow"), True),
    "cart": Thing(vehicles.cart, 0.44, 0.6, ("brown", "red", "green", "blue", "yellow"), True),
    "car": Thing(vehicles.car, 0.58, 0.58, _ALL[:10], True),
    "chair": Thing(furniture.chair, 0.2, 0.68, _STURDY, True),
    "bench": Thing(furniture.bench, 0.5, 0.53, _STURDY),
    "sofa": Thing(furniture.sofa, 0.57, 0.56, _ALL, True),
    "table": Thing(furniture.table, 0.46, 0.47, _STURDY),
    "lamp": Thing(furniture.lamp, 0.17, 0.95, _ALL[:8], True),
    "tv": Thing(furniture.tv, 0.34, 0.62, ("black", "grey", "white")),
    "tree": Thing(outdoors.tree, 0.57, 1.5, ("green", "green", "green", "green", "orange", "red", "yellow", "pink")),
    "sign": Thing(outdoors.sign, 0.34, 0.8, ("white", "yellow", "red", "blue", "green", "orange")),
}
"""By class. Scarves and glasses are only ever worn."""

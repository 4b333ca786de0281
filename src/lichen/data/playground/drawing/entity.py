"""`draw_entity`: one person, animal or object by itself, in any pose."""

from __future__ import annotations

import math

from ....errors import pick
from .animals import BEASTS, Animal, Bird
from .canvas import Pen
from .colours import HAIR, SKIN, Look
from .people import BUILDS, Person
from .things import THINGS


def draw_entity(pen: Pen, label: str, look: Look, pose: str = "stand", phase: float = 1.0) -> None:
    """Draw an entity at the origin of a pen: its ground below the middle, facing the pen's way.

    Args:
        pen: where, how large (its scale is the height of a grown-up in pixels) and for which entity number.
        label: a person, an animal or an object (`BUILDS`, `BEASTS`, "bird", `THINGS`).
        look: its colours, from `colours.paint`; of a person, those of the shirt or dress.
        pose: "stand", "walk", "run" or, for dogs, cats and the like, "sit"; "fly" for a bird. Objects have none.
        phase: of the step or the beat of the wings, -1 to 1: a walk is phase = cos(2π·time/period).

    Raises:
        InputError: an unknown class or pose.
    """
    pick("class", label, [*BUILDS, *BEASTS, "bird", *THINGS])
    pick("pose", pose, ("stand", "walk", "run", "sit", "fly"))
    if label in BUILDS:
        person = Person(label, look, SKIN[1], HAIR[1], (58, 66, 104), (58, 44, 40))
        if pose in ("walk", "run"):
            reach = (0.14 if pose == "walk" else 0.2) * phase
            lift = 0.03 * math.sqrt(max(0.0, 1.0 - phase * phase))
            person = person.posed(
                near_foot=(reach, lift), far_foot=(-reach, 0.0), lean=0.05 if pose == "walk" else 0.16
            )
        person.draw(pen.at((0.0, 0.0), scale=person.build.height))
    elif label == "bird":
        Bird(look, flying=pose == "fly", phase=phase).draw(pen)
    elif label in BEASTS:
        Animal(label, look, "stand" if pose == "fly" else pose, phase=phase).draw(pen)
    else:
        THINGS[label].draw(pen, look)

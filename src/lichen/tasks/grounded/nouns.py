"""Which class of a detector a phrase speaks of, by its words alone: for captions whose phrases nobody tied to boxes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_ALSO: Mapping[str, str] = {
    "person": "people man men woman women boy boys girl girls child children kid kids baby guy lady skier surfer "
    "snowboarder skateboarder player batter pitcher catcher rider cyclist crowd couple family worker officer",
    "bicycle": "bike bikes",
    "motorcycle": "motorbike motorbikes",
    "airplane": "plane planes aeroplane jet jets airliner",
    "couch": "sofa sofas",
    "tv": "television televisions",
    "cell phone": "phone phones cellphone",
    "potted plant": "plant plants",
    "dining table": "table tables",
    "sports ball": "ball balls",
    "donut": "doughnut doughnuts",
    "refrigerator": "fridge",
    "cow": "cattle bull",
    "dog": "puppy puppies",
    "cat": "kitten kittens",
    "bus": "buses",
    "knife": "knives",
    "sheep": "lamb lambs",
    "teddy bear": "teddy teddies",
    "traffic light": "stoplight stoplights",
}
"""Words that people use for classes of COCO, beside their names."""


def noun_table(classes: Iterable[str]) -> dict[str, str]:
    """Class by every name that people use for it, singular and plural, in lower case; its own name goes first."""
    names = list(classes)
    found = {name.lower(): name for name in reversed(names)}
    for name in names:
        low = name.lower()
        for word in (f"{low}s", f"{low}es", *_ALSO.get(low, "").split()):
            found.setdefault(word, name)
    return found


def class_named(phrase: str, table: Mapping[str, str]) -> str | None:
    """The class whose name ends a phrase ("two small dogs"), the longest name first; None where there is none.

    Args:
        phrase: in any case.
        table: see `noun_table`.
    """
    words = re.findall(r"[\w'-]+", phrase.lower())
    for count in (3, 2, 1):
        name = table.get(" ".join(words[-count:]))
        if name is not None and len(words) >= count:
            return name
    return None

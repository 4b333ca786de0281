"""How a subject and an object stand together so that what one does to the other can be seen: one function a predicate.

Lengths are in heights of a grown-up; subjects face to the right of their group's frame.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..cast import Group
from ..dice import Dice
from .alone import alone
from .ground import jumping_over, looking_at, on, pulling, pushing, under
from .hands import carrying, holding, kicking, throwing
from .seats import riding, sitting_on
from .stage import Stage

STAGES: Mapping[str, Callable[[Stage], Group]] = {
    "holding": holding,
    "carrying": carrying,
    "riding": riding,
    "sitting on": sitting_on,
    "on": on,
    "looking at": looking_at,
    "under": under,
    "pulling": pulling,
    "pushing": pushing,
    "kicking": kicking,
    "throwing": throwing,
    "jumping over": jumping_over,
}
"""By predicate."""


def stage(subject: str, predicate: str, thing: str, dice: Dice) -> Group:
    """A group in which the subject does this to the object."""
    return STAGES[predicate](Stage(subject, predicate, thing, dice))


__all__ = ["STAGES", "alone", "stage"]

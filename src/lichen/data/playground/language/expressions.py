"""Referring expressions: the shortest words of several kinds that fit one entity and no other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..dice import Dice
from ..world import SPATIAL
from .names import PARTICIPLE, article, noun, phrase
from .view import View

EXPRESSIONS = 3
"""At most as many entities of a picture are referred to."""
_MARGIN = 0.1
"""By how much of the picture's width one must be farther left or right than all others."""


@dataclass(frozen=True)
class Description:
    """What an expression says; it fits every entity of which all of it is true."""

    label: str
    attributes: tuple[str, ...] = ()
    relation: tuple[str, str, tuple[str, ...]] | None = None
    """Predicate, and class and attributes of the object."""
    position: str | None = None
    """left, right or middle, among all of the class."""


def fits(view: View, entity: int, said: Description) -> bool:
    """Whether a description is true of an entity."""
    if view.labels[entity] != said.label or not set(said.attributes) <= set(view.attributes[entity]):
        return False
    if said.relation is not None:
        predicate, label, attributes = said.relation
        if not any(
            p == predicate and view.labels[o] == label and set(attributes) <= set(view.attributes[o])
            for p, o in view.does[entity]
        ):
            return False
    return said.position is None or position(view, entity) == said.position


def fitting(view: View, said: Description) -> list[int]:
    """All entities that a description is true of."""
    return [entity for entity in range(len(view)) if fits(view, entity, said)]


def position(view: View, entity: int) -> str | None:
    """Where an entity stands among those of its class, if clearly; two are left and right, three have a middle."""
    peers = [other for other, label in enumerate(view.labels) if label == view.labels[entity] and other != entity]
    if not peers:
        return None
    x, margin = view.middle(entity)[0], _MARGIN * view.width
    others = [view.middle(other)[0] for other in peers]
    if all(x < other - margin for other in others):
        return "left"
    if all(x > other + margin for other in others):
        return "right"
    if len(peers) == 2 and min(others) < x - margin and x + margin < max(others):
        return "middle"
    return None


def candidates(view: View, entity: int) -> Iterator[Description]:
    """Descriptions that are true of an entity, from plain to long."""
    label, attributes = view.labels[entity], view.attributes[entity]
    yield Description(label)
    for word in attributes:
        yield Description(label, (word,))
    if len(attributes) > 1:
        yield Description(label, tuple(attributes))
    for predicate, thing in view.does[entity]:
        if predicate not in SPATIAL[1:]:
            yield Description(label, relation=(predicate, view.labels[thing], ()))
            if view.attributes[thing]:
                yield Description(label, relation=(predicate, view.labels[thing], view.attributes[thing][:1]))
    place = position(view, entity)
    if place:
        yield Description(label, position=place)


def worded(said: Description, dice: Dice | None = None) -> str:
    """A description in words; without dice in the plainest."""
    text = f"the {phrase(said.label, said.attributes, noun(said.label, dice), dice)}"
    if said.relation is not None:
        predicate, label, attributes = said.relation
        forms = PARTICIPLE[predicate]
        text += f" {forms[0] if dice is None else dice.pick(forms)} "
        text += article(phrase(label, attributes, noun(label, dice), dice))
    if said.position is not None:
        text += {"left": " on the left", "right": " on the right", "middle": " in the middle"}[said.position]
    return text


def singled_out(view: View, entity: int) -> list[Description]:
    """All candidates that fit this entity alone."""
    if view.labels[entity] in view.unsure:
        return []
    return [said for said in candidates(view, entity) if fitting(view, said) == [entity]]


def expressions(view: View, dice: Dice) -> list[tuple[str, int]]:
    """Expressions for up to `EXPRESSIONS` entities, those with a double first: they are the hard ones."""
    order = dice.order(range(len(view)))
    order.sort(key=lambda entity: view.counts[view.labels[entity]] == 1)
    result: list[tuple[str, int]] = []
    for entity in order:
        if len(result) == EXPRESSIONS:
            break
        found = singled_out(view, entity)
        if not found:
            continue
        # A class that occurs once is mostly named with more than is needed, as people do.
        said = dice.pick(found[1:]) if len(found) > 1 and dice.chance(0.7) else found[0]
        result.append((worded(said, dice), entity))
    return result


def definite(view: View, entity: int) -> str | None:
    """The shortest expression for an entity without relations; None where there is none."""
    return next((worded(said) for said in singled_out(view, entity) if said.relation is None), None)


__all__: Sequence[str] = (
    "Description",
    "definite",
    "expressions",
    "fits",
    "fitting",
    "position",
    "singled_out",
    "worded",
)

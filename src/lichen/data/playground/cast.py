"""`Member`, `Group` and `Actor`: who takes part in what, before anything has a place in the picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .dice import Dice
from .drawing.animals import COATS, Animal, Bird
from .drawing.canvas import Colour, Pen, Point
from .drawing.colours import HAIR, NAMED, SKIN, Look, paint
from .drawing.held import HELD
from .drawing.people import Person
from .drawing.things import THINGS
from .drawing.worn import BEHIND, WORN

_TROUSERS: tuple[Colour, ...] = ((58, 66, 104), (92, 82, 70), (70, 72, 80), (120, 100, 76), (86, 60, 60), (64, 88, 84))
_SHOES: tuple[Colour, ...] = ((58, 44, 40), (40, 40, 46), (200, 200, 200), (150, 60, 50))
_CLOTHES = tuple(NAMED)


@dataclass
class Member:
    """One entity of a group."""

    label: str
    look: Look
    size: str | None = None
    """"small", "large" or None."""
    stands: bool = True
    """Whether it has a place of its own on the ground, from which its spatial relations follow."""
    word: str | None = None
    """What is written on it."""
    face: str = "plain"
    """Of the letters."""

    @property
    def attributes(self) -> tuple[str, ...]:
        """The words for it."""
        return self.look.attributes + ((self.size,) if self.size else ())


@dataclass
class Group:
    """Entities that belong together and are drawn as one, around an origin on the ground."""

    members: list[Member]
    relations: list[tuple[int, str, int]]
    draw: Callable[[Sequence[Pen]], None]
    """Takes one pen a member, all at the origin."""
    left: float
    right: float
    """How far it reaches behind and before the origin, in heights of a grown-up."""
    height: float
    place: str | None = None
    """The only background on which it makes sense."""
    written: list[list[Point]] = field(default_factory=list)
    """Filled while drawing: the corners of its word in the picture."""
    shadow: tuple[float, float] | None = None
    """From where to where its shadow falls; None: all its width."""


def clothed(label: str, dice: Dice, taken: Sequence[str] = ()) -> Person:
    """A person of a kind with colours of its own; colours `taken` by others of the kind are avoided."""
    free = [name for name in _CLOTHES if name not in taken] or list(_CLOTHES)
    roll = dice.unit()
    look = paint(dice.pick(free), dice, "striped" if roll < 0.16 else "spotted" if roll < 0.24 else None)
    hair = dice.pick(HAIR[:5] if label in ("boy", "girl") else HAIR)
    return Person(label, look, dice.pick(SKIN), hair, dice.pick(_TROUSERS), dice.pick(_SHOES))


def coat(label: str, dice: Dice) -> Look:
    """The look of an animal."""
    share = {"cow": 0.6, "dog": 0.3, "horse": 0.2, "cat": 0.1}.get(label, 0.0)
    pattern = "spotted" if dice.chance(share) else "striped" if label == "cat" and dice.chance(0.4) else None
    return paint(dice.weighted(COATS[label]), dice, pattern)


def surface(label: str, dice: Dice) -> Look:
    """The look of an object."""
    if label == "scarf" or label == "glasses":
        return paint(dice.pick(_CLOTHES[:9]), dice, dice.pick((None, None, "striped")) if label == "scarf" else None)
    thing = THINGS[label]
    roll = dice.unit()
    pattern = ("striped" if roll < 0.22 else "spotted" if roll < 0.36 else None) if thing.patterned else None
    if label in ("skateboard", "car") and pattern == "spotted":
        pattern = None
    return paint(dice.pick(thing.colours), dice, pattern)


def look_of(label: str, dice: Dice) -> Look:
    """The look of an animal or object."""
    return coat(label, dice) if label in COATS else surface(label, dice)


@dataclass
class Actor:
    """A person of a group with all that is worn and held, drawn in the order that hides what should be hidden."""

    person: Person
    member: int = 0
    origin: Point = (0.0, 0.0)
    """Of the ground below, in the frame of the group."""
    worn: list[tuple[int, str, Look]] = field(default_factory=list)
    """Member, class, look."""
    held: list[tuple[int, str, Look, float, float]] = field(default_factory=list)
    """Member, class, look, turn in radians, size against its own."""

    @property
    def height(self) -> float:
        """In heights of a grown-up."""
        return self.person.build.height

    def local(self, point: Point) -> Point:
        """A point of the group's frame in heights of the person."""
        return (point[0] - self.origin[0]) / self.height, (point[1] - self.origin[1]) / self.height

    def hand(self, near: bool = True) -> Point:
        """A hand, in the frame of the group."""
        x, y = self.person.hand(near)
        return self.origin[0] + x * self.height, self.origin[1] + y * self.height

    def pen(self, pens: Sequence[Pen], member: int | None = None) -> Pen:
        """The pen of the person, or of what is worn, in heights of the person."""
        return pens[self.member if member is None else member].at(self.origin, scale=self.height)

    def far(self, pens: Sequence[Pen]) -> None:
        """Whatever lies behind the trunk."""
        self.person.far(self.pen(pens))
        for member, label, look in self.worn:
            if label in BEHIND:
                WORN[label](self.pen(pens, member), look, self.person)

    def body(self, pens: Sequence[Pen], legs: bool = True) -> None:
        """Near leg, trunk, head and what is worn there."""
        if legs:
            self.person.legs(self.pen(pens))
        self.person.body(self.pen(pens))
        for member, label, look in self.worn:
            if label not in BEHIND:
                WORN[label](self.pen(pens, member), look, self.person)

    def near(self, pens: Sequence[Pen]) -> None:
        """What is held, and the hand that holds it."""
        for member, label, look, turn, size in self.held:
            HELD[label](pens[member].at(self.hand(), turn=turn, scale=size), look)
        self.person.near(self.pen(pens))

    def draw(self, pens: Sequence[Pen]) -> None:
        """All layers."""
        self.far(pens)
        self.body(pens)
        self.near(pens)


def draw_animal(label: str, look: Look, pen: Pen, pose: str = "stand", nod: float = 0.0, phase: float = 1.0) -> None:
    """Any animal, four-legged or bird."""
    if label == "bird":
        Bird(look, flying=pose == "fly", phase=phase).draw(pen)
    else:
        Animal(label, look, pose, nod, phase).draw(pen)

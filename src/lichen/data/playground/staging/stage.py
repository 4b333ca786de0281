"""`Stage`: what every staging begins with, the two members, their looks and the actor; and how large things are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..cast import Actor, Group, Member, clothed, draw_animal, look_of
from ..dice import Dice
from ..drawing.animals import BEASTS, COATS
from ..drawing.canvas import Pen, Point
from ..drawing.colours import NAMED, Look
from ..drawing.letters import FACES, width_of, write
from ..drawing.outdoors import sign
from ..drawing.people import BUILDS
from ..drawing.things import THINGS
from ..habits import WEARING
from ..words import WORDS

LETTER = 0.17
"""Height of the letters on a sign."""


def extent(label: str) -> tuple[float, float]:
    """Half the width and the height of a class by itself, in heights of a grown-up."""
    if label in BUILDS:
        return 0.16 * BUILDS[label].height, BUILDS[label].height
    if label in THINGS:
        return THINGS[label].reach, THINGS[label].height
    if label == "bird":
        return 0.28, 0.36
    beast = BEASTS[label]
    return beast.length / 2 + beast.neck[0] + beast.head[0], beast.leg + beast.depth + beast.neck[1]


def dress(actor: Actor, members: list[Member], relations: list[tuple[int, str, int]], dice: Dice) -> None:
    """Let a person wear something, often."""
    wishes = dict(WEARING[actor.person.kind])
    if any(label == "umbrella" for _, label, *_ in actor.held):
        wishes.pop("hat", None)
    for share in (0.66, 0.3):
        if not dice.chance(share):
            return
        label = dice.weighted(wishes)
        del wishes[label]
        look = look_of(label, dice)
        members.append(Member(label, look, stands=False))
        actor.worn.append((len(members) - 1, label, look))
        relations.append((actor.member, "wearing", len(members) - 1))


def lettered(label: str, look: Look, dice: Dice) -> Member:
    """A member; a sign gets a word."""
    if label != "sign":
        return Member(label, look)
    return Member(label, look, word=dice.pick(WORDS), face=dice.pick(tuple(FACES)))


def draw_sign(pen: Pen, member: Member) -> list[Point]:
    """A sign as wide as its word, which is readable whichever way the sign faces; returns the word's corners."""
    face, word = FACES[member.face], member.word or ""
    half = max(0.24, width_of(word, face) * LETTER / 2 + 0.06)
    sign(pen, member.look, half)
    ink = NAMED["white"] if member.look.name in ("red", "blue", "green") else (40, 40, 60)
    return write(pen.readable(), word, face, (0.0, 0.65), LETTER, ink, member.look.main)


class Stage:
    """What every function below begins with: the two members, and the actor where the subject is a person."""

    def __init__(self, subject: str, predicate: str, thing: str, dice: Dice) -> None:
        self.dice = dice
        self.subject, self.thing = subject, thing
        self.is_person = subject in BUILDS
        self.look = look_of(thing, dice)
        self.written: list[list[Point]] = []
        self.members = [Member(subject, self.look), lettered(thing, self.look, dice)]
        self.relations = [(0, predicate, 1)]
        self.actor: Actor | None = None
        if self.is_person:
            person = clothed(subject, dice)
            self.actor = Actor(person)
            self.members[0] = Member(subject, person.look)
        else:
            self.members[0] = Member(subject, look_of(subject, dice))

    @property
    def person(self) -> Actor:
        """The subject as an actor."""
        if self.actor is None:
            raise ValueError(f"a {self.subject} is no person")
        return self.actor

    def pose(self, **changes: object) -> None:
        """Pose the person."""
        self.person.person = self.person.person.posed(**changes)

    def group(
        self, draw: Callable[[Sequence[Pen]], None], left: float, right: float, height: float, place: str | None = None
    ) -> Group:
        """Finish: people put on what they wear."""
        if self.actor is not None:
            dress(self.actor, self.members, self.relations, self.dice)
        return Group(self.members, self.relations, draw, left, right, height, place, self.written)

    def thing_at(self, pens: Sequence[Pen], point: Point = (0.0, 0.0), scale: float = 1.0, pose: str = "stand") -> None:
        """Draw the object by itself."""
        if self.thing in COATS:
            draw_animal(self.thing, self.look, pens[1].at(point, scale=scale), pose)
        elif self.thing == "sign":
            self.written[:] = [draw_sign(pens[1].at(point, scale=scale), self.members[1])]
        else:
            THINGS[self.thing].draw(pens[1].at(point, scale=scale), self.look)

    def animal_at(self, pens: Sequence[Pen], point: Point = (0.0, 0.0), pose: str = "stand", nod: float = 0.0) -> None:
        """Draw the subject, an animal."""
        draw_animal(self.subject, self.members[0].look, pens[0].at(point), pose, nod)


def stride(dice: Dice, reach: float = 0.13) -> dict[str, Point]:
    """Feet of a person who walks, the one or the other ahead."""
    return {"near_foot": (-reach, 0.0), "far_foot": (reach, 0.0)} if dice.chance(0.5) else {
        "near_foot": (reach, 0.0), "far_foot": (-reach, 0.0)}  # fmt: skip

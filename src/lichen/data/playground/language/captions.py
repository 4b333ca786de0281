"""Captions from a small grammar: several orders of words, synonyms, a span for every phrase that names something."""

from __future__ import annotations

from collections.abc import Sequence

from ..dice import Dice
from ..drawing.people import BUILDS
from .names import FINITE, NUMBERS, PARTICIPLE, PASSIVE, PLACES, VISTAS, article, described, noun, phrase, plural
from .view import View

Span = tuple[int, int, tuple[int, ...]]
"""First character, one past the last, entities."""
CAPTIONS = 5
"""Captions of one picture."""


class Sentence:
    """Text that grows, and what its phrases speak of."""

    def __init__(self) -> None:
        self.text = ""
        self.spans: list[Span] = []

    def say(self, words: str) -> Sentence:
        """Words that name nothing."""
        self.text += words if not self.text or words[0] in ",." else f" {words}"
        return self

    def name(self, words: str, *entities: int) -> Sentence:
        """Words that name entities."""
        self.say(words)
        self.spans.append((len(self.text) - len(words), len(self.text), entities))
        return self

    def end(self) -> tuple[str, list[Span]]:
        """The sentence with a capital and a full stop."""
        return f"{self.text[0].upper()}{self.text[1:]}.", self.spans


def captions(view: View, dice: Dice) -> list[tuple[str, list[Span]]]:
    """`CAPTIONS` different captions of a picture; fewer where it shows too little to say more."""
    found: dict[str, list[Span]] = {}
    events = list(view.events)
    spatial = [
        k for k, (_, predicate, _) in enumerate(view.relations) if predicate in ("next to", "behind", "in front of")
    ]
    for attempt in range(14):
        if len(found) == CAPTIONS:
            break
        sentence = Sentence()
        if attempt == 3 or not view.relations or (not events and attempt % 2):
            _inventory(view, sentence, dice)
        elif attempt == 2 and len(events) > 1:
            _two(view, sentence, dice, events[0], dice.pick(events[1:]))
        elif attempt in (4, 8) and spatial:
            _event(view, sentence, dice, dice.pick(spatial))
        elif events:
            _event(view, sentence, dice, events[0] if attempt < 2 else dice.pick(events))
        else:
            _event(view, sentence, dice, dice.whole(len(view.relations)))
        text, spans = sentence.end()
        found.setdefault(text, spans)
    return list(found.items())


def _subject(view: View, sentence: Sentence, dice: Dice, entity: int, skip: int | None = None) -> None:
    """A subject, sometimes with what it wears."""
    sentence.name(described(view, entity, dice, 0.75), entity)
    worn = [thing for predicate, thing in view.does[entity] if predicate == "wearing" and thing != skip]
    if worn and dice.chance(0.35):
        sentence.say(dice.pick(("wearing", "with")))
        sentence.name(described(view, worn[0], dice), worn[0])
        if len(worn) > 1 and dice.chance(0.5):
            sentence.say("and").name(described(view, worn[1], dice), worn[1])


def _event(view: View, sentence: Sentence, dice: Dice, relation: int) -> None:
    """One relation, in one of several orders."""
    subject, predicate, thing = view.relations[relation]
    place = dice.pick(PLACES[view.background]) if dice.chance(0.45) else ""
    roll = dice.unit()
    if place and roll < 0.25:
        sentence.say(place).say(",")
        place = ""
    form = dice.unit()
    if form < 0.16 and predicate in PASSIVE:
        sentence.name(described(view, thing, dice), thing)
        sentence.say("is" if dice.chance(0.5) else "is being").say(PASSIVE[predicate])
        _subject(view, sentence, dice, subject, thing)
    elif form < 0.32:
        sentence.say("there is")
        _subject(view, sentence, dice, subject, thing)
        sentence.say(dice.pick(PARTICIPLE[predicate])).name(described(view, thing, dice), thing)
    elif form < 0.6:
        _subject(view, sentence, dice, subject, thing)
        sentence.say(dice.pick(PARTICIPLE[predicate])).name(described(view, thing, dice), thing)
    else:
        _subject(view, sentence, dice, subject, thing)
        sentence.say(dice.pick(FINITE[predicate])).name(described(view, thing, dice), thing)
    others = [(p, o) for p, o in view.does[subject] if o != thing and p != "wearing"]
    if others and not (form < 0.16 and predicate in PASSIVE) and dice.chance(0.3):
        other, target = dice.pick(others)
        sentence.say("and is" if form >= 0.6 else "and").say(PARTICIPLE[other][0]).name(
            described(view, target, dice), target
        )
    if place:
        sentence.say(place)


def _two(view: View, sentence: Sentence, dice: Dice, first: int, second: int) -> None:
    """Two relations in one sentence."""
    place = dice.pick(PLACES[view.background]) if dice.chance(0.3) else ""
    for number, relation in enumerate((first, second)):
        subject, predicate, thing = view.relations[relation]
        if number:
            sentence.say(dice.pick(("while", "and")))
        sentence.name(described(view, subject, dice, 0.6), subject)
        sentence.say(dice.pick(FINITE[predicate])).name(described(view, thing, dice, 0.6), thing)
    if place:
        sentence.say(place)


def _inventory(view: View, sentence: Sentence, dice: Dice) -> None:
    """The place and what is there; several of a class are counted."""
    sentence.say(dice.pick(VISTAS[view.background]))
    worn = {thing for _, predicate, thing in view.relations if predicate == "wearing"}
    groups: dict[str, list[int]] = {}
    for entity, label in enumerate(view.labels):
        if entity not in worn:
            groups.setdefault(label, []).append(entity)
    listed = dice.order(sorted(groups, key=lambda label: label not in BUILDS)[:4])
    if not listed:
        return
    sentence.say("with")
    for number, label in enumerate(listed):
        if number:
            sentence.say("and") if number == len(listed) - 1 else sentence.say(",")
        members = groups[label]
        sentence.name(_several(view, members, dice), *members)


def _several(view: View, members: Sequence[int], dice: Dice) -> str:
    label = view.labels[members[0]]
    if len(members) > 1:
        return f"{NUMBERS[len(members)]} {plural(label)}"
    return article(phrase(label, view.attributes[members[0]] if dice.chance(0.3) else (), noun(label, dice), dice))

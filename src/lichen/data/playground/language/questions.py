"""Questions of eleven kinds with their answers; of those that ask for yes or no, three in five are answered yes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..dice import Dice
from ..drawing.colours import NAMED
from ..world import CLASSES, PEOPLE, PREDICATES, SPATIAL
from .expressions import definite
from .names import PARTICIPLE, article, noun, phrase, plural
from .view import View

QUESTIONS = 6
"""Questions of one picture, each of another kind."""
YES = 0.6
"""Share of yes among yes and no, as in VQA."""

Asked = tuple[str, str, tuple[int, ...]]
"""Question, answer, entities that the answer rests on."""
_CLOSE: Mapping[str, frozenset[str]] = {
    "holding": frozenset({"carrying", "pulling"}),
    "carrying": frozenset({"holding"}),
    "pulling": frozenset({"holding"}),
    "riding": frozenset({"sitting on", "on"}),
    "sitting on": frozenset({"on", "riding"}),
    "on": frozenset({"sitting on"}),
    "wearing": frozenset({"carrying"}),
}
"""Predicates that one might grant as well."""
_HABITATS: Mapping[str, str] = {"room": "living room", "hall": "gym", "snow": "snow", "night": "park at night"}


def exists(view: View, dice: Dice) -> Asked | None:
    """Is there a red ball?"""
    if dice.chance(YES):
        entity = dice.whole(len(view))
        words = tuple(word for word in view.attributes[entity] if dice.chance(0.5))
        same = [
            e
            for e in range(len(view))
            if view.labels[e] == view.labels[entity] and set(words) <= set(view.attributes[e])
        ]
        return _is_there(view.labels[entity], words, "yes", tuple(same), dice)
    if dice.chance(0.5):
        label, words = dice.pick(CLASSES), ()
        if label in view.counts or label in view.unsure:
            return None
        return _is_there(label, words, "no", (), dice)
    # A colour that is there on something else is the harder no.
    label, colour = dice.pick(list(view.counts)), dice.pick(tuple(NAMED))
    if label in view.unsure or any(colour in view.attributes[e] for e in range(len(view)) if view.labels[e] == label):
        return None
    return _is_there(label, (colour,), "no", (), dice)


def _is_there(label: str, words: tuple[str, ...], answer: str, entities: tuple[int, ...], dice: Dice) -> Asked:
    what = article(phrase(label, words, noun(label, dice)))
    return dice.pick(("Is there {}?", "Can you see {}?", "Is there {} in the picture?")).format(what), answer, entities


def count(view: View, dice: Dice) -> Asked | None:
    """How many dogs are there?"""
    label = dice.pick(list(view.counts)) if dice.chance(0.88) else dice.pick(CLASSES)
    if label in view.unsure:
        return None
    found = tuple(e for e in range(len(view)) if view.labels[e] == label)
    return (
        dice.pick(("How many {} are there?", "How many {} can you see?")).format(plural(label)),
        str(len(found)),
        found,
    )


def colour(view: View, dice: Dice) -> Asked | None:
    """What colour is the ball?"""
    entity = dice.whole(len(view))
    known = [word for word in view.attributes[entity] if word in NAMED]
    what = _unique(view, entity, NAMED)
    if not known or what is None:
        return None
    if view.labels[entity] in PEOPLE:
        return f"What colour is {what} dressed in?", known[0], (entity,)
    verb = "are" if view.labels[entity] == "glasses" else "is"
    return f"What colour {verb} {what}?", known[0], (entity,)


def _unique(view: View, entity: int, banned: Mapping[str, object] | tuple[str, ...] = ()) -> str | None:
    """ "the dog", "the man on the left": an expression that does not give the answer away."""
    what = definite(view, entity)
    return None if what is None or any(f" {word}" in what for word in banned) else what


def choose(view: View, dice: Dice) -> Asked | None:
    """Is the ball red or blue?"""
    entity = dice.whole(len(view))
    known = [word for word in view.attributes[entity] if word in NAMED]
    what = _unique(view, entity, NAMED)
    if not known or what is None or view.labels[entity] == "glasses":
        return None
    other = dice.pick([name for name in NAMED if name != known[0]])
    pair = (known[0], other) if dice.chance(0.5) else (other, known[0])
    verb = f"Is {what} dressed in" if view.labels[entity] in PEOPLE else f"Is {what}"
    return f"{verb} {pair[0]} or {pair[1]}?", known[0], (entity,)


def activity(view: View, dice: Dice) -> Asked | None:
    """What is the boy doing?"""
    if not view.events:
        return None
    subject, predicate, thing = view.relations[dice.pick(view.events)]
    what = _unique(view, subject)
    if what is None or predicate in ("on", "under"):
        return None
    return f"What is {what} doing?", f"{predicate} {article(noun(view.labels[thing]))}", (subject, thing)


def which(view: View, dice: Dice) -> Asked | None:
    """What is the boy riding?"""
    subject, predicate, thing = view.relations[dice.whole(len(view.relations))] if view.relations else (0, "", 0)
    if not predicate or predicate in SPATIAL:
        return None
    same = {view.labels[o] for p, o in view.does[subject] if p == predicate}
    what = _unique(view, subject)
    if what is None or len(same) > 1:
        return None
    if predicate == "under":
        return f"What is {what} under?", noun(view.labels[thing]), (subject, thing)
    return f"What is {what} {predicate}?", noun(view.labels[thing]), (subject, thing)


def who(view: View, dice: Dice) -> Asked | None:
    """Who is riding the horse?"""
    if not view.events:
        return None
    subject, predicate, thing = view.relations[dice.pick(view.events)]
    doers = {view.labels[s] for s, p, o in view.relations if p == predicate and view.labels[o] == view.labels[thing]}
    if len(doers) > 1:
        return None
    asks = "Who" if view.labels[subject] in PEOPLE else "What"
    object = (
        f"the {noun(view.labels[thing])}" if view.counts[view.labels[thing]] == 1 else article(noun(view.labels[thing]))
    )
    return f"{asks} is {predicate} {object}?", noun(view.labels[subject]), (subject, thing)


def where(view: View, dice: Dice) -> Asked | None:
    """Where was the picture taken?"""
    return (
        dice.pick(("Where was the picture taken?", "What place is this?", "Where is this?")),
        _HABITATS.get(view.background, view.background),
        (),
    )


def compare(view: View, dice: Dice) -> Asked | None:
    """Are there more dogs than cats?"""
    labels = [label for label in view.counts if label not in view.unsure]
    if len(labels) < 2:
        return None
    first, second = dice.order(labels)[:2]
    if view.counts[first] == view.counts[second]:
        return None
    if (view.counts[first] > view.counts[second]) is not dice.chance(YES):
        first, second = second, first
    answer = "yes" if view.counts[first] > view.counts[second] else "no"
    both = tuple(e for e in range(len(view)) if view.labels[e] in (first, second))
    return f"Are there more {plural(first)} than {plural(second)}?", answer, both


def relation(view: View, dice: Dice) -> Asked | None:
    """Is the boy riding the horse?"""
    if not view.relations:
        return None
    subject, predicate, thing = view.relations[dice.whole(len(view.relations))]
    first, second = _unique(view, subject), _unique(view, thing)
    if first is None or second is None:
        return None
    if dice.chance(YES):
        return f"Is {first} {PARTICIPLE[predicate][0]} {second}?", "yes", (subject, thing)
    between = {p for p, o in view.does[subject] if o == thing}
    doubtful = set().union(*(_CLOSE.get(p, ()) for p in between)) | between | {"looking at", *SPATIAL}
    other = dice.pick([p for p in PREDICATES if p not in doubtful])
    return f"Is {first} {PARTICIPLE[other][0]} {second}?", "no", (subject, thing)


def side(view: View, dice: Dice) -> Asked | None:
    """Is the dog to the left of the tree?"""
    if len(view) < 2:
        return None
    first, second = dice.order(range(len(view)))[:2]
    gap = view.middle(second)[0] - view.middle(first)[0]
    names = _unique(view, first), _unique(view, second)
    if None in names or abs(gap) < 0.12 * view.width:
        return None
    yes = dice.chance(YES)
    way = "left" if (gap > 0.0) is yes else "right"
    return f"Is {names[0]} to the {way} of {names[1]}?", "yes" if yes else "no", (first, second)


def written(view: View, dice: Dice) -> Asked | None:
    """What does the sign say?"""
    if len(view.words) != 1 or view.counts.get("sign") != 1:
        return None
    sign, word, _ = view.words[0]
    return dice.pick(("What does the sign say?", "What is written on the sign?")), word, (sign,)


KINDS: Mapping[str, Callable[[View, Dice], Asked | None]] = {
    "exists": exists,
    "count": count,
    "colour": colour,
    "activity": activity,
    "object": which,
    "subject": who,
    "place": where,
    "compare": compare,
    "choose": choose,
    "relation": relation,
    "side": side,
    "text": written,
}
"""By name; each gives None where the picture has nothing to ask for."""
_ALWAYS = ("text", "exists")


def questions(view: View, dice: Dice) -> list[tuple[str, Asked]]:
    """Up to `QUESTIONS` questions of different kinds."""
    if not len(view):
        return []
    order = [*_ALWAYS, *dice.order([kind for kind in KINDS if kind not in _ALWAYS])]
    result = []
    for kind in order:
        asked = KINDS[kind](view, dice) or (KINDS[kind](view, dice) if kind != "text" else None)
        if asked is not None:
            result.append((kind, asked))
        if len(result) == QUESTIONS:
            break
    return result

"""What things, doings and places are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from ....language.lexicon import article
from ..dice import Dice
from ..drawing.people import BUILDS
from .view import View

SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "man": ("man", "man", "guy", "gentleman"),
    "woman": ("woman", "woman", "lady"),
    "boy": ("boy", "boy", "little boy"),
    "girl": ("girl", "girl", "little girl"),
    "bicycle": ("bicycle", "bike"),
    "umbrella": ("umbrella", "umbrella", "parasol"),
    "phone": ("phone", "mobile phone", "smartphone"),
    "backpack": ("backpack", "rucksack"),
    "sofa": ("sofa", "couch"),
    "tv": ("TV", "television"),
    "car": ("car", "car", "automobile"),
    "ice cream": ("ice cream", "ice cream cone"),
    "cup": ("cup", "mug"),
    "box": ("box", "box", "crate"),
    "sled": ("sled", "sledge"),
    "racket": ("racket", "tennis racket"),
    "glasses": ("pair of glasses", "pair of sunglasses"),
    "suitcase": ("suitcase", "suitcase", "case"),
    "cart": ("cart", "wagon"),
    "lamp": ("lamp", "floor lamp"),
    "flower": ("flower", "flower", "blossom"),
}
"""Other classes have their own name alone."""
_PLURALS: Mapping[str, str] = {
    "man": "men",
    "woman": "women",
    "sheep": "sheep",
    "glasses": "pairs of glasses",
    "scarf": "scarves",
    "box": "boxes",
    "bench": "benches",
    "tv": "TVs",
}
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")

FINITE: Mapping[str, tuple[str, ...]] = {
    "wearing": ("is wearing", "wears"),
    "holding": ("is holding", "holds"),
    "next to": ("is next to", "is beside", "stands next to"),
    "behind": ("is behind", "stands behind"),
    "in front of": ("is in front of", "stands in front of"),
    "sitting on": ("is sitting on", "sits on"),
    "on": ("is on", "lies on"),
    "riding": ("is riding", "rides"),
    "looking at": ("is looking at", "looks at", "is watching"),
    "carrying": ("is carrying", "carries"),
    "under": ("is under", "is below"),
    "pulling": ("is pulling", "pulls"),
    "kicking": ("is kicking", "kicks"),
    "pushing": ("is pushing", "pushes"),
    "throwing": ("is throwing", "throws"),
    "jumping over": ("is jumping over", "jumps over"),
}
PARTICIPLE: Mapping[str, tuple[str, ...]] = {
    "wearing": ("wearing", "with"),
    "holding": ("holding", "with"),
    "next to": ("next to", "beside"),
    "behind": ("behind",),
    "in front of": ("in front of",),
    "sitting on": ("sitting on",),
    "on": ("on", "lying on"),
    "riding": ("riding",),
    "looking at": ("looking at", "watching"),
    "carrying": ("carrying",),
    "under": ("under", "below"),
    "pulling": ("pulling",),
    "kicking": ("kicking",),
    "pushing": ("pushing",),
    "throwing": ("throwing",),
    "jumping over": ("jumping over",),
}
PASSIVE: Mapping[str, str] = {
    "holding": "held by",
    "riding": "ridden by",
    "looking at": "watched by",
    "carrying": "carried by",
    "pulling": "pulled by",
    "kicking": "kicked by",
    "pushing": "pushed by",
    "throwing": "thrown by",
    "wearing": "worn by",
}
PLACES: Mapping[str, tuple[str, ...]] = {
    "meadow": ("on the grass", "in a meadow", "in the park"),
    "street": ("on the street", "in the street", "in town"),
    "room": ("indoors", "in a room", "in the living room"),
    "beach": ("on the beach", "by the sea"),
    "snow": ("in the snow", "on a snowy day"),
    "hall": ("in a gym", "in a sports hall"),
    "desert": ("in the desert",),
    "night": ("at night", "in a park at night"),
}
VISTAS: Mapping[str, tuple[str, ...]] = {
    "meadow": ("a meadow", "a green park"),
    "street": ("a street", "a street in town"),
    "room": ("a room", "a living room"),
    "beach": ("a beach", "a sandy beach"),
    "snow": ("a snowy field", "a winter landscape"),
    "hall": ("a gym", "a sports hall"),
    "desert": ("a desert", "a sandy desert"),
    "night": ("a park at night", "a dark park"),
}


def noun(label: str, dice: Dice | None = None) -> str:
    """A name for a class: a synonym by chance, or the plain one."""
    known = SYNONYMS.get(label)
    if known is None:
        return label
    return known[0] if dice is None else dice.pick(known)


@cache
def plural(label: str) -> str:
    """A name for several."""
    return _PLURALS.get(label) or label + "s"


def phrase(label: str, attributes: Sequence[str], name: str | None = None, dice: Dice | None = None) -> str:
    """A noun with attributes, without an article: "small striped ball", "girl in red"."""
    name = name or noun(label)
    if label in BUILDS:
        colour = next((word for word in attributes if word not in ("striped", "spotted")), None)
        pattern = next((word for word in attributes if word in ("striped", "spotted")), None)
        garment = "dress" if BUILDS[label].dress else "shirt"
        if pattern:
            return f"{name} in a {pattern} {colour + ' ' if colour else ''}{garment}"
        if colour is None:
            return name
        plain = f"in {colour}"
        form = dice.whole(4) if dice is not None else 0
        return f"{name} {(plain, plain, f'dressed {plain}', f'in {article(colour)} {garment}')[form]}"
    order = [word for word in attributes if word in ("small", "large")]
    order += [word for word in attributes if word in ("striped", "spotted")]
    order += [word for word in attributes if word not in order]
    if label == "glasses":
        of, what = name.rsplit(" ", 1)
        return " ".join([of, *order, what])
    return " ".join([*order, name])


def chosen(view: View, entity: int, dice: Dice, share: float) -> list[str]:
    """Some of the attributes of an entity: each is mentioned with a probability."""
    return [word for word in view.attributes[entity] if dice.chance(share)]


def described(view: View, entity: int, dice: Dice, share: float = 0.7) -> str:
    """An entity by class and some attributes, with an indefinite article."""
    label = view.labels[entity]
    return article(phrase(label, chosen(view, entity, dice, share), noun(label, dice), dice))

"""Names of interactions as English: "a photo of a person sitting on a chair".

A wrong article or a bare "skis" moves a text embedding for no reason (hoi.md 5.3), so grammar is looked after once.
"""

from __future__ import annotations

from collections.abc import Sequence
from string import Formatter

from ..errors import InputError
from ..language.lexicon import PREPOSITIONS, article, participle
from ..language.tagging import is_plural

TEMPLATES = (
    "a photo of a person {doing} {thing}",
    "a picture of a person {doing} {thing}",
    "a person {doing} {thing}",
    "a photo of someone {doing} {thing}",
    "a photo of a person who is {doing} {thing}",
)
"""Prompts of one interaction; the first is the one that most published work uses."""
PERSON = "person"
_PLURALS = frozenset({"skis"})
"""Plurals that look like singulars; others are known by their ending."""
_SINGULARS = frozenset({"atlas", "canvas", "gas", "lens", "sheep"})
"""Singulars that look like plurals, or are both."""
_MASSES = frozenset({"broccoli", "food", "water", "grass", "sand", "money", "luggage", "bread", "rice", "furniture"})
_SPELLINGS = {"tv": "TV"}
_NOT_PARTICIPLES = frozenset({"bring", "cling", "fling", "ring", "sing", "sling", "spring", "sting", "string", "swing"})
_PREPOSITIONS = PREPOSITIONS - {"like"}
"""A verb that begins with one is none: "under" says where somebody is."""
_ROLES = {
    "sit_instr": "sitting on",
    "look_obj": "looking at",
    "hit_instr": "hitting something with",
    "eat_instr": "eating with",
    "jump_instr": "jumping on",
    "lay_instr": "lying on",
    "talk_on_phone_instr": "talking on",
    "cut_instr": "cutting something with",
    "work_on_computer_instr": "working on",
    "ski_instr": "skiing on",
    "surf_instr": "surfing on",
    "skateboard_instr": "skateboarding on",
    "drink_instr": "drinking from",
    "point_instr": "pointing at",
    "snowboard_instr": "snowboarding on",
}
"""V-COCO's actions and roles that are not simply the verb."""


def gerund(verb: str) -> str:
    """What a person is doing: "sit_on" is "sitting on", "eat_obj" "eating", "under" stays as it is.

    Verbs that are participles already stay as they are.
    """
    known = _ROLES.get(verb)
    if known is not None:
        return known
    first, *rest = verb.removesuffix("_obj").removesuffix("_instr").replace("_", " ").split()
    done = first.endswith("ing") and len(first) > 4 and first not in _NOT_PARTICIPLES
    return " ".join([first if done or first in _PREPOSITIONS else participle(first), *rest])


def thing(name: str) -> str:
    """An object as a noun phrase: "a horse", "an umbrella", "skis", "another person"."""
    words = " ".join(_SPELLINGS.get(word, word) for word in name.replace("_", " ").split())
    last = words.rpartition(" ")[2].lower()
    if words == PERSON:
        return f"another {words}"
    plural = last in _PLURALS or (is_plural(last) and last not in _SINGULARS)
    return words if plural or last in _MASSES else article(words)


def check_templates(templates: Sequence[str]) -> None:
    """Refuse templates that are not made of `{doing}` and `{thing}`.

    Raises:
        InputError: no template, or one without or with another name in braces.
    """
    if not templates:
        raise InputError(f"Give at least one template, such as {TEMPLATES[0]!r}.")
    for template in templates:
        try:
            names = {name for _, name, _, _ in Formatter().parse(template) if name is not None}
        except ValueError as error:
            raise InputError(f"The template {template!r} cannot be read: {error}.") from error
        if names != {"doing", "thing"}:
            raise InputError(f"A template names {{doing}} and {{thing}}, such as {TEMPLATES[0]!r}; got {template!r}.")

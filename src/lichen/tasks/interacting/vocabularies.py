"""Which interactions a recipe speaks of, and which of them training is to know nothing of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...data.interactions import Entry, Interactions, playground_unseen
from ...data.zero_shot import zero_shot
from ...errors import InputError
from ...scene import Scene

PEOPLE = ("person", "man", "woman", "boy", "girl")
"""Classes of boxes that are people, where nothing else is said."""
_PLAYGROUND = "playground"
PUBLISHED = ("hico", "vcoco", _PLAYGROUND)
"""Vocabularies that are known by name."""


def vocabulary_of(name: str, scenes: Sequence[Scene], classes: Sequence[str], people: Sequence[str]) -> Interactions:
    """The interactions that a recipe names.

    Args:
        name: data, hico, vcoco, playground, or a CSV.
        scenes: of the training side, for data and vcoco.
        classes: of boxes.
        people: which classes are people; empty for those of `PEOPLE` that there are.

    Raises:
        InputError: no class is a person, nothing is done in the data, or a file that is no vocabulary.
    """
    human = frozenset(each for each in classes if each in (people or PEOPLE))
    if not human:
        raise InputError(
            f"No class of boxes is a person: none of {', '.join(people or PEOPLE)} is among {', '.join(classes[:12])}. "
            "Say which are by head.interactions.people."
        )
    if name == "hico":
        return replace(Interactions.hico(), people=human)
    if name == "vcoco":
        return replace(Interactions.vcoco(scenes), people=human)
    if name == _PLAYGROUND:
        return replace(Interactions.playground(), people=human)
    if name != "data":
        return Interactions.read_csv(Path(name), human)
    found = {
        (relation.predicate, scene.entities[relation.object].label or "")
        for scene in scenes
        for relation in scene.relations
        if scene.entities[relation.subject].label in human and scene.entities[relation.object].label in classes
    }
    if not found:
        raise InputError(
            f"No training scene says what a person ({', '.join(sorted(human))}) does to a thing with a box, so there "
            "is no interaction to learn. Give Scenes with relations, or name a vocabulary: "
            'head.interactions.vocabulary = "hico", or a CSV with the columns verb and object.'
        )
    return Interactions.of(sorted(found), human)


def unseen_of(name: str, vocabulary: Interactions) -> tuple[int, ...]:
    """Numbers of the interactions that training is to know nothing of.

    Args:
        name: playground, or a published split of HICO-DET; empty for none.
        vocabulary: what they are numbers of; HICO-DET's splits need HICO-DET's.

    Raises:
        InputError: an unknown split, or one of another vocabulary.
    """
    if not name:
        return ()
    if name == _PLAYGROUND:
        return playground_unseen(vocabulary)
    split = zero_shot(name)
    if vocabulary.digest != Interactions.hico().digest:
        raise InputError(
            f"The zero-shot split {name!r} numbers the interactions of HICO-DET. Set head.interactions.vocabulary = "
            '"hico".'
        )
    return split.unseen


def to_settings(vocabulary: Interactions) -> dict[str, Any]:
    """A vocabulary as JSON can hold it."""
    rows = [[each.verb, each.object, each.gerund, each.rare] for each in vocabulary.entries]
    return {"people": sorted(vocabulary.people), "entries": rows, "digest": vocabulary.digest}


def from_settings(values: Mapping[str, Any]) -> Interactions:
    """The inverse of `to_settings`.

    Raises:
        InputError: the digest is not that of the entries: rows of a bank would be mixed up.
    """
    entries = tuple(Entry(*row) for row in values["entries"])
    found = Interactions(entries, frozenset(values["people"]))
    if found.digest != values["digest"]:
        raise InputError("The interactions of this run are not in the order in which they were learnt.")
    return found


def joined(vocabulary: Interactions, added: Interactions) -> tuple[Interactions, Interactions | None]:
    """A vocabulary with more interactions behind its own, and those that are new; None where all are known."""
    new = tuple(each for each in added.entries if (each.verb, each.object) not in vocabulary.number)
    if not new:
        return vocabulary, None
    return replace(vocabulary, entries=(*vocabulary.entries, *new)), replace(vocabulary, entries=new)

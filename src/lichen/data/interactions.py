"""`Interactions`: a vocabulary of verbs with objects, from HICO-DET, V-COCO, the playground or a table of anyone's.

An interaction is a verb and a class of object ("ride", "horse"), done by a person. In a Scene it is a relation whose
subject is a person, or a label of the whole picture ("ride horse").
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from ..errors import InputError, nearest
from ..scene import Scene
from .classes import hico_600, hico_gerunds, hico_rare, vcoco_actions
from .phrasing import PERSON, TEMPLATES, check_templates, gerund, thing
from .playground.habits import WEARING
from .playground.world import CLASSES, PEOPLE, PREDICATES, SPATIAL, UNSEEN, pairs

NO_INTERACTION = "no_interaction"
COLUMNS = ("verb", "object")
"""Of a user's table; `gerund` may be a third, others are passed over."""
_WEARING = "wearing"


@dataclass(frozen=True)
class Entry:
    """One interaction."""

    verb: str
    """As relations have it, such as "sit_on"."""
    object: str
    """Class of the object, as detections have it, such as "dining table"."""
    gerund: str
    """What the person is doing, for prompts: "sitting on"."""
    rare: bool | None = None
    """Whether training has few of it; None where nobody counted."""

    @property
    def name(self) -> str:
        """Verb and object, as labels of whole pictures have it: "sit_on chair"."""
        return f"{self.verb} {self.object}"

    @property
    def no_interaction(self) -> bool:
        """Whether it says that nothing is done to the object, as 80 classes of HICO-DET do."""
        return self.verb == NO_INTERACTION


@dataclass(frozen=True)
class Interactions:
    """Interactions in the order of their numbers, which a trained head keeps: see `digest`.

    Raises:
        InputError: no interaction, one without a verb or an object, or one that is there twice.
    """

    entries: tuple[Entry, ...]
    people: frozenset[str] = frozenset({PERSON})
    """Classes whose members do things; only relations of these are interactions."""

    def __post_init__(self) -> None:
        if not self.entries:
            raise InputError("There is no interaction. Give at least one verb with an object.")
        taken: dict[tuple[str, str], int] = {}
        for number, entry in enumerate(self.entries):
            for what, value in (("verb", entry.verb), ("object", entry.object), ("gerund", entry.gerund)):
                if not value.strip():
                    raise InputError(f"Interaction {number} ({entry.name!r}) has no {what}.")
            key = (_plain(entry.verb), _plain(entry.object))
            if key in taken:
                first = taken[key]
                raise InputError(f"Interactions {first} and {number} are both {entry.name!r}. Remove one of them.")
            taken[key] = number

    def __len__(self) -> int:
        return len(self.entries)

    # --- where they come from

    @classmethod
    def hico(cls) -> Interactions:
        """The 600 of HICO-DET in the official order."""
        rows = zip(hico_600(), hico_gerunds(), hico_rare(), strict=True)
        return cls(tuple(Entry(each.verb, each.object, doing.replace("_", " "), rare) for each, doing, rare in rows))

    @classmethod
    def vcoco(cls, scenes: Iterable[Scene], *, point: bool = False) -> Interactions:
        """V-COCO's slots ("eat_obj") with the objects that they occur with, by slot and then by name of the object.

        V-COCO has no list of such pairs: published ones have 222 to 263 of them, depending on what was counted. Actions
        without an object, such as to walk, are no pairs of boxes and have no entry.

        Args:
            scenes: those of a training side; see `lichen.data.formats.vcoco`.
            point: whether to keep the action that published means leave out.

        Raises:
            InputError: no relation of these scenes is one of V-COCO's.
        """
        slots = [slot for action in vcoco_actions() for slot in action.slots() if point or action.name != "point"]
        found = {(verb, object) for verb, object in _occurring(scenes, frozenset({PERSON})) if verb in slots}
        if not found:
            raise InputError("No scene has a relation of V-COCO, such as 'eat_obj'. Were they read as v-coco?")
        return cls.of(sorted(found, key=lambda pair: (slots.index(pair[0]), pair[1])))

    @classmethod
    def playground(cls, *, wearing: bool = True) -> Interactions:
        """What people of the playground do, the unseen combinations included (`playground_unseen`).

        Where things merely stand ("next to") is no interaction.

        Args:
            wearing: whether to wear something is one.
        """
        found = {
            (verb, object)
            for verb in PREDICATES
            if verb not in (_WEARING, *SPATIAL)
            for unseen in (False, True)
            for subject, object in pairs(verb, unseen)
            if subject in PEOPLE
        }
        if wearing:
            found |= {(_WEARING, object) for worn in WEARING.values() for object in worn}
        order = sorted(found, key=lambda pair: (PREDICATES.index(pair[0]), CLASSES.index(pair[1])))
        return cls.of(order, people=frozenset(PEOPLE))

    @classmethod
    def of(cls, rows: Iterable[tuple[str, str]], people: frozenset[str] = frozenset({PERSON})) -> Interactions:
        """From verbs and objects, in this order; gerunds by rule.

        Raises:
            InputError: see the class.
        """
        entries = []
        for verb, object in rows:
            entries.append(Entry(verb, object, gerund(verb) if verb.strip() else verb))
        return cls(tuple(entries), people)

    @classmethod
    def read_csv(cls, path: Path, people: frozenset[str] = frozenset({PERSON})) -> Interactions:
        """From a table with the columns `verb` and `object`, perhaps `gerund`; interactions are numbered as they come.

        Underscores in objects are spaces, as detectors write them; the verb `no_interaction` says that nothing is done.

        Raises:
            InputError: the file cannot be read, its first line lacks a column, a row lacks a name, or one is there
                twice. The message names the line.
        """
        try:
            text = path.read_text("utf-8-sig")
        except OSError as error:
            raise InputError(
                f"A vocabulary is a CSV with the columns verb and object; {str(path)!r}: {error.strerror}."
            ) from error
        except UnicodeDecodeError as error:
            raise InputError(f"{str(path)!r} is not written in UTF-8: {error}. Save it as UTF-8.") from error
        table = csv.DictReader(io.StringIO(text, newline=""), skipinitialspace=True)
        header = [(name or "").strip() for name in table.fieldnames or ()]
        absent = [name for name in COLUMNS if name not in header]
        if absent:
            raise InputError(
                f"{str(path)!r}: its first line must name the columns verb and object (gerund if you like); "
                f"{' and '.join(absent)} missing in {header}."
            )
        table.fieldnames = header
        entries: list[Entry] = []
        taken: dict[tuple[str, str], int] = {}
        for row in table:
            verb, object, doing = ((row.get(name) or "").strip() for name in (*COLUMNS, "gerund"))
            where = f"{str(path)!r}, line {table.line_num}"
            if not verb or not object:
                raise InputError(f"{where}: the {'object' if verb else 'verb'} is empty.")
            object = object.replace("_", " ")
            key = (_plain(verb), _plain(object))
            if key in taken:
                raise InputError(f"{where}: '{verb} {object}' is there already, in line {taken[key]}. Remove one.")
            taken[key] = table.line_num
            entries.append(Entry(verb, object, doing.replace("_", " ") or gerund(verb)))
        if not entries:
            raise InputError(f"{str(path)!r} lists no interaction below its first line.")
        return cls(tuple(entries), people)

    # --- what they are

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names, "ride horse", by number."""
        return tuple(entry.name for entry in self.entries)

    @cached_property
    def objects(self) -> tuple[str, ...]:
        """Classes of objects, each once, in the order in which they first come."""
        return tuple(dict.fromkeys(entry.object for entry in self.entries))

    @cached_property
    def object_numbers(self) -> Int[np.ndarray, " interactions"]:
        """Place in `objects` of each interaction's object."""
        place = {name: number for number, name in enumerate(self.objects)}
        return np.array([place[entry.object] for entry in self.entries])

    @cached_property
    def verbs(self) -> tuple[str, ...]:
        """Verbs, each once, in the order in which they first come."""
        return tuple(dict.fromkeys(entry.verb for entry in self.entries))

    @cached_property
    def number(self) -> dict[tuple[str, str], int]:
        """Number of an interaction by (verb, object)."""
        return {(entry.verb, entry.object): number for number, entry in enumerate(self.entries)}

    @property
    def no_interaction(self) -> Bool[np.ndarray, " interactions"]:
        """Which interactions say that nothing is done."""
        return np.array([entry.no_interaction for entry in self.entries])

    @property
    def digest(self) -> str:
        """SHA-256 of verbs and objects in their order: what a checkpoint keeps, so that columns are never mixed up."""
        rows = [[entry.verb, entry.object] for entry in self.entries]
        return hashlib.sha256(json.dumps(rows, ensure_ascii=False).encode()).hexdigest()

    def groups(self) -> dict[str, tuple[int, ...]]:
        """Numbers of the "rare" and of the "non_rare" interactions; none where nobody counted."""
        if any(entry.rare is None for entry in self.entries):
            return {}
        return {
            name: tuple(number for number, entry in enumerate(self.entries) if entry.rare is rare)
            for name, rare in (("rare", True), ("non_rare", False))
        }

    def mask(self, classes: Sequence[str]) -> Bool[np.ndarray, "classes interactions"]:
        """Which interactions a box of each class can be the object of: K of hoi.md 1.2, by class in place of pair.

        Each interaction is in one row, that of its object.

        Args:
            classes: of the detector, in the order of their numbers.

        Raises:
            InputError: the detector lacks a class, so that some interaction could never be found.
        """
        lacking = [name for name in self.objects if name not in classes]
        if lacking:
            shown = ", ".join(map(repr, lacking[:5])) + (", …" if len(lacking) > 5 else "")
            raise InputError(
                f"The detector has no class {shown}, so these objects are never found. "
                f"{lacking[0]!r}: {nearest(lacking[0], classes)}"
            )
        return np.array(classes)[:, None] == np.array([entry.object for entry in self.entries])

    def prompts(self, templates: Sequence[str] = TEMPLATES) -> list[list[str]]:
        """Sentences about each interaction, one a template: "a photo of a person riding a horse".

        An interaction that says that nothing is done becomes "a photo of a person and a horse"; two people are "a
        person hugging another person".

        Raises:
            InputError: a template that is not made of `{doing}` and `{thing}`.
        """
        check_templates(templates)
        return [
            [
                _said(template, entry).format(
                    doing="and" if entry.no_interaction else entry.gerund, thing=thing(entry.object)
                )
                for template in templates
            ]
            for entry in self.entries
        ]

    # --- scenes

    def pairs_of(self, scene: Scene) -> list[tuple[int, int, int]]:
        """Relations of a scene that are interactions: places of the person and of the object, number."""
        found = []
        for relation in scene.relations:
            person, object = scene.entities[relation.subject], scene.entities[relation.object]
            number = self.number.get((relation.predicate, object.label or ""))
            if person.label in self.people and number is not None and relation.subject != relation.object:
                found.append((relation.subject, relation.object, number))
        return found

    def labels_of(self, scene: Scene) -> Float[np.ndarray, " interactions"]:
        """What is known of the whole picture, as HICO's `anno.mat` has it (hoi.md 1.11).

        The scene's labels decide where one of them is an interaction, or where `metadata` says which are `absent` or
        `unclear`; otherwise its relations do.

        Returns:
            1 present, -1 absent although its object is there, 0 unclear, NaN not looked at.
        """
        values = np.full(len(self), np.nan)
        number = {name: place for place, name in enumerate(self.names)}
        told = {-1.0: scene.metadata.get("absent"), 0.0: scene.metadata.get("unclear")}
        present = [number[label.name] for label in scene.labels if label.name in number]
        if not present and all(names is None for names in told.values()):
            present = [each[2] for each in self.pairs_of(scene)]
        for value, names in told.items():
            values[[number[name] for name in names or () if name in number]] = value
        values[present] = 1.0
        return values


def targets_of(values: Float[np.ndarray, "*n"]) -> tuple[Bool[np.ndarray, "*n"], Bool[np.ndarray, "*n"]]:
    """Labels of whole pictures as targets: which are positive, and which count. Unclear ones do not; NaN is absent.

    Source: hoi.md 1.11, an engineering choice, not a paper's.
    """
    return values == 1, values != 0


def playground_unseen(interactions: Interactions) -> tuple[int, ...]:
    """Numbers of the interactions that no picture of the playground shows but those of its split "unseen"."""
    return tuple(number for number, entry in enumerate(interactions.entries) if (entry.verb, entry.object) in UNSEEN)


def _plain(name: str) -> str:
    """The same for spellings that mean the same."""
    return " ".join(name.replace("_", " ").casefold().split())


def _said(template: str, entry: Entry) -> str:
    """A template for this interaction: "who is and a horse" is no English."""
    return template.replace("who is {doing}", "{doing}") if entry.no_interaction else template


def _occurring(scenes: Iterable[Scene], people: frozenset[str]) -> set[tuple[str, str]]:
    """Verbs and classes of objects of what people do in these scenes."""
    return {
        (relation.predicate, scene.entities[relation.object].label or "")
        for scene in scenes
        for relation in scene.relations
        if scene.entities[relation.subject].label in people and scene.entities[relation.object].label
    }

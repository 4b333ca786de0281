"""The official class lists of published data sets, from the tables in this folder; its README says where from."""

from __future__ import annotations

import csv
import json
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).parent


class Interaction(NamedTuple):
    """A class of HICO-DET."""

    verb: str
    """As HICO writes it, such as "sit_on"; "no_interaction" for 80 of them."""
    object: str
    """As COCO writes it, such as "dining table"."""

    @property
    def name(self) -> str:
        """Both: "ride horse"."""
        return f"{self.verb} {self.object}"


class Action(NamedTuple):
    """An action of V-COCO."""

    name: str
    roles: tuple[str, ...]
    """What it is done to or with, in the order of the files: "obj", "instr"; none for "walk"."""

    def slots(self) -> tuple[str, ...]:
        """Action and role as the evaluation names them: "eat_obj", "eat_instr"."""
        return tuple(f"{self.name}_{role}" for role in self.roles)


def _table(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO((FOLDER / name).read_text("utf-8"))))


@cache
def coco_80() -> dict[int, str]:
    """Names by the ids in COCO's files, 1 to 90 with gaps, in COCO's order."""
    return {int(row["coco91_id"]): row["name"] for row in _table("coco_80.csv")}


@cache
def hico_objects() -> tuple[str, ...]:
    """The 80 objects in HICO-DET's own, alphabetical order, in COCO's spelling."""
    names = {int(row["hico_object_id"]): row["name"] for row in _table("coco_80.csv")}
    return tuple(names[id] for id in sorted(names))


@cache
def hico_600() -> tuple[Interaction, ...]:
    """The 600 interactions in the official order; files count them from 0 or from 1."""
    spelling = {row["hico_name"]: row["name"] for row in _table("coco_80.csv")}
    return tuple(Interaction(row["verb"], spelling[row["object"]]) for row in _table("hico_600.csv"))


@cache
def hico_verbs() -> tuple[str, ...]:
    """The 117 verbs in alphabetical order, which is HICO-DET's; files count them from 0 or from 1."""
    return tuple(sorted({interaction.verb for interaction in hico_600()}))


@cache
def hico_gerunds() -> tuple[str, ...]:
    """What a person is doing, of each of the 600 interactions, such as "sitting_on"; HICO's two slips are put right."""
    slips = {"controling": "controlling", "spining": "spinning"}
    return tuple(slips.get(row["verb_ing"], row["verb_ing"]) for row in _table("hico_600_ext.csv"))


@cache
def hico_rare() -> tuple[bool, ...]:
    """Whether each of the 600 interactions has fewer than 10 pairs of boxes in training: 138 of them."""
    return tuple(row["rare"] == "1" for row in _table("hico_600_ext.csv"))


@cache
def hico_zero_shot() -> dict[str, tuple[int, ...]]:
    """Numbers (from 0) of the unseen interactions of the published zero-shot splits; see `lichen.data.zero_shot`."""
    loaded: dict[str, list[int]] = json.loads((FOLDER / "hico_zero_shot_splits.json").read_text("utf-8"))
    return {name: tuple(ids) for name, ids in loaded.items()}


@cache
def vcoco_actions() -> tuple[Action, ...]:
    """The 26 actions in the order of the files."""
    return tuple(
        Action(row["action"], tuple(role for role in row["roles"].split("|") if role != "agent"))
        for row in _table("vcoco_actions.csv")
    )


@cache
def vg150() -> dict[str, Any]:
    """Objects, predicates and attributes of VG150 with their counts, and the partitions into head, body and tail."""
    loaded: dict[str, Any] = json.loads((FOLDER / "vg150.json").read_text("utf-8"))
    return loaded

"""The official class lists: complete, in the official order, one spelling."""

from __future__ import annotations

import csv
from collections import Counter

from lichen.data.classes import FOLDER, coco_80, hico_600, hico_objects, hico_verbs, vcoco_actions, vg150


def test_coco() -> None:
    names = coco_80()
    assert len(names) == len(set(names.values())) == 80
    assert (min(names), max(names), names[1], names[90], names[67]) == (1, 90, "person", "toothbrush", "dining table")
    assert list(names) == sorted(names) and not {12, 26, 29, 30, 45, 66, 68, 69, 71, 83} & set(names)


def test_hico() -> None:
    interactions = hico_600()
    assert len(interactions) == len(set(interactions)) == 600
    assert interactions[0].name == "board airplane" and interactions[599] == ("no_interaction", "zebra")
    assert len(hico_verbs()) == 117 and hico_verbs()[57] == "no_interaction"
    assert sum(interaction.verb == "no_interaction" for interaction in interactions) == 80
    # The same 80 objects as COCO's, in alphabetical order of HICO's own spelling.
    assert set(hico_objects()) == set(coco_80().values()) and hico_objects()[0] == "airplane"
    assert [name.replace(" ", "_") for name in hico_objects()] == sorted(
        name.replace(" ", "_") for name in hico_objects()
    )
    # Interactions of one object stand together, but not in alphabetical order.
    order = [interaction.object for interaction in interactions]
    blocks = [name for place, name in enumerate(order) if place == 0 or order[place - 1] != name]
    assert len(blocks) == 80 and blocks[:3] == ["airplane", "bicycle", "bird"]


def test_two_tables_of_hico_agree() -> None:
    with (FOLDER / "hico_600_ext.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["verb"], row["object"].replace("_", " ")) for row in rows] == [tuple(item) for item in hico_600()]
    assert all(hico_verbs()[int(row["verb_id"])] == row["verb"] for row in rows)
    assert sum(int(row["rare"]) for row in rows) == 138


def test_vcoco() -> None:
    actions = vcoco_actions()
    assert len(actions) == 26 and actions[0].name == "hold"
    assert Counter(len(action.roles) for action in actions) == {0: 4, 1: 19, 2: 3}
    slots = [slot for action in actions for slot in action.slots()]
    assert len(slots) == 25 and slots[:2] == ["hold_obj", "sit_instr"] and {"eat_obj", "eat_instr"} <= set(slots)


def test_vg150() -> None:
    lists = vg150()
    assert [len(lists[name]) for name in ("objects", "predicates", "attributes")] == [150, 50, 200]
    groups = lists["longtail_groups"]
    assert {name: len(ids) for name, ids in groups.items()} == {"head": 7, "body": 21, "tail": 22}
    assert sorted(id for ids in groups.values() for id in ids) == list(range(1, 51))

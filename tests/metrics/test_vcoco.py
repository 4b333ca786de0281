"""V-COCO's rule: what the official evaluation printed, its loop on random cases, and both scenarios by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.data.classes import Action, vcoco_actions
from lichen.data.formats import read_scenes
from lichen.errors import InputError
from lichen.metrics import vcoco
from lichen.metrics.hoi import InteractionBoxes, edges_of_pixels
from lichen.metrics.vcoco import VcocoScores, VcocoTruth, box_trick, closest, slots_of, vcoco_precision
from lichen.scene import Entity, Relation, Scene

from .pairs import Row, pairs

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "hoi_vcoco.json").read_text("utf-8"))
ACTIONS = tuple(
    Action(each["action_name"], tuple(role for role in each["role_name"] if role != "agent")) for each in GOLDEN["vsrl"]
)
EAT = (Action("eat", ("obj", "instr")), Action("walk", ()))
BOX, NEAR, FAR, NONE = (0.0, 0.0, 10.0, 10.0), (1.0, 0.0, 11.0, 10.0), (50.0, 50.0, 60.0, 60.0), (0.0,) * 4
NAN = float("nan")


def golden(folder: Path) -> tuple[VcocoTruth, InteractionBoxes, InteractionBoxes]:
    """The fixture, its annotations read as anyone's, its detections from pixels to edges."""
    (folder / "vcoco_test.json").write_text(json.dumps(GOLDEN["vsrl"]))
    (folder / "instances_vcoco_all_2014.json").write_text(json.dumps(GOLDEN["coco"]))
    scenes = list(read_scenes("v-coco", [folder], look=False))
    place = {int(scene.metadata["image_id"]): number for number, scene in enumerate(scenes)}
    rows: dict[str, tuple[list[Row], list[float]]] = {"roles": ([], []), "agents": ([], [])}
    for each in GOLDEN["detections"]:
        picture, human = place[each["image_id"]], edges(each["person_box"])
        for number, slot in enumerate(slots_of(ACTIONS)):
            if each[slot][4] is not None:
                # Four zeros are no box, not the picture's first pixel.
                thing = edges(each[slot][:4]) if any(each[slot][:4]) else NONE
                rows["roles"][0].append((picture, number, human, thing))
                rows["roles"][1].append(each[slot][4])
        for number, action in enumerate(ACTIONS):
            if each[f"{action.name}_agent"] is not None:
                rows["agents"][0].append((picture, number, human, human))
                rows["agents"][1].append(each[f"{action.name}_agent"])
    return VcocoTruth.of(scenes, ACTIONS), pairs(*rows["roles"]), pairs(*rows["agents"])


def edges(box: list[float]) -> list[float]:
    return edges_of_pixels(np.array([box], np.float64), 0)[0].tolist()


def printed() -> dict[str, float]:
    """What the official evaluation printed."""
    result, section = {}, "agent_AP"
    for line in GOLDEN["official_stdout"]:
        if "Role AP" in line:
            section = "role_AP_S2" if "role_mAP_S1" in result else "role_AP_S1"
        name, _, value = line.partition(": AP = " if ": AP" in line else " AP = ")
        if not value:
            continue
        number = float(value.split()[0])
        if name.startswith("Average"):
            result[section.replace("AP", "mAP", 1)] = number
        else:
            result[f"{section}/{name.strip().replace('-', '_')}"] = number
    return result


def test_golden(tmp_path: Path) -> None:
    wanted = printed()
    assert (wanted["role_mAP_S1"], wanted["role_mAP_S2"], wanted["agent_mAP"], len(wanted)) == (68.75, 100.0, 100.0, 15)
    got = vcoco_precision(*golden(tmp_path)).summary()
    # The official tool prints per cent.
    assert {name: 100 * got[name] for name in wanted} == pytest.approx(wanted, abs=1e-10)
    # No `point` among its actions: nothing is left out.
    assert got["role_mAP_S1_point"] == got["role_mAP_S1"] and set(got) - set(wanted) == {
        "role_mAP_S1_point",
        "role_mAP_S2_point",
    }


def test_the_published_mean_leaves_point_out() -> None:
    slots = slots_of(vcoco_actions())
    values = np.where(np.array(slots) == "point_instr", 0.0, 0.5)
    got = VcocoScores(slots, values, values, ()).summary()
    assert len(slots) == 25
    assert got["role_mAP_S1"] == 0.5 and got["role_mAP_S2_point"] == pytest.approx(0.5 * 24 / 25)
    # The same by way of the mean of 25, as hoi.md 3.3 has it.
    assert got["role_mAP_S1"] == pytest.approx((25 * got["role_mAP_S1_point"] - 0) / 24)


def eating(roles: list[tuple[str, int]], people: list[int] | None = None) -> VcocoTruth:
    """A picture with a person who eats, a thing far away, and somebody else beside the first."""
    scene = Scene(
        "a",
        size=(100, 100),
        entities=(
            Entity("person", BOX, attributes=("eat",)),
            Entity("apple", FAR),
            Entity("person", (30.0, 0.0, 40.0, 10.0)),
        ),
        relations=tuple(Relation(0, name, thing) for name, thing in roles),
        metadata={} if people is None else {"people": people},
    )
    return VcocoTruth.of([scene], EAT)


def role(truth: VcocoTruth, *rows: tuple[Any, Any, float], slot: int = 0) -> tuple[float, float]:
    """Average precision of a slot in both scenarios."""
    found = pairs([(0, slot, human, thing) for human, thing, _ in rows], [score for *_, score in rows])
    got = vcoco_precision(truth, found)
    return float(got.first[slot]), float(got.second[slot])


def test_people_whose_actions_were_annotated() -> None:
    truth = eating([("eat_obj", 1)], [0])
    assert truth.doing.tolist() == [[1, 0], [-1, -1]] and truth.roles[0, 0].tolist() == list(FAR)
    assert np.isnan(truth.roles[0, 1]).all() and truth.boxes.tolist()[1] == [30.0, 0.0, 40.0, 10.0]
    assert eating([], [0, 2]).doing.tolist() == [[1, 0], [0, 0]]
    assert eating([]).doing.tolist() == [[1, 0], [-1, -1]]


def test_a_role_that_is_there() -> None:
    truth = eating([("eat_obj", 1)], [0, 2])
    assert role(truth, (NEAR, FAR, 0.5)) == (1.0, 1.0)
    assert role(truth, (BOX, BOX, 0.5)) == (0.0, 0.0)
    assert role(truth, (BOX, NONE, 0.5)) == (0.0, 0.0)
    # Of two right ones the second is wrong; a wrong one before halves the precision.
    assert role(truth, (BOX, FAR, 0.5), (BOX, FAR, 0.4)) == (1.0, 1.0)
    assert role(truth, (BOX, BOX, 0.9), (BOX, FAR, 0.4)) == (0.5, 0.5)


def test_a_role_that_nobody_marked() -> None:
    truth = eating([], [0, 2])
    assert role(truth, (BOX, FAR, 0.5)) == (0.0, 1.0)
    assert role(truth, (BOX, NONE, 0.5)) == (1.0, 1.0)
    assert role(truth, ((30.0, 0.0, 40.0, 10.0), NONE, 0.5)) == (0.0, 0.0)
    # The action is there, so its second role is to be found as well.
    assert role(truth, (BOX, NONE, 0.5), slot=1) == (1.0, 1.0)


def test_who_was_never_annotated_is_passed_over() -> None:
    truth, other = eating([("eat_obj", 1)], [0]), (30.0, 0.0, 40.0, 10.0)
    assert role(truth, (other, FAR, 0.9), (BOX, FAR, 0.4)) == (1.0, 1.0)
    # Overlapping nobody it looks at the first person, who was annotated.
    assert role(truth, (FAR, FAR, 0.9), (BOX, FAR, 0.4)) == (0.5, 0.5)


def test_pictures_without_people() -> None:
    truth = eating([("eat_obj", 1)], [0])
    found = pairs([(1, 0, BOX, FAR), (0, 0, BOX, FAR)], [0.9, 0.4])
    assert vcoco_precision(truth, found).first[0] == 0.5
    assert vcoco_precision(truth, pairs([], [])).first.tolist() == [0.0, 0.0]


def test_agents() -> None:
    truth = eating([], [0, 2])
    found = pairs([(0, 0, BOX, BOX), (0, 1, BOX, BOX)], [0.4, 0.9])
    got = vcoco_precision(truth, pairs([], []), found)
    assert got.agents is not None and got.agents[0] == 1.0 and np.isnan(got.agents[1])
    assert got.summary()["agent_mAP"] == 1.0 and "agent_AP/walk" not in got.summary()


def test_the_box_trick_wins_in_scenario_2_alone() -> None:
    truth = eating([], [0, 2])
    found = pairs([(0, 1, BOX, FAR)], [0.5])
    assert np.nan_to_num(vcoco_precision(truth, found).second).tolist() == [0.0, 1.0]
    more = box_trick(found, 2)
    assert more.category.tolist() == [1, 0] and more.objects[1].tolist() == [0.0, 0.0, 0.1, 0.1]
    assert more.scores is not None and more.scores.tolist() == [0.5, 0.0]
    got = vcoco_precision(truth, more)
    assert got.second.tolist() == [1.0, 1.0] and got.first.tolist() == [0.0, 0.0]
    with pytest.raises(InputError, match="no scores"):
        box_trick(pairs([(0, 1, BOX, FAR)]), 2)


def random_case(seed: int) -> tuple[VcocoTruth, InteractionBoxes]:
    draw = np.random.default_rng(seed)
    low = draw.integers(0, 4, (5, 2)) * 1.0
    boxes = np.concatenate([low, low + 5 + draw.integers(0, 4, (5, 2))], 1)
    people, rows = 1 + int(draw.integers(6)), int(draw.integers(30))
    doing = draw.integers(0, 2, (people, 2)).astype(np.int8)
    doing[draw.random(people) < 0.2] = -1
    doing[0] = 1
    roles = boxes[draw.integers(5, size=(people, 2))]
    roles[draw.random((people, 2)) < 0.4] = np.nan
    picture = np.sort(draw.integers(3, size=people))
    truth = VcocoTruth(picture, boxes[draw.integers(5, size=people)], doing, roles, EAT)
    things = boxes[draw.integers(5, size=rows)]
    things[draw.random(rows) < 0.3] = 0
    # The official code sorts equal scores by chance, so there are none.
    found = InteractionBoxes(
        draw.choice(picture, rows),
        draw.integers(2, size=rows),
        boxes[draw.integers(5, size=rows)],
        things,
        draw.permutation(rows) / max(rows, 1),
    )
    return truth, found


def official(truth: VcocoTruth, found: InteractionBoxes, slot: int, lenient: bool) -> float:
    """The official loop for a role of the action `eat`, on edges in place of pixels."""
    hits = []
    taken: set[int] = set()
    assert found.scores is not None
    for row in np.argsort(-found.scores):
        if found.category[row] != slot:
            continue
        people = np.flatnonzero(truth.picture == found.picture[row])
        shared = [overlap(found.humans[row], truth.boxes[person]) for person in people]
        person = people[int(np.argmax(shared))]
        if (truth.doing[person] == -1).any():
            continue
        annotated = truth.roles[person, slot]
        if np.isnan(annotated).any():
            beside = 1.0 if lenient or not found.objects[row].any() else 0.0
        else:
            beside = overlap(found.objects[row], annotated)
        right = truth.doing[person, 0] == 1 and max(shared) >= 0.5 and beside >= 0.5 and person not in taken
        hits.append(right)
        taken |= {person} if right else set()
    true, count = np.cumsum(hits), int((truth.doing[:, 0] == 1).sum())
    recall = np.concatenate([[0.0], true / count, [1.0]])
    precision = np.concatenate([[0.0], true / np.arange(1, len(hits) + 1), [0.0]])
    for place in range(len(precision) - 1, 0, -1):
        precision[place - 1] = max(precision[place - 1], precision[place])
    steps = np.flatnonzero(recall[1:] != recall[:-1])
    return float(((recall[steps + 1] - recall[steps]) * precision[steps + 1]).sum())


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    sides = [max(min(a[2 + axis], b[2 + axis]) - max(a[axis], b[axis]), 0.0) for axis in (0, 1)]
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return float(sides[0] * sides[1] / (areas[0] + areas[1] - sides[0] * sides[1]))


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 10**6))
def test_against_the_official_loop(seed: int) -> None:
    truth, found = random_case(seed)
    got = vcoco_precision(truth, found)
    for slot in (0, 1):
        assert got.first[slot] == pytest.approx(official(truth, found, slot, False), abs=1e-12)
        assert got.second[slot] == pytest.approx(official(truth, found, slot, True), abs=1e-12)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6))
def test_neither_order_nor_scale_of_scores_matters(seed: int) -> None:
    truth, found = random_case(seed)
    wanted = vcoco_precision(truth, found)
    changed = found.take(np.random.default_rng(seed).permutation(len(found)))
    assert changed.scores is not None
    changed = InteractionBoxes(
        changed.picture, changed.category, changed.humans, changed.objects, np.exp(changed.scores) - 9
    )
    got = vcoco_precision(truth, changed)
    np.testing.assert_array_equal(got.first, wanted.first)
    np.testing.assert_array_equal(got.second, wanted.second)


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = [random_case(seed) for seed in range(20)]
    wanted = [closest(found, truth) for truth, found in cases]
    for chunk in (1, 7):
        monkeypatch.setattr(vcoco, "CHUNK", chunk)
        for (truth, found), both in zip(cases, wanted, strict=True):
            for got, each in zip(closest(found, truth), both, strict=True):
                np.testing.assert_array_equal(got, each)


def test_real_annotations(shared_data: Path) -> None:
    """Whoever answers with the annotations themselves is always right, in both scenarios."""
    files = ["formats/vcoco/vcoco_on_coco_mini.json", "coco_mini/instances.json"]
    scenes = list(read_scenes("v-coco", [shared_data / file for file in files], look=False))
    truth = VcocoTruth.of(scenes)
    assert len(scenes) == 3 and (truth.doing == 1).any()
    slots = slots_of(vcoco_actions())
    action = [place for place, each in enumerate(vcoco_actions()) for _ in each.slots()]
    person, slot = np.nonzero(truth.doing[:, action] == 1)
    found = InteractionBoxes(
        truth.picture[person],
        slot,
        truth.boxes[person],
        np.nan_to_num(truth.roles[person, slot]),
        np.linspace(1, 0, len(slot)),
    )
    got = vcoco_precision(truth, found)
    assert len(slots) == len(got.first) and np.nanmin(got.first) == np.nanmin(got.second) == 1.0
    assert got.summary()["role_mAP_S1"] == pytest.approx(1.0)


def test_what_is_refused() -> None:
    truth = eating([], [0])
    found = pairs([(0, 2, BOX, BOX)], [0.5])
    with pytest.raises(InputError, match="has slot 2; there are 2"):
        vcoco_precision(truth, found)
    with pytest.raises(InputError, match="has action 2; there are 2"):
        vcoco_precision(truth, pairs([], []), found)
    with pytest.raises(InputError, match="no scores"):
        vcoco_precision(truth, pairs([]))
    with pytest.raises(InputError, match="nobody is annotated"):
        vcoco_precision(VcocoTruth.of([Scene("a")], EAT), pairs([], []))
    with pytest.raises(InputError, match="a: person 0 has no box"):
        VcocoTruth.of([Scene("a", entities=(Entity("person"),))], EAT)
    backwards = VcocoTruth(np.array([1, 0]), np.zeros((2, 4)), np.ones((2, 2), np.int8), np.zeros((2, 2, 4)), EAT)
    with pytest.raises(InputError, match="order of their pictures"):
        vcoco_precision(backwards, pairs([], []))

"""V-COCO: average precision of roles by scenarios 1 and 2, and of agents, by the rule of its own evaluation.

For each slot, an action and a role such as `eat_obj`, a detection looks at the person of its picture that its person
overlaps most. One whose actions were never annotated is passed over. It is right if that person does the action, both
boxes overlap by 0.5 or more, and no detection of a higher score has taken the person for this slot. Where the role has
no annotated box, scenario 1 wants an answer without a box, and scenario 2 takes any. Every person who does the action
is to be found, role or not. Curves are read by their area.

Published figures leave the action `point` out, which has 15 people in training: 24 slots of 25. Both means are given.

Two-stage detectors never answer without a box. Some fill every other slot of each answer with score 0 and a box of a
tenth of a pixel before they measure, which wins recall at the end of the curve, in scenario 2 alone: `box_trick` does
so. Say whether it was used.

Source: hoi.md 3.3, after `vsrl_eval.py`. Boxes have edges between pixels here and whole pixels there (see `hoi.py`),
and numbers are double here and single there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Int8

from ..data.classes import Action, vcoco_actions
from ..errors import InputError
from ..regions.groups import joined
from ..regions.overlap import matched_iou
from ..scene import Scene
from .hoi import CHUNK, InteractionBoxes
from .ranked import average_precisions, ranked

OVERLAP = 0.5
LEFT_OUT = "point"
"""The action that published means leave out."""
_PERSON = "person"
_TINY = (0.0, 0.0, 0.1, 0.1)


@dataclass(frozen=True, eq=False)
class VcocoTruth:
    """Annotated people of some pictures, in the order of the files, whether their actions are annotated or not.

    The order counts: a detection that overlaps nobody looks at the first person of its picture.
    """

    picture: Int[np.ndarray, " people"]
    """Number of each person's picture, never decreasing."""
    boxes: Float[np.ndarray, "people 4"]
    """x1, y1, x2, y2 with edges between pixels."""
    doing: Int8[np.ndarray, "people actions"]
    """1 if the person does it, 0 if not, -1 in the whole row of somebody whose actions were never annotated."""
    roles: Float[np.ndarray, "people slots 4"]
    """Boxes of the roles; NaN where there is none."""
    actions: tuple[Action, ...]

    @classmethod
    def of(cls, scenes: Iterable[Scene], actions: Sequence[Action] | None = None) -> VcocoTruth:
        """From scenes of the reader of V-COCO, in the order that detections number them.

        Args:
            scenes: actions are attributes of people, roles are relations such as `eat_obj`, and `metadata["people"]`
                lists whose actions were annotated. Without it everyone with an attribute counts as annotated.
            actions: V-COCO's own without it.

        Raises:
            InputError: a person without a box.
        """
        actions = tuple(vcoco_actions() if actions is None else actions)
        number = {action.name: place for place, action in enumerate(actions)}
        slots = {slot: place for place, slot in enumerate(slots_of(actions))}
        rows: list[tuple[int, Sequence[float], np.ndarray, np.ndarray]] = []
        for picture, scene in enumerate(scenes):
            told = [row for row, each in enumerate(scene.entities) if each.attributes]
            annotated = set(scene.metadata.get("people", told))
            for row, entity in enumerate(scene.entities):
                if entity.label != _PERSON:
                    continue
                if entity.box is None:
                    raise InputError(f"{scene.id}: person {row} has no box, so nothing can be found there.")
                doing = np.full(len(actions), 0 if row in annotated else -1, np.int8)
                doing[[number[name] for name in entity.attributes if row in annotated and name in number]] = 1
                roles = np.full((len(slots), 4), np.nan)
                for relation in scene.relations:
                    box = scene.entities[relation.object].box
                    if relation.subject == row and relation.predicate in slots and box is not None:
                        roles[slots[relation.predicate]] = box
                rows.append((picture, entity.box, doing, roles))
        return cls(
            np.array([row[0] for row in rows], np.int64),
            np.array([row[1] for row in rows], np.float64).reshape(-1, 4),
            np.array([row[2] for row in rows], np.int8).reshape(-1, len(actions)),
            np.array([row[3] for row in rows], np.float64).reshape(-1, len(slots), 4),
            actions,
        )


@dataclass(frozen=True, eq=False)
class VcocoScores:
    """Average precision from 0 to 1; NaN for what nobody was annotated to do."""

    slots: tuple[str, ...]
    first: Float[np.ndarray, " slots"]
    """Of roles, scenario 1."""
    second: Float[np.ndarray, " slots"]
    """Of roles, scenario 2."""
    actions: tuple[str, ...]
    agents: Float[np.ndarray, " actions"] | None = None
    """Of agents, whatever they do it to; None where they were not measured."""

    def summary(self) -> dict[str, float]:
        """Means as shares from 0 to 1, over what somebody was annotated to do.

        Returns:
            `role_mAP_S1`, `role_mAP_S2`: without `point`, as published; `role_mAP_S1_point`, `role_mAP_S2_point`: with
            it, as the official tool prints them; `agent_mAP`: over all actions; and each slot's and action's own, under
            `role_AP_S1/eat_obj`, `agent_AP/eat`.
        """
        own = np.array([slot.rpartition("_")[0] != LEFT_OUT for slot in self.slots])
        found: dict[str, float] = {}
        details: dict[str, float] = {}
        for name, values in (("S1", self.first), ("S2", self.second)):
            found[f"role_mAP_{name}"], found[f"role_mAP_{name}_point"] = _mean(values[own]), _mean(values)
            details |= _named(f"role_AP_{name}", self.slots, values)
        if self.agents is not None:
            found["agent_mAP"] = _mean(self.agents)
            details |= _named("agent_AP", self.actions, self.agents)
        return {name: value for name, value in (found | details).items() if not np.isnan(value)}


def slots_of(actions: Sequence[Action]) -> tuple[str, ...]:
    """Actions with roles: the 25 slots of V-COCO, in the order of its files."""
    return tuple(slot for action in actions for slot in action.slots())


def vcoco_precision(
    truth: VcocoTruth, roles: InteractionBoxes, agents: InteractionBoxes | None = None, overlap: float = OVERLAP
) -> VcocoScores:
    """Average precision of roles in both scenarios, and of agents.

    Of equal scores the detection that was given first counts first; the official tool leaves that to chance.

    Args:
        truth: annotated people.
        roles: detections of slots: `category` is the place in `slots_of`, `humans` are people, `objects` what the
            action is done to. A box of four zeros says that the role is not there.
        agents: detections of actions: `category` is the place of the action; `objects` are not looked at.
        overlap: least IoU.

    Raises:
        InputError: detections without scores, slots or actions that do not exist, nobody annotated, or people that are
            not in the order of their pictures.
    """
    slots = slots_of(truth.actions)
    _check(truth, roles, agents, len(slots))
    action = np.array([place for place, each in enumerate(truth.actions) for _ in each.slots()], np.int64)
    people = (truth.doing == 1).sum(0)
    person, shared = closest(roles, truth)
    known = _annotated(truth, person)
    scenarios = []
    beside = _role_overlap(roles, truth, person)
    for lenient in (False, True):
        empty = np.ones(len(roles), bool) if lenient else (roles.objects == 0).all(1)
        fits = np.where(np.isnan(beside), empty, beside >= overlap)
        right = fits & (shared >= overlap) & _does(truth, person, action[roles.category])
        scenarios.append(_precision(roles, right, person, known, people[action]))
    if agents is None:
        return VcocoScores(slots, scenarios[0], scenarios[1], tuple(each.name for each in truth.actions))
    person, shared = closest(agents, truth)
    right = (shared >= overlap) & _does(truth, person, agents.category)
    found = _precision(agents, right, person, _annotated(truth, person), people)
    return VcocoScores(slots, scenarios[0], scenarios[1], tuple(each.name for each in truth.actions), found)


def closest(
    found: InteractionBoxes, truth: VcocoTruth
) -> tuple[Int[np.ndarray, " found"], Float[np.ndarray, " found"]]:
    """The annotated person of its picture that each detected one overlaps most, the first of equals; and their IoU.

    Returns:
        -1 and an IoU of 0 where nobody is annotated in the picture.
    """
    person, shared = np.full(len(found), -1), np.zeros(len(found))
    pictures = 1 + max(int(found.picture.max(initial=-1)), int(truth.picture.max(initial=-1)))
    each = np.bincount(truth.picture, minlength=pictures)[found.picture]
    total = each.cumsum()
    cuts = np.searchsorted(total, np.arange(CHUNK, total[-1] if len(total) else 0, CHUNK), "right")
    for part in np.split(np.arange(len(found)), np.unique(cuts)):
        mine, theirs = torch.from_numpy(found.picture[part]), torch.from_numpy(truth.picture)
        left, right = (side.numpy() for side in joined(mine, theirs, pictures))
        if not len(left):
            continue
        value = _iou(found.humans[part[left]], truth.boxes[right])
        starts = np.flatnonzero(np.diff(left, prepend=-1))
        best = np.zeros(len(part))
        best[left[starts]] = np.maximum.reduceat(value, starts)
        at = np.flatnonzero(value == best[left])
        row, first = np.unique(left[at], return_index=True)
        person[part[row]], shared[part[row]] = right[at[first]], best[row]
    return person, shared


def box_trick(roles: InteractionBoxes, slots: int) -> InteractionBoxes:
    """Detections, and after them for each all other slots with score 0 and a role box of a tenth of a pixel.

    So does the published code of UPT and of those who built on it. The result has `slots` times as many rows.
    """
    if roles.scores is None:
        raise InputError("The detections have no scores: they cannot be ranked.")
    row = np.arange(len(roles)).repeat(slots)
    slot = np.tile(np.arange(slots), len(roles))
    other = slot != roles.category[row]
    row, slot = row[other], slot[other]
    return InteractionBoxes(
        np.concatenate([roles.picture, roles.picture[row]]),
        np.concatenate([roles.category, slot]),
        np.concatenate([roles.humans, roles.humans[row]]),
        np.concatenate([roles.objects, np.broadcast_to(np.array(_TINY, roles.objects.dtype), (len(row), 4))]),
        np.concatenate([roles.scores, np.zeros(len(row), roles.scores.dtype)]),
    )


def _role_overlap(roles: InteractionBoxes, truth: VcocoTruth, person: np.ndarray) -> Float[np.ndarray, " found"]:
    """IoU of the detected role with the annotated one; NaN where none is annotated."""
    result = np.full(len(roles), np.nan)
    boxes = truth.roles[person, roles.category] if len(truth.roles) else np.full((len(roles), 4), np.nan)
    some = np.flatnonzero((person >= 0) & ~np.isnan(boxes).any(1))
    result[some] = _iou(roles.objects[some], boxes[some])
    return result


def _does(truth: VcocoTruth, person: np.ndarray, action: np.ndarray) -> Bool[np.ndarray, " found"]:
    return (person >= 0) & (truth.doing[person, action] == 1)


def _annotated(truth: VcocoTruth, person: np.ndarray) -> Bool[np.ndarray, " found"]:
    """Whether a detection counts: not if the person that it looks at was never annotated."""
    return (person < 0) | (truth.doing[person] != -1).all(1)


def _precision(
    found: InteractionBoxes, right: np.ndarray, person: np.ndarray, counted: np.ndarray, counts: np.ndarray
) -> Float[np.ndarray, " categories"]:
    scores = np.zeros(len(found)) if found.scores is None else found.scores
    # A person may be taken once for each category.
    fit = np.where(right, person * len(counts) + found.category, -1)[counted]
    answers = ranked(found.category[counted], scores[counted], fit, len(counts))
    return np.where(counts > 0, average_precisions(answers, counts), np.nan)


def _iou(first: np.ndarray, second: np.ndarray) -> Float[np.ndarray, " pairs"]:
    one, other = (torch.from_numpy(each.astype(np.float64)) for each in (first, second))
    return matched_iou(one, other).numpy()


def _mean(values: np.ndarray) -> float:
    some = values[~np.isnan(values)]
    return float(some.mean()) if len(some) else np.nan


def _named(key: str, names: Sequence[str], values: np.ndarray) -> dict[str, float]:
    return {f"{key}/{name}": float(value) for name, value in zip(names, values, strict=True)}


def _check(truth: VcocoTruth, roles: InteractionBoxes, agents: InteractionBoxes | None, slots: int) -> None:
    if not (truth.doing == 1).any():
        raise InputError("There is nothing to measure: nobody is annotated to do anything.")
    if (np.diff(truth.picture) < 0).any():
        raise InputError("Annotated people must stand in the order of their pictures.")
    for name, found, most in (("slot", roles, slots), ("action", agents, len(truth.actions))):
        if found is not None and found.scores is None:
            raise InputError("The detections have no scores: they cannot be ranked.")
        if found is not None and len(found) and int(found.category.max()) >= most:
            raise InputError(f"A detection has {name} {found.category.max()}; there are {most}.")

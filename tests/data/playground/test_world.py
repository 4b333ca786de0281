"""The tables of the world hold together, and give the long tail that they promise."""

from __future__ import annotations

from collections import Counter

import pytest

from lichen.data.playground import ATTRIBUTES, BACKGROUNDS, CLASSES, PREDICATES, UNSEEN, Playground
from lichen.data.playground.dice import Dice
from lichen.data.playground.habits import AFFINITY, BYSTANDERS, EVENTS, WEARING
from lichen.data.playground.planning import plan
from lichen.data.playground.staging import STAGES, stage
from lichen.data.playground.world import ANIMALS, OBJECTS, PEOPLE, SPATIAL, events, pairs


def test_there_is_as_much_as_promised() -> None:
    assert len(OBJECTS) >= 24 and len(ATTRIBUTES) >= 8 and len(PREDICATES) >= 12 and len(BACKGROUNDS) >= 5
    named = "holding riding kicking carrying wearing|looking at|sitting on|next to|behind|under|in front of|pulling"
    assert {word for part in named.split("|") for word in ([part] if part in PREDICATES else part.split())} <= set(
        PREDICATES
    )
    assert len(set(CLASSES)) == len(CLASSES) == len(PEOPLE) + len(ANIMALS) + len(OBJECTS)


def test_tables_name_only_what_exists() -> None:
    assert set(EVENTS) == set(STAGES) == set(PREDICATES) - set(SPATIAL) - {"wearing"}
    for predicate in EVENTS:
        for unseen in (False, True):
            for subject, thing in pairs(predicate, unseen):
                assert subject in CLASSES and thing in CLASSES
    assert {label for table in WEARING.values() for label in table} <= set(OBJECTS) and set(WEARING) == set(PEOPLE)
    assert set(AFFINITY) <= set(CLASSES) and set(BYSTANDERS) == set(BACKGROUNDS)
    for homes in AFFINITY.values():
        assert set(homes) <= set(BACKGROUNDS)
    for others in BYSTANDERS.values():
        assert set(others) <= set(CLASSES)


def test_unseen_pairs_are_new_but_their_halves_are_not() -> None:
    seen = {(predicate, thing) for predicate in EVENTS for _, thing in pairs(predicate, False)}
    assert not seen & UNSEEN
    for predicate, thing in UNSEEN:
        assert any(p == predicate for p, _ in seen)
        assert any(t == thing for _, t in seen) or any(thing in others for others in BYSTANDERS.values())
    assert set(events(True)) == {predicate for predicate, _ in UNSEEN}


@pytest.mark.parametrize("predicate", EVENTS)
def test_every_pair_can_be_staged(predicate: str) -> None:
    for number, (subject, thing) in enumerate([*pairs(predicate, False), *pairs(predicate, True)]):
        group = stage(subject, predicate, thing, Dice(1, number))
        assert [member.label for member in group.members[:2]] == [subject, thing]
        assert group.relations[0] == (0, predicate, 1)
        assert group.left < group.right and group.height > 0.0
        assert all(predicate == "wearing" and s == 0 for s, predicate, _ in group.relations[1:])


def test_plans_keep_unseen_pairs_out_of_train() -> None:
    for index in range(30):
        for group in plan(Dice(0, index), unseen=False).groups:
            for _, predicate, thing in group.relations:
                assert (predicate, group.members[thing].label) not in UNSEEN
    for index in range(12):
        main = plan(Dice(0, index), unseen=True).groups[0]
        assert (main.relations[0][1], main.members[1].label) in UNSEEN


@pytest.mark.slow
def test_long_tail_and_shortcut() -> None:
    predicates: Counter[str] = Counter()
    triples: Counter[tuple[str | None, str, str | None]] = Counter()
    for _, scene in Playground(size=1500, language=False):
        for relation in scene.relations:
            predicates[relation.predicate] += 1
            ends = (scene.entities[relation.subject].label, scene.entities[relation.object].label)
            triples[ends[0], relation.predicate, ends[1]] += 1
    counts = [predicates[predicate] for predicate in PREDICATES]
    assert min(counts) > 0 and max(counts) / min(counts) >= 100
    assert predicates.most_common(1)[0][0] == "wearing"
    best: Counter[tuple[str | None, str | None]] = Counter()
    for (subject, _, thing), count in triples.items():
        best[subject, thing] = max(best[subject, thing], count)
    assert 0.65 < best.total() / triples.total() < 0.95

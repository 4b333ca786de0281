"""Settings of the task, and which interactions they name."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lichen.data.interactions import Interactions
from lichen.errors import InputError
from lichen.heads.hoi import HOIConfig, ProposalConfig
from lichen.scene import Entity, Relation, Scene
from lichen.tasks.interacting.config import InteractConfig
from lichen.tasks.interacting.vocabularies import from_settings, joined, to_settings, unseen_of, vocabulary_of

BOX = (0.0, 0.0, 5.0, 5.0)
CLASSES = ("person", "horse", "cup")


def scene(*told: tuple[str, str, str]) -> Scene:
    """One relation after another, each between two things of its own."""
    entities = [Entity(name, BOX) for one, _, two in told for name in (one, two)]
    relations = [Relation(2 * n, verb, 2 * n + 1) for n, (_, verb, _) in enumerate(told)]
    return Scene("s", size=(9, 9), entities=tuple(entities), relations=tuple(relations))


def test_settings_reach_head_and_proposals() -> None:
    config = InteractConfig(method="zero-shot", width=32, gamma=1.0, threshold=0.3, least=1, most=7)
    assert config.head == HOIConfig(method="zero-shot", width=32, gamma=1.0)
    assert config.proposals() == ProposalConfig(0.3, 1, 7)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": "caption"}, "Did you mean 'captions'"),
        ({"protocol": "coco"}, "protocol"),
        ({"unseen_rule": "pair"}, "Did you mean 'pairs'"),
        ({"text": ""}, r"head\.interactions\.text"),
        ({"vocabulary": ""}, "and a vocabulary"),
        ({"pairs": -1}, "got -1, 100, 1.0"),
        ({"answers": 0}, "got 0, 0, 1.0"),
        ({"suppress": 0.0}, r"suppress in \(0, 1\]"),
        ({"templates": ()}, "templates holds sentences"),
        ({"least": 16}, "0 <= least <= most"),
        ({"method": "week"}, "Did you mean 'weak'"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_what_does_not_go_together_is_told(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        InteractConfig(**changes)


def test_vocabularies_by_name(tmp_path: Path) -> None:
    scenes = [scene(("person", "ride", "horse"), ("cup", "on", "horse"), ("person", "see", "moon"))]
    scenes.append(scene(("person", "hug", "person"), ("person", "ride", "horse")))
    data = vocabulary_of("data", scenes, CLASSES, ())
    assert data.names == ("hug person", "ride horse") and data.people == {"person"}
    hico = vocabulary_of("hico", [], CLASSES, ())
    assert hico.digest == Interactions.hico().digest and len(hico) == 600
    playground = vocabulary_of("playground", [], ("man", "girl", "cup"), ())
    assert playground.people == {"man", "girl"} and playground.digest == Interactions.playground().digest
    vcoco = vocabulary_of("vcoco", [scene(("person", "eat_obj", "cup"))], CLASSES, ())
    assert vcoco.names == ("eat_obj cup",)
    (tmp_path / "own.csv").write_text("verb,object\nwash,cup\n", "utf-8")
    own = vocabulary_of(str(tmp_path / "own.csv"), [], CLASSES, ())
    assert own.names == ("wash cup",) and own.people == {"person"}
    assert vocabulary_of("data", [scene(("cup", "on", "horse"))], CLASSES, ("cup",)).names == ("on horse",)


def test_nobody_and_nothing_to_do_are_told() -> None:
    with pytest.raises(InputError, match=r"none of person, man, woman, boy, girl is among horse, cup.*people"):
        vocabulary_of("hico", [], ("horse", "cup"), ())
    with pytest.raises(InputError, match="none of rider is among"):
        vocabulary_of("hico", [], CLASSES, ("rider",))
    with pytest.raises(InputError, match="No training scene says what a person"):
        vocabulary_of("data", [scene(("cup", "on", "horse"))], CLASSES, ())


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("ride,horse\nride,horse", r"line 3: 'ride horse' is there already, in line 2"),
        ("sit_on,chair\nsit on,Chair", "line 3: .* is there already"),
        (",horse", "line 2: the verb is empty"),
        ("ride,", "line 2: the object is empty"),
        ("", "lists no interaction"),
    ],
)
def test_tables_that_are_no_vocabulary(rows: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text(f"verb,object\n{rows}\n", "utf-8")
    with pytest.raises(InputError, match=message):
        vocabulary_of(str(path), [], CLASSES, ())


def test_unseen_interactions() -> None:
    hico = Interactions.hico()
    assert (
        unseen_of("", hico) == () and len(unseen_of("RF-UC", hico)) == 120 and len(unseen_of("unseen_verb", hico)) == 84
    )
    playground = Interactions.playground()
    hidden = unseen_of("playground", playground)
    assert 0 < len(hidden) < len(playground)
    with pytest.raises(InputError, match="numbers the interactions of HICO-DET"):
        unseen_of("rare_first", playground)
    with pytest.raises(InputError, match="numbers the interactions of HICO-DET"):
        unseen_of("rare_first", replace(hico, entries=hico.entries[::-1]))
    with pytest.raises(InputError, match="Did you mean 'unseen_verb'"):
        unseen_of("unseen_verbs", hico)


def test_settings_keep_the_order() -> None:
    hico = vocabulary_of("hico", [], CLASSES, ())
    told = json.loads(json.dumps(to_settings(hico)))
    assert from_settings(told) == hico
    told["entries"][3], told["entries"][4] = told["entries"][4], told["entries"][3]
    with pytest.raises(InputError, match="not in the order in which they were learnt"):
        from_settings(told)


def test_added_interactions_come_behind_the_others() -> None:
    one, two = Interactions.of([("ride", "horse")]), Interactions.of([("wash", "cup"), ("ride", "horse")])
    whole, new = joined(one, two)
    assert whole.names == ("ride horse", "wash cup") and new is not None and new.names == ("wash cup",)
    assert joined(whole, two) == (whole, None)

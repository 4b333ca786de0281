"""The published zero-shot splits: their sizes, what stays seen, and what training scenes lose."""

from __future__ import annotations

import pytest

from lichen.data.classes import hico_rare, hico_zero_shot
from lichen.data.interactions import Interactions, playground_unseen
from lichen.data.zero_shot import SHORT, Filter, ZeroShotSplit, without_unseen, zero_shot
from lichen.errors import InputError
from lichen.scene import Entity, Label, Relation, Scene

HICO = Interactions.hico()


@pytest.mark.parametrize(
    ("name", "unseen", "rare", "verbs", "objects"),
    [
        ("rare_first", 120, {120}, {117}, 80),
        ("non_rare_first", 120, {0}, {117}, 80),
        *((f"uc{number}", 120, set(range(25, 38)), {107, 108}, 80) for number in range(5)),
        ("unseen_object", 100, {20}, {112}, 68),
        ("unseen_verb", 84, {18}, {97}, 80),
        ("unseen_action_ua", 100, set(range(100)), {95}, 80),
    ],
)
def test_sizes_and_what_stays_seen(name: str, unseen: int, rare: set[int], verbs: set[int], objects: int) -> None:
    """The table of hoi.md 2.6."""
    split = zero_shot(name)
    assert (len(split.unseen), len(split.seen)) == (unseen, 600 - unseen)
    assert sum(hico_rare()[number] for number in split.unseen) in rare
    seen = [HICO.entries[number] for number in split.seen]
    assert len({entry.verb for entry in seen}) in verbs and len({entry.object for entry in seen}) == objects
    assert set(split.groups()["unseen"]).isdisjoint(split.groups()["seen"])


def test_the_table_of_interactions_marks_the_same() -> None:
    import csv

    from lichen.data.classes import FOLDER

    with (FOLDER / "hico_600_ext.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    columns = ("rf_uc", "nf_uc", "uo", "uv")
    names = ("rare_first", "non_rare_first", "unseen_object", "unseen_verb")
    for column, name in zip(columns, names, strict=True):
        marked = tuple(number for number, row in enumerate(rows) if row[f"unseen_{column}"] == "1")
        assert marked == tuple(sorted(zero_shot(name).unseen))


def test_names_of_papers() -> None:
    assert zero_shot("RF-UC") == zero_shot("rare_first") and zero_shot("uc3").name == "uc3"
    assert zero_shot("UV").name == "unseen_verb" and set(SHORT.values()) == set(hico_zero_shot())
    with pytest.raises(InputError, match=r"Unknown zero-shot split 'rare'.*rare_first"):
        zero_shot("rare")


def test_splits_that_are_none() -> None:
    for unseen in ((), (0, 1, 2), (1, 1)):
        with pytest.raises(InputError, match="once each"):
            ZeroShotSplit("own", unseen, 3)
    with pytest.raises(InputError, match="numbered 0 to 2"):
        ZeroShotSplit("own", (3,), 3)


OWN = Interactions.of([("ride", "horse"), ("sit_on", "horse"), ("feed", "dog")])
ENTITIES = (Entity("person"), Entity("horse"), Entity("dog"))
RIDE, SIT, FEED, NEAR = (
    Relation(0, "ride", 1),
    Relation(0, "sit_on", 1),
    Relation(0, "feed", 2),
    Relation(0, "near", 1),
)


def kept(how: Filter, *relations: Relation, unseen: int = 0, **parts: object) -> Scene | None:
    given = Scene("a", entities=ENTITIES, relations=relations, **parts)  # type: ignore[arg-type]
    found = list(without_unseen([given], OWN, [unseen], how))
    return found[0] if found else None


def test_pairs_go_with_all_that_they_carry() -> None:
    scene = kept("pairs", RIDE, SIT, FEED, NEAR)
    assert scene is not None and scene.relations == (FEED,) and scene.entities == ENTITIES
    assert kept("pairs", RIDE, SIT) is None
    # Nothing was taken from a picture that had no interaction before.
    assert kept("pairs", NEAR) is not None


def test_labels_go_alone() -> None:
    scene = kept("labels", RIDE, SIT, FEED, NEAR)
    assert scene is not None and scene.relations == (SIT, FEED, NEAR)
    alone = kept("labels", RIDE)
    assert alone is not None and alone.relations == () and alone.entities == ENTITIES


def test_labels_of_the_whole_picture() -> None:
    labels = (Label("ride horse"), Label("sit_on horse"), Label("outdoors"))
    metadata = {"absent": ["feed dog", "ride horse"], "unclear": ["ride horse"], "split": "train"}
    scene = kept("pairs", RIDE, labels=labels, metadata=metadata)
    assert scene is not None and scene.relations == () and scene.labels == labels[1:]
    assert scene.metadata == {"absent": ["feed dog"], "unclear": [], "split": "train"}
    assert kept("pairs", labels=(labels[0], labels[2])) is None
    only = kept("labels", labels=(labels[0], labels[2]))
    assert only is not None and only.labels == (labels[2],)


@pytest.mark.usefixtures("unchecked")
def test_unknown_filter() -> None:
    with pytest.raises(InputError, match=r"Unknown filter 'pair'.*'pairs'"):
        kept("pair", RIDE)  # type: ignore[arg-type]


def test_the_playground_is_a_split_like_others() -> None:
    own = Interactions.playground()
    split = ZeroShotSplit("compositional", playground_unseen(own), len(own))
    seen = [own.entries[number] for number in split.seen]
    # Each verb and each object of an unseen combination occurs in others.
    for number in split.unseen:
        assert own.entries[number].verb in {entry.verb for entry in seen}

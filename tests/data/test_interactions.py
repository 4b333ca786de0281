"""The vocabulary of interactions: where it comes from, its order, its mask, its prompts, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lichen.data.classes import coco_80, hico_600
from lichen.data.formats import read_scenes
from lichen.data.interactions import Entry, Interactions, playground_unseen, targets_of
from lichen.data.playground import UNSEEN, Playground
from lichen.errors import InputError
from lichen.scene import Entity, Label, Relation, Scene

RIDE = Interactions.of([("ride", "horse"), ("feed", "horse"), ("no_interaction", "horse"), ("hug", "person")])


def test_hico() -> None:
    hico = Interactions.hico()
    assert len(hico) == 600 and hico.names[18] == "ride bicycle"
    assert len(hico.verbs) == 117 and len(hico.objects) == 80 and hico.number["ride", "bicycle"] == 18
    assert hico.no_interaction.sum() == 80 and np.flatnonzero(hico.no_interaction)[-1] == 599
    groups = hico.groups()
    assert (len(groups["rare"]), len(groups["non_rare"])) == (138, 462)
    assert set(groups["rare"]) | set(groups["non_rare"]) == set(range(600))
    # What checkpoints hold: it may not change between releases.
    assert hico.digest == "da13b7a867d6f6ff8442f432a77cfcea9fac810f9531a5cb671c75d45f3b9c03"


def test_the_order_is_in_the_digest() -> None:
    rows = [(each.verb, each.object) for each in hico_600()]
    assert Interactions.of(rows).digest == Interactions.hico().digest
    rows[3], rows[4] = rows[4], rows[3]
    assert Interactions.of(rows).digest != Interactions.hico().digest


def test_the_mask_has_each_interaction_once() -> None:
    mask = Interactions.hico().mask(tuple(coco_80().values()))
    assert mask.shape == (80, 600) and mask.sum() == 600 and (mask.sum(0) == 1).all() and mask.any(1).all()
    assert np.flatnonzero(mask[0]).tolist() == list(range(160, 170))
    assert RIDE.mask(("person", "dog", "horse")).tolist() == [
        [False, False, False, True],
        [False] * 4,
        [True, True, True, False],
    ]


def test_a_detector_without_a_class() -> None:
    with pytest.raises(InputError, match=r"has no class 'horse', so .* Did you mean 'horses'"):
        RIDE.mask(("person", "horses"))
    with pytest.raises(InputError, match=r"'airplane', 'bicycle', 'bird', 'boat', 'bottle', …"):
        Interactions.hico().mask(("person",))


def test_prompts() -> None:
    hico = Interactions.hico()
    said = [prompts[0] for prompts in hico.prompts()]
    assert len(set(said)) == 600 and not any("_" in text or "no interaction" in text for text in said)
    assert said[hico.number["ride", "bicycle"]] == "a photo of a person riding a bicycle"
    assert said[hico.number["no_interaction", "umbrella"]] == "a photo of a person and an umbrella"
    assert said[hico.number["no_interaction", "person"]] == "a photo of a person and another person"
    assert said[hico.number["hug", "person"]] == "a photo of a person hugging another person"
    assert said[hico.number["adjust", "skis"]] == "a photo of a person adjusting skis"
    assert said[hico.number["cut_with", "scissors"]] == "a photo of a person cutting with scissors"
    assert said[hico.number["stop_at", "stop sign"]] == "a photo of a person stopping at a stop sign"
    own = RIDE.prompts(["{thing} and who is {doing} it", "who is {doing} {thing}"])
    assert own[0] == ["a horse and who is riding it", "who is riding a horse"] and own[2][1] == "and a horse"
    with pytest.raises(InputError, match="template"):
        RIDE.prompts(["a photo of {object}"])


def test_playground() -> None:
    all_of = Interactions.playground()
    assert len(all_of) == len(set(all_of.names)) and "next to" not in all_of.verbs
    assert len(Interactions.playground(wearing=False).verbs) == len(all_of.verbs) - 1
    unseen = {(all_of.entries[number].verb, all_of.entries[number].object) for number in playground_unseen(all_of)}
    # Two of the fifteen are done by animals and things alone.
    assert unseen == UNSEEN - {("under", "bench"), ("on", "box")}
    assert all_of.prompts(["a {doing} {thing}"])[all_of.number["holding", "ice cream"]] == ["a holding an ice cream"]


def test_every_pair_of_the_playground_is_in_its_vocabulary() -> None:
    vocabulary = Interactions.playground()
    unseen = set(playground_unseen(vocabulary))
    for split in ("train", "unseen"):
        data = Playground(split=split, size=60, language=False)
        found = set()
        for number in range(60):
            scene = data[number][1]
            numbered = vocabulary.pairs_of(scene)
            found |= {each[2] for each in numbered}
            done = [
                relation
                for relation in scene.relations
                if scene.entities[relation.subject].label in vocabulary.people
                and relation.predicate in vocabulary.verbs
            ]
            assert len(numbered) == len(done)
            assert set(np.flatnonzero(vocabulary.labels_of(scene) == 1)) == {each[2] for each in numbered}
        assert bool(found & unseen) is (split == "unseen") and len(found) > 10


def test_vcoco_from_real_annotations(shared_data: Path) -> None:
    files = [shared_data / "formats/vcoco/vcoco_on_coco_mini.json", shared_data / "coco_mini/instances.json"]
    scenes = list(read_scenes("v-coco", files, look=False))
    found = Interactions.vcoco(scenes)
    occurring = {
        (relation.predicate, scene.entities[relation.object].label) for scene in scenes for relation in scene.relations
    }
    assert {(entry.verb, entry.object) for entry in found.entries} == occurring
    numbered = [each for scene in scenes for each in found.pairs_of(scene)]
    assert len(numbered) == sum(len(scene.relations) for scene in scenes) > 0


def test_vcoco_leaves_point_out() -> None:
    scene = Scene(
        "a",
        entities=(Entity("person"), Entity("dog"), Entity("apple")),
        relations=(
            Relation(0, "point_instr", 1),
            Relation(0, "look_obj", 1),
            Relation(0, "hold_obj", 2),
            Relation(0, "hold_obj", 1),
            Relation(0, "near", 1),
        ),
    )
    assert Interactions.vcoco([scene]).names == ("hold_obj apple", "hold_obj dog", "look_obj dog")
    assert Interactions.vcoco([scene], point=True).names[-1] == "point_instr dog"
    with pytest.raises(InputError, match="No scene has a relation"):
        Interactions.vcoco([Scene("b")])


# --- scenes


def scene(**parts: object) -> Scene:
    entities = (Entity("person"), Entity("horse"), Entity("person"), Entity("dog"))
    relations = (
        Relation(0, "ride", 1),
        Relation(0, "feed", 3),
        Relation(2, "hug", 0),
        Relation(0, "hug", 0),
        Relation(1, "ride", 1),
    )
    return Scene("a", entities=entities, relations=relations, **parts)  # type: ignore[arg-type]


def test_pairs_of_a_scene() -> None:
    """Not what the vocabulary lacks, not what an animal does, and nobody does anything to himself."""
    assert RIDE.pairs_of(scene()) == [(0, 1, 0), (2, 0, 3)]


def test_labels_of_the_whole_picture() -> None:
    nan = np.nan
    np.testing.assert_array_equal(RIDE.labels_of(scene()), [1, nan, nan, 1])
    # Labels count, not what can be seen; those that are no interactions do not.
    told = scene(
        labels=(Label("feed horse"), Label("outdoors")), metadata={"absent": ["ride horse"], "unclear": ["hug person"]}
    )
    values = RIDE.labels_of(told)
    np.testing.assert_array_equal(values, [-1, 1, nan, 0])
    np.testing.assert_array_equal(RIDE.labels_of(scene(labels=(Label("outdoors"),))), [1, nan, nan, 1])
    np.testing.assert_array_equal(RIDE.labels_of(scene(metadata={"absent": [], "unclear": []})), [nan] * 4)
    np.testing.assert_array_equal(RIDE.labels_of(scene(metadata={"unclear": ["feed horse"]})), [nan, 0, nan, nan])
    positive, counted = targets_of(values)
    assert positive.tolist() == [False, True, False, False] and counted.tolist() == [True, True, True, False]


# --- tables of anyone's


def table(folder: Path, text: str) -> Interactions:
    (folder / "own.csv").write_bytes(text.encode("utf-8"))
    return Interactions.read_csv(folder / "own.csv")


def test_a_table(tmp_path: Path) -> None:
    text = "\ufeffid, verb ,object,gerund\n7,sit_on,dining_table,\n8,lean on,tree,leaning on\n9,no_interaction,tree,\n"
    own = table(tmp_path, text)
    assert own.entries == (
        Entry("sit_on", "dining table", "sitting on"),
        Entry("lean on", "tree", "leaning on"),
        Entry("no_interaction", "tree", own.entries[2].gerund),
    )
    assert own.groups() == {} and own.no_interaction.tolist() == [False, False, True]
    assert [each[0] for each in own.prompts()] == [
        "a photo of a person sitting on a dining table",
        "a photo of a person leaning on a tree",
        "a photo of a person and a tree",
    ]


def test_the_official_table_is_read_like_anyones(tmp_path: Path) -> None:
    rows = "\n".join(f"{each.verb},{each.object.replace(' ', '_')}" for each in hico_600())
    assert table(tmp_path, f"verb,object\n{rows}\n").digest == Interactions.hico().digest


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"must name the columns verb and object .* verb and object missing in \[\]"),
        ("verb;object\nride;horse\n", r"verb and object missing in \['verb;object'\]"),
        ("verb,thing\nride,horse\n", r"object missing in \['verb', 'thing'\]"),
        ("verb,object\n", "lists no interaction below its first line"),
        ("verb,object\nride,horse\nfeed,\n", "line 3: the object is empty"),
        ("verb,object\nride,horse\n ,dog\n", "line 3: the verb is empty"),
        ("verb,object\nride\n", "line 2: the object is empty"),
        ("verb,object\nsit_on,dining_table\nSit on,dining table\n", r"line 3: 'Sit on dining table' .* in line 2"),
    ],
)
def test_tables_with_faults(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        table(tmp_path, text)


def test_tables_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        Interactions.read_csv(tmp_path / "absent.csv")
    (tmp_path / "own.csv").write_bytes(b"verb,object\n\xff\xfe,horse\n")
    with pytest.raises(InputError, match="UTF-8"):
        Interactions.read_csv(tmp_path / "own.csv")


def test_what_is_refused() -> None:
    with pytest.raises(InputError, match="There is no interaction"):
        Interactions(())
    with pytest.raises(InputError, match=r"Interactions 0 and 1 are both 'ride horse'"):
        Interactions.of([("ride", "horse"), ("ride", "horse")])
    with pytest.raises(InputError, match=r"Interaction 1 .* has no object"):
        Interactions.of([("ride", "horse"), ("ride", " ")])
    with pytest.raises(InputError, match=r"Interaction 0 .* has no verb"):
        Interactions.of([("", "horse")])

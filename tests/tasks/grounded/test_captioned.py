"""What is read of captions, and of the boxes of their phrases."""

from __future__ import annotations

import torch

from lichen.scene import Entity, Phrase, Scene
from lichen.tasks.grounded.captioned import Answers, read_captions
from lichen.tasks.grounded.config import GroundConfig
from lichen.tasks.grounded.nouns import class_named, noun_table

CAPTION = "a red dog sits on two big tables ."
DOG, TABLES = (0.0, 0.0, 5.0, 5.0), (5.0, 5.0, 9.0, 9.0)
OTHER = (1.0, 5.0, 3.0, 9.0)


def scene(*phrases: Phrase, captions: tuple[str, ...] = (CAPTION,)) -> Scene:
    things = (Entity("dog", DOG), Entity("dining table", TABLES), Entity("dining table", OTHER), Entity("sky"))
    return Scene("s", size=(10, 10), captions=captions, entities=things, phrases=phrases)


def test_annotated_phrases_keep_their_boxes_whatever_stands_at_their_ends() -> None:
    tables = CAPTION.index("two")
    given = scene(Phrase(0, 0, 10, (0,)), Phrase(0, tables, tables + len("two big tab"), (1, 2)))
    (found,) = read_captions([given], GroundConfig(), measured=True)
    assert found.parsed.phrases == ("a red dog", "two big tables")
    assert found.truths == ((DOG,), (TABLES, OTHER)) and found.kinds == ("dog", "dining table")
    assert found.parsed.relations


def test_of_phrases_that_overlap_the_first_counts_and_the_others_of_a_scene_are_not_guessed() -> None:
    given = scene(Phrase(0, 2, 9, (0,)), Phrase(0, 0, 9, (0,)), captions=(CAPTION, "a cat"))
    (found,) = read_captions([given], GroundConfig(), measured=False)
    assert found.number == 0 and found.parsed.phrases == ("a red dog",)


def test_what_means_nothing_with_a_box_is_not_measured() -> None:
    given = scene(Phrase(0, 0, 9, (3,)), Phrase(0, CAPTION.index("two"), CAPTION.index(" ."), (1, 2)))
    read = read_captions([given, given], GroundConfig(), measured=True)
    answers = Answers.of(read)
    assert answers.measured.tolist() == [1, 3] and answers.phrase.tolist() == [0, 0, 1, 1]
    assert torch.equal(answers.boxes[:2], torch.tensor([TABLES, OTHER])) and answers.kinds == ("dining table",) * 2
    assert len(Answers.of([]).boxes) == 0


def test_nouns_stand_for_all_boxes_of_their_class() -> None:
    config = GroundConfig(truths="labels", phrases="rules")
    (found,) = read_captions([scene()], config, measured=True)
    truths = dict(zip(found.parsed.phrases, found.truths, strict=True))
    assert truths["a red dog"] == (DOG,) and truths["two big tables"] == (TABLES, OTHER)


def test_captions_without_anything_are_passed_over() -> None:
    empty = scene(captions=("", "  ", "running quickly"))
    assert read_captions([empty], GroundConfig(), measured=False) == []


def test_names_of_classes_in_captions() -> None:
    table = noun_table(["dining table", "bus", "person", "dog"])
    for phrase, name in {
        "Two small dogs": "dog",
        "the buses": "bus",
        "a dining table": "dining table",
        "some men": "person",
        "a hot dog stand": None,
        "": None,
    }.items():
        assert class_named(phrase, table) == name, phrase

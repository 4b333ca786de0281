"""Phrases and relations of captions: by hand, of given phrases, on the playground (whose phrases are known)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lichen.data.playground.dataset import Playground
from lichen.data.playground.language.names import PLACES, VISTAS
from lichen.errors import InputError
from lichen.language.phrases import PARSERS, Parsed, parse


def told(parsed: Parsed) -> list[tuple[str, str, str]]:
    return [(parsed.phrases[said.subject], said.text, parsed.phrases[said.object]) for said in parsed.relations]


CASES = {
    "A man in a red shirt is holding the small dog near a big car .": [
        ("A man", "in", "a red shirt"),
        ("A man", "holding", "the small dog"),
        ("the small dog", "near", "a big car"),
    ],
    "Two young , White males are outside near many bushes .": [("Two young , White males", "near", "many bushes")],
    "A boy wearing a hat and a scarf throws a ball, while a girl sits on a bench.": [
        ("A boy", "wearing", "a hat"),
        ("A boy", "wearing", "a scarf"),
        ("A boy", "throws", "a ball"),
        ("a girl", "sits on", "a bench"),
    ],
    "a man and his dog are coming out of the water": [
        ("a man", "coming out of", "the water"),
        ("his dog", "coming out of", "the water"),
    ],
    "A woman is sitting on a sofa and holding a cup in front of a TV": [
        ("A woman", "sitting on", "a sofa"),
        ("A woman", "holding", "a cup"),
        ("A woman", "in front of", "a TV"),
    ],
    "A ball is being kicked by a boy": [("A ball", "kicked by", "a boy")],
    "A group of people standing around a boat on the left side of a river": [
        ("A group of people", "standing around", "a boat"),
        ("A group of people", "on the left side of", "a river"),
    ],
    "A dog that is chasing a cat": [("A dog", "chasing", "a cat")],
    "A white bowl full of green apples": [("A white bowl", "full of", "green apples")],
    "In the snow, a man pulls a sled": [("a man", "pulls", "a sled")],
    "He is riding a horse next to it": [],
}


@pytest.mark.parametrize("caption", CASES)
def test_relations(caption: str) -> None:
    assert told(parse(caption)) == CASES[caption]


@pytest.mark.parametrize(
    ("caption", "phrases", "heads"),
    [
        ("A black and white cat's tail", ["A black and white cat's tail"], ["tail"]),
        ("a pair of sunglasses and several pieces of luggage", ["a pair of sunglasses", "several pieces of luggage"],
         ["sunglasses", "luggage"]),
        ("a sleeping dog by the dining table in a living room", ["a sleeping dog", "the dining table", "a living room"],
         ["dog", "table", "room"]),
        ("Two men play; a street sign and a traffic light", ["Two men", "a street sign", "a traffic light"],
         ["men", "sign", "light"]),
        ("a woman in red eats an orange", ["a woman in red", "an orange"], ["woman", "orange"]),
        ("a very large yellow bus on a sunny day", ["a very large yellow bus"], ["bus"]),
        ("a snow covered hill with parked cars", ["a snow covered hill", "parked cars"], ["hill", "cars"]),
        ("a person’s bike is parked in the background", ["a person’s bike"], ["bike"]),
    ],
)  # fmt: skip
def test_noun_phrases(caption: str, phrases: list[str], heads: list[str]) -> None:
    found = parse(caption)
    assert list(found.phrases) == phrases and list(found.heads) == heads
    assert [tuple(found.words[a:b]) for a, b in found.places] == [
        tuple(word for word in found.words if start <= word.start and word.end <= end) for start, end in found.spans
    ]


@pytest.mark.parametrize(
    "caption", ["", "   ", "!!", "running", "It is raining.", "\u00e9\u4e16\U0001f600", "of of of"]
)
def test_captions_without_nouns(caption: str) -> None:
    parsed = parse(caption)
    assert not parsed.relations
    assert all(caption[start:end].strip() for start, end in parsed.spans)


def test_worn_things_join_their_people() -> None:
    found = parse("A man dressed in a red shirt and a hat holds a cup next to a girl in a blue dress", join_worn=True)
    assert found.phrases == ("A man dressed in a red shirt", "a hat", "a cup", "a girl in a blue dress")
    assert found.heads == ("man", "hat", "cup", "girl")
    assert told(found) == [
        ("A man dressed in a red shirt", "dressed in", "a hat"),
        ("A man dressed in a red shirt", "holds", "a cup"),
        ("A man dressed in a red shirt", "next to", "a girl in a blue dress"),
    ]


def test_given_phrases_are_taken_as_they_are() -> None:
    caption = "A man in a red shirt is holding the small dog near a big car ."
    # In any order; what is not given still takes part, so that no relation reaches past it.
    found = parse(caption, [(51, 60), (0, 20)])
    assert found.phrases == ("A man in a red shirt", "a big car") and found.heads == ("man", "car")
    assert told(found) == []
    found = parse(caption, [(0, 20), (32, 45), (51, 60)])
    assert told(found)[0] == ("A man in a red shirt", "holding", "the small dog")
    # Part of a word stands for the word.
    assert parse(caption, [(3, 4)]).heads == ("man",)
    with pytest.raises(InputError, match="not inside its caption of 62 characters"):
        parse(caption, [(0, 63)])
    with pytest.raises(InputError, match="holds no word"):
        parse(caption, [(1, 2)])
    with pytest.raises(InputError, match="overlaps another"):
        parse(caption, [(0, 5), (2, 9)])
    with pytest.raises(InputError, match="Did you mean 'rules'"):
        parse(caption, parser="rule")


def test_phrases_and_relations_of_the_playground() -> None:
    """Known phrases are found, what else is found is a place, and no relation is made up."""
    places = " ".join(text for table in (PLACES, VISTAS) for texts in table.values() for text in texts)
    right = found = known = related = true = 0
    for _, scene in Playground(0, "train", 30, 32, 32):
        pairs = {frozenset((r.subject, r.object)) for r in scene.relations}
        for number, caption in enumerate(scene.captions):
            phrases = sorted((p for p in scene.phrases if p.caption == number), key=lambda p: p.start)
            gold = {(phrase.start, phrase.end) for phrase in phrases}
            own = parse(caption, join_worn=True)
            extra = [text for text, span in zip(own.phrases, own.spans, strict=True) if span not in gold]
            assert all(text.lower() in places for text in extra), (caption, extra)
            right, found, known = (
                right + len(gold & set(own.spans)),
                found + len(own.spans) - len(extra),
                known + len(gold),
            )
            for said in parse(caption, sorted(gold)).relations:
                ends = phrases[said.subject].entities, phrases[said.object].entities
                related += 1
                true += any(frozenset((a, b)) in pairs for a in ends[0] for b in ends[1])
    assert right == found and right / known > 0.99
    assert related > 100 and true / related > 0.99


def test_real_captions(shared_data: Path) -> None:
    """Nearly every caption of COCO speaks of something, and nearly every one that speaks of two relates some."""
    file = json.loads((shared_data / "coco_mini" / "captions.json").read_text("utf-8"))
    parsed = [parse(each["caption"]) for each in file["annotations"][::4]]
    assert sum(bool(one.phrases) for one in parsed) / len(parsed) > 0.99
    several = [one for one in parsed if len(one.phrases) > 1]
    assert sum(bool(one.relations) for one in several) / len(several) > 0.9
    for one in parsed:
        assert all(said.subject != said.object for said in one.relations)
        assert all(first[1] <= second[0] for first, second in zip(one.places, one.places[1:], strict=False))


def test_parsers_are_named() -> None:
    assert set(PARSERS) == {"rules", "scenegraphparser"}

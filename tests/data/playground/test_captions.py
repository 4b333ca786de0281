"""Captions: spans that fit, names that are true, several ways to say it."""

from __future__ import annotations

from itertools import pairwise

import pytest

from lichen.data.playground import Playground
from lichen.data.playground.dice import Dice
from lichen.data.playground.language.captions import CAPTIONS, captions
from lichen.data.playground.language.names import NUMBERS, SYNONYMS, article, noun, phrase, plural
from lichen.data.playground.language.view import View
from lichen.data.playground.world import CLASSES, PREDICATES

GIRL = View(
    labels=("girl", "umbrella", "horse", "dog", "dog", "hat"),
    attributes=(("red",), ("blue", "striped"), ("brown",), ("black", "small"), ("white",), ("pink",)),
    boxes=((20.0, 20.0, 40.0, 60.0), (15.0, 5.0, 45.0, 40.0), (10.0, 40.0, 60.0, 90.0), (62.0, 70.0, 72.0, 80.0),
           (75.0, 70.0, 95.0, 85.0), (25.0, 15.0, 35.0, 22.0)),
    relations=((0, "riding", 2), (0, "holding", 1), (0, "wearing", 5), (0, "next to", 4)),
    events=(0, 1),
    background="beach",
    width=96.0,
    height=96.0,
)  # fmt: skip


def heads(label: str) -> tuple[str, ...]:
    """Words one of which must be in a phrase about the class."""
    return (*SYNONYMS.get(label, (label,)), plural(label))


@pytest.fixture(scope="module")
def scenes():
    return [scene for _, scene in Playground(size=12, split="val")]


def test_every_phrase_names_its_entities(scenes) -> None:
    for scene in scenes:
        assert 1 <= len(scene.captions) <= CAPTIONS and len(set(scene.captions)) == len(scene.captions)
        for caption in scene.captions:
            assert caption[0].isupper() and caption.endswith(".") and "  " not in caption and " ," not in caption
        for found in scene.phrases:
            words = scene.captions[found.caption][found.start : found.end]
            assert words == words.strip() and words.split()[0].lower() in ("a", "an", *NUMBERS)
            labels = {scene.entities[entity].label for entity in found.entities}
            assert len(labels) == 1
            (label,) = labels
            assert any(word.split()[-1] in words for word in heads(label))
            if len(found.entities) == 1:
                spoken = set(words.replace("dressed in", "in").split())
                known = set(scene.entities[found.entities[0]].attributes)
                colours = spoken & {"red", "blue", "green", "yellow", "orange", "purple", "pink", "striped", "spotted"}
                assert colours <= known
            else:
                assert words.split()[0].lower() == NUMBERS[len(found.entities)]
                assert len(found.entities) == sum(e.label == label for e in scene.entities)


def test_phrases_of_a_caption_do_not_overlap(scenes) -> None:
    for scene in scenes:
        for number in range(len(scene.captions)):
            spans = sorted((p.start, p.end) for p in scene.phrases if p.caption == number)
            assert spans and all(first[1] <= second[0] for first, second in pairwise(spans))


def test_word_order_varies() -> None:
    said = {text for number in range(40) for text, _ in captions(GIRL, Dice(0, number))}
    assert any(text.startswith(("On the beach", "By the sea")) for text in said)
    assert any(text.startswith("There is") for text in said)
    assert any("ridden by" in text for text in said)
    assert any("with" in text and "beach with" in text for text in said)
    assert any(" is riding " in text for text in said) and any(" rides " in text for text in said)
    assert any(" bike" not in text and "parasol" in text for text in said)
    assert len(said) > 80


def test_spans_of_a_known_scene() -> None:
    for number in range(20):
        for text, spans in captions(GIRL, Dice(1, number)):
            for start, end, entities in spans:
                assert any(word.split()[-1] in text[start:end] for word in heads(GIRL.labels[entities[0]]))


def test_a_single_thing_can_be_described() -> None:
    alone = View(("dog",), (("black",),), ((1.0, 2.0, 30.0, 40.0),), (), (), "snow", 96.0, 96.0)
    said = captions(alone, Dice(0, 0))
    assert said and all("dog" in text for text, _ in said)


@pytest.mark.parametrize(
    ("label", "attributes", "expected"),
    [
        ("girl", ("red",), "girl in red"),
        ("man", ("blue", "striped"), "man in a striped blue shirt"),
        ("woman", ("pink", "spotted"), "woman in a spotted pink dress"),
        ("ball", ("red", "striped", "small"), "small striped red ball"),
        ("glasses", ("pink",), "pair of pink glasses"),
        ("man", (), "man"),
    ],
)
def test_phrases(label: str, attributes: tuple[str, ...], expected: str) -> None:
    assert phrase(label, attributes) == expected


def test_words() -> None:
    assert article("orange ball") == "an orange ball" and article("umbrella") == "an umbrella"
    assert article("white box") == "a white box"
    assert (plural("box"), plural("man"), plural("sheep"), plural("bench"), plural("dog")) == (
        "boxes", "men", "sheep", "benches", "dogs")  # fmt: skip
    assert all(noun(label) for label in CLASSES) and len(PREDICATES) == 16

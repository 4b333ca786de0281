"""Names of interactions as English."""

from __future__ import annotations

import pytest

from lichen.data.classes import hico_600, hico_gerunds, vcoco_actions
from lichen.data.phrasing import TEMPLATES, check_templates, gerund, thing
from lichen.errors import InputError


def test_the_rule_agrees_with_hico() -> None:
    """All 117 verbs, of which HICO misspells two (controling, spining)."""
    for each, doing in zip(hico_600(), hico_gerunds(), strict=True):
        if each.verb != "no_interaction":
            assert gerund(each.verb) == doing.replace("_", " ")


@pytest.mark.parametrize(
    ("verb", "doing"),
    [
        ("sit_on", "sitting on"),
        ("sitting on", "sitting on"),
        ("riding", "riding"),
        ("under", "under"),
        ("in front of", "in front of"),
        ("swing", "swinging"),
        ("sing", "singing"),
        ("scrub", "scrubbing"),
        ("visit", "visiting"),
        ("see", "seeing"),
        ("dye", "dyeing"),
        ("tie", "tying"),
        ("play", "playing"),
        ("fix", "fixing"),
        ("eat_obj", "eating"),
        ("eat_instr", "eating with"),
        ("ride_instr", "riding"),
    ],
)
def test_gerunds(verb: str, doing: str) -> None:
    assert gerund(verb) == doing


def test_every_slot_of_vcoco_is_english() -> None:
    slots = [slot for action in vcoco_actions() for slot in action.slots()]
    assert len(slots) == 25
    for slot in slots:
        first = gerund(slot).split()[0]
        assert first.endswith("ing") and "_" not in gerund(slot)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("horse", "a horse"),
        ("umbrella", "an umbrella"),
        ("airplane", "an airplane"),
        ("unicycle", "a unicycle"),
        ("hourglass", "an hourglass"),
        ("skis", "skis"),
        ("scissors", "scissors"),
        ("sunglasses", "sunglasses"),
        ("bus", "a bus"),
        ("wine glass", "a wine glass"),
        ("sports_ball", "a sports ball"),
        ("sheep", "a sheep"),
        ("broccoli", "broccoli"),
        ("tv", "a TV"),
        ("person", "another person"),
    ],
)
def test_things(name: str, words: str) -> None:
    assert thing(name) == words


@pytest.mark.parametrize("template", ["a photo of {thing}", "{doing} {thing} {place}", "{doing", "nothing"])
def test_templates_that_say_too_little(template: str) -> None:
    with pytest.raises(InputError, match="template"):
        check_templates([*TEMPLATES, template])


def test_no_template() -> None:
    with pytest.raises(InputError, match="at least one template"):
        check_templates([])
    check_templates(TEMPLATES)

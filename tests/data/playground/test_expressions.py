"""Referring expressions fit one entity and no other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lichen.data.playground import Playground
from lichen.data.playground.dice import Dice
from lichen.data.playground.language.expressions import (
    Description,
    candidates,
    definite,
    expressions,
    fits,
    fitting,
    position,
    singled_out,
    worded,
)
from lichen.data.playground.language.view import View

VIEW = View(
    labels=("dog", "dog", "dog", "ball", "man", "man"),
    attributes=(("black",), ("black", "small"), ("white",), ("red",), ("blue",), ("blue",)),
    boxes=((5.0, 60.0, 15.0, 70.0), (45.0, 60.0, 55.0, 70.0), (80.0, 60.0, 90.0, 70.0), (20.0, 65.0, 24.0, 69.0),
           (30.0, 20.0, 40.0, 70.0), (33.0, 20.0, 43.0, 70.0)),
    relations=((1, "holding", 3), (4, "looking at", 2)),
    events=(0, 1),
    background="meadow",
    width=96.0,
    height=96.0,
)  # fmt: skip


def test_positions_need_a_clear_distance() -> None:
    assert [position(VIEW, entity) for entity in range(6)] == ["left", "middle", "right", None, None, None]


def test_descriptions_fit_by_all_they_say() -> None:
    assert fitting(VIEW, Description("dog")) == [0, 1, 2]
    assert fitting(VIEW, Description("dog", ("black",))) == [0, 1]
    assert fitting(VIEW, Description("dog", relation=("holding", "ball", ()))) == [1]
    assert fitting(VIEW, Description("dog", relation=("holding", "ball", ("blue",)))) == []
    assert fits(VIEW, 2, Description("dog", position="right")) and not fits(VIEW, 2, Description("cat"))


def test_all_candidates_are_true() -> None:
    for entity in range(6):
        assert all(fits(VIEW, entity, said) for said in candidates(VIEW, entity))


def test_only_what_is_unique_is_said() -> None:
    assert Description("dog", ("black",)) not in singled_out(VIEW, 0)
    assert {worded(said) for said in singled_out(VIEW, 1)} == {
        "the small dog", "the small black dog", "the dog holding a ball", "the dog holding a red ball",
        "the dog in the middle"}  # fmt: skip
    # The men differ in what one of them does; of the other nothing is left to say.
    assert [worded(said) for said in singled_out(VIEW, 4)] == [
        "the man looking at a dog",
        "the man looking at a white dog",
    ]
    assert singled_out(VIEW, 5) == []
    assert definite(VIEW, 0) == "the dog on the left" and definite(VIEW, 4) is None and definite(VIEW, 3) == "the ball"


def test_a_hidden_double_forbids_it() -> None:
    assert singled_out(replace(VIEW, unsure=frozenset({"ball"})), 3) == []


def test_expressions_of_pictures_are_unique() -> None:
    count = 0
    for _, scene in Playground(size=10, split="test"):
        assert len({expression.entity for expression in scene.expressions}) == len(scene.expressions) <= 3
        for expression in scene.expressions:
            count += 1
            assert expression.text.startswith("the ") and scene.entities[expression.entity].label
    assert count > 18


@pytest.mark.parametrize("number", range(5))
def test_doubles_come_first(number: int) -> None:
    said = expressions(VIEW, Dice(0, number))
    assert len(said) == 3 and all(fitting_text in range(5) for _, fitting_text in said)
    assert 3 not in [entity for _, entity in said]

"""Tables and rules on a small automaton made by hand: tokens 0 to 3 are words, 4 to 7 coordinates, 8 is the end."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from lichen.errors import InputError
from lichen.language import Automaton

X1, Y1, X2, Y2, LAST, DONE = range(6)
END = 8


def box() -> Automaton:
    """x1 y1 x2 y2 and the end."""
    allowed = torch.zeros(6, 9, dtype=torch.bool)
    following = torch.full((6, 9), DONE, dtype=torch.int16)
    allowed[X1:X2, 4:7] = True
    allowed[X2:LAST, 4:8] = True
    following[X1:LAST, 4:8] = torch.arange(1, 5, dtype=torch.int16)[:, None]
    allowed[LAST, END] = allowed[DONE, END] = True
    return Automaton(allowed, following, X1, torch.tensor([0, 0, 2, 2, 0, 0]), (4, 8), END)


def ids(mask: torch.Tensor) -> list[list[int]]:
    return [row.nonzero().flatten().tolist() for row in mask]


def test_the_next_coordinate_lies_beyond_the_one_two_back() -> None:
    automaton = box()
    tokens = torch.tensor([[4, 6, 0], [6, 4, 0], [5, 5, 0]])
    assert ids(automaton.mask(torch.full((3,), X2), tokens, 2)) == [[5, 6, 7], [7], [6, 7]]
    tokens[:, 2] = 7
    assert ids(automaton.mask(torch.full((3,), Y2), tokens, 3)) == [[7], [5, 6, 7], [6, 7]]
    # Rows in different states: only those with a rule are compared.
    state = torch.tensor([X1, X2, LAST])
    assert ids(automaton.mask(state, tokens, 2)) == [[4, 5, 6], [7], [8]]


def test_a_negative_rule_keeps_below() -> None:
    automaton = replace(box(), above=torch.tensor([0, 0, 2, -2, 0, 0]))
    tokens = torch.tensor([[4, 6, 5], [4, 5, 6]])
    assert ids(automaton.mask(torch.full((2,), Y2), tokens, 3)) == [[4, 5], [4]]
    assert automaton.accepts([4, 6, 5, 5, END]) and not automaton.accepts([4, 5, 5, 6, END])


def test_a_prompt_before_and_room_behind_change_nothing() -> None:
    automaton = box()
    plain = torch.tensor([[5, 4]])
    padded = torch.tensor([[0, 7, 7, 5, 4, 0, 0, 0]])
    state = torch.tensor([X2])
    expected = automaton.mask(state, plain, 2)
    assert torch.equal(automaton.mask(state, padded, 5), expected)
    assert torch.equal(automaton.mask(state, padded, torch.tensor(5)), expected)
    several = torch.cat([padded, torch.tensor([[6, 4, 0, 0, 0, 0, 0, 0]])])
    found = automaton.mask(torch.tensor([X2, X2]), several, torch.tensor([5, 2]))
    assert ids(found) == [[6, 7], [7]]


def test_no_row_is_ever_empty() -> None:
    automaton = box()
    # No bin lies beyond the last one: a builder would not have let it come, a caller's tokens may hold it.
    mask = automaton.mask(torch.tensor([X2, X2]), torch.tensor([[7, 4], [4, 4]]), 2)
    assert ids(mask) == [[END], [5, 6, 7]]
    assert ids(automaton.mask(automaton.begin(2), torch.zeros(2, 0, dtype=torch.long), 0)) == [[4, 5, 6]] * 2


def test_rows_that_have_finished_stay_so() -> None:
    automaton = box()
    state = automaton.begin(1)
    for token in (4, 4, 5, 5, END, 0, 6, END):
        state = automaton.advance(state, torch.tensor([token]))
    assert state.tolist() == [DONE] and state.dtype == torch.long
    assert ids(automaton.mask(state, torch.zeros(1, 9, dtype=torch.long), 8)) == [[END]]


@pytest.mark.parametrize(
    ("answer", "good"),
    [
        ([4, 4, 5, 5, END], True),
        ([4, 5, 5, 7, END], True),
        ([4, 4, 4, 5, END], False),
        ([7, 4, 7, 5, END], False),
        ([4, 4, 5, 5], False),
        ([4, 4, 5, END], False),
        ([4, 4, 5, 5, END, END], False),
        ([4, 4, 5, 99, END], False),
        ([], False),
    ],
)
def test_accepts_whole_answers_only(answer: list[int], good: bool) -> None:
    assert box().accepts(answer) is good


def test_tables_that_do_not_fit_are_refused() -> None:
    automaton = box()
    for change, message in (
        ({"start": 6}, "cannot start in state 6"),
        ({"end": 9}, "end with token 9"),
        ({"coordinates": (4, 10)}, "do not lie among 9 tokens"),
    ):
        with pytest.raises(InputError, match=message):
            replace(automaton, **change)
    moved = automaton.to("cpu")
    assert torch.equal(moved.allowed, automaton.allowed) and (moved.states, moved.vocabulary) == (6, 9)


def test_tables_of_different_shapes_are_refused(unchecked: None) -> None:
    with pytest.raises(InputError, match="one shape"):
        replace(box(), following=torch.zeros(6, 8, dtype=torch.int16))

"""Layer choice follows timm's rules: None all, an int the last n, a sequence absolute or negative indices."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.backbones.layers import choose_layers
from lichen.errors import InputError

COUNTS = st.integers(1, 40)


@given(COUNTS)
def test_none_takes_all(count: int) -> None:
    assert choose_layers(None, count) == tuple(range(count))


@given(st.data(), COUNTS)
def test_int_takes_the_last(data: st.DataObject, count: int) -> None:
    n = data.draw(st.integers(1, count))
    assert choose_layers(n, count) == tuple(range(count))[-n:]


@given(st.data(), COUNTS)
def test_sequence_indexes_like_a_list(data: st.DataObject, count: int) -> None:
    wanted = data.draw(st.sets(st.integers(0, count - 1), min_size=1))
    signs = data.draw(st.lists(st.booleans(), min_size=len(wanted), max_size=len(wanted)))
    named = [index - count if negative else index for index, negative in zip(wanted, signs, strict=True)]
    shuffled = data.draw(st.permutations(named))
    assert choose_layers(shuffled, count) == tuple(sorted(range(count)[index] for index in named))
    assert choose_layers(tuple(shuffled), count) == choose_layers(list(shuffled), count)


@given(COUNTS)
def test_one_index_is_not_a_count(count: int) -> None:
    assert choose_layers([-1], count) == (count - 1,)
    assert choose_layers([0], count) == (0,)


@given(COUNTS, st.integers(0, 100))
def test_index_outside_is_refused(count: int, beyond: int) -> None:
    for index in (count + beyond, -count - 1 - beyond):
        with pytest.raises(InputError, match=rf"{index} does not exist. The model has {count}"):
            choose_layers([index], count)
    for n in (count + 1 + beyond, -beyond):
        with pytest.raises(InputError, match=f"the model has {count}"):
            choose_layers(n, count)


@pytest.mark.parametrize("layers", [[], [1, 1], [1, -3], (0, 0)])
def test_each_state_once_and_at_least_one(layers: Any) -> None:
    with pytest.raises(InputError, match="at least one hidden state, each once"):
        choose_layers(layers, 4)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("layers", [True, "12", 1.5, {1}, [True], [1.0], ["1"]])
def test_other_types_are_refused(layers: Any) -> None:
    with pytest.raises(InputError, match=r"must be None, a whole number|does not exist"):
        choose_layers(layers, 4)

"""Tables of a TOML file become settings; what does not fit is told in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.errors import InputError
from lichen.training.settings import build, convert, merge, nested


@dataclass(frozen=True)
class Sample:
    name: str
    count: int = 1
    rate: float = 0.5
    fast: bool = False
    kind: Literal["small", "large"] = "small"
    layers: int | tuple[int, ...] | None = None
    limit: float | None = None
    words: tuple[str, ...] = ()
    rates: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.count < 1:
            raise InputError(f"Sample.count must be at least 1; got {self.count}.")


def sample(**values: Any) -> Sample:
    return build(Sample, values, "[sample]")


def test_values_become_fields() -> None:
    found = sample(name="a", count=3, fast=True, kind="large", words=["x", "y"], rates={"lora": 1, "unipt": 0.1})
    assert found == Sample("a", 3, 0.5, True, "large", None, None, ("x", "y"), {"lora": 1.0, "unipt": 0.1})
    assert sample(name="") == Sample("")


@pytest.mark.parametrize(
    ("values", "name", "expected"),
    [
        ({"rate": 2}, "rate", 2.0),
        ({"limit": 2}, "limit", 2.0),
        ({"limit": None}, "limit", None),
        ({"layers": 2}, "layers", 2),
        ({"layers": [0, -1]}, "layers", (0, -1)),
        ({"layers": None}, "layers", None),
        ({"words": []}, "words", ()),
        ({"rates": {"a": 3}}, "rates", {"a": 3.0}),
    ],
)
def test_values_take_the_type_of_the_field_where_that_loses_nothing(
    values: dict[str, Any], name: str, expected: Any
) -> None:
    found = getattr(sample(name="a", **values), name)
    assert found == expected and type(found) is type(expected)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"coutn": 2}, "[sample] has no setting 'coutn'. Did you mean 'count'?"),
        ({"q": 2}, "[sample] has no setting 'q'. Choose one of: count, fast, kind"),
        ({"count": 2.0}, "[sample] count must be a whole number; got 2.0"),
        ({"count": True}, "[sample] count must be a whole number; got True"),
        ({"count": "2"}, "[sample] count must be a whole number; got '2'"),
        ({"count": None}, "[sample] count must be a whole number; got None"),
        ({"rate": "fast"}, "[sample] rate must be a number; got 'fast'"),
        ({"rate": False}, "[sample] rate must be a number; got False"),
        ({"fast": 1}, "[sample] fast must be true or false; got 1"),
        ({"name": 3}, "[sample] name must be text; got 3"),
        ({"kind": "smal"}, "[sample] kind = 'smal' is not known. Did you mean 'small'?"),
        ({"kind": 3}, "[sample] kind = 3 is not known. Choose one of ['small', 'large']."),
        ({"words": "x"}, "[sample] words must be a list, such as [\"x\"]; got 'x'"),
        ({"words": ["x", 3]}, "[sample] words must be text; got 3"),
        ({"layers": "all"}, "[sample] layers = 'all' does not fit: expected a whole number or a list (a whole number"),
        ({"layers": [1.5]}, "[sample] layers = [1.5] does not fit"),
        ({"layers": True}, "[sample] layers = True does not fit"),
        ({"limit": "x"}, "[sample] limit must be a number; got 'x'"),
        ({"rates": 3}, "[sample] rates must be a table; got 3"),
        ({"rates": {"lora": "x"}}, "[sample] rates.lora must be a number; got 'x'"),
        # The class speaks of itself; whoever wrote the table does not know it.
        ({"count": 0}, "[sample] count must be at least 1; got 0."),
    ],
)
def test_what_does_not_fit_is_told(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        sample(**{"name": "a", **values})
    assert message in str(caught.value)


def test_settings_that_are_missing_or_belong_elsewhere() -> None:
    with pytest.raises(InputError, match=r"\[sample\] lacks name\."):
        sample(count=2)
    with pytest.raises(InputError, match=r"\[sample\] has no setting 'lr'. It belongs in \[train\]."):
        build(Sample, {"name": "a", "lr": 1}, "[sample]", {"lr": "[train]"})


@pytest.mark.usefixtures("unchecked")
def test_what_is_no_table() -> None:
    with pytest.raises(InputError, match=r"\[sample\] must be a table of settings; got 3"):
        build(Sample, 3, "[sample]")  # type: ignore[arg-type]


TREES = st.recursive(
    st.integers() | st.text(max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
TABLES = st.dictionaries(st.sampled_from("abc"), TREES, max_size=3)


@settings(max_examples=60, deadline=None)
@given(TABLES, TABLES)
def test_merged_tables_hold_the_changes_and_what_they_leave(base: dict[str, Any], changes: dict[str, Any]) -> None:
    before = repr(base)
    found = merge(base, changes)
    assert repr(base) == before
    assert set(found) == set(base) | set(changes)
    for name, value in found.items():
        if name not in changes:
            assert value == base[name]
        elif isinstance(changes[name], dict) and isinstance(base.get(name), dict):
            assert value == merge(base[name], changes[name])
        else:
            assert value == changes[name]
    assert merge(found, changes) == found


def test_a_path_of_names() -> None:
    assert nested("a.b.c", 1) == {"a": {"b": {"c": 1}}} and nested("a", {"b": 1}) == {"a": {"b": 1}}


@settings(max_examples=40, deadline=None)
@given(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers(), max_size=2))
def test_only_whole_numbers_are_whole_numbers(value: Any) -> None:
    if isinstance(value, int) and not isinstance(value, bool):
        assert convert(value, int, "x") == value
    else:
        with pytest.raises(InputError, match="x must be a whole number"):
            convert(value, int, "x")

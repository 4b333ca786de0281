"""Settings of the side networks: plain values in and out, and every mistake named."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.errors import InputError
from lichen.side.config import (
    CONFIGS,
    LSTConfig,
    PooledConfig,
    ProbeConfig,
    SHERLConfig,
    SideConfig,
    UniPTConfig,
    config_from_dict,
)

KINDS = list(CONFIGS.values())
LAYERS = st.one_of(st.none(), st.integers(1, 9), st.lists(st.integers(-9, 9), min_size=1, max_size=4).map(tuple))


@given(st.sampled_from(KINDS), LAYERS, st.booleans(), st.sampled_from(["exact", "bfloat16", "int8"]))
def test_round_trip_through_json(kind: type[SideConfig], layers: Any, train_head: bool, keep: Any) -> None:
    config = kind(layers=layers, train_head=train_head, keep=keep)
    again = config_from_dict(json.loads(json.dumps(config.to_dict())))
    assert again == config and type(again) is kind and hash(again) == hash(config)


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_has_a_default_and_is_frozen(kind: type[SideConfig]) -> None:
    config = kind()
    assert set(config.to_dict()) == {"method", *(field.name for field in fields(kind))}
    assert config.to_dict()["method"] == kind.method
    with pytest.raises(FrozenInstanceError):
        config.layers = 1  # type: ignore[misc]


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"method": "unpit"}, "Unknown side network 'unpit'. Did you mean 'unipt'"),
        ({}, "Unknown side network ''"),
        ({"method": "unipt", "reducton": 2}, "UniPTConfig has no setting 'reducton'. Did you mean 'reduction'"),
        ({"method": "unipt", "reduction": 0}, "UniPTConfig.reduction must be a whole number of at least 1; got 0"),
        ({"method": "lst", "dropout": 1.0}, r"LSTConfig.dropout must lie in \[0, 1\); got 1.0"),
        ({"method": "sherl", "form": "bret"}, "Unknown SHERLConfig.form 'bret'. Did you mean 'bert'"),
        ({"method": "probe", "rank": 3}, "ProbeConfig has no setting 'rank'"),
    ],
)
def test_mistakes_in_a_dict(values: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        config_from_dict(values)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: UniPTConfig(reduction=2.0), "got 2.0"),
        (lambda: UniPTConfig(reduction=True), "got True"),
        (lambda: PooledConfig(rank=-1), "PooledConfig.rank"),
        (lambda: PooledConfig(queries=0), "PooledConfig.queries"),
        (lambda: SHERLConfig(late_layers=0), "SHERLConfig.late_layers"),
        (lambda: SHERLConfig(dropout=-0.1), "SHERLConfig.dropout"),
        (lambda: LSTConfig(init="fischer"), "Unknown LSTConfig.init 'fischer'. Did you mean 'fisher'"),
        (lambda: LSTConfig(form="gpt"), "Unknown LSTConfig.form 'gpt'"),
        (lambda: ProbeConfig(keep="int4"), "Unknown ProbeConfig.keep 'int4'. Did you mean 'int8'"),
    ],
)
def test_mistakes_in_a_constructor(make: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        make()


@pytest.mark.usefixtures("unchecked")
def test_a_list_of_layers_becomes_a_tuple() -> None:
    assert UniPTConfig(layers=[0, -1]) == UniPTConfig(layers=(0, -1))


def test_published_defaults() -> None:
    assert (UniPTConfig().reduction, SHERLConfig().reduction, LSTConfig().reduction) == (2, 2, 8)
    assert SHERLConfig().late_layers == 1 and LSTConfig().temperature == 0.1
    assert (PooledConfig().keep, UniPTConfig().keep) == ("int8", "exact")

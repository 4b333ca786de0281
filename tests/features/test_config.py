"""Settings of a store are checked when they are made, and survive JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lichen.errors import InputError
from lichen.features.config import StoreConfig

GOOD = [
    {},
    {"codec": "int8-channel", "tokens": "cls+pooled", "layers": (0, -1)},
    {"tokens": "every-12", "layers": 2, "shard": 1, "rank": 3, "views": 4},
]
BAD = [
    ({"codec": "int7"}, r"Unknown StoreConfig.codec 'int7'. Did you mean 'int8'\?"),
    ({"tokens": "pool"}, r"Unknown StoreConfig.tokens 'pool'. Did you mean 'pooled'\?"),
    ({"tokens": "every-0"}, "such as 'all' or 'every-4'; got 'every-0'"),
    ({"tokens": "every-"}, "got 'every-'"),
    ({"tokens": "every-x"}, "got 'every-x'"),
    ({"tokens": "every-²"}, "got 'every-²'"),
    ({"shard": 0}, "StoreConfig.shard must be a whole number of at least 1; got 0"),
    ({"rank": 2.5}, "StoreConfig.rank must be a whole number"),
    ({"views": True}, "StoreConfig.views must be a whole number"),
]


@pytest.mark.parametrize("values", GOOD, ids=str)
def test_settings_survive_json(values: dict[str, Any]) -> None:
    config = StoreConfig(**values)
    assert StoreConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(("values", "says"), BAD, ids=str)
def test_settings_that_make_no_sense(values: dict[str, Any], says: str, unchecked: None) -> None:
    with pytest.raises(InputError, match=says):
        StoreConfig(**values)


def test_an_unknown_field_is_named_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"no field 'codek'. Did you mean 'codec'\?"):
        StoreConfig.from_dict({"codek": "int8"})


def test_layers_may_be_a_list_as_in_a_recipe(unchecked: None) -> None:
    layers: Any = [1, 2]
    assert StoreConfig(layers=layers) == StoreConfig(layers=(1, 2))


def test_stride() -> None:
    assert StoreConfig(tokens="every-7").stride == 7
    assert StoreConfig(tokens="pooled").stride is None

"""Methods are written as users think of them, and what makes no sense is refused with a way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from lichen.errors import InputError
from lichen.side.config import PooledConfig, UniPTConfig
from lichen.training.comparing.methods import RATES, check_rates, parse_methods, with_live

from .arenas import classify


def names(*words: str, live: str | None = None) -> list[str]:
    return [method.name for method in with_live(parse_methods(words), live)]


def test_commas_part_methods_and_their_settings() -> None:
    first, second, third = parse_methods(["unipt:reduction=8,form=generic,lora", "pooled@live"])
    assert (first.base, dict(first.settings)) == ("unipt", {"reduction": 8, "form": "generic"})
    assert second.is_peer and third.live and not third.is_stored and first.is_stored


def test_a_list_may_hold_commas() -> None:
    (method,) = parse_methods(["pooled:layers=[1,2],rank=4"])
    assert dict(method.settings) == {"layers": (1, 2), "rank": 4}
    assert method.name == "pooled:layers=[1,2],rank=4"
    assert parse_methods([method.name]) == (method,)


def test_live_may_stand_before_or_after_the_settings() -> None:
    assert names("unipt@live:reduction=4") == names("unipt:reduction=4@live") == ["unipt:reduction=4@live"]


def test_each_method_stands_once() -> None:
    assert names("lora,pooled", "pooled,lora") == ["lora", "pooled"]


def test_live_adds_side_networks_beside_the_stored() -> None:
    asked = "unipt,unipt:reduction=8,lora"
    assert names(asked, live="both") == [*asked.split(","), "unipt@live", "unipt:reduction=8@live"]
    assert names(asked, live="unipt")[3:] == ["unipt@live", "unipt:reduction=8@live"]
    assert names(asked, live="unipt:reduction=8,pooled")[3:] == ["unipt:reduction=8@live", "pooled@live"]
    assert names("pooled@live", live="both") == ["pooled@live"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("unpt", "Unknown method 'unpt'. Did you mean 'unipt'?"),
        ("unipt:reductoin=8", "Did you mean 'reduction'?"),
        ("unipt:reduction=0", "at least 1"),
        ("unipt:reduction", "key=value"),
        ("lora@live", "lora always runs the backbone"),
        ("lora:rank=no", "whole number"),
        ("lora:alpha=3", "lora has no setting 'alpha'. It has rank."),
        ("full:rank=3", "full has no setting 'rank'. It has none."),
        (" , ", "Name at least one method"),
    ],
)
def test_what_makes_no_sense_is_refused(words: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        parse_methods([words])
    assert message in str(error.value)


def test_only_side_networks_have_a_live_form() -> None:
    with pytest.raises(InputError, match="Unknown side network 'lora'"):
        names("pooled", live="lora")


def test_the_recipe_s_own_settings_hold_for_its_own_network(tmp_path: Path) -> None:
    recipe = classify(tmp_path, side={"queries": 3})
    pooled, other, unipt = parse_methods(["pooled", "pooled:rank=5", "unipt"])
    assert pooled.sides(recipe) == {"input": PooledConfig(dropout=0.0, queries=3)}
    assert other.sides(recipe) == {"input": PooledConfig(dropout=0.0, queries=3, rank=5)}
    assert unipt.sides(recipe) == {"input": UniPTConfig()}


def test_rates_go_by_the_whole_name_first(tmp_path: Path) -> None:
    rates = {"unipt": 1e-3, "unipt: reduction=8": 4e-3, "pooled@live": 7e-3, "pooled": 6e-3}
    recipe = classify(tmp_path, compare={"rates": rates})
    asked = parse_methods(["unipt,unipt:reduction=8,unipt:reduction=8@live,pooled@live,unipt@live,bitfit"])
    assert [method.rate(recipe) for method in asked] == [1e-3, 4e-3, 4e-3, 7e-3, 1e-3, RATES["bitfit"]]


def test_rates_of_unknown_methods_are_refused(tmp_path: Path) -> None:
    check_rates(classify(tmp_path))
    with pytest.raises(InputError, match="Unknown method 'lara'"):
        check_rates(classify(tmp_path, compare={"rates": {"lara": 1.0}}))

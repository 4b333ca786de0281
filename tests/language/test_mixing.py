"""Shares and orders of mixtures: exact, repeatable, and every example as often as every other."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.errors import InputError
from lichen.language import Mixture, MixtureConfig

TASKS = {"caption": 10, "vqa": ["p", "q", "p", "p", "q", "r"], "classify": 40}


def shares(mixture: Mixture, epochs: int = 1) -> dict[str, int]:
    rows = np.concatenate([mixture.epoch(number) for number in range(epochs)])
    return {name: int((rows[:, 0] == task).sum()) for task, name in enumerate(mixture.names)}


def test_all_pairs_once_an_epoch() -> None:
    mixture = Mixture(TASKS)
    rows = mixture.epoch(0)
    assert rows.dtype == np.int64 and len(rows) == len(mixture) == 56
    expected = {(task, example) for task, size in enumerate((10, 6, 40)) for example in range(size)}
    assert set(map(tuple, rows.tolist())) == expected
    # Mixed, not one task after another.
    assert rows[:20, 0].max() == 2 and rows[:20, 0].min() < 2


def test_all_pictures_once_an_epoch_with_their_examples_in_turn() -> None:
    mixture = Mixture(TASKS, MixtureConfig("concat_images"))
    assert shares(mixture) == {"caption": 10, "vqa": 3, "classify": 40}
    pictures = TASKS["vqa"]
    seen: Counter[int] = Counter()
    for number in range(6):
        rows = mixture.epoch(number)
        chosen = rows[rows[:, 0] == 1, 1].tolist()
        assert sorted(pictures[example] for example in chosen) == ["p", "q", "r"]  # type: ignore[index]
        seen.update(chosen)
    assert seen == {0: 2, 2: 2, 3: 2, 1: 3, 4: 3, 5: 6}


def test_shares_of_the_other_rules() -> None:
    assert shares(Mixture(TASKS, MixtureConfig("uniform"))) == {"caption": 19, "vqa": 19, "classify": 18}
    weighted = MixtureConfig("weights", weights={"caption": 1, "vqa": 2.0, "classify": 4.0})
    assert shares(Mixture(TASKS, weighted)) == {"caption": 8, "vqa": 16, "classify": 32}
    for heat, expected in ((1.0, TASKS), (2.0, None), (1e6, None), (1e-3, None)):
        found = shares(Mixture(TASKS, MixtureConfig("temperature", heat)))
        assert sum(found.values()) == 56
        if expected is not None:
            assert list(found.values()) == [10, 6, 40]
    warm = Mixture(TASKS, MixtureConfig("temperature", 2.0)).shares
    assert warm == pytest.approx(np.sqrt([10, 6, 40]) / np.sqrt([10, 6, 40]).sum())
    # However cold it is, no task is left out.
    assert list(shares(Mixture(TASKS, MixtureConfig("temperature", 1e-3))).values()) == [1, 1, 54]


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=5),
    rule=st.sampled_from(["concat_pairs", "concat_images", "uniform", "temperature", "weights"]),
    seed=st.integers(0, 9),
)
def test_examples_come_equally_often(sizes: list[int], rule: str, seed: int) -> None:
    tasks = {str(number): size for number, size in enumerate(sizes)}
    weights = {name: 1.0 + 5 * int(name) for name in tasks} if rule == "weights" else None
    mixture = Mixture(tasks, MixtureConfig(rule, weights=weights, seed=seed))  # type: ignore[arg-type]
    rows = [mixture.epoch(number) for number in range(4)]
    assert [len(each) for each in rows] == [sum(sizes)] * 4 == [len(mixture)] * 4
    together = np.concatenate(rows)
    for task, size in enumerate(sizes):
        often = np.bincount(together[together[:, 0] == task, 1], minlength=size)
        assert len(often) == size and often.max() - often.min() <= 1 and often.sum() == 4 * mixture.counts[task]
        assert mixture.counts[task] >= 1


def test_orders_follow_from_the_seed() -> None:
    config = MixtureConfig("uniform", seed=3)
    first, again = Mixture(TASKS, config), Mixture(TASKS, config)
    assert np.array_equal(first.epoch(5), again.epoch(5))
    assert not np.array_equal(first.epoch(5), first.epoch(6))
    assert not np.array_equal(first.epoch(5), Mixture(TASKS, replace(config, seed=4)).epoch(5))


def test_bad_mixtures_are_refused() -> None:
    for tasks, config, message in (
        ({}, {}, "at least one task"),
        ({"a": 0}, {}, "'a' has no examples"),
        ({"a": []}, {}, "'a' has no examples"),
        (TASKS, {"rule": "temperature", "temperature": 0.0}, "must be above 0"),
        (TASKS, {"rule": "temperature", "temperature": float("nan")}, "must be above 0"),
        (TASKS, {"rule": "weights"}, "none for 'caption'"),
        (TASKS, {"rule": "weights", "weights": {"captoin": 1.0}}, "Did you mean 'caption'"),
        (TASKS, {"rule": "weights", "weights": {"caption": 1.0, "vqa": -1.0, "classify": 1.0}}, "weight of task 'vqa'"),
    ):
        with pytest.raises(InputError, match=message):
            Mixture(tasks, MixtureConfig(**config))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="counted from 0"):
        Mixture(TASKS).epoch(-1)


def test_an_unknown_rule_is_refused(unchecked: None) -> None:
    with pytest.raises(InputError, match="Did you mean 'uniform'"):
        Mixture(TASKS, MixtureConfig("unifrom"))  # type: ignore[arg-type]

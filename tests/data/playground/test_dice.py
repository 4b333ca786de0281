"""Chance that is the same everywhere."""

from __future__ import annotations

from collections import Counter

import numpy as np

from lichen.data.playground.dice import Dice

KNOWN = [0.376883476724, 0.085307409293, 0.969022533984]


def test_the_stream_is_philoxs_own() -> None:
    raw = np.random.Philox(key=np.array([5, 9], dtype=np.uint64), counter=np.array([0, 2, 0, 0], dtype=np.uint64))
    expected = (raw.random_raw(512) >> np.uint64(11)) * 2.0**-53
    dice = Dice(5, 9, 2)
    assert [dice.unit() for _ in range(512)] == expected[::-1].tolist()


def test_known_numbers() -> None:
    # Written down once: another value means that every picture of every user changes.
    dice = Dice(0, 0)
    assert [round(dice.unit(), 12) for _ in range(3)] == KNOWN


def test_seed_index_and_stream_all_count() -> None:
    firsts = {Dice(seed, index, stream).unit() for seed in (0, 1) for index in (0, 1) for stream in (0, 1)}
    assert len(firsts) == 8
    assert Dice(3, 4).unit() == Dice(3, 4).unit()


def test_it_goes_on_beyond_a_block() -> None:
    dice = Dice(0, 7)
    throws = [dice.unit() for _ in range(2000)]
    assert len(set(throws)) == 2000
    assert all(0.0 <= throw < 1.0 for throw in throws)
    assert 0.47 < sum(throws) / 2000 < 0.53


def test_choices_follow_their_weights() -> None:
    dice = Dice(1, 1)
    counts = Counter(dice.weighted({"a": 6.0, "b": 3.0, "c": 1.0, "never": 0.0}) for _ in range(4000))
    assert 0.57 < counts["a"] / 4000 < 0.63 and 0.08 < counts["c"] / 4000 < 0.12 and counts["never"] == 0
    assert {dice.whole(3) for _ in range(100)} == {0, 1, 2}
    assert {dice.side() for _ in range(50)} == {-1, 1}
    assert all(2.0 <= dice.between(2.0, 5.0) < 5.0 for _ in range(100))
    assert 0.25 < sum(dice.chance(0.3) for _ in range(2000)) / 2000 < 0.35


def test_orders_are_permutations_and_all_occur() -> None:
    dice = Dice(2, 2)
    orders = {tuple(dice.order("abc")) for _ in range(200)}
    assert len(orders) == 6 and all(sorted(order) == ["a", "b", "c"] for order in orders)

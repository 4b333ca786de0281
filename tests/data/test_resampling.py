"""Resampling gives the released code's numbers, and what it promises on any list."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lichen.data.resampling import BilevelResampling, ResamplingConfig
from lichen.errors import InputError

TOY: dict[str, Any] = json.loads((Path(__file__).parents[1] / "golden" / "scene_graph.json").read_text("utf-8"))[
    "cases"
]["resampling.toy"]
PICTURES = [
    [predicate - 1 for _, _, predicate in relations]
    for relations in TOY["relations_per_image (subject index, object index, predicate)"]
]


def resampling(labels: list[list[int]], classes: int, config: ResamplingConfig) -> BilevelResampling:
    return BilevelResampling.of(labels, classes, config)


@pytest.mark.parametrize("result", TOY["results"], ids=lambda r: f"t={r['t']},gamma={r['gamma_d']}")
def test_released_numbers(result: dict[str, Any]) -> None:
    item = np.repeat(np.arange(len(PICTURES)), [len(each) for each in PICTURES])
    label = np.array([label for each in PICTURES for label in each])
    config = ResamplingConfig(threshold=result["t"], drop=result["gamma_d"])
    found = BilevelResampling(item, label, len(PICTURES), 5, config, np.array(TOY["rounding_uniforms"]))
    np.testing.assert_allclose(found.frequency, result["frequency"], atol=1e-12)
    np.testing.assert_allclose(found.wanted, result["repeat_real"], atol=1e-12)
    assert found.repeats.tolist() == result["repeat_rounded"]
    assert found.item_repeats.tolist() == result["image_repeat"]
    assert len(found) == len(found.order) == result["epoch_length"]
    dropped = [value for row in result["drop_probability"] for value in row]
    np.testing.assert_allclose(found.drop_probability, dropped, atol=1e-8)
    expected = [result["expected_kept_per_predicate"][str(number)] for number in range(1, 6)]
    np.testing.assert_allclose(found.expected_counts, expected, atol=1e-8)


def test_vg150_repeat_factors() -> None:
    """graphs.md 1.7: with VG's shares and t = 0.1, 47 of 50 predicates are repeated."""
    from lichen.data.classes import vg150

    shares = np.array([each["train_proportion"] for each in vg150()["predicates"]])
    names = [each["name"] for each in vg150()["predicates"]]
    counts = np.round(shares * 1e5).astype(int)
    found = BilevelResampling(np.zeros(counts.sum(), int), np.repeat(np.arange(50), counts), 1, 50)
    assert (found.wanted > 1).sum() == 47
    assert {names[place] for place in np.flatnonzero(found.wanted == 1)} == {"on", "has", "wearing"}
    assert np.median(found.wanted) == pytest.approx(6.9, abs=0.05)
    assert found.wanted.max() == pytest.approx(44.7, abs=0.1)


LISTS = st.lists(st.lists(st.integers(0, 5), max_size=6), min_size=1, max_size=8)
CONFIGS = st.builds(
    ResamplingConfig,
    threshold=st.floats(0.01, 2),
    drop=st.floats(0, 2),
    seed=st.integers(0, 50),
)


@settings(max_examples=40, deadline=None)
@given(labels=LISTS, config=CONFIGS)
def test_properties(labels: list[list[int]], config: ResamplingConfig) -> None:
    found = resampling(labels, 6, config)
    # Rounding goes to a neighbour.
    assert (np.abs(found.repeats - found.wanted) < 1).all() and (found.repeats >= 1).all()
    assert np.bincount(found.order, minlength=len(labels)).tolist() == found.item_repeats.tolist()
    for number, own in enumerate(labels):
        assert found.item_repeats[number] == max((found.repeats[label] for label in own), default=1)
    needed = found.repeats[found.label] == found.item_repeats[found.item]
    assert (found.drop_probability[needed] == 0).all()
    assert ((found.drop_probability >= 0) & (found.drop_probability <= 1)).all()
    by_hand = np.zeros(6)
    for item, label, chance in zip(found.item, found.label, found.drop_probability, strict=True):
        by_hand[label] += found.item_repeats[item] * (1 - chance)
    np.testing.assert_allclose(found.expected_counts, by_hand)
    # Leaving out never takes more than repeating gave, up to gamma_d = 1.
    if config.drop <= 1:
        assert (found.expected_counts >= found.counts - 1e-9).all()


@settings(max_examples=12, deadline=None)
@given(labels=LISTS, config=CONFIGS, epoch=st.integers(0, 3))
def test_the_same_seed_gives_the_same_epoch(labels: list[list[int]], config: ResamplingConfig, epoch: int) -> None:
    first, second = (resampling(labels, 6, config) for _ in range(2))
    assert first.repeats.tolist() == second.repeats.tolist()
    assert first.shuffled(epoch).tolist() == second.shuffled(epoch).tolist()
    assert sorted(first.shuffled(epoch)) == list(range(len(first)))
    for sample in range(len(first)):
        dropped = first.dropped(sample, epoch)
        assert dropped.tolist() == second.dropped(sample, epoch).tolist()
        assert len(dropped) == len(labels[first.order[sample]])


def test_what_is_shown_on_average_is_what_was_expected() -> None:
    labels = [[0, 0, 1], [0], [0, 2], [0, 0, 1, 0], [0, 1]] * 4
    found = resampling(labels, 3, ResamplingConfig(threshold=2.0, drop=0.9, seed=3))
    assert (found.repeats[1:] > 1).all() and 0 < found.drop_probability.max() < 1
    shown = np.zeros(3)
    epochs = 40
    for epoch in range(epochs):
        for sample, item in enumerate(found.order):
            kept = ~found.dropped(sample, epoch)
            np.add.at(shown, np.array(labels[item])[kept], 1)
    np.testing.assert_allclose(shown / epochs, found.expected_counts, rtol=0.06)


def test_other_epochs_and_repeats_leave_out_others() -> None:
    found = resampling([[0] * 40 + [1]], 2, ResamplingConfig(threshold=0.8, drop=0.5))
    assert len(found) >= 2
    seen = {tuple(found.dropped(sample, epoch)) for sample in range(2) for epoch in range(2)}
    assert len(seen) == 4
    assert not any(row[-1] for row in seen)


def test_a_class_that_never_occurs_and_no_relation_at_all() -> None:
    found = resampling([[], []], 3, ResamplingConfig())
    assert found.wanted.tolist() == [1, 1, 1] and len(found) == 2
    assert found.expected_counts.tolist() == [0, 0, 0] and len(found.dropped(1)) == 0


@pytest.mark.parametrize(
    ("item", "label", "words"),
    [
        ([0, 1], [0], "an item and a label"),
        ([0, 2], [0, 0], "Every item lies in 0 to 1"),
        ([0, 1], [0, 3], "Every label lies in 0 to 2"),
        ([1, 0], [0, 0], "goes back to item 0"),
        ([0.5, 1.0], [0, 0], "whole numbers"),
    ],
)
def test_lists_that_are_refused(item: list[Any], label: list[int], words: str) -> None:
    with pytest.raises(InputError, match=words):
        BilevelResampling(item, label, 2, 3)


def test_settings_that_are_refused() -> None:
    with pytest.raises(InputError, match="threshold"):
        ResamplingConfig(threshold=0.0)
    with pytest.raises(InputError, match="drop"):
        ResamplingConfig(drop=-1.0)
    with pytest.raises(InputError, match="numbered from 0; got 9"):
        resampling([[0]], 1, ResamplingConfig(threshold=0.5)).dropped(9)

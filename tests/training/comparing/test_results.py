"""What follows from measured numbers, on numbers made up by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest

from lichen.training.comparing.results import Choice, Comparison, Point, Trial, reference_of, rows_of, standard_error

COST = {"trained_parameters": 10, "kept_bytes": 2**20, "peak_bytes": 2**21}


def trial(value: float, steps: Sequence[float], looks: Sequence[float] = (), test: float | None = None) -> Trial:
    """Looks are spread over the steps."""
    steps = [float(step) for step in steps]
    every = len(steps) // max(len(looks), 1)
    points = [
        Point(every * (number + 1), sum(steps[: every * (number + 1)]), look) for number, look in enumerate(looks)
    ]
    metrics = {"test": {"accuracy": value if test is None else test}}
    return Trial(1e-3, metrics, tuple(points), tuple(steps), (0.5,) * len(steps))


def comparison(seeds: Sequence[dict[str, Trial]], **more: object) -> Comparison:
    names = list(seeds[0])
    settings: dict[str, object] = {
        "recipe": "made-up",
        "headline": "accuracy",
        "unit": "share",
        "split": "test",
        "examples": {"train": 80, "test": 100},
        "queries": {"input": 100},
        "steps": 4,
        "batch": 8,
        "stored": tuple(name for name in names if name in ("pooled", "probe")),
        "peers": tuple(name for name in names if name.startswith(("lora", "full"))),
        "feature_seconds": 5.0,
        "choices": {name: Choice(((1e-3, None),), 1e-3) for name in names},
        "costs": dict.fromkeys(names, COST),
        "seeds": dict(enumerate(seeds)),
    }
    return Comparison(**{**settings, **more})  # type: ignore[arg-type]


SEEDS = [
    {"pooled": trial(0.8, [1, 1, 1, 9], [0.5, 0.9]), "lora": trial(0.9, [10, 10, 10, 10], [0.4, 0.8])},
    {"pooled": trial(0.6, [2, 2, 2, 2], [0.7, 0.9]), "lora": trial(0.7, [10, 10, 10, 40], [0.6, 0.8])},
]


def test_steps_are_compared_pair_by_pair() -> None:
    pooled, lora = rows_of(comparison(SEEDS))
    # 0.1, 0.1, 0.1, 0.9 and 0.2, 0.2, 0.2, 0.05: the median, not the ratio of the means.
    assert pooled.step_ratio == pytest.approx(0.15) and lora.step_ratio == 1.0


def test_features_are_paid_once_and_by_stored_methods_alone() -> None:
    pooled, lora = rows_of(comparison(SEEDS))
    assert (pooled.training_seconds, pooled.feature_seconds, pooled.total_seconds) == (10.0, 5.0, 15.0)
    assert (lora.training_seconds, lora.feature_seconds) == (55.0, 0.0)
    assert pooled.time_ratio == pytest.approx(15 / 55)


def test_values_are_averaged_over_seeds_with_their_spread() -> None:
    pooled, _lora = rows_of(comparison(SEEDS))
    assert pooled.values == (0.8, 0.6) and pooled.mean == pytest.approx(0.7)
    assert pooled.spread == pytest.approx(math.sqrt(0.02))
    assert rows_of(comparison(SEEDS[:1]))[0].spread is None


def test_time_to_accuracy_is_when_the_mean_first_reaches_the_reference_s_end() -> None:
    pooled, lora = rows_of(comparison(SEEDS))
    # The goal is 0.99 x 0.8. The mean of pooled is 0.6 after 3 s and 0.9 after 10 s.
    assert pooled.reached_seconds == pytest.approx(5 + 10)
    assert lora.reached_seconds == pytest.approx(55)
    early = [{**each, "pooled": replace(each["pooled"], points=(Point(2, 3.0, 0.793),))} for each in SEEDS]
    assert rows_of(comparison(early))[0].reached_seconds == pytest.approx(5 + 3)
    never = [{**each, "pooled": replace(each["pooled"], points=(Point(2, 3.0, 0.791),))} for each in SEEDS]
    assert rows_of(comparison(never))[0].reached_seconds is None


def test_lora_is_the_reference_and_else_the_best_peer() -> None:
    low, high = trial(0.5, [1, 1], [0.5]), trial(0.6, [2, 2], [0.6])
    assert reference_of(comparison([{"lora:rank=4": low, "full": high}])) == "lora:rank=4"
    assert reference_of(comparison([{"lora-last": low, "full": high}])) == "full"
    alone = comparison([{"pooled": low}])
    assert reference_of(alone) is None
    (row,) = rows_of(alone)
    assert row.step_ratio is None and row.time_ratio is None and row.reached_seconds is None


def test_a_training_that_diverged_counts_in_no_mean() -> None:
    lost = Trial(1e-3, {}, (), (1.0,), (), diverged=0)
    row = rows_of(comparison([SEEDS[0], {**SEEDS[1], "pooled": lost}]))[0]
    assert row.values == (0.8,) and row.diverged == 1 and row.training_seconds == 12.0
    row = rows_of(comparison([{**SEEDS[0], "pooled": lost}]))[0]
    assert row.mean is None and row.diverged == 1 and row.reached_seconds is None


def test_a_best_rate_at_the_end_of_its_range_is_told() -> None:
    tried = ((1e-4, 0.5), (1e-3, 0.6), (1e-2, None))
    assert [Choice(tried, rate).at_end for rate, _ in tried] == ["lowest", "", "highest"]
    assert Choice(((1e-3, None),), 1e-3).at_end == ""


def test_standard_error_of_an_accuracy_is_binomial() -> None:
    # The best method's mean is 0.8; its first seed reached 0.9.
    assert standard_error(comparison(SEEDS)) == pytest.approx(math.sqrt(0.9 * 0.1 / 100))


def test_standard_error_of_a_sum_of_recalls_adds_up_both_ways() -> None:
    recalls = {f"{way}/r{cut}": 0.5 for way in ("image_to_text", "text_to_image") for cut in (1, 5, 10)}
    metrics = {"test": {**recalls, "image_to_text/mean_rank": 9.0, "rsum": 300.0}}
    seeds = [{"pooled": replace(trial(0.0, [1.0]), metrics=metrics)}]
    found = comparison(seeds, headline="rsum", unit="points", queries={"image": 25, "text": 100})
    assert standard_error(found) == pytest.approx(3 * 100 * (0.5 / 5 + 0.5 / 10))
    assert standard_error(comparison(SEEDS, headline="accuracy", examples={"test": 400})) == pytest.approx(0.015)


def test_nothing_is_said_before_the_first_seed() -> None:
    assert rows_of(replace(comparison(SEEDS), seeds={})) == []

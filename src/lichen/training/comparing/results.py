"""What a comparison measured, and what follows from it: one `Row` a method. Numbers only; `tables.py` writes them.

Ratios of step times are paired: each step of a method over the step of the reference on the same batch, which ran
right before or after it, so that a busy machine slows both.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

REACHED = 0.99
"""Share of the reference's final dev value whose time is looked for."""
LORA = "lora"


@dataclass(frozen=True)
class Point:
    """A look at the dev side during training."""

    step: int
    seconds: float
    """Training time so far, without the looks."""
    value: float
    """The headline metric."""


@dataclass(frozen=True)
class Trial:
    """One method trained with one seed."""

    rate: float
    """Peak learning rate."""
    metrics: Mapping[str, Mapping[str, float]]
    """By split."""
    points: tuple[Point, ...]
    """Along the training; the last one is its end. Empty where there is no dev side."""
    step_seconds: tuple[float, ...]
    """Of every step."""
    losses: tuple[float, ...]
    """Of every step, before it. What is not finite is left out: then `diverged` says where."""
    diverged: int | None = None
    """Step before which the training stopped because the loss or a gradient was not finite."""

    @property
    def seconds(self) -> float:
        """Of the training."""
        return math.fsum(self.step_seconds)


@dataclass(frozen=True)
class Choice:
    """How a learning rate was chosen."""

    tried: tuple[tuple[float, float | None], ...]
    """Rates, ascending, and the dev value that each reached; None where it diverged or no trial was made."""
    rate: float
    """The best."""

    @property
    def at_end(self) -> str:
        """ "lowest" or "highest" where the best rate is the end of those tried, so that a better one may lie beyond."""
        rates = [rate for rate, _ in self.tried]
        if len(rates) < 2 or self.rate not in (rates[0], rates[-1]):
            return ""
        return "lowest" if self.rate == rates[0] else "highest"


@dataclass
class Comparison:
    """Everything that a comparison measured."""

    recipe: str
    """Name of the recipe."""
    headline: str
    """The metric that is compared; larger is better."""
    unit: str
    """"share" (shown in percent) or "points"."""
    split: str
    """Side that it is measured on: test, or dev where there is none."""
    examples: dict[str, int]
    """Number of examples by split."""
    queries: dict[str, int]
    """Distinct inputs of each part in `split`."""
    steps: int
    batch: int
    """Examples in one step."""
    stored: tuple[str, ...] = ()
    """Methods that learn from stored features."""
    peers: tuple[str, ...] = ()
    """Methods with gradients inside the backbone."""
    feature_seconds: float = 0.0
    """Time of the frozen pass over all samples."""
    timed_on: int | None = None
    """Samples that it was projected from; None where it was measured whole."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Methods that cannot serve the backbone, with the reason."""
    choices: dict[str, Choice] = field(default_factory=dict)
    """By method."""
    costs: dict[str, dict[str, int]] = field(default_factory=dict)
    """By method, the fields of a `MemoryReport`."""
    seeds: dict[int, dict[str, Trial]] = field(default_factory=dict)
    """By seed and method."""
    preparing_seconds: dict[int, float] = field(default_factory=dict)
    """By seed, the time to prepare batches for live backbones, which no method is charged with."""
    environment: dict[str, Any] = field(default_factory=dict)
    toml: str = ""
    """The recipe, with all defaults."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for results.json, the rows of the table included."""
        values = asdict(self)
        values["seeds"] = {str(seed): trials for seed, trials in values["seeds"].items()}
        values["preparing_seconds"] = {str(seed): value for seed, value in self.preparing_seconds.items()}
        rows = rows_of(self)
        return {**values, "reference": reference_of(self), "rows": [asdict(row) for row in rows]}

    def final(self, method: str) -> float | None:
        """Mean dev value at the end of training, over the seeds that did not diverge."""
        curve = mean_curve([trials[method] for trials in self.seeds.values()])
        return curve[-1].value if curve else None


@dataclass(frozen=True)
class Row:
    """What the table says of one method. None stands for what was not measured."""

    method: str
    trained_parameters: int
    kept_bytes: int
    """Kept for the backward pass of the largest batch."""
    peak_bytes: int
    """Peak of a forward and backward pass: batch, activations, gradients."""
    step_ratio: float | None
    """Median over all steps of its time over the reference's on the same batch."""
    training_seconds: float
    """Mean over seeds."""
    feature_seconds: float
    """Once; 0 where nothing is stored."""
    time_ratio: float | None
    """Training and features over the reference's training."""
    reached_seconds: float | None
    """Until 99 % of the reference's final dev value is first reached, features included; None: never."""
    values: tuple[float, ...]
    """The headline metric by seed."""
    mean: float | None
    spread: float | None
    """Standard deviation over seeds."""
    rate: float
    at_end: str
    diverged: int
    """Seeds in which the training diverged."""

    @property
    def total_seconds(self) -> float:
        """Training and features."""
        return self.training_seconds + self.feature_seconds


def reference_of(comparison: Comparison) -> str | None:
    """The method that times are relative to: LoRA, or the peer that is best on dev, or none."""
    peers = [name for name in comparison.peers if any(name in trials for trials in comparison.seeds.values())]
    loras = [name for name in peers if name.partition(":")[0] == LORA]
    if loras or not peers:
        return next(iter(loras), None)
    return max(peers, key=lambda name: comparison.final(name) or -math.inf)


def rows_of(comparison: Comparison) -> list[Row]:
    """One row a method, in the order asked for; none before the first seed is done."""
    if not comparison.seeds:
        return []
    reference = reference_of(comparison)
    return [_row(comparison, name, reference) for name in next(iter(comparison.seeds.values()))]


def _row(comparison: Comparison, name: str, reference: str | None) -> Row:
    trials = [each[name] for each in comparison.seeds.values()]
    whole = [trial for trial in trials if trial.diverged is None]
    values = tuple(trial.metrics[comparison.split][comparison.headline] for trial in whole)
    features = comparison.feature_seconds if name in comparison.stored else 0.0
    seconds = statistics.mean(trial.seconds for trial in whole or trials)
    cost, choice = comparison.costs[name], comparison.choices[name]
    rivals = [] if reference is None else [each[reference] for each in comparison.seeds.values()]
    time_ratio = (seconds + features) / statistics.mean(rival.seconds for rival in rivals) if rivals else None
    return Row(
        method=name,
        trained_parameters=cost["trained_parameters"],
        kept_bytes=cost["kept_bytes"],
        peak_bytes=cost["peak_bytes"],
        step_ratio=_step_ratio(trials, rivals),
        training_seconds=seconds,
        feature_seconds=features,
        time_ratio=time_ratio,
        reached_seconds=_reached(comparison, trials, reference, features),
        values=values,
        mean=statistics.mean(values) if values else None,
        spread=statistics.stdev(values) if len(values) > 1 else None,
        rate=choice.rate,
        at_end=choice.at_end,
        diverged=len(trials) - len(whole),
    )


def _step_ratio(trials: Sequence[Trial], rivals: Sequence[Trial]) -> float | None:
    pairs = [
        own / other
        for trial, rival in zip(trials, rivals, strict=False)
        for own, other in zip(trial.step_seconds, rival.step_seconds, strict=False)
    ]
    return statistics.median(pairs) if pairs else None


def mean_curve(trials: Sequence[Trial]) -> tuple[Point, ...]:
    """Mean over seeds of what was seen along the training; trainings that diverged are left out."""
    whole = [trial.points for trial in trials if trial.diverged is None and trial.points]
    return tuple(
        Point(
            points[0].step,
            statistics.mean(point.seconds for point in points),
            statistics.mean(point.value for point in points),
        )
        for points in zip(*whole, strict=True)
    )


def _reached(comparison: Comparison, trials: Sequence[Trial], reference: str | None, features: float) -> float | None:
    goal = None if reference is None else comparison.final(reference)
    if goal is None:
        return None
    curve = mean_curve(trials)
    return next((features + point.seconds for point in curve if point.value >= REACHED * goal), None)


def standard_error(comparison: Comparison) -> float | None:
    """Standard error of the headline metric that comes from the size of the test side, at the best method's value.

    Of an accuracy it is the binomial one. Of a sum of recalls it is the sum of the recalls' own, an upper bound, since
    they are measured on the same queries. None where it has no simple form (mean average precision).
    """
    best = max((row for row in rows_of(comparison) if row.mean is not None), key=lambda row: row.mean, default=None)  # type: ignore[arg-type, return-value]
    if best is None:
        return None
    trials = [trials[best.method] for trials in comparison.seeds.values()]
    metrics = next(trial.metrics[comparison.split] for trial in trials if trial.diverged is None)
    if comparison.headline == "accuracy":
        return _binomial(metrics["accuracy"], comparison.examples[comparison.split])
    if comparison.headline != "rsum":
        return None
    errors = []
    for part, count in comparison.queries.items():
        own = ((name.rpartition("/"), value) for name, value in metrics.items())
        recalls = [value for (way, _, name), value in own if way.startswith(f"{part}_to_") and name in _RECALLS]
        errors += [100 * _binomial(value, count) for value in recalls]
    return sum(errors)


_RECALLS = ("r1", "r5", "r10")


def _binomial(share: float, count: int) -> float:
    return math.sqrt(max(share * (1 - share), 0.0) / count)
